"""A replica that lags neither coordinates nor is pinned while others could do it."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot
from genpaxos.core.coordinator import Phase
from genpaxos.core.election import HELD_BACK_ELECTIONS, Election, Timing
from genpaxos.core.messages import Committed, Heartbeat, Phase1b, Phase2a
from genpaxos.core.progress import LAG_COMMANDS, Progress
from genpaxos.core.quorum import QuorumSystem
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

FAR = 10 * LAG_COMMANDS
TIMING = Timing()


def beat(committed: int, heard: int = 0b111) -> Heartbeat:
    promised = Ballot(1, 0)
    return Heartbeat(promised, promised, committed, committed, False, True, heard, False)


def heard(own: int, others: dict[int, int], replicas: int = 3, node: int = 2) -> tuple[Election, float]:
    """What a replica knows that has heard for a second how much each has committed, and nobody coordinates."""
    quorums = QuorumSystem.majority(replicas)
    election = Election(node, quorums, TIMING, range(replicas), 0.0)
    election.saw_ballot(Ballot(1, 0), 0.0)
    now_ms = 0.0
    for _ in range(11):
        election.progress.note(node, own, now_ms)
        for other, committed in others.items():
            election.heard(other, now_ms)
            election.on_heartbeat(other, beat(committed, heard=2**replicas - 1), now_ms)
        now_ms += 100.0
    return election, now_ms - 100.0


def test_who_has_what_others_had_an_election_time_ago_does_not_lag_however_many_commands_that_is() -> None:
    progress = Progress(2, 500)
    for at in range(0, 2_000, 100):
        progress.note(0, 1_000 * at, at)
    assert progress.latest[0] == 1_900_000
    assert progress.before(0, 1_900) == 1_400_000
    assert progress.before(1, 1_900) == 0
    for at in range(2_000, 3_000, 1):
        progress.note(0, 1_000 * at, at)
    assert len(progress._marks[0]) <= 12, "whatever the rate of heartbeats"


@pytest.mark.parametrize(("behind", "lags"), [(0, False), (LAG_COMMANDS, False), (LAG_COMMANDS + 1, True)])
def test_a_few_commands_are_no_lag(behind: int, lags: bool) -> None:
    election, now_ms = heard(FAR - behind, {0: FAR, 1: FAR})
    assert bool(election.lagging_mask(now_ms) >> 2 & 1) is lags
    assert election.should_hand_over(now_ms) is lags


def test_one_that_lags_leaves_it_to_others_to_start_a_ballot_for_a_bounded_time() -> None:
    election, now_ms = heard(0, {0: FAR, 1: FAR}, node=2)
    prompt, _ = heard(FAR, {0: FAR, 1: FAR}, node=2)
    for one in (election, prompt):
        one.highest = Ballot(1, 0)
    waited = {}
    for name, one in (("lags", election), ("prompt", prompt)):
        for at in range(0, 5_000, 10):
            for other in (0, 1):
                one.heard(other, now_ms + at)
                one.on_heartbeat(other, beat(FAR), now_ms + at)
            if one.should_campaign(False, now_ms + at):
                waited[name] = at
                break
    assert waited["prompt"] < TIMING.election_ms
    assert HELD_BACK_ELECTIONS * TIMING.election_ms - 1_000 <= waited["lags"] - waited["prompt"] < 5_000


def test_a_rival_that_lags_is_not_waited_for() -> None:
    election, now_ms = heard(FAR, {0: 0, 1: FAR}, node=1 + 1)
    assert election.lagging_mask(now_ms) == 0b001
    election._followed_ms = now_ms
    assert not election.should_campaign(False, now_ms + TIMING.stagger_ms - 10), "1 has the lower number"
    assert election.should_campaign(False, now_ms + TIMING.stagger_ms)


def test_a_replica_is_not_behind_one_that_could_not_coordinate() -> None:
    election, now_ms = heard(0, {0: FAR, 1: 0})
    election.beats[0] = Heartbeat(Ballot(1, 0), Ballot(1, 0), FAR, FAR, False, False, 0b111, False)
    assert not election.should_hand_over(now_ms)


def test_those_that_lag_are_pinned_only_if_there_are_not_enough_others() -> None:
    bench = Bench(5)
    bench.campaign(0)
    coordinator = bench[0].coordinator
    bench.deliver()
    reports = [(sender, message) for sender, _, message in bench.take(kind=Phase1b)]
    for sender, message in reports:
        assert isinstance(message, Phase1b)
        coordinator.on_phase1b(sender, message)
    assert coordinator.try_start(0, 0b00110)
    assert coordinator.kind.pinned == (0, 3, 4)

    bench = Bench(3)
    bench.campaign(0)
    bench.deliver()
    sender, _, message = bench.take(1, 0, Phase1b)[0]
    assert isinstance(message, Phase1b)
    bench[0].coordinator.on_phase1b(sender, message)
    assert bench[0].coordinator.try_start(0, 0b010)
    assert bench[0].coordinator.kind.pinned == (0, 1)


def test_a_replica_that_lags_hands_its_phase_1_over_and_catches_up() -> None:
    """2 missed much and starts a ballot: 0 and 1 do not wait until it has that."""
    bench = Bench().led_by(0)
    bench.run_for(600)
    bench.crash(2)
    for n in range(3 * LAG_COMMANDS):
        bench.propose(Bank.deposit("alice", n + 1))
        bench.stabilize()
    bench.run_for(600)
    bench.restart(2)
    _without_catching_up(bench, 700)
    assert bench[2].history.committed == 0
    bench.campaign(2)
    assert bench[2].coordinator.phase is Phase.PHASE1
    last = bench.propose(Bank.deposit("bob", 1))
    _without_catching_up(bench, 1_500)
    assert any(bench[node].coordinator.leading for node in (0, 1))
    assert bench[2].coordinator.phase is Phase.IDLE
    assert last in bench.replies, "what the two decide needs nothing of what 2 has missed"
    bench.run_for(1_500)
    assert bench[2].history.committed == bench[0].history.committed == 3 * LAG_COMMANDS + 1


def _without_catching_up(bench: Bench, for_ms: int) -> None:
    for _ in range(for_ms):
        bench.drop(receiver=2, kind=Committed)
        bench.drop(receiver=2, kind=Phase2a)
        bench.run_for(1)


def test_a_replica_that_knows_less_after_its_restart_has_not_lost_what_it_had() -> None:
    """Else one that lags would take itself for the equal of one that just started, and go first."""
    election, now_ms = heard(0, {0: FAR})
    for committed in (0, 0, 0, FAR):  # restarted, and told by others what is committed
        now_ms += TIMING.election_ms / 2
        election.heard(0, now_ms)
        election.on_heartbeat(0, beat(committed), now_ms)
    assert election.progress.latest[0] == FAR
    assert election.lagging_mask(now_ms) == 0b100


def test_who_hands_over_waits_for_the_others_from_then_on() -> None:
    election, now_ms = heard(0, {0: FAR, 1: FAR})
    election._followed_ms = now_ms - 10 * TIMING.election_ms
    assert election.should_campaign(False, now_ms)
    election.hand_over(now_ms)
    assert not election.should_campaign(False, now_ms + TIMING.election_ms / 2)
