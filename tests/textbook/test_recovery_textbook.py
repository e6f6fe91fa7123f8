"""``genpaxos.core.recovery`` against ProvedSafe on networkx histories, and against all a ballot may have chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import pytest

from commutativity import InterferenceIndex
from genpaxos.core.ballot import CLASSIC, Ballot, BallotKind, Policy
from genpaxos.core.history import History
from genpaxos.core.messages import Phase1b
from genpaxos.core.quorum import QuorumSystem, mask_of, members_of
from genpaxos.core.recovery import decree_proved_safe
from genpaxos.textbook.algebra import lub
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from genpaxos.textbook.provedsafe import BallotArray, gamma, proved_safe
from tests.textbook.worlds import (
    ENCODINGS,
    digest_algebra,
    disturbed,
    random_relation,
    random_sequence,
    relations,
    relations_by_shape,
    sequences,
    told,
)

LOW, K, NEW = Ballot(1, 0), Ballot(2, 0), Ballot(3, 1)
ANY = BallotKind(Policy.LEADER_ORDERED)
Sequence_ = tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What an acceptor holds at k: the decrees it has adopted and its tail."""

    decrees: Sequence_
    tail: Sequence_

    @property
    def commands(self) -> Sequence_:
        return self.decrees + self.tail


class World:
    """Some commands with their interference, as the runtime and as the textbook see them."""

    def __init__(self, commands: str, relation: InterferingPairs, encoding: str = "modes") -> None:
        self.algebra = digest_algebra(commands, relation, encoding)
        self.known = {c: (["", [], 0], footprint, c, 1) for c, footprint in self.algebra.footprints.items()}
        self.bottom = CommandHistory.empty(relation)
        self.history = lru_cache(None)(self.bottom.extend)
        self.digests = lru_cache(None)(self.algebra.digests)

    def recovered(self, reports: Mapping[int, Report | None], kind: BallotKind, replicas: int) -> Sequence_:
        """What the runtime decrees, given the reports of Q; None is one below k that holds nothing."""
        history = History(InterferenceIndex(self.algebra.table), self.known)
        promises = {}
        for a, report in reports.items():
            at_k = report is not None
            held = report or Report((), ())
            promises[a] = Phase1b(
                ballot=NEW,
                accepted=K if at_k else LOW,
                kind=kind if at_k else CLASSIC,
                committed=0,
                first=1,
                ids=list(held.decrees),
                digests=list(self.digests(held.decrees).values()),
                tail=list(held.tail),
            )
        decree_proved_safe(history, promises, majority(replicas))
        return tuple(history.ids)


@lru_cache(None)
def majority(replicas: int) -> QuorumSystem:
    return QuorumSystem.majority(replicas)


def system_of(kind: BallotKind, replicas: int) -> QuorumSystem:
    return majority(replicas).for_ballot(kind, K.coordinator)


