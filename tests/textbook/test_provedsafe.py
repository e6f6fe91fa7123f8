"""ProvedSafe: the definition (Lamport, *Generalized Consensus and Paxos* §5.3.2) against counting and its purpose.

What it returns extends whatever is chosen, or could still be once the missing votes are known.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import pytest

from genpaxos.core.quorum import QuorumSystem, members_of
from genpaxos.textbook import counting
from genpaxos.textbook.algebra import CStruct, Scope, glb
from genpaxos.textbook.counting import Digests
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from genpaxos.textbook.provedsafe import (
    BallotArray,
    is_choosable_at,
    is_chosen_at,
    is_safe_at,
    proved_safe,
)
from tests.textbook.worlds import (
    ENCODINGS,
    Family,
    any_f,
    any_f_with_coordinator,
    digest_algebra,
    disturbed,
    pinned,
    random_relation,
    random_sequence,
    relations,
    scopes,
    sequences,
    told,
)

K, M = 1, 2
"""The highest ballot reported, and the one that asks."""


def textbook(votes: Mapping[int, Any], asked: int, quorums: Sequence[int], bottom: Any) -> list[Any]:
    """ProvedSafe with these votes at k, and ⊥ at ballot 0 from everyone."""
    acceptors = members_of(asked)
    ballots = {a: {0: bottom, K: votes[a]} if a in votes else {0: bottom} for a in acceptors}
    beta = BallotArray(ballots, dict.fromkeys(acceptors, M))
    return proved_safe(asked, M, beta, lambda _: quorums)


def reports(family: Family, votes: Sequence[Any], larger: bool = True) -> Iterator[tuple[int, dict[int, Any]]]:
    """Every Q, and for each of its acceptors any of the votes or none at k; somebody is at k."""
    for asked in family.asked(larger):
        acceptors = members_of(asked)
        for chosen in product((None, *votes), repeat=len(acceptors)):
            at_k = {a: vote for a, vote in zip(acceptors, chosen, strict=True) if vote is not None}
            if at_k:
                yield asked, at_k


class Both:
    """ProvedSafe in both forms for the histories of some sequences, each history and digest made once."""

    def __init__(self, commands: str, relation: InterferingPairs, encoding: str = "modes") -> None:
        self.bottom = CommandHistory.empty(relation)
        algebra = digest_algebra(commands, relation, encoding)
        self.history = lru_cache(None)(self.bottom.extend)
        self.digests = lru_cache(None)(algebra.digests)
        self.digests_of = lru_cache(None)(lambda history: algebra.digests(history.commands))

    def assert_equal(
        self, votes: Mapping[int, tuple[str, ...]], asked: int, quorums: Sequence[int]
    ) -> list[CommandHistory]:
        by_graph = textbook({a: self.history(v) for a, v in votes.items()}, asked, quorums, self.bottom)
        labels: dict[int, Digests] = {a: self.digests(v) for a, v in votes.items()}
        assert list(map(self.digests_of, by_graph)) == counting.proved_safe(labels, asked, quorums)
        return by_graph


# Counting = the textbook ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [pinned(3), any_f(3)], ids=str)
@pytest.mark.parametrize("relation", relations("abc"), ids=told)
def test_counting_equals_the_textbook_on_all_reports_of_three_acceptors(
    relation: InterferingPairs, family: Family
) -> None:
    """Every Q of 2 or 3; each acceptor below k, or with any sequence of up to 2 of the 3 commands."""
    both = Both("abc", relation)
    cases = 0
    for asked, votes in reports(family, sequences("abc", 2)):
        both.assert_equal(votes, asked, family.fast)
        cases += 1
    assert cases == 3 * (11**2 - 1) + 11**3 - 1


@pytest.mark.parametrize("family", [any_f(4), any_f_with_coordinator(4), pinned(4)], ids=str)
@pytest.mark.parametrize("relation", relations("ab"), ids=told)
def test_counting_equals_the_textbook_on_all_reports_of_four_acceptors(
    relation: InterferingPairs, family: Family
) -> None:
    """Every Q of 3 or 4; each acceptor below k, or with any sequence of the 2 commands."""
    both = Both("ab", relation)
    cases = 0
    for asked, votes in reports(family, sequences("ab")):
        both.assert_equal(votes, asked, family.fast)
        cases += 1
    assert cases == 4 * (6**3 - 1) + 6**4 - 1


@pytest.mark.parametrize("replicas", range(3, 8))
def test_counting_equals_the_textbook_on_random_reports(replicas: int) -> None:
    """1,000 for each N, histories of up to 6 commands, under pinned fast quorums and under any f."""
    chance = random.Random(replicas)
    families = [pinned(replicas), any_f(replicas), any_f_with_coordinator(replicas)]
    nothing_chosen = something = 0
    for number in range(1000):
        commands = "abcdef"[: chance.randint(2, 6)]
        both = Both(commands, random_relation(chance, commands), chance.choice(ENCODINGS))
        family = families[number % 3]
        asked = chance.choice(list(family.asked()))
        favourite = random_sequence(chance, commands)
        votes = {a: disturbed(chance, favourite, commands) for a in members_of(asked) if chance.random() < 0.85}
        if votes:
            results = both.assert_equal(votes, asked, family.fast)
            nothing_chosen += len(results) > 1
            something += len(results) == 1 and results[0] != both.bottom
    assert nothing_chosen > 20
    assert something > 300


@pytest.mark.parametrize("replicas", range(1, 8))
def test_the_threshold_of_any_f_and_the_rule_of_a_pinned_quorum_say_the_same_as_the_quorums(replicas: int) -> None:
    """Protocol §5 step 3: t = f + |Q| − N reports; or all of Q ∩ R. The runtime's look-up agrees too."""
    system = QuorumSystem.majority(replicas)
    any_size, with_coordinator = any_f(replicas), any_f_with_coordinator(replicas)
    [members] = pinned(replicas).fast
    size = any_size.fast[0].bit_count()
    with_pinned, with_any = system.with_pinned(members_of(members)), system.with_any(size, including=0)
    for asked in any_size.asked():
        for reported in (mask for mask in range(1 << replicas) if not mask & ~asked):
            may_be = counting.may_be_chosen(reported, asked, any_size.fast)
            assert may_be == (reported.bit_count() >= size + asked.bit_count() - replicas)
            may_be = counting.may_be_chosen(reported, asked, [members])
            assert may_be == (members & asked == members & reported)
            assert may_be == with_pinned.may_be_chosen_fast(reported, asked)
            may_be = counting.may_be_chosen(reported, asked, with_coordinator.fast)
            assert may_be == with_any.may_be_chosen_fast(reported, asked)


