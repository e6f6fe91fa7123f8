"""A replica that goes on from a state it received (protocol §8): what it held before, and what it says next."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot, FastQuorums, Policy
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Bodies, FetchBodies, PeerMessage, Phase2a, Phase2b, Propose, SnapshotChunk
from genpaxos.core.records import Entered, Record
from genpaxos.core.replica import Replica
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body

X, Y = Bank.deposit("alice", 5), Bank.deposit("bob", 3)
ONE = Ballot(1, 0)
LAGS = 2


def ahead_of_one(policy: Policy = Policy.CLASSIC, fast: FastQuorums = FastQuorums.PINNED) -> Bench:
    """0 and 1 have committed X as ``c:1``; 2 has not heard of that."""
    bench = Bench(3, policy, fast).led_by(0)
    bench.propose(X, to=[0, 1])
    for _ in range(3):
        bench.drop(receiver=LAGS)
        bench.round()
    assert [bench[node].history.committed for node in range(3)] == [1, 1, 0]
    return bench


def state_of(replica: Replica) -> SnapshotChunk:
    replica.unwritten()
    state = replica.capture().state
    return SnapshotChunk(replica.acceptor.promised, replica.history.committed, 0, len(state), state)


def gets(replica: Replica, *messages: tuple[int, PeerMessage]) -> Effects:
    return replica.step(0.0, peers=messages)


def test_a_command_that_the_state_holds_is_proposed_no_more() -> None:
    """Found by simulation: its body is gone, and whatever looked into the pool stopped the replica."""
    bench = ahead_of_one()
    replica = bench[LAGS]
    replica.step(0.0, clients=[("client", Propose(["c:1", "c:2"], [body(X), body(Y)]))])
    assert list(replica.pool) == ["c:1", "c:2"]
    gets(replica, (0, state_of(bench[0])))
    assert replica.history.committed == 1
    assert replica.pool.waiting() == ["c:2"]
    for now_ms in range(0, 1_000, 20):  # what lingers is relayed
        replica.step(float(now_ms))


def test_a_command_that_is_cut_off_is_proposed_no_more() -> None:
    bench = ahead_of_one()
    replica = bench[1]
    replica.pool.take()
    replica.pool.add(["c:1", "c:2"])
    replica.proposals.add(["c:2"], [body(Y)])
    replica.snapshot_stored(1)
    replica.snapshot_stored(1)
    gets(replica)
    assert replica.history.base == 1
    assert replica.pool.waiting() == ["c:2"]


def test_late_votes_for_what_the_state_holds_teach_nothing() -> None:
    """Found by simulation: such a command was learned, and waited for its body for ever."""
    bench = ahead_of_one(Policy.LEADER_ORDERED, FastQuorums.ANY)
    replica = bench[LAGS]
    digest = bench[0].history.digests[0]
    vote = Phase2b(ONE, ["c:1"], [digest], 0)
    gets(replica, (0, vote))
    assert replica.learner.pending == 1
    gets(replica, (0, state_of(bench[0])), (1, vote), (0, vote))
    assert replica.learner.pending == 0
    assert replica.executor.waiting == []
    assert replica.executor.applied == 1


def test_who_asks_for_a_body_that_is_cut_off_gets_the_state() -> None:
    """Found by simulation: a replica that had heard all decrees of a ballot, but not all commands, asked for ever."""
    bench = ahead_of_one()
    replica = bench[0]
    replica.unwritten()
    for _ in range(2):
        replica.snapshot_stored(1)
    gets(replica)
    assert replica.history.base == 1
    assert gets(replica, (LAGS, FetchBodies(["c:1"]))).chunks == [(LAGS, 0)]
    replica.proposals.add(["c:2"], [body(Y)])
    effects = gets(replica, (LAGS, FetchBodies(["c:2"])))
    assert effects.chunks == []
    assert effects.sends == [(LAGS, Bodies(["c:2"], [body(Y)]))]


def test_the_records_of_a_step_that_replaced_the_state_are_part_of_its_snapshot_alone() -> None:
    """Found by simulation: written before the snapshot, they would rest on a state that a crash in between leaves out.

    The replica enters ballot 2 behind the state that it got in the same step.
    """
    bench = ahead_of_one()
    replica = bench[LAGS]
    replica.unwritten()
    digest = bench[0].history._index.digest("c:2", Bank.admit("deposit", ["bob", 3]))
    opening = Phase2a(Ballot(2, 1), replica.acceptor.kind, 1, 1, 2, ["c:2"], [digest], [body(Y)])
    effects = gets(replica, (0, state_of(bench[0])), (1, opening))
    assert replica.acceptor.accepted == Ballot(2, 1)
    assert replica.history.length == 2
    assert effects.capture
    assert effects.records == []
    snapshot = replica.capture()
    again = Replica(LAGS, Bank(), bench.settings, 0.0, [], snapshot)
    assert (again.acceptor.promised, again.acceptor.accepted) == (Ballot(2, 1), Ballot(2, 1))
    assert (again.history.length, again.history.committed) == (2, 2)
    assert again.executor.machine.snapshot() == {"cents": {"alice": 5, "bob": 3}}


def test_records_that_do_not_follow_on_the_state_are_not_replayed() -> None:
    records: list[Record] = [Entered(ONE, Bench()[0].acceptor.kind, 5, [], [], [])]
    with pytest.raises(AssertionError, match=r"V\[5\] follows on V\[1..0\]"):
        Replica(0, Bank(), Bench().settings, 0.0, records)
