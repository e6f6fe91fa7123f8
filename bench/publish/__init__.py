"""What is made of results: JSON objects in, tables in the terminal and a page out.

``runs`` ``programme``: the runs that the page is made of, one after the other · ``bars``: what must be reached
· ``tables``: what both make theirs of
· ``report`` ``report_peers`` ``report_wan`` ``report_cells``: what shows a run in the terminal
· ``results`` ``page`` ``page_tables`` ``page_peers`` ``plot`` ``markdown`` ``notes``: the page that is made of them
"""
