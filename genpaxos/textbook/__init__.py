"""C-structs: the values Generalized Paxos can agree on, and the textbook rules about them, to read and to test against.

References are to Lamport, *Generalized Consensus and Paxos* (MSR-TR-2005-33).

- ``algebra``: what a c-struct is, and the axioms CS0 to CS4 as predicates (§3.3)
- ``value``, ``sequence``, ``commandset``, ``history``: the four c-struct sets of the family
- ``provedsafe``: ballot arrays and ProvedSafe, by the definition (§5.3.2)
- ``counting``: the same for command histories on digests, as ``genpaxos.core.recovery`` does it

The running protocol uses digests only. ``history`` draws on networkx, which is loaded when a history is first made.
"""
