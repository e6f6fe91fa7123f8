"""Where acceptors order, every command is decided in bounded time, whatever collides and whatever else goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from commutativity import Command
from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.collision import WINDOW_COMMANDS
from genpaxos.core.election import Timing
from genpaxos.core.fallback import DOUBLINGS_MAX, Fallback
from genpaxos.core.messages import Committed, Fetch, Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.register import Registers
from tests.core.bench import Bench, body

BOTH = (Policy.COORDINATED, Policy.UNCOORDINATED)
TIMING = Timing()


def running(policy: Policy, replicas: int = 3) -> Bench:
    """A cluster of some seconds' age: all have heard each other."""
    bench = Bench(replicas, policy, machine=Registers).led_by(0)
    bench.run_for(TIMING.election_ms + 50)
    return bench


def writes(count: int, prefix: str = "w") -> dict[str, Command[None]]:
    return {f"{prefix}:{n}": Registers.write("x", f"{prefix}{n}") for n in range(1, count + 1)}


def burst(bench: Bench, node: int, commands: dict[str, Command[None]], order: Sequence[str]) -> None:
    """Clients' commands come to a replica in one step, in this order."""
    bench.step(node, clients=[("client", Propose(list(order), [body(commands[n]) for n in order], EVERYBODY))])


def collide(bench: Bench, commands: dict[str, Command[None]]) -> list[str]:
    """They come to every other replica in reverse."""
    names = list(commands)
    for node in bench.up:
        burst(bench, node, commands, names if node % 2 else names[::-1])
    return names


def decided(bench: Bench, names: Sequence[str]) -> bool:
    held = dict(bench.log)
    return all(name in held for name in names)


def time_to_decide(bench: Bench, names: Sequence[str], limit_ms: int) -> int:
    """How long it takes until some replica knows them to be committed."""
    for ms in range(limit_ms):
        if decided(bench, names):
            return ms
        bench.run_for(1)
    raise AssertionError(f"undecided after {limit_ms} ms")


def kind(bench: Bench) -> BallotKind:
    return bench[0].acceptor.kind


# Collisions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("count", [2, 63, 66, 300])
def test_colliding_commands_are_ordered_within_their_ballot(policy: Policy, count: int) -> None:
    bench = running(policy)
    names = collide(bench, writes(count))
    assert time_to_decide(bench, names, 300) < 40
    assert bench[0].acceptor.accepted == Ballot(1, 0)


@pytest.mark.parametrize("policy", BOTH)
def test_more_than_a_window_in_opposite_orders_is_ordered_by_the_coordinator_at_once(
    policy: Policy,
) -> None:
    bench = running(policy)
    names = collide(bench, writes(2 * WINDOW_COMMANDS + 2))
    assert time_to_decide(bench, names, 300) < 40
    assert kind(bench).policy is Policy.LEADER_ORDERED


@pytest.mark.parametrize("policy", BOTH)
def test_a_collided_pair_does_not_starve_while_other_commands_are_learned(policy: Policy) -> None:
    """One command that commutes with everything each 2 ms: V moves on more often than a report takes to come."""
    bench = running(policy)
    names = collide(bench, writes(2))
    for n in range(200):
        bench.propose(Registers.read(f"other{n}"), name=f"r:{n + 1}")
        bench.run_for(2)
        if decided(bench, names):
            break
    assert n * 2 < 2 * TIMING.election_ms / 2
    assert bench[1].executor.has_run(names[0])


def test_learned_commands_are_answered_while_a_collision_keeps_them_from_being_decreed() -> None:
    bench = running(Policy.COORDINATED)
    names = collide(bench, writes(2))
    bench[0].learner.conflicts.update(names)
    for _ in range(2 * TIMING.retry_ms + 1):  # the pair lingers, all reports of it are lost
        bench.take(kind=Phase2b)
        bench.run_for(1)
    assert bench[0].fastpath.lingers
    bench.flights.clear()
    read = bench.propose(Registers.read("y"))
    bench.deliver(kind=Phase2b)
    assert read in bench.replies
    assert bench[0].history.length == 0
    time_to_decide(bench, [*names, read], 2 * TIMING.election_ms)


