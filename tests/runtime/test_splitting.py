"""Messages of any length leave in parts that a peer takes."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import CLASSIC, Ballot
from genpaxos.core.messages import Bodies, Committed, Heartbeat, PeerMessage, Phase2a, Propose
from genpaxos.runtime import wire
from genpaxos.runtime.splitting import PART_BYTES_MAX, payloads

COUNT = 300
IDS = [f"c:{n}" for n in range(COUNT)]
DIGESTS = list(range(COUNT))
BODIES = [["put", [str(n) + "x" * 60_000], 0] for n in range(COUNT)]
B = Ballot(3, 1)


@pytest.mark.parametrize(
    "message",
    [
        Phase2a(B, CLASSIC, 5, 4, 7, IDS, DIGESTS, BODIES),
        Committed(B, 7, IDS, DIGESTS, BODIES),
        Bodies(IDS, BODIES),
        Propose(IDS, BODIES),
    ],
    ids=lambda message: type(message).__name__.lower(),
)
def test_the_parts_of_a_long_message_say_what_it_says(message: PeerMessage) -> None:
    parts = payloads(message)
    assert all(len(part) <= PART_BYTES_MAX for part in parts)
    ids: list[str] = []
    bodies: list[object] = []
    for part in map(wire.decode, parts):
        assert type(part) is type(message)
        if isinstance(part, (Phase2a, Committed)):
            assert part.first == 7 + len(ids)
            assert part.digests == DIGESTS[len(ids) : len(ids) + len(part.ids)]
            assert part.ballot == B
        if isinstance(part, Phase2a):
            assert (part.kind, part.recovered, part.committed) == (CLASSIC, 5, 4)
        assert isinstance(part, (Phase2a, Committed, Bodies, Propose))
        ids += part.ids
        bodies += part.bodies or []
    assert (ids, bodies) == (IDS, BODIES)


def test_what_is_short_or_has_no_parts_is_one_payload() -> None:
    beat = Heartbeat(B, B, 1, 1, True, True, 7, True)
    assert payloads(beat) == [wire.encode(beat)]
    one = Bodies(["c:1"], [["put", ["x" * 2 * PART_BYTES_MAX], 0]])
    assert payloads(one) == [wire.encode(one)]
    decrees = Phase2a(B, CLASSIC, 0, 0, 1, IDS * 200, DIGESTS * 200)
    assert payloads(decrees) == [wire.encode(decrees)]
