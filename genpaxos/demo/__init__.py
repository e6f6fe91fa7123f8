"""The demo: a cluster of real processes under real load, and a verdict that is computed.

``workload``: what the clients do · ``run``: cluster, clients, faults · ``evidence``: what is asked of the replicas
afterwards · ``verdict``: what follows from it · ``show``: the live view
"""