# Falling back ---------------------------------------------------------------------------------------------------------


def settled_as(bench: Bench, policy: Policy, limit_ms: int) -> int:
    for ms in range(limit_ms):
        if kind(bench).policy is policy and bench[0].coordinator.leading:
            return ms
        bench.run_for(1)
    raise AssertionError(f"no {policy} ballot within {limit_ms} ms")


@pytest.mark.parametrize("policy", BOTH)
def test_without_a_fast_quorum_the_coordinator_orders_and_returns_when_there_is_one(policy: Policy) -> None:
    bench = running(policy, 4)
    bench.crash(2)
    bench.crash(3)
    bench.restart(3)
    bench.run_for(2 * TIMING.election_ms)
    assert kind(bench).policy is policy  # three of four are a fast quorum
    bench.crash(3)
    with pytest.raises(AssertionError, match="no leader-ordered ballot"):
        settled_as(bench, Policy.LEADER_ORDERED, 2 * TIMING.election_ms)  # two of four are no classic quorum
    bench.restart(3)
    bench.run_for(TIMING.election_ms)
    three = running(policy)
    three.crash(2)
    settled_as(three, Policy.LEADER_ORDERED, TIMING.election_ms + 3 * TIMING.retry_ms)
    name = three.propose(Registers.write("x", "1"))
    assert time_to_decide(three, [name], 200) < 10
    three.run_for(3 * TIMING.fallback_ms)
    assert kind(three).policy is Policy.LEADER_ORDERED
    three.restart(2)
    settled_as(three, policy, TIMING.fallback_ms)


@pytest.mark.parametrize("policy", BOTH)
def test_a_command_that_cannot_be_decided_by_votes_is_decided_by_another_ballot(policy: Policy) -> None:
    """One of three acceptors hears of no command, and what is relayed to it is lost: no vote of it ever comes."""
    bench = running(policy)
    names = list(writes(2))
    for node in (0, 1):
        burst(bench, node, writes(2), names if node else names[::-1])
    for _ in range(TIMING.election_ms + 4 * TIMING.retry_ms):
        bench.take(receiver=2, kind=Propose)
        bench.run_for(1)
    assert decided(bench, names)


def test_a_coordinator_that_just_started_does_not_take_those_for_gone_that_start_more_slowly() -> None:
    bench = Bench(3, Policy.COORDINATED)
    bench.crash(2)
    bench.run_for(TIMING.election_ms - 2 * TIMING.retry_ms)
    assert bench[0].coordinator.leading
    bench.restart(2)
    bench.run_for(3 * TIMING.election_ms)
    assert bench[0].acceptor.accepted == Ballot(1, 0)
    assert kind(bench).policy is Policy.COORDINATED


@pytest.mark.parametrize("policy", [Policy.CLASSIC, Policy.LEADER_ORDERED])
def test_a_coordinator_that_orders_never_falls_back(policy: Policy) -> None:
    bench = running(policy)
    bench.crash(2)
    names = collide(bench, writes(20))
    time_to_decide(bench, names, 200)
    bench.run_for(3 * TIMING.election_ms)
    assert bench[0].acceptor.kind.policy is policy


def fallback() -> Fallback:
    return running(Policy.COORDINATED)[0].campaign.fallback


def test_who_gives_up_again_soon_waits_twice_as_long_and_not_for_ever() -> None:
    made, now, held = fallback(), 10_000.0, []
    for _ in range(DOUBLINGS_MAX + 3):
        made.fall(now)
        start, step = now, 10.0
        while made.policy(now) is Policy.LEADER_ORDERED:
            now += step
        held.append(round((now - start) / TIMING.fallback_ms))
    assert held[:4] == [1, 2, 4, 8]
    assert held[-1] == held[-2] == 2**DOUBLINGS_MAX


