"""Measures the engine: real replica processes, durable, on this machine. ``python -m bench --help``.

``cli`` (and ``snapshot``): arguments and printing · ``engine``: what is measured · ``peers``: what it is compared with
· ``wan``: the same across regions · ``harness``: what these share
· ``publish``: what is made of the results, in the terminal and as a page
"""
