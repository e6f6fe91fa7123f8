"""Which messages are heard of which incarnation."""

from __future__ import annotations

from genpaxos.core.ballot import Ballot
from genpaxos.core.effects import Effects
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.messages import FetchBodies, PeerMessage, Rejoin, RejoinAck
from genpaxos.core.quorum import QuorumSystem
from genpaxos.core.records import Readmitted, Rejoining
from tests.core.bench import acceptor_of, known

ONE = Ballot(1, 0)
ACK = RejoinAck(1, ONE, [1, 0, 1])


def rejoining() -> Incarnations:
    """Replica 2 after the loss of its data: it knows nothing of what befell the others."""
    made = Incarnations(2, QuorumSystem.majority(3), acceptor_of(2, known({})))
    made.replay(Rejoining(1))
    return made


def test_nothing_of_an_incarnation_that_is_over_is_heard_and_of_a_later_one_only_that_it_is_one() -> None:
    made = rejoining()
    made.replay(Readmitted(0, 2))
    other: PeerMessage = FetchBodies(["c:1"])
    assert [made.admits(0, incarnation, other) for incarnation in (1, 2, 3)] == [False, True, False]
    assert [made.admits(0, incarnation, Rejoin(incarnation, ONE)) for incarnation in (1, 2, 3)] == [False, True, True]


def test_the_answer_of_one_that_rejoined_before_is_heard_by_one_that_rejoins() -> None:
    """Found by simulation: once all have acknowledged it, a replica does not announce itself any more. One that rejoins
    later ignored its answers, and waited for ever."""
    made = rejoining()
    assert made.admits(0, 1, ACK)
    made.on_ack(0, ACK, Effects())
    made.on_ack(1, ACK, Effects())
    assert made.known == [1, 0, 1]
    assert made.floor == ONE
