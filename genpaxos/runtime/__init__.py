"""Real processes around the core: ZeroMQ, orjson, SQLite.

- ``config``: the cluster file · ``identity``: what a replica's directory must agree with
- ``wire``: messages to bytes and back, every limit named · ``transport``: sockets · ``storage``: the journal
- ``server``: one replica process
- ``client``, ``blocking``: the client, and one that blocks · ``query``: one question to one replica
- ``local``: a cluster of local processes for tests, notebooks and the demo (``genpaxos.local`` adds the pictures)
"""