def pinned_kind(replicas: int) -> BallotKind:
    return BallotKind(Policy.LEADER_ORDERED, tuple(range(replicas // 2 + 1)))


@lru_cache(None)
def each_asked(replicas: int) -> list[Sequence[int]]:
    """Every Q."""
    return [members_of(mask) for mask in range(1 << replicas) if majority(replicas).is_classic(mask)]


# Empty decree prefix: exactly Lamport's ProvedSafe -------------------------------------------------------------------


def assert_begins_with_proved_safe(
    world: World, tails: Mapping[int, Sequence_ | None], kind: BallotKind, replicas: int
) -> bool:
    """The first decrees are ⊔Γ, the rest is all else that was seen. Says whether ⊔Γ is more than ⊥."""
    reports = {a: None if tail is None else Report((), tail) for a, tail in tails.items()}
    result = world.recovered(reports, kind, replicas)
    assert set(result) == {c for tail in tails.values() for c in tail or ()}
    quorums = system_of(kind, replicas).fast
    ballots = {a: {1: world.bottom} | ({} if tail is None else {2: world.history(tail)}) for a, tail in tails.items()}
    safe = proved_safe(mask_of(tails), 3, BallotArray(ballots, dict.fromkeys(tails, 3)), lambda _: quorums)
    votes = {a: world.history(tail) for a, tail in tails.items() if tail is not None}
    if not gamma(votes, mask_of(tails), quorums):
        return False  # nothing was chosen at k, nor decreed: any order is safe
    [bound] = safe
    assert world.history(result[: len(bound.commands)]) == bound
    assert bound <= world.history(result)
    return bound != world.bottom


@pytest.mark.parametrize("kind", [pinned_kind(3), ANY], ids=["pinned", "any"])
@pytest.mark.parametrize("relation", relations_by_shape("abc"), ids=told)
def test_without_decrees_the_runtime_gives_the_textbooks_answer_on_all_reports_of_three_acceptors(
    relation: InterferingPairs, kind: BallotKind
) -> None:
    """Every Q; each acceptor below k, or with any tail of up to 2 of the 3 commands."""
    world = World("abc", relation)
    cases = something = 0
    for asked in each_asked(3):
        for tails in product((None, *sequences("abc", 2)), repeat=len(asked)):
            if any(tail is not None for tail in tails):
                something += assert_begins_with_proved_safe(world, dict(zip(asked, tails, strict=True)), kind, 3)
                cases += 1
    assert cases == 3 * (11**2 - 1) + 11**3 - 1
    assert something > 150


@pytest.mark.parametrize("replicas", range(3, 8))
def test_without_decrees_the_runtime_gives_the_textbooks_answer_on_random_reports(replicas: int) -> None:
    chance = random.Random(replicas)
    something = 0
    for number in range(400):
        commands = "abcdef"[: chance.randint(2, 6)]
        world = World(commands, random_relation(chance, commands), chance.choice(ENCODINGS))
        favourite = random_sequence(chance, commands)
        asked = chance.choice(each_asked(replicas))
        tails = {a: disturbed(chance, favourite, commands) if chance.random() < 0.85 else None for a in asked}
        if any(tail is not None for tail in tails.values()):
            kind = ANY if number % 2 else pinned_kind(replicas)
            something += assert_begins_with_proved_safe(world, tails, kind, replicas)
    assert something > 100


# With decrees: projected, and never less than what the ballot may have chosen ----------------------------------------


def states(
    commands: str, others: int, longest_tail: int, below_k: bool = True
) -> Iterator[tuple[Sequence_, tuple[Report | None, ...]]]:
    """Every state of a leader-ordered ballot: the coordinator's history V, and V[1..j] • tail of the others."""
    for decrees in sequences(commands):
        held: list[Report | None] = [None] if below_k else []
        for j in range(len(decrees) + 1):
            rest = [c for c in commands if c not in decrees[:j]]
            held += [Report(decrees[:j], tail) for tail in sequences(rest, longest_tail)]
        for reports in product(held, repeat=others):
            yield decrees, (Report(decrees, ()), *reports)


def assert_extends_all_choices(
    world: World, decrees: Sequence_, state: Sequence[Report | None], kind: BallotKind
) -> int:
    """Whatever is chosen in the state stands in what any Q recovers, with its ↓C. Returns the number of choices."""
    replicas = len(state)
    system = system_of(kind, replicas)
    chosen: dict[str, int] = {}
    for j in range(1, len(decrees) + 1):
        if system.is_classic(mask_of(a for a, r in enumerate(state) if r is not None and len(r.decrees) >= j)):
            chosen |= world.digests(decrees[:j])
    for quorum in system.fast:
        members = [state[a] for a in members_of(quorum)]
        if None not in members:
            first, *others = [world.digests(report.commands).items() for report in members if report is not None]
            chosen |= dict(item for item in first if all(item in other for other in others))
    for asked in each_asked(replicas):
        if any(state[a] is not None for a in asked):
            result = world.recovered({a: state[a] for a in asked}, kind, replicas)
            assert chosen.items() <= world.digests(result).items(), (decrees, state, asked)
    return len(chosen)


@pytest.mark.parametrize("relation", relations_by_shape("abc"), ids=told)
def test_of_three_acceptors_any_two_recover_all_that_was_chosen_or_committed(relation: InterferingPairs) -> None:
    """Pinned {0, 1}; every state with V of up to 3 commands and tails of up to 1, and every Q."""
    world = World("abc", relation)
    assert sum(assert_extends_all_choices(world, v, state, pinned_kind(3)) for v, state in states("abc", 2, 1)) > 1000


@pytest.mark.parametrize("kind", [pinned_kind(3), ANY], ids=["pinned", "any"])
@pytest.mark.parametrize("relation", relations("ab"), ids=told)
def test_of_three_acceptors_any_two_recover_all_in_every_state_of_two_commands(
    relation: InterferingPairs, kind: BallotKind
) -> None:
    world = World("ab", relation)
    assert sum(assert_extends_all_choices(world, v, state, kind) for v, state in states("ab", 2, 2)) > 100


@pytest.mark.parametrize("relation", relations("ab"), ids=told)
def test_of_four_acceptors_any_three_recover_all_in_every_state_of_two_commands(relation: InterferingPairs) -> None:
    """Any 3 with the coordinator."""
    world = World("ab", relation)
    found = [assert_extends_all_choices(world, v, s, ANY) for v, s in states("ab", 3, 2, below_k=False)]
    assert sum(found) > 1000


@pytest.mark.parametrize("replicas", range(3, 8))
def test_with_decrees_the_runtime_gives_the_textbooks_answer_on_projected_histories(replicas: int) -> None:
    """The longest decrees, then ⊔Γ of the histories V[1..J] • rest, whatever the reports."""
    chance = random.Random(replicas)
    something = 0
    for number in range(400):
        commands = "abcdef"[: chance.randint(2, 6)]
        world = World(commands, random_relation(chance, commands), chance.choice(ENCODINGS))
        decrees, favourite = random_sequence(chance, commands), random_sequence(chance, commands)
        reports: dict[int, Report | None] = {}
        for a in chance.choice(each_asked(replicas)):
            adopted = decrees[: chance.randint(0, len(decrees))]
            tail = tuple(c for c in disturbed(chance, favourite, commands) if c not in adopted)
            reports[a] = Report(adopted, tail) if chance.random() < 0.85 else None
        at_k = {a: report for a, report in reports.items() if report is not None}
        if at_k:
            kind = ANY if number % 2 else pinned_kind(replicas)
            base = max((report.decrees for report in at_k.values()), key=len)
            projected = {a: world.history(base + report.commands) for a, report in at_k.items()}
            bounds = gamma(projected, mask_of(reports), system_of(kind, replicas).fast)
            bound = lub([world.history(base), *bounds])
            result = world.recovered(reports, kind, replicas)
            assert result[: len(base)] == base
            assert world.history(result[: len(bound.commands)]) == bound
            something += bound != world.history(base)
    assert something > 50
