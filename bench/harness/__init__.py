"""What the measurements share, of the engine, of peers and over distances.

``options`` ``machine``: what is asked for, and where · ``cluster``: replicas and a client
· ``workload`` ``tally``: the commands · ``contender``: what is put under load · ``load`` ``bulk``: closed loops
· ``sample``: one measured run · ``outage``: one kill · ``verify``: whether it was right
· ``client_check``: whether the client was its limit · ``cpu`` ``usage`` ``stats``: what figures are made of
"""
