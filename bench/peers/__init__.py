"""What the engine is compared with: each peer gets the same commands, on the same machine, in the same run.

``etcd`` (over ``grpc`` and ``protobuf``) · ``pysyncobj`` (with ``pysyncobj_member``) · ``unreplicated`` (with
``unreplicated_server``): the engine's own stack without consensus · ``peer``: what they have in common · ``children``:
their processes · ``puts``: the commands as keys and values · ``etcd_outages`` and ``pysyncobj_outages``: under load
while members are killed · ``against``: which of them there are, and ratios to them
"""