# What it is for ------------------------------------------------------------------------------------------------------

SCOPES_3, SCOPES_2 = scopes("abc", by_shape=True), scopes("ab")


def assert_extends_all_choices(family: Family, scope: Scope[CStruct], votable: Sequence[CStruct]) -> int:
    """For every Q and reports, and every vote or none of each acceptor that did not answer. Returns the cases."""
    lower = lru_cache(None)(lambda one, other: one & other)
    below = lru_cache(None)(lambda one, other: one <= other)
    safe = lru_cache(None)(lambda votes, asked: textbook(dict(votes), asked, family.fast, scope.bottom))
    cases = 0
    for asked, votes in reports(family, votable):
        results = safe(tuple(votes.items()), asked)
        missing = [a for a in range(family.replicas) if not asked >> a & 1]
        for filled in product((None, *votable), repeat=len(missing)):
            full = votes | {a: vote for a, vote in zip(missing, filled, strict=True) if vote is not None}
            for quorum in family.fast:
                members = members_of(quorum)
                if all(a in full for a in members):
                    chosen = full[members[0]]
                    for a in members[1:]:
                        chosen = lower(chosen, full[a])
                    assert all(below(chosen, result) for result in results), (asked, votes, filled)
            cases += 1
    return cases


@pytest.mark.parametrize("family", [pinned(3), any_f(3)], ids=str)
@pytest.mark.parametrize("name", SCOPES_3)
def test_the_result_extends_all_that_is_chosen_or_could_still_be_among_three_acceptors(
    name: str, family: Family
) -> None:
    votable = [value for value in SCOPES_3[name].values if len(value.commands) <= 2]
    none_or_any = len(votable) + 1
    cases = assert_extends_all_choices(family, SCOPES_3[name], votable)
    assert cases == 3 * (none_or_any**2 - 1) * none_or_any + none_or_any**3 - 1


@pytest.mark.parametrize("family", [any_f(4), pinned(4)], ids=str)
@pytest.mark.parametrize("name", SCOPES_2)
def test_the_result_extends_all_that_is_chosen_or_could_still_be_among_four_acceptors(
    name: str, family: Family
) -> None:
    assert_extends_all_choices(family, SCOPES_2[name], SCOPES_2[name].values)


