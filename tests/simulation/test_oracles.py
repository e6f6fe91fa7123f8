"""Every oracle sees what it is there to see: a healthy run is falsified, each time in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genpaxos.core.ballot import CLASSIC, Ballot
from genpaxos.core.effects import Effects
from genpaxos.core.messages import (
    Heartbeat,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Rejoin,
    RejoinAck,
    SnapshotChunk,
)
from genpaxos.core.records import Accepted, Adopted, Entered, Learned, Promised, Readmitted, Record
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import Snapshot, State
from genpaxos.examples.bank import Bank
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.disk import Found
from genpaxos.simulation.durability import Durability
from genpaxos.simulation.oracles import Oracles
from genpaxos.simulation.process import Process
from genpaxos.simulation.rejoining import Floors
from genpaxos.simulation.run import judge_identical, judge_linearizable
from genpaxos.simulation.snapshots import SnapshotRules
from genpaxos.simulation.violations import Invariant, ViolationError

ONE, TWO = Ballot(1, 0), Ballot(2, 1)


def rested() -> SimulatedCluster:
    """Five commands were run everywhere."""
    cluster = SimulatedCluster(Bank, Settings(3), seed=1)
    cluster.campaign(0)
    for command in (Bank.deposit("a", 9), Bank.withdraw("a", 4), Bank.deposit("b", 1), Bank.balance("a"), Bank.total()):
        pending = cluster.submit(command)
        assert cluster.run_until(lambda: pending.result is not None, 2_000)  # noqa: B023
    cluster.run_for(500)
    judge_identical(cluster.alive())
    return cluster


@contextmanager
def broken(invariant: Invariant, what: str) -> Iterator[None]:
    with pytest.raises(ViolationError, match=what) as raised:
        yield
    assert raised.value.invariant is invariant


# Steps ---------------------------------------------------------------------------------------------------------------


def test_a_committed_index_that_differs_is_seen() -> None:
    oracles = Oracles(Bank, Settings(3))
    oracles.committed(0, 1, "c:1", 7 << 48)
    oracles.committed(1, 1, "c:1", 7 << 48)
    with broken(Invariant.COMMITTED, "index 1 is committed as c:1 0007; replica 2 has c:2 0007"):
        oracles.committed(2, 1, "c:2", 7 << 48)


def test_a_command_committed_twice_is_seen() -> None:
    oracles = Oracles(Bank, Settings(3))
    oracles.committed(0, 1, "c:1", 7)
    with broken(Invariant.ONCE, "c:1 is committed at two indices"):
        oracles.committed(0, 2, "c:1", 8)


@pytest.mark.parametrize("learned_first", [True, False])
def test_a_command_learned_fast_with_another_digest_than_it_is_committed_with_is_seen(learned_first: bool) -> None:
    oracles = Oracles(Bank, Settings(3))
    with broken(Invariant.LEARNED, "c:1 was learned with another digest than it is committed with"):
        if learned_first:
            oracles.learn(1, "c:1", 7)
        oracles.committed(0, 1, "c:1", 8)
        oracles.learn(1, "c:1", 7)


def test_two_digests_learned_fast_are_seen() -> None:
    oracles = Oracles(Bank, Settings(3))
    oracles.learn(0, "c:1", 7)
    with broken(Invariant.LEARNED, "replica 1 learned c:1"):
        oracles.learn(1, "c:1", 8)


def test_a_replica_that_computes_another_result_is_seen() -> None:
    cluster = rested()
    machine = cluster.alive()[1].executor.machine
    assert isinstance(machine, Bank)
    machine.cents["a"] = 100
    with broken(Invariant.RESULTS, "c0:6 was answered .*, and later"):
        cluster.submit(Bank.balance("a"))
        cluster.run_for(300)


def test_a_command_run_twice_is_seen() -> None:
    cluster = rested()
    replica = cluster.alive()[1]
    replica.executor.done[0].append("c0:1")
    replica.executor.done[1].append([None, None])
    with broken(Invariant.ONCE, "replica 1 ran c0:1 twice"):
        cluster.run_for(200)


def test_interfering_commands_run_in_another_order_are_seen_without_a_look_at_digests() -> None:
    oracles = Oracles(Bank, Settings(2))
    deposit, withdraw = Bank.admit("deposit", ["a", 1]), Bank.admit("withdraw", ["a", 1])
    assert oracles.order.interferes(deposit, withdraw)
    cluster = rested()
    witness = cluster.oracles.witnesses[1]
    witness.executed.clear()
    witness._sets.clear()
    with broken(Invariant.ORDER, "replica 1 ran c0:2 after none and before c0:1; another did not"):
        witness._place(withdraw, "c0:2")


@pytest.mark.parametrize("which", ["promised", "accepted"])
def test_a_ballot_that_falls_is_seen(which: str) -> None:
    cluster = rested()
    setattr(cluster.alive()[1].acceptor, which, Ballot(0, 0))
    with broken(Invariant.BALLOTS, "replica 1 went from promised 1.0, accepted 1.0 back to"):
        cluster.oracles.witnesses[1].stepped(cluster.alive()[1])


def test_an_accepted_ballot_above_the_promise_is_seen() -> None:
    cluster = rested()
    cluster.alive()[1].acceptor.accepted = TWO
    with broken(Invariant.BALLOTS, "replica 1 accepted 2.1, promised 1.0"):
        cluster.oracles.witnesses[1].stepped(cluster.alive()[1])


class Unreadable(dict[str, int]):
    """Asks the operating system for what it holds."""

    def get(self, *_: Any) -> Any:
        open("/nowhere")  # noqa: SIM115  # raises


def test_an_error_that_a_replica_raises_is_a_violation() -> None:
    cluster = rested()
    machine = cluster.alive()[1].executor.machine
    assert isinstance(machine, Bank)
    machine.cents = Unreadable()
    with broken(Invariant.SOUND, "replica 1 stopped: MachineFaultError"):
        cluster.submit(Bank.balance("a"))
        cluster.run_for(300)


# Cuts, snapshots, incarnations ---------------------------------------------------------------------------------------


def cut() -> SimulatedCluster:
    """Seven commands were run everywhere, the first of which are cut off the logs."""
    cluster = SimulatedCluster(Bank, Settings(3), seed=1, snapshots=SnapshotRules(2))
    cluster.campaign(0)
    for amount in range(7):
        pending = cluster.submit(Bank.deposit("a", amount))
        assert cluster.run_until(lambda: pending.result is not None, 2_000)  # noqa: B023
        cluster.run_for(200)
    assert [replica.history.base for replica in cluster.alive()] == [4, 4, 4]
    judge_identical(cluster.alive())
    return cluster


def test_a_cut_that_changes_a_digest_or_the_sum_of_the_log_is_seen() -> None:
    """Bug pattern 16."""
    cluster = cut()
    replica, witness = cluster.alive()[1], cluster.oracles.witnesses[1]
    witness._base = 0
    replica.history._base_sum ^= 1
    with broken(Invariant.COMMITTED, r"replica 1 has cut another V\[1..4\] off its log"):
        witness.stepped(replica)
    replica.history._base_sum ^= 1
    replica.history.digests[0] ^= 1 << 60
    with broken(Invariant.COMMITTED, "index 5 is committed as c0:5"):
        witness.stepped(replica)


def test_a_cut_beyond_what_is_committed_is_seen() -> None:
    oracles = Oracles(Bank, Settings(3))
    oracles.cut(0, 0, 0)
    with broken(Invariant.COMMITTED, r"replica 0 holds V\[1..1\] for cut; only 0 are committed"):
        oracles.cut(0, 1, 0)


def test_a_log_that_loses_count_at_a_cut_is_seen() -> None:
    cluster = cut()
    replica, witness = cluster.alive()[1], cluster.oracles.witnesses[1]
    witness._base = 0
    replica.history.positions["c0:5"] = 4
    with broken(Invariant.COMMITTED, "replica 1 has lost count of its log"):
        witness.stepped(replica)


def test_a_log_that_is_not_cut_is_seen() -> None:
    cluster = cut()
    with broken(Invariant.BOUNDED, "replica 1 keeps its log from 4 on; the last snapshots are at 6 and 7"):
        cluster.oracles.witnesses[1].adopted(7)
        cluster.oracles.witnesses[1].stepped(cluster.alive()[1])


def test_a_command_that_is_cut_off_and_runs_again_is_seen() -> None:
    cluster = cut()
    replica = cluster.alive()[1]
    replica.executor.done[0].append("c0:2")
    replica.executor.done[1].append([None, None])
    with broken(Invariant.ONCE, "replica 1 ran c0:2 twice"):
        cluster.run_for(200)
    cluster.crash(2)
    cluster.restart(2)
    assert "c0:2" in cluster.oracles.witnesses[2].executed, "what came with the snapshot has run as well"


def test_a_new_incarnation_that_takes_part_below_its_floor_is_seen() -> None:
    floors = Floors(3)
    with broken(Invariant.REJOINING, "replica 2, incarnation 1, takes part in 2.1; .* nothing"):
        floors.left(2, 1, 0, Phase2b(TWO, [], [], 0))
    floors.left(0, 0, 2, RejoinAck(1, ONE, [0, 0, 1]))
    floors.left(1, 0, 2, RejoinAck(1, TWO, [0, 0, 1]))
    with broken(Invariant.REJOINING, "replica 2, incarnation 1, takes part in 2.1"):
        floors.left(2, 1, 0, Phase1a(TWO, 0))
    floors.left(2, 1, 0, Phase1a(Ballot(3, 2), 0))
    floors.left(2, 0, 0, Phase1a(ONE, 0))


def test_an_incarnation_that_is_forgotten_after_it_was_acknowledged_is_seen() -> None:
    durability = durable()
    durability.wrote([Readmitted(2, 1)])
    durability.left(RejoinAck(1, ONE, [0, 0, 1]))
    with broken(Invariant.BALLOTS, "replica 0 restarted and knows no incarnation 1 of replica 2"):
        durability.started(Replica(0, Bank(), Settings(3), 0.0), Found([]))


# What leaves, and what is on the disk --------------------------------------------------------------------------------


def durable() -> Durability:
    """Has promised and entered ballot 1 with one decree and a tail of one command."""
    durability = Durability(0)
    durability.wrote([Promised(ONE), Entered(ONE, CLASSIC, 1, ["c:1"], [1], [[]]), Accepted(["c:2"], [[]])])
    return durability


def heartbeat(promised: Ballot, adopted: int) -> Heartbeat:
    return Heartbeat(promised, ONE, adopted, 0, False, True, 7, True)


SYNCED: list[PeerMessage] = [
    Phase1a(ONE, 0),
    Phase1b(ONE, ONE, CLASSIC, 0, 1, ["c:1"], [1], ["c:2"]),
    Phase2a(ONE, CLASSIC, 0, 0, 1, ["c:1"], [1], None),
    Phase2b(ONE, ["c:2"], [2], 1),
    Nack(ONE, ONE),
    RejoinAck(1, ONE, [0, 0, 0]),
    SnapshotChunk(ONE, 1, 0, 1, b"x"),
    heartbeat(ONE, 1),
]
UNSYNCED: list[PeerMessage] = [
    Phase1a(TWO, 0),
    Phase1b(TWO, ONE, CLASSIC, 0, 1, [], [], []),
    Phase1b(ONE, TWO, CLASSIC, 0, 1, [], [], []),
    Phase1b(ONE, ONE, CLASSIC, 0, 1, ["c:1"], [1], ["c:3"]),
    Phase2a(ONE, CLASSIC, 0, 0, 1, ["c:1", "c:2"], [1, 2], None),
    Phase2b(ONE, ["c:3"], [3], 1),
    Phase2b(ONE, [], [], 2),
    Phase2b(TWO, [], [], 1),
    Nack(ONE, TWO),
    RejoinAck(1, ONE, [0, 0, 1]),
    RejoinAck(1, TWO, [0, 0, 0]),
    Rejoin(1, ONE),
    SnapshotChunk(TWO, 1, 0, 1, b"x"),
    heartbeat(TWO, 1),
    heartbeat(ONE, 2),
]


@pytest.mark.parametrize("message", SYNCED, ids=lambda message: type(message).__name__)
def test_what_rests_on_synced_records_may_leave(message: PeerMessage) -> None:
    durable().left(message)


@pytest.mark.parametrize("message", UNSYNCED, ids=lambda message: type(message).__name__)
def test_what_does_not_is_seen(message: PeerMessage) -> None:
    with broken(Invariant.DURABLE, r"replica 0 .*synced"):
        durable().left(message)


def test_a_process_that_sends_before_it_syncs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug pattern 3."""

    def carry_out(self: Process, effects: Effects) -> None:
        self._send(effects, 1.0)
        honest(self, effects)

    honest: Callable[[Process, Effects], None] = Process.carry_out
    cluster = SimulatedCluster(Bank, Settings(3), seed=1)
    monkeypatch.setattr(Process, "carry_out", carry_out)
    with broken(Invariant.DURABLE, "synced"):
        cluster.run_for(500)