def test_who_has_got_along_for_as_long_as_it_waited_begins_anew() -> None:
    made, now = fallback(), 10_000.0
    made.fall(now)
    made.fall(now + 1.5 * TIMING.fallback_ms)  # two of them from here
    made.fall(now + 6 * TIMING.fallback_ms)
    assert made.policy(now + 6.9 * TIMING.fallback_ms) is Policy.LEADER_ORDERED
    assert made.policy(now + 7.1 * TIMING.fallback_ms) is Policy.COORDINATED


def test_while_votes_disagree_the_coordinator_goes_on_ordering() -> None:
    bench = running(Policy.COORDINATED)
    bench[0].campaign.fallback.fall(bench.now_ms)
    bench.campaign(0)
    for n in range(40):
        collide(bench, writes(2, f"w{n}"))
        bench.run_for(TIMING.fallback_ms // 10)
    assert kind(bench).policy is Policy.LEADER_ORDERED
    settled_as(bench, Policy.COORDINATED, 2 * TIMING.fallback_ms)


def test_it_does_not_return_before_what_it_began_with_is_committed() -> None:
    """Seed 9001084: with much to recover, ballots of the two kinds followed each other before any acceptor entered."""
    bench = running(Policy.COORDINATED)
    leader = bench[0].campaign.fallback
    leader.fall(bench.now_ms)
    bench.campaign(0)
    bench.stabilize()
    late_ms, committed = bench.now_ms + 2 * TIMING.fallback_ms, bench[0].history.committed
    for node in bench.up:
        bench[0].election.heard(node, late_ms)
    assert not leader.due(late_ms, lingers=False, recovered=committed + 1)
    assert leader.due(late_ms, lingers=False, recovered=committed)
    assert leader.policy(late_ms, committed + 1) is Policy.LEADER_ORDERED, "whatever else a ballot is started for"
    assert leader.policy(late_ms, committed) is Policy.COORDINATED


# Reports --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", BOTH)
def test_a_vote_that_meets_committed_decrees_in_one_step_leaves_as_the_tail_holds_it(policy: Policy) -> None:
    """Found by a review: it left with the digest of before and the place of after."""
    bench = running(policy, 4)
    bench.cut = {(0, 1), (1, 0)}
    bench.propose(Registers.write("x", "first"), to=[0, 2, 3], name="y:1")
    bench.run_for(30)
    assert (bench[2].history.committed, bench[1].history.length) == (1, 0)
    bench.flights.clear()
    bench.step(2, peers=[(1, Fetch(1))])
    ((_, _, committed),) = bench.take(2, 1, Committed)
    names = list(writes(2))
    message = Propose(names, [body(command) for command in writes(2).values()], EVERYBODY)
    bench.step(1, peers=[(2, committed)], clients=[("client", message)])
    report = bench.take(1, 2, Phase2b)[0][2]
    assert isinstance(report, Phase2b)
    assert (report.adopted, report.start) == (1, 0)
    assert dict(zip(report.ids, report.digests, strict=True)) == bench[1].history.tail


def test_an_acceptor_that_enters_a_ballot_tells_the_tail_it_brings_along() -> None:
    """Otherwise its later reports have a gap until something lingers."""
    bench = running(Policy.COORDINATED)
    bench.cut = {(2, 0), (2, 1)}
    bench.propose(Registers.write("x", "1"), to=[2], name="y:1")
    bench.campaign(0)
    bench.take(receiver=2)
    bench.cut = set()
    bench.stabilize()
    opening = bench[0].coordinator.phase2a(1)
    bench.step(2, peers=[(0, opening)])
    report = bench.take(2, 0, Phase2b)[0][2]
    assert isinstance(report, Phase2b)
    assert (report.ids, report.start) == (["y:1"], 0)
    assert isinstance(opening, Phase2a)