@pytest.mark.parametrize("name", SCOPES_2)
def test_choosable_means_chosen_once_those_that_may_still_vote_have_voted(name: str) -> None:
    scope, family = SCOPES_2[name], pinned(3)

    def quorums(_: int) -> Sequence[int]:
        return family.fast + family.classic

    for asked, votes in reports(family, scope.values, larger=False):
        [absent] = [a for a in range(3) if not asked >> a & 1]
        joined = dict.fromkeys(members_of(asked), M) | {absent: K}
        beta = BallotArray({a: {K: vote} for a, vote in votes.items()}, joined)
        for value in scope.values:
            completions = [{a: {K: v} for a, v in (votes | {absent: vote}).items()} for vote in scope.values]
            could = any(is_chosen_at(value, K, BallotArray(full, {}), quorums) for full in completions)
            assert is_choosable_at(value, K, beta, quorums) == could


# The abstract algorithm ----------------------------------------------------------------------------------------------


class AbstractAlgorithm:
    """Lamport's abstract algorithm (§5.2) with interleaved ballots: joining, starting, classic and fast votes."""

    def __init__(self, chance: random.Random, scope: Scope[CStruct]) -> None:
        self.chance, self.scope = chance, scope
        self.replicas = chance.randint(3, 5)
        self.ballots = 4
        kinds = [pinned(self.replicas).fast, any_f(self.replicas).fast]
        self.classic = pinned(self.replicas).classic
        self.fast = {m: chance.choice([None, *kinds]) for m in range(1, self.ballots + 1)}
        self.votes: dict[int, dict[int, CStruct]] = {a: {0: scope.bottom} for a in range(self.replicas)}
        self.current = dict.fromkeys(range(self.replicas), 0)
        self.tried: dict[int, CStruct] = {}
        self.checked = 0

    @property
    def beta(self) -> BallotArray[CStruct]:
        return BallotArray(self.votes, self.current)

    def quorums(self, m: int) -> Sequence[int]:
        return self.fast.get(m) or self.classic

    def some_commands(self) -> Sequence[str]:
        return self.chance.sample(self.scope.commands, self.chance.randint(0, 2))

    def start(self, m: int) -> None:
        """Phases 1 and 2a: a quorum that can, joins; the ballot begins with an extension of what it proves safe."""
        asked = self.chance.choice(self.classic)
        if m in self.tried or any(self.current[a] > m for a in members_of(asked)):
            return
        self.current.update(dict.fromkeys(members_of(asked), m))
        safe = proved_safe(asked, m, self.beta, self.quorums)
        for value in safe:
            assert is_safe_at(value, m, self.beta, self.quorums, self.scope.values)
            self.checked += 1
        self.tried[m] = self.chance.choice(safe).extend(self.some_commands())

    def vote(self, acceptor: int, m: int) -> None:
        """Phase 2b: in a classic ballot the coordinator's value, which may have grown; in a fast one any extension."""
        if m not in self.tried or self.current[acceptor] > m:
            return
        self.current[acceptor] = m
        if self.fast[m] is None:
            self.tried[m] = self.tried[m].extend(self.some_commands())
            self.votes[acceptor][m] = self.tried[m]
        else:
            voted = self.votes[acceptor].get(m, self.tried[m])
            self.votes[acceptor][m] = voted.extend(self.some_commands())

    def run(self, steps: int) -> None:
        for _ in range(steps):
            m = self.chance.randint(1, self.ballots)
            self.start(m) if self.chance.random() < 0.35 else self.vote(self.chance.randrange(self.replicas), m)
        for m in range(1, self.ballots + 1):
            for vote in self.beta.votes_at((1 << self.replicas) - 1, m).values():
                assert is_safe_at(vote, m, self.beta, self.quorums, self.scope.values)

    def chosen(self) -> list[CStruct]:
        """What each quorum of each ballot has chosen."""
        found = []
        for m in range(self.ballots + 1):
            for quorum in self.quorums(m):
                votes = self.beta.votes_at(quorum, m)
                if len(votes) == quorum.bit_count():
                    found.append(glb(votes.values()))
        return found


@pytest.mark.parametrize("name", SCOPES_3)
def test_in_any_run_of_the_abstract_algorithm_what_is_proved_safe_is_safe_and_choices_are_compatible(name: str) -> None:
    """Lamport's propositions about ProvedSafe and the ballot array, over up to four classic and fast ballots."""
    chance = random.Random(name)
    checked = chosen = 0
    for _ in range(60):
        algorithm = AbstractAlgorithm(chance, SCOPES_3[name])
        algorithm.run(30)
        choices = [choice for choice in algorithm.chosen() if choice != choice.bottom()]
        assert all(one.compatible(other) for one in choices for other in choices)
        checked, chosen = checked + algorithm.checked, chosen + len(choices)
    assert checked > 80
    assert chosen > 25