@pytest.mark.parametrize(
    ("said", "forgot"),
    [
        (Nack(ONE, TWO), "has promised 1.0; it had said 2.1"),
        (Phase2b(ONE, ["c:2"], [2], 0), "holds no c:2, which it voted for in 1.0"),
        (Phase2b(ONE, [], [], 2), "has adopted 1 decrees of 1.0; it had said 2"),
    ],
    ids=["promise", "vote", "adoption"],
)
def test_a_replica_that_forgets_what_it_said_is_seen_when_it_restarts(said: PeerMessage, forgot: str) -> None:
    before = [Promised(ONE), Entered(ONE, CLASSIC, 1, ["c:1"], [1], [["balance", ["a"], 0]])]
    durability = Durability(0)
    durability.wrote([*before, Promised(TWO), Accepted(["c:2"], [[]])])
    if isinstance(said, Phase2b) and said.adopted == 2:
        durability.wrote([Entered(ONE, CLASSIC, 1, ["c:1", "c:2"], [1, 2], [[], []])])
    durability.left(said)
    replica = Replica(0, Bank(), Settings(3), 0.0, [])
    replica.acceptor.promised = TWO if isinstance(said, Phase2b) else ONE
    replica.acceptor.accepted = ONE
    replica.history.ids = ["c:1"]
    with broken(Invariant.BALLOTS, f"replica 0 restarted and {forgot}"):
        durability.started(replica, Found(before))


