"""The protocol: pure and deterministic. No I/O, no clock, no randomness, no asyncio, no logging.

:class:`~genpaxos.core.replica.Replica` composes the roles. Its owner calls ``step`` with what arrived and the time,
and must, in this order: make ``effects.records`` durable in one transaction, then send ``effects.sends``,
``effects.broadcasts`` and ``effects.replies``. Nothing else is asked of it.

The rooms, by role (Lamport, *Generalized Consensus and Paxos*):

- ``ballot``, ``quorum``: ballots and their kinds; quorum systems as checked values
- ``commands``, ``history``: what is agreed on: commands, and the history ``V[1..j] • tail`` of an acceptor
- ``acceptor``, ``coordinator``, ``recovery``, ``learner``: phase 2b, phase 1a/2a, ProvedSafe, learning
- ``executor``, ``sessions``: running learned commands exactly once
- ``election``: who should coordinate
- ``messages``, ``records``, ``effects``: what goes over the wire, to the disk, and out of a step
"""
