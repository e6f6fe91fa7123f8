"""Measures the engine: real replica processes, durable, on this machine. ``python -m bench --help``.

``cli``: arguments and printing · ``steady`` ``interference`` ``recovery`` ``growth`` ``dimensions`` ``snapshot``: what
is measured · ``against`` ``peers``: beside what · ``contender``: what is put under load
· ``cluster``: replicas and a client · ``workload`` ``tally``: the commands · ``load`` ``bulk``: closed loops
· ``sample``: one measured run · ``verify``: whether it was right · ``client_check``: whether the client was its limit
· ``cpu`` ``usage`` ``machine`` ``stats``: what figures are made of · ``bars``: what must be reached
· ``report``: what shows a run · ``runs`` ``programme``: all of them, one after the other
· ``results`` ``page`` ``page_tables`` ``plot`` ``markdown`` ``notes``: the page that is made of them
"""