def test_decrees_that_others_committed_may_shorten_what_was_adopted() -> None:
    durability = durable()
    durability.wrote([Entered(ONE, CLASSIC, 1, ["c:1", "c:2"], [1, 2], [[], []])])
    durability.left(Phase2b(ONE, [], [], 2))
    durability.wrote([Learned(1, ["c:3"], [3], [[]])])
    replica = Replica(0, Bank(), Settings(3), 0.0, [])
    replica.acceptor.promised = replica.acceptor.accepted = ONE
    replica.history.ids = ["c:3"]
    durability.started(replica, Found([]))


def test_what_a_step_said_before_others_decrees_shortened_its_log_was_true() -> None:
    """A coordinator answers who asks for its decrees, and in the same step learns what a higher ballot committed."""
    durability = durable()
    decrees = Phase2a(ONE, CLASSIC, 0, 0, 1, ["c:1", "c:2", "c:4"], [1, 2, 4], None)
    shorter = [Adopted(["c:2", "c:4"], [2, 4], [None, []]), Promised(TWO), Learned(1, ["c:3"], [3], [[]])]
    durability.wrote(shorter)
    durability.left(decrees)
    replica = Replica(0, Bank(), Settings(3), 0.0, [])
    replica.acceptor.promised, replica.acceptor.accepted = TWO, ONE
    replica.history.ids = ["c:3"]
    replica.history.tail = {"c:1": 1, "c:2": 2, "c:4": 4}
    durability.started(replica, Found([Entered(ONE, CLASSIC, 1, ["c:1"], [1], [[]]), *shorter]))
    with broken(Invariant.DURABLE, "replica 0 decrees 3 decrees of 1.0; synced are 1 of 1.0"):
        durability.left(decrees)  # in a later step, it has them no more


