"""A replica's message as one or more payloads, none of which is longer than a peer takes.

What a new coordinator decrees at once can be any number of large commands. Decrees come in parts all the time, and so
do the others of these messages: each part is a message of its own, and one that is lost is asked for.
"""

from dataclasses import replace

from genpaxos.core.messages import Bodies, Committed, PeerMessage, Phase2a, Propose
from genpaxos.runtime import wire

PART_BYTES_MAX = 2 * 1024 * 1024
"""A message longer than this is sent in parts, if it has parts."""


def payloads(message: PeerMessage) -> list[bytes]:
    """The message encoded, in parts if it is long; in the order in which they should be sent."""
    payload = wire.encode(message)
    halves = _halves(message) if len(payload) > PART_BYTES_MAX else None
    if halves is None:
        return [payload]
    return payloads(halves[0]) + payloads(halves[1])


def _halves(message: PeerMessage) -> tuple[PeerMessage, PeerMessage] | None:
    """Two messages that say together what this one says; ``None`` if it has no parts."""
    if not isinstance(message, (Bodies, Committed, Phase2a, Propose)) or message.bodies is None:
        return None
    ids, bodies, at = message.ids, message.bodies, len(message.ids) // 2
    if not at:
        return None
    if isinstance(message, (Bodies, Propose)):
        return replace(message, ids=ids[:at], bodies=bodies[:at]), replace(message, ids=ids[at:], bodies=bodies[at:])
    first, digests = message.first, message.digests
    return (
        replace(message, ids=ids[:at], digests=digests[:at], bodies=bodies[:at]),
        replace(message, first=first + at, ids=ids[at:], digests=digests[at:], bodies=bodies[at:]),
    )
