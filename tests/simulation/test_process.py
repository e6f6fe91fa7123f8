"""One process of a cluster: where a crash falls decides what is on its disk, and what the others hear."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot
from genpaxos.core.messages import Phase1a
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.disk import Found
from genpaxos.simulation.faults import BitFlip, ClockJump, Crash, CrashPoint, DiskFull, Fault, Pause, SyncFailure, Wipe
from genpaxos.simulation.injector import Injector
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.network import Weather
from genpaxos.simulation.snapshots import NO_SNAPSHOTS, SnapshotRules
from genpaxos.simulation.tape import Tape

NODE = 1


def elected(*, batch_ms: float = 0.0, snapshots: SnapshotRules = NO_SNAPSHOTS) -> SimulatedCluster:
    """Replica 0 coordinates; 0 and 1 are the pinned quorum."""
    cluster = SimulatedCluster(
        Bank,
        Settings(3),
        seed=1,
        weather=Weather(delay_ms=(1.0, 1.0)),
        batch_ms=batch_ms,
        snapshots=snapshots,
        tape=Tape(3),
    )
    cluster.campaign(0)
    cluster.run_for(500)
    assert [replica.coordinator.leading for replica in cluster.alive()] == [True, False, False]
    assert cluster.tape is not None
    cluster.tape.entries.clear()
    return cluster


def cause(cluster: SimulatedCluster, fault: Fault) -> None:
    Injector(cluster, [fault])
    cluster.run_for(1)


def answers(cluster: SimulatedCluster, limit_ms: float = 3_000) -> bool:
    pending = cluster.submit(Bank.deposit("alice", 1))
    return cluster.run_until(lambda: pending.result is not None, limit_ms)


def sent(cluster: SimulatedCluster, what: str, node: int = NODE) -> list[str]:
    assert cluster.tape is not None
    return [line for line in cluster.tape.lines() if f"  {node}->" in line and what in line]


@pytest.mark.parametrize(
    ("point", "share", "on_disk", "votes_heard"),
    [
        (CrashPoint.BEFORE, 0.5, False, 0),
        (CrashPoint.INSIDE, 0.5, False, 0),
        (CrashPoint.INSIDE, 1.0, True, 0),
        (CrashPoint.AFTER, 0.5, True, 0),
        (CrashPoint.SENDING, 0.5, True, 1),
    ],
)
def test_where_a_crash_falls_decides_what_remains_and_what_was_said(
    point: CrashPoint, share: float, on_disk: bool, votes_heard: int
) -> None:
    cluster = elected()
    cause(cluster, Crash(cluster.now_ms, NODE, point, 10_000, share))
    cluster.submit(Bank.deposit("alice", 5), to=[NODE])
    cluster.run_for(20)
    assert not cluster.processes[NODE].running
    records = repr(cluster.processes[NODE].disk.read().records)
    assert ("c0:1" in records) is on_disk
    assert len(sent(cluster, "phase2b")) == votes_heard


def test_a_crash_that_no_write_comes_for_does_not_happen() -> None:
    cluster = elected()
    cluster.network.sever([(peer, NODE) for peer in (0, 2)])
    cause(cluster, Crash(cluster.now_ms, NODE, CrashPoint.AFTER, 40, 0.5))
    cluster.run_for(60)
    assert cluster.processes[NODE].running
    assert cluster.processes[NODE].doom is None


def test_a_process_that_crashed_comes_back_with_what_it_had_synced() -> None:
    cluster = elected()
    assert answers(cluster)
    cause(cluster, Crash(cluster.now_ms, NODE, CrashPoint.IDLE, 100))
    assert cluster.replicas[NODE] is None
    cluster.run_for(200)
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.history.holds("c0:1")
    assert answers(cluster)


def test_a_process_that_stands_still_handles_all_that_came_meanwhile_in_one_step() -> None:
    cluster = elected()
    cause(cluster, Pause(cluster.now_ms, NODE, 300))
    for _ in range(3):
        cluster.submit(Bank.deposit("alice", 5), to=[NODE])
    cluster.run_for(200)
    assert not sent(cluster, "phase2b")
    cluster.run_for(110)
    (votes,) = [line for line in sent(cluster, "phase2b") if "1->0" in line and "c0:1" in line]
    assert "c0:2" in votes
    assert "c0:3" in votes


def test_messages_that_are_kept_back_are_handled_in_one_step() -> None:
    cluster = elected(batch_ms=10.0)
    voter = cluster.alive()[0].coordinator.kind.pinned[1]
    for _ in range(20):
        cluster.submit(Bank.deposit("alice", 5), to=[voter])
    cluster.run_for(50)
    assert 1 <= len([line for line in sent(cluster, "phase2b", voter) if f"{voter}->0" in line]) < 10


def test_a_clock_that_jumps_makes_a_process_take_the_others_for_gone_and_recover() -> None:
    cluster = elected()
    cause(cluster, ClockJump(cluster.now_ms, NODE, 5_000))
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.election.heard_ms[0] is not None
    assert cluster.processes[NODE].clock.now_ms - replica.election.heard_ms[0] >= 4_900
    cluster.run_for(1_000)
    assert answers(cluster)


def test_a_process_whose_sync_fails_stops_and_comes_back() -> None:
    cluster = elected()
    cause(cluster, SyncFailure(cluster.now_ms, NODE, 200))
    pending = cluster.submit(Bank.deposit("alice", 5))
    cluster.run_for(50)
    assert cluster.replicas[NODE] is None
    assert cluster.marks.counts[Mark.SYNC_FAILED] == 1
    assert cluster.run_until(lambda: pending.result is not None and cluster.replicas[NODE] is not None, 3_000)


def test_a_process_whose_disk_is_full_stops_until_there_is_space() -> None:
    cluster = elected()
    cause(cluster, DiskFull(cluster.now_ms, NODE, 300))
    pending = cluster.submit(Bank.deposit("alice", 5))
    cluster.run_for(100)
    assert cluster.replicas[NODE] is None
    assert cluster.marks.counts[Mark.DISK_FULL] == 1
    assert cluster.run_until(lambda: pending.result is not None and cluster.replicas[NODE] is not None, 3_000)


@pytest.mark.parametrize("kind", [BitFlip, Wipe])
def test_a_process_whose_disk_has_forgotten_stays_down_until_it_rejoins(kind: type[BitFlip] | type[Wipe]) -> None:
    cluster = elected()
    assert answers(cluster)
    cluster.run_for(200)
    fault = BitFlip(cluster.now_ms, NODE, 50, 0.3, 2_000) if kind is BitFlip else Wipe(cluster.now_ms, NODE, 50, 2_000)
    cause(cluster, fault)
    process = cluster.processes[NODE]
    cluster.run_for(500)
    assert process.lost
    assert not process.whole
    assert cluster.marks.counts[Mark.DAMAGE_FOUND if kind is BitFlip else Mark.WIPE_FOUND] == 1
    assert answers(cluster), "the others go on"
    assert cluster.run_until(lambda: process.whole, 3_000)
    assert cluster.marks.counts[Mark.REJOINED] == 1
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.incarnations.own == 1
    cluster.crash(0)
    assert answers(cluster), "it counts again"


def test_a_bit_that_flips_where_nothing_is_needed_any_more_does_no_harm() -> None:
    cluster = elected(snapshots=SnapshotRules(1))
    assert answers(cluster)
    cluster.run_for(500)
    cause(cluster, BitFlip(cluster.now_ms, NODE, 50, 0.0))
    cluster.run_for(100)
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.incarnations.own == 0
    assert cluster.processes[NODE].whole


def test_at_most_a_minority_is_lost_or_rejoining_at_a_time() -> None:
    cluster = elected()
    cause(cluster, Wipe(cluster.now_ms, NODE, 50, 2_000))
    cause(cluster, Wipe(cluster.now_ms, 2, 50))
    assert cluster.replicas[2] is not None
    cluster.run_for(60)
    cluster.crash(0)
    assert not cluster.rejoin(NODE), "a majority must be up without it"
    cluster.restart(0)
    assert cluster.rejoin(NODE)
    cause(cluster, Wipe(cluster.now_ms, 2, 50))
    assert cluster.replicas[2] is not None, "the first has entered no ballot yet"


def test_all_may_lose_their_disks_one_after_the_other() -> None:
    """Who rejoins later learns of those that rejoined before it by their answers: they announce themselves no more."""
    cluster = elected()
    for node in (0, 1, 2, 0):
        assert answers(cluster)
        cause(cluster, Wipe(cluster.now_ms, node, 10, 10))
        cluster.run_for(20)
        assert cluster.run_until(lambda: cluster.processes[node].whole, 5_000)  # noqa: B023
    assert answers(cluster)
    assert [replica.incarnations.known for replica in cluster.alive()] == [[2, 1, 1]] * 3


def test_what_an_incarnation_said_that_is_over_is_not_heard() -> None:
    cluster = elected()
    cause(cluster, Wipe(cluster.now_ms, NODE, 10, 10))
    assert cluster.run_until(lambda: cluster.processes[NODE].whole, 3_000)
    before = cluster.alive()[0].acceptor.promised
    cluster.processes[0].receive(NODE, Phase1a(Ballot(9, NODE), 0), incarnation=0)
    assert cluster.alive()[0].acceptor.promised == before
    assert cluster.marks.counts[Mark.OLD_MESSAGE_DROPPED] == 1
    cluster.processes[0].receive(NODE, Phase1a(Ballot(9, NODE), 0), incarnation=1)
    assert cluster.alive()[0].acceptor.promised == Ballot(9, NODE)


# Snapshots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "counts"), [(CrashPoint.CAPTURED, False), (CrashPoint.WRITTEN, False), (CrashPoint.ADOPTED, True)]
)
def test_where_a_crash_falls_decides_whether_a_snapshot_was_ever_taken(point: CrashPoint, counts: bool) -> None:
    cluster = elected(snapshots=SnapshotRules(1, (5.0, 5.0)))
    cause(cluster, Crash(cluster.now_ms, NODE, point, 1_000))
    assert answers(cluster)
    assert cluster.run_until(lambda: not cluster.processes[NODE].running, 500)
    found = cluster.processes[NODE].disk.read()
    assert (found.snapshot is not None) is counts
    cluster.restart(NODE)
    cluster.run_for(500)
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.history.committed == 1


def test_a_snapshot_is_taken_every_so_many_commands_and_the_log_cut_behind_the_one_before() -> None:
    cluster = elected(snapshots=SnapshotRules(3, (5.0, 5.0)))
    for _ in range(10):
        assert answers(cluster)
        cluster.run_for(200)
    for process in cluster.processes:
        assert process.replica is not None
        assert process.disk.snapshot is not None
        assert (process.disk.snapshot.index, process.replica.history.base) == (9, 6)
    cluster.crash(NODE)
    cluster.restart(NODE)
    assert cluster.marks.counts[Mark.STARTED_FROM_SNAPSHOT] == 1
    replica = cluster.replicas[NODE]
    assert replica is not None
    assert replica.history.base == 9


def test_a_snapshot_that_the_disk_does_not_take_is_done_without() -> None:
    cluster = elected(snapshots=SnapshotRules(1, (5.0, 5.0)))
    assert answers(cluster)
    process = cluster.processes[NODE]
    assert cluster.run_until(lambda: not process.rests, 500)
    process.disk.sync_fails = 0.5
    cluster.run_for(20)
    assert process.running
    assert process.snapshot_failed
    assert answers(cluster)


def test_a_replica_that_was_away_gets_a_state_in_chunks_and_goes_on_asking_when_one_is_lost() -> None:
    cluster = elected(snapshots=SnapshotRules(2, (1.0, 1.0), 50))
    cluster.crash(2)
    for _ in range(8):
        assert answers(cluster)
        cluster.run_for(200)
    cluster.restart(2)
    assert cluster.run_until(lambda: bool(cluster.alive()[2].assembly.wanted), 2_000)
    cluster.network.sever([(0, 2), (1, 2)])
    cluster.run_for(100)
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.alive()[2].history.committed == 8, 3_000)
    assert cluster.marks.counts[Mark.SNAPSHOT_INSTALLED] == 1
    assert cluster.marks.counts[Mark.TRANSFER_RESUMED] >= 1
    assert len(sent(cluster, "FetchSnapshot", 2)) >= 5


@pytest.mark.parametrize("point", [CrashPoint.CAPTURED, CrashPoint.WRITTEN, CrashPoint.ADOPTED])
def test_a_crash_while_a_received_state_is_stored_leaves_the_replica_before_or_behind_it(point: CrashPoint) -> None:
    cluster = elected(snapshots=SnapshotRules(2, (1.0, 1.0)))
    cluster.crash(2)
    for _ in range(8):
        assert answers(cluster)
        cluster.run_for(200)
    cluster.restart(2)
    cluster.processes[2].doom = Crash(cluster.now_ms, 2, point, 10_000)
    assert cluster.run_until(lambda: cluster.replicas[2] is None, 2_000)
    cluster.restart(2)
    replica = cluster.replicas[2]
    assert replica is not None
    assert replica.history.committed == (8 if point is CrashPoint.ADOPTED else 0)
    assert cluster.run_until(lambda: replica.history.committed == 8, 3_000)


def test_a_torn_write_is_counted_when_the_process_starts() -> None:
    cluster = elected()
    cause(cluster, Crash(cluster.now_ms, NODE, CrashPoint.INSIDE, 100, 0.5))
    cluster.submit(Bank.deposit("alice", 5), to=[NODE])
    cluster.run_for(150)
    assert cluster.marks.counts[Mark.TORN_CUT] == 1
    assert isinstance(cluster.processes[NODE].disk.read(), Found)
