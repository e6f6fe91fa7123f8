"""Draws a plan from a seed: its cluster, its faults, its load (swarm testing).

Source: Groce et al., *Swarm testing* (ISSTA 2012): runs that leave out some kinds of fault each find more than runs
that have all of them, because faults hide one another.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import permutations
from typing import Any

from commutativity import Command
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.simulation.bulk import with_bulk
from genpaxos.simulation.clients import Departure, Resumption, Submission
from genpaxos.simulation.faults import (
    IN_A_STEP,
    BitFlip,
    ClockJump,
    Clog,
    Crash,
    CrashPoint,
    Cut,
    DiskFull,
    Fault,
    Pause,
    Shape,
    SyncFailure,
    Wipe,
)
from genpaxos.simulation.load import with_load
from genpaxos.simulation.network import Link, Weather
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.snapshots import SnapshotRules
from genpaxos.simulation.workload import WORKLOADS

RESOURCES = "abcdefgh"


class Climate(StrEnum):
    """What kind of world; each finds errors that the others seldom do."""

    ORDINARY = "ordinary"
    """The timing of production; faults of every kind."""
    DUEL = "duel"
    """Coordinators that never get to rest: messages as slow as elections, links that come and go, few accounts."""
    FRAGILE = "fragile"
    """What is chosen is chosen by the fewest replicas that will do, and soon one of them is gone."""


@dataclass(frozen=True, slots=True)
class _Range:
    """What is drawn from in one climate. Rates are faults per second; times are in milliseconds."""

    replicas: Sequence[int]
    timing: Timing
    chaos_ms: tuple[float, float]
    commands: tuple[int, int]
    losses: Sequence[float]
    duplications: Sequence[float]
    delays_ms: Sequence[tuple[float, float]]
    batches_ms: Sequence[float]
    crash_rates: Sequence[float]
    down_ms: tuple[float, float]
    cut_rates: Sequence[float]
    cut_ms: tuple[float, float]
    resources: Sequence[int]
    interference: Sequence[float]
    retry_ms: tuple[float, float]


_RANGES = {
    Climate.ORDINARY: _Range(
        replicas=(3, 3, 4, 5),
        timing=Timing(),
        chaos_ms=(2000, 6000),
        commands=(15, 60),
        losses=(0, 0.01, 0.1),
        duplications=(0, 0.05, 0.3),
        delays_ms=((0.2, 2), (0.2, 30), (1, 120)),
        batches_ms=(0, 0, 2, 20),
        crash_rates=(0.5, 1, 3),
        down_ms=(50, 1500),
        cut_rates=(0.5, 1, 5),
        cut_ms=(50, 1500),
        resources=(1, 2, 3, 8),
        interference=(0.1, 0.5, 0.9),
        retry_ms=(200, 600),
    ),
    Climate.DUEL: _Range(
        replicas=(3, 3, 5),
        timing=Timing(heartbeat_ms=100, election_ms=250, stagger_ms=80, retry_ms=80, watermark_ms=50),
        chaos_ms=(3000, 12_000),
        commands=(15, 40),
        losses=(0.05, 0.2),
        duplications=(0.2,),
        delays_ms=((2, 200), (2, 600)),
        batches_ms=(0, 100),
        crash_rates=(0.2, 1),
        down_ms=(50, 1500),
        cut_rates=(1, 5),
        cut_ms=(100, 1500),
        resources=(1, 2),
        interference=(0.5, 0.8),
        retry_ms=(500, 4000),
    ),
    Climate.FRAGILE: _Range(
        replicas=(3, 3, 4),
        timing=Timing(heartbeat_ms=90, election_ms=270, stagger_ms=60, retry_ms=75, watermark_ms=60),
        chaos_ms=(3000, 12_000),
        commands=(15, 40),
        losses=(0.2, 0.4),
        duplications=(0.1,),
        delays_ms=((3, 60), (3, 300)),
        batches_ms=(0, 75),
        crash_rates=(0.7, 2),
        down_ms=(75, 1800),
        cut_rates=(2,),
        cut_ms=(75, 1200),
        resources=(1,),
        interference=(0.8,),
        retry_ms=(750, 6000),
    ),
}
_CLIMATES = (*[Climate.ORDINARY] * 6, *[Climate.DUEL] * 2, Climate.FRAGILE)
_POLICIES = (*[Policy.LEADER_ORDERED] * 4, Policy.CLASSIC, Policy.COORDINATED, Policy.UNCOORDINATED)


def draw_plan(seed: int, climate: Climate | None = None, policy: Policy | None = None) -> Plan:
    """The plan of a seed; the same for the same seed, on every platform."""
    draw = random.Random(f"plan {seed}")
    drawn_climate, drawn_policy = draw.choice(_CLIMATES), draw.choice(_POLICIES)
    ranges = _RANGES[climate or drawn_climate]
    replicas = _size(random.Random(f"acceptors {seed}"), draw.choice(ranges.replicas))
    weather = Weather(draw.choice(ranges.losses), draw.choice(ranges.duplications), draw.choice(ranges.delays_ms))
    chaos_ms = draw.uniform(*ranges.chaos_ms)
    plan = Plan(
        seed=seed,
        replicas=replicas,
        policy=policy or drawn_policy,
        fast=draw.choice([FastQuorums.PINNED, FastQuorums.PINNED, FastQuorums.ANY]),
        timing=replace(ranges.timing, fallback_ms=random.Random(f"fallback {seed}").choice((60, 300, 1000))),
        workload=draw.choice(("bank", "bank", "bank", "register")),
        weather=weather,
        batch_ms=draw.choice(ranges.batches_ms),
        clock_rates=_clock_rates(draw, replicas),
        retry_ms=draw.uniform(*ranges.retry_ms),
        chaos_ms=chaos_ms,
        core=tuple(draw.sample(range(replicas), replicas)) if draw.random() < 0.3 else (),
    )
    plan = replace(plan, submissions=_submissions(draw, plan, ranges), resumptions=_resumptions(draw, plan))
    plan = _with_runs(random.Random(f"runs {seed}"), plan)
    plan = with_load(random.Random(f"traffic {seed}"), plan)
    plan = _with_failures(random.Random(f"failures {seed}"), plan)
    snapshots = _snapshots(random.Random(f"snapshots {seed}"))
    faults = [*_faults(draw, plan, ranges), *_storage_faults(random.Random(f"storage {seed}"), plan, ranges)]
    faults += _eclipse(random.Random(f"eclipse {seed}"), plan)
    lasting = _lasting(random.Random(f"lasting {seed}"), plan)
    plan = replace(
        _endings(random.Random(f"endings {seed}"), plan),
        lasting=lasting,
        settle_commands=random.Random(f"settling {seed}").choice((0, 2, 16, 128)),
        saturated_commands=random.Random(f"saturation {seed}").choice((1, 2, 4, 384, 384)),
        checksum_ms=random.Random(f"checksums {seed}").choice((0, 0, 100, 500)),
        snapshots=snapshots,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_ms)),
    )
    return with_bulk(_with_thrift(random.Random(f"thrift {seed}"), plan))


def _size(draw: random.Random, usual: int) -> int:
    """Mostly what is usual in the climate; at times any that two classic quorums may be made of."""
    return draw.choice((2, 3, 4, 5, 6, 7)) if draw.random() < 0.3 else usual


def _with_failures(draw: random.Random, plan: Plan) -> Plan:
    """In some banks, commands raise what they have not declared."""
    if plan.workload != "bank" or draw.random() < 0.7:
        return plan
    share = draw.choice((0.05, 0.3, 1.0))
    workload, resources = WORKLOADS["faulty bank"], RESOURCES[: draw.choice((1, 2, 8))]

    def drawn(command: Command[Any]) -> Command[Any]:
        if draw.random() >= share:
            return command
        return workload.draw(draw, draw.choice(resources), draw.choice(resources), draw.random())

    submissions = tuple(
        replace(one, command=drawn(one.command), more=tuple(map(drawn, one.more))) for one in plan.submissions
    )
    return replace(plan, workload="faulty bank", submissions=submissions)


def _with_runs(draw: random.Random, plan: Plan) -> Plan:
    """At times clients have several operations ready together, and send them in runs."""
    if draw.random() < 0.6:
        return plan
    most, partly = draw.choice((2, 3, 6, 20)), draw.choice((0.0, 0.0, 0.3))
    made: list[Submission] = []
    at: dict[int, int] = {}
    for one in plan.submissions:
        place = at.get(one.client)
        if place is not None and 1 + len(made[place].more) < most and draw.random() < 0.7:
            made[place] = replace(made[place], more=(*made[place].more, one.command))
        else:
            at[one.client] = len(made)
            made.append(one)
    return replace(plan, submissions=tuple(_read_in_part(draw, one, partly) for one in made))


def _read_in_part(draw: random.Random, one: Submission, share: float) -> Submission:
    return replace(one, read=draw.randint(1, len(one.more))) if one.more and draw.random() < share else one


def _with_thrift(draw: random.Random, plan: Plan) -> Plan:
    """In half of the runs clients are thrifty; in half of these none of them asks a replica outside the quorum."""
    if draw.random() < 0.5:
        return plan
    plan = replace(plan, thrifty=True)
    if draw.random() < 0.5:
        return plan
    return replace(plan, submissions=tuple(replace(one, home=None) for one in plan.submissions))


def _eclipse(draw: random.Random, plan: Plan) -> list[Fault]:
    """At times one replica is alone so long that, if it coordinates, it is deposed, while clients still reach it."""
    if draw.random() < 0.75:
        return []
    links = links_of(Shape.ISOLATED, draw.sample(range(plan.replicas), plan.replicas))
    for_ms = draw.uniform(2, 6) * plan.timing.election_ms
    return [Cut(draw.uniform(0, plan.chaos_ms), links, for_ms, Shape.ISOLATED)]


_LASTING = (Shape.ONE_WAY, Shape.BOTH_WAYS, Shape.STAR, Shape.CHAIN, Shape.DEAF, Shape.MUTE)
"""Some replica is connected, in both directions, to a majority with each of these; with a chain, of up to five."""


def _lasting(draw: random.Random, plan: Plan) -> tuple[Link, ...]:
    """Links that stay cut when the rest heals. Not where a command that finds no fast quorum costs a ballot, nor where
    each replica needs all the others."""
    if plan.core or plan.policy is Policy.UNCOORDINATED or plan.replicas == 2 or draw.random() < 0.7:
        return ()
    shapes = _LASTING if plan.replicas <= 5 else [shape for shape in _LASTING if shape is not Shape.CHAIN]
    return links_of(draw.choice(shapes), draw.sample(range(plan.replicas), plan.replicas))


def _snapshots(draw: random.Random) -> SnapshotRules:
    """So often that a replica that was away finds the log cut, so small chunks that a transfer takes several."""
    return SnapshotRules(
        draw.choice([0, 3, 5, 8, 15, 40]),
        draw.choice([(0.0, 1.0), (5.0, 60.0), (100.0, 1500.0)]),
        draw.choice([40, 100, 300, 100_000]),
    )


def _clock_rates(draw: random.Random, replicas: int) -> tuple[float, ...]:
    drift = draw.choice([0.0, 0.001, 0.05])
    return tuple(1 + draw.uniform(-drift, drift) for _ in range(replicas)) if drift else ()


# Clients ------------------------------------------------------------------------------------------------------------


def _submissions(draw: random.Random, plan: Plan, ranges: _Range) -> tuple[Submission, ...]:
    workload = WORKLOADS[plan.workload]
    resources = RESOURCES[: draw.choice(ranges.resources)]
    interference = draw.choice(ranges.interference)
    clients = draw.choice([1, 3, 3, 5])
    impatient = draw.choice([0.0, 0.0, 0.3])
    narrow = draw.choice([0.0, 0.0, 0.3])
    count = draw.randint(*ranges.commands)
    return tuple(
        Submission(
            at_ms,
            draw.randrange(clients),
            workload.draw(draw, draw.choice(resources), draw.choice(resources), interference),
            reach=_reach(draw, plan) if draw.random() < narrow else (),
            home=draw.randrange(plan.replicas) if draw.random() < 0.5 else None,
            patience_ms=draw.uniform(0.02, 0.5) * plan.chaos_ms if draw.random() < impatient else None,
            back_ms=draw.uniform(0, plan.chaos_ms) if draw.random() < 0.5 else None,
        )
        for at_ms in sorted(draw.uniform(0, plan.chaos_ms) for _ in range(count))
    )


def _reach(draw: random.Random, plan: Plan) -> tuple[int, ...]:
    return tuple(sorted(draw.sample(range(plan.replicas), draw.randint(1, plan.replicas))))


def _resumptions(draw: random.Random, plan: Plan) -> tuple[Resumption, ...]:
    if draw.random() < 0.6:
        return ()
    return tuple(
        Resumption(at_ms, draw.randrange(plan.clients))
        for at_ms in sorted(draw.uniform(0, plan.chaos_ms) for _ in range(draw.randint(1, 2)))
    )


def _endings(draw: random.Random, plan: Plan) -> Plan:
    """In half of the runs clients leave, or are missed so soon that some of them are still there."""
    if draw.random() < 0.5:
        return plan
    count = draw.randint(0, 6)
    return replace(
        plan,
        session_ms=draw.choice((200.0, 600.0, 1500.0, 3_600_000.0)),
        farewell_ms=draw.choice((0.0, 50.0, 300.0)),
        departures=tuple(
            Departure(at_ms, draw.randrange(plan.clients))
            for at_ms in sorted(draw.uniform(0, plan.chaos_ms) for _ in range(count))
        ),
    )


# Faults -------------------------------------------------------------------------------------------------------------


def _faults(draw: random.Random, plan: Plan, ranges: _Range) -> list[Fault]:
    """Each kind is in with its own chance."""

    def some(chance: float, rates: Sequence[float], one: Callable[[float], Fault]) -> None:
        if draw.random() < chance:
            count = max(1, round(draw.choice(rates) * plan.chaos_ms / 1000))
            faults.extend(one(draw.uniform(0, plan.chaos_ms)) for _ in range(count))

    def node() -> int:
        return draw.randrange(plan.replicas)

    def share() -> float:
        return draw.choice([0.0, draw.random(), 1.0])

    faults: list[Fault] = []
    down, span = ranges.down_ms, ranges.cut_ms
    some(0.7, ranges.crash_rates, lambda at: Crash(at, node(), draw.choice(_POINTS), draw.uniform(*down), share()))
    some(0.6, ranges.cut_rates, lambda at: _cut(draw, plan.replicas, at, draw.uniform(*span)))
    some(0.2, (0.5, 2), lambda at: Pause(at, node(), draw.uniform(*down)))
    some(0.2, (0.5, 2), lambda at: Clog(at, _some_links(draw, plan.replicas), draw.uniform(*span)))
    some(0.15, (0.5, 2), lambda at: ClockJump(at, node(), draw.uniform(1, 4 * plan.timing.election_ms)))
    some(0.15, (0.3, 1), lambda at: SyncFailure(at, node(), draw.uniform(*down), share()))
    some(0.15, (0.3, 1), lambda at: DiskFull(at, node(), draw.uniform(*down)))
    return faults


_POINTS = (CrashPoint.IDLE, CrashPoint.IDLE, *IN_A_STEP)
_SNAPSHOT_POINTS = (CrashPoint.CAPTURED, CrashPoint.WRITTEN, CrashPoint.ADOPTED)


def _storage_faults(draw: random.Random, plan: Plan, ranges: _Range) -> list[Fault]:
    """Crashes around a snapshot; disks that are damaged or wiped, and replicas that rejoin."""
    faults: list[Fault] = []
    if draw.random() < 0.3:
        for _ in range(draw.randint(1, 4)):
            at_ms, node = draw.uniform(0, plan.chaos_ms), draw.randrange(plan.replicas)
            faults.append(Crash(at_ms, node, draw.choice(_SNAPSHOT_POINTS), draw.uniform(*ranges.down_ms)))
    if plan.replicas == 2:
        return faults  # of two, none that lost its data can rejoin
    slow = plan.weather.delay_ms[1] > 100 and plan.replicas > 3  # phase 1 lasts, and waits for more than one answer
    if draw.random() < (0.6 if slow else 0.3):
        quick = draw.random() < (0.8 if slow else 0.4)
        count = draw.randint(4, 12) if quick else draw.randint(1, 4)
        faults.extend(_loss(draw, plan, ranges, quick=quick) for _ in range(count))
    return faults


def _loss(draw: random.Random, plan: Plan, ranges: _Range, *, quick: bool) -> Fault:
    """``quick``: so quick that messages of the earlier incarnation are still on their way."""
    at_ms, node = draw.uniform(0, plan.chaos_ms), draw.randrange(plan.replicas)
    down_ms = draw.uniform(1, 20) if quick else draw.uniform(*ranges.down_ms)
    rejoin_ms = draw.uniform(1, 10) if quick else draw.uniform(*ranges.down_ms)
    if draw.random() < 0.5:
        return Wipe(at_ms, node, down_ms, rejoin_ms, at_promise=quick)
    return BitFlip(at_ms, node, down_ms, draw.random(), rejoin_ms)


def _cut(draw: random.Random, replicas: int, at_ms: float, for_ms: float) -> Cut:
    shape = draw.choice([Shape.ONE_WAY, *Shape])
    return Cut(at_ms, links_of(shape, draw.sample(range(replicas), replicas)), for_ms, shape)


def _some_links(draw: random.Random, replicas: int) -> tuple[Link, ...]:
    """All that leaves a replica, or one link."""
    sender, receiver = draw.sample(range(replicas), 2)
    return ((sender, receiver),) if draw.random() < 0.5 else links_of(Shape.MUTE, [sender, *_others(sender, replicas)])


def _others(node: int, replicas: int) -> list[int]:
    return [other for other in range(replicas) if other != node]


def links_of(shape: Shape, order: Sequence[int]) -> tuple[Link, ...]:
    """The links that a cut of this shape takes away, the replicas taking their places in ``order``."""
    first, second, *_ = order
    everything = permutations(order, 2)
    half = set(order[: len(order) // 2])
    place = {node: index for index, node in enumerate(order)}
    match shape:
        case Shape.ONE_WAY:
            return ((first, second),)
        case Shape.BOTH_WAYS:
            return ((first, second), (second, first))
        case Shape.ISOLATED:
            return tuple(link for link in everything if first in link)
        case Shape.SPLIT:
            return tuple(link for link in everything if (link[0] in half) != (link[1] in half))
        case Shape.STAR:
            return tuple(link for link in everything if first not in link)
        case Shape.CHAIN:
            return tuple(link for link in everything if abs(place[link[0]] - place[link[1]]) > 1)
        case Shape.DEAF:
            return tuple(link for link in everything if link[1] == first)
        case Shape.MUTE:
            return tuple(link for link in everything if link[0] == first)