def taken_over(indices: dict[str, int], index: int) -> Durability:
    """Has stored the state at ``index`` in place of all records: one step received it, and went on from there."""
    durability = Durability(0, indices)
    durability.wrote([Promised(ONE), Entered(ONE, CLASSIC, 1, [], [], [])])
    durability.stored(index)
    beside: list[Record] = [
        Entered(ONE, CLASSIC, index + 1, ["c:4"], [4], [[]]),
        Accepted(["c:5"], [[]]),
        Promised(ONE),
    ]
    durability.replaced(Snapshot(b"", beside), State(index, 0, None, {}, None, [], None, index))
    return durability


def test_what_was_committed_in_the_step_that_stored_a_state_rests_on_that_state() -> None:
    durability = taken_over({"c:1": 1, "c:2": 2, "c:3": 3}, index=3)
    durability.left(Phase2b(ONE, ["c:2", "c:3", "c:4", "c:5"], [2, 3, 4, 5], 4))


def test_what_is_committed_behind_the_stored_state_does_not_rest_on_it() -> None:
    durability = taken_over({"c:1": 1, "c:2": 2, "c:3": 3}, index=2)
    with broken(Invariant.DURABLE, "tells a vote for c:3, which is not synced"):
        durability.left(Phase2b(ONE, ["c:2", "c:3"], [2, 3], 3))


# At the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["log", "machine", "sessions", "applied"])
def test_the_final_check_sees_every_difference(what: str) -> None:
    cluster = rested()
    odd = cluster.alive()[1]
    match what:
        case "log":
            odd.history.ids[0], odd.history.ids[1] = odd.history.ids[1], odd.history.ids[0]
        case "machine":
            assert isinstance(odd.executor.machine, Bank)
            odd.executor.machine.cents["a"] = -1
        case "sessions":
            odd.executor.sessions.record("z:1", "z", 1, [None, None], 0)
        case _:
            odd.executor.applier.applied += 1
    with broken(Invariant.IDENTICAL, "differ|applied"):
        judge_identical(cluster.alive())


def test_a_wrong_result_is_not_linearizable() -> None:
    cluster = rested()
    calls = cluster.client(0).calls
    judge_linearizable(cluster, calls)
    calls[3].result = [None, 999]
    with broken(Invariant.LINEARIZABLE, "999"):
        judge_linearizable(cluster, calls)
