"""Replicas in regions: real processes on this machine, and between them the delays of a matrix of round trips.

``delay``: a link that takes time, in user space · ``loop``: timers finer than a millisecond · ``dialler``: who made a
connection · ``proxy``: the process that holds the links · ``proxies``: that process, seen from here · ``echo``: how
true the delays are · ``ports`` · ``replica``: a replica that dials through links · ``engine`` ``etcd``: what is
measured · ``contender``: what they have in common · ``measure``: the rounds · ``options`` ``arguments``
"""
