"""Measures the engine: real replica processes, durable, on this machine. ``python -m bench --help``.

``cli``: arguments and printing · ``steady`` ``interference`` ``recovery`` ``growth`` ``snapshot``: what is measured ·
``against`` ``peers``: beside what · ``contender``: what is put under load ·
``cluster``: replicas and a client · ``workload``: the commands · ``load``: a closed loop · ``sample``: one measured run
· ``verify``: whether the run was right · ``cpu`` ``usage`` ``machine`` ``stats``: what figures are made of ·
``report``: what shows them
"""
