"""Collisions by what acceptors report, compared with the textbook: graphs of precedence, and ⊔Γ by enumeration."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commutativity import CommutativityTable, Footprint, InterferenceIndex, interferes
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.collision import ROUNDS_MAX, SCAN_COMMANDS, WINDOW_COMMANDS, Order, Reports
from genpaxos.core.commands import Proposals
from genpaxos.core.history import History
from genpaxos.core.messages import Phase2b
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.textbook.algebra import lub
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from genpaxos.textbook.provedsafe import gamma
from tests.textbook.worlds import digest_algebra, disturbed, random_relation, random_sequence

BALLOT = Ballot(1, 0)
KIND = BallotKind(Policy.COORDINATED)
COMMANDS = "abcdefg"
WRITES = CommutativityTable({"write": {"write": True}})


class World:
    """Some acceptors in a ballot in which they order, and what replica 0 has heard of them."""

    def __init__(self, replicas: int, table: CommutativityTable, footprints: Mapping[str, Footprint]) -> None:
        self.table = table
        self.known = {c: (["", [], 0], footprint, c, 1) for c, footprint in footprints.items()}
        self.quorums = QuorumSystem.majority(replicas).for_ballot(KIND, 0)
        self.acceptors = [self._acceptor(node) for node in range(replicas)]
        self.reports = Reports(self.known, table)

    def _acceptor(self, node: int) -> Acceptor:
        history = History(InterferenceIndex(self.table), self.known)
        made = Acceptor(node, history, Proposals.__new__(Proposals))
        made.promised = made.accepted = BALLOT
        made.kind = KIND
        return made

    def hold(self, tails: Sequence[Sequence[str]]) -> None:
        """Every acceptor has this tail; all of them tell."""
        for acceptor, tail in zip(self.acceptors, tails, strict=True):
            acceptor.history.accept(tail)
            self.tell(acceptor.node)

    def tell(self, node: int, *, start: int = 0, adopted: int | None = None, step: int = 0) -> None:
        """An acceptor reports its tail."""
        if node == 0:
            self.reports.watch(self.acceptors[0])
            return
        history = self.acceptors[node].history
        ids, digests = list(history.tail)[start:], list(history.tail.values())[start:]
        place = history.length if adopted is None else adopted
        self.reports.on_phase2b(node, Phase2b(BALLOT, ids, digests, place, start, step))

    def order(self, *, own: bool = False) -> Order:
        return self.reports.safe_order(self.acceptors[0], self.quorums, own=own)

    def collided(self) -> bool:
        return self.reports.collided(self.acceptors[0], self.quorums)


def writes(replicas: int, names: Sequence[str]) -> World:
    """Commands that all interfere: they write one register."""
    return World(replicas, WRITES, dict.fromkeys(names, (("x", 0),)))


# Against the textbook -------------------------------------------------------------------------------------------------


def drawn(chance: random.Random) -> tuple[World, InterferingPairs, list[tuple[str, ...]]]:
    """Acceptors with tails that are much alike, or not at all."""
    relation = random_relation(chance, COMMANDS)
    encoding = chance.choice(("modes", "resources", "whole"))
    algebra = digest_algebra(COMMANDS, relation, encoding)
    replicas = chance.randint(2, 7)
    world = World(replicas, algebra.table, algebra.footprints)
    common = random_sequence(chance, COMMANDS)
    tails = [
        tuple(
            dict.fromkeys(
                disturbed(chance, common, COMMANDS) if chance.random() < 0.8 else random_sequence(chance, COMMANDS)
            )
        )
        for _ in range(replicas)
    ]
    world.hold(tails)
    return world, relation, tails


def precedence(tail: Sequence[str], relation: InterferingPairs) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(tail)
    graph.add_edges_from((one, other) for one, other in combinations(tail, 2) if relation(one, other))
    return graph


def greatest_common_down_closed_set(tails: Sequence[Sequence[str]], relation: InterferingPairs) -> set[str]:
    """By definition: whatever is missing somewhere takes along what follows it in any of the orders."""
    graphs = [precedence(tail, relation) for tail in tails]
    kept = set.intersection(*map(set, tails))
    while True:
        out = {c for graph in graphs for missing in set(graph) - kept for c in nx.descendants(graph, missing) & kept}
        if not out:
            return kept
        kept -= out


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_the_commands_ordered_are_the_greatest_common_down_closed_set_of_a_classic_quorum(
    chance: random.Random,
) -> None:
    world, relation, tails = drawn(chance)
    for members in combinations(range(len(tails)), len(tails) // 2 + 1):
        chosen = {a: world.acceptors[a].history.tail for a in members}
        common = set.intersection(*(set(tail) for tail in chosen.values()))
        order = world.reports._ordered(chosen, common, world.quorums)
        assert sorted(order.ids) == sorted(greatest_common_down_closed_set([tails[a] for a in members], relation))


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_an_order_extends_whatever_a_fast_quorum_may_have_chosen_of_it(chance: random.Random) -> None:
    """⊔Γ of ProvedSafe (MSR-TR-2005-33, §5.3.2) for the quorum, without what is not yet to be ordered, is a prefix."""
    world, relation, tails = drawn(chance)
    history = CommandHistory.empty(relation).extend
    for members in combinations(range(len(tails)), len(tails) // 2 + 1):
        chosen = {a: world.acceptors[a].history.tail for a in members}
        common = set.intersection(*(set(tail) for tail in chosen.values()))
        order = world.reports._ordered(chosen, common, world.quorums)
        votes = {a: history(tails[a]) for a in members}
        may_be_chosen = lub(gamma(votes, mask_of(members), world.quorums.fast))
        assert history(order.ids).compatible(may_be_chosen)
        rest = [history([*order.ids, *(c for c in tails[a] if c not in order.ids)]) for a in members]
        assert may_be_chosen <= lub(gamma(dict(zip(members, rest, strict=True)), mask_of(members), world.quorums.fast))


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_what_may_be_chosen_has_the_digest_that_it_would_be_chosen_with(chance: random.Random) -> None:
    world, _, _ = drawn(chance)
    order = world.order()
    history = History(InterferenceIndex(world.table), world.known)
    digests = dict(zip(order.ids, history.accept(order.ids), strict=True))
    assert {command: digests[command] for command in order.kept} == order.kept


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_what_need_not_keep_its_place_is_ordered_by_id(chance: random.Random) -> None:
    world, relation, _ = drawn(chance)
    order = world.order()
    free = [command for command in order.ids if command not in order.kept]
    assert free == sorted(free)
    for place, command in enumerate(free):
        behind = order.ids[order.ids.index(command) + 1 :]
        assert not any(relation(command, later) for later in behind if later in order.kept), place


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_a_command_collided_when_no_digest_can_reach_a_fast_quorum_any_more(chance: random.Random) -> None:
    world, _, _ = drawn(chance)
    tails = [acceptor.history.tail for acceptor in world.acceptors]

    def reachable(command: str) -> bool:
        return any(
            len({tails[a][command] for a in range(len(tails)) if quorum >> a & 1 and command in tails[a]}) <= 1
            for quorum in world.quorums.fast
        )

    assert world.collided() == (not all(map(reachable, tails[0])))


@settings(deadline=None)  # the textbook takes its time
@given(st.randoms(use_true_random=False))
def test_an_index_of_ones_meets_what_interferes(chance: random.Random) -> None:
    relation = random_relation(chance, COMMANDS)
    algebra = digest_algebra(COMMANDS, relation, chance.choice(("modes", "resources", "whole")))
    footprints = {**algebra.footprints, "-": (), "?": ((None, len(algebra.table.modes)),)}
    added = chance.sample(sorted(footprints), 3)
    index = InterferenceIndex(algebra.table)
    for command in added:
        index.add(footprints[command], 1)
    for footprint in footprints.values():
        assert index.meets(footprint) == any(interferes(algebra.table, footprint, footprints[c]) for c in added)


# What is heard --------------------------------------------------------------------------------------------------------


def test_without_disagreement_nothing_collides_and_all_is_kept() -> None:
    world = writes(3, "ab")
    world.hold(["ab", "ab", "ab"])
    assert not world.collided()
    assert world.order().ids == ["a", "b"]
    assert set(world.order().kept) == {"a", "b"}


def test_a_report_behind_a_gap_says_nothing_until_it_is_repeated_from_the_beginning() -> None:
    world = writes(3, "ab")
    world.acceptors[1].history.accept("ba")
    world.acceptors[0].history.accept("ab")
    world.tell(0)
    world.tell(1, start=1)
    assert not world.collided()
    world.tell(1)
    assert world.collided()


def test_reports_of_acceptors_that_stand_elsewhere_do_not_count() -> None:
    world = writes(3, "ab")
    world.hold(["ab", "ba", "ba"])
    assert world.collided()
    world.tell(1, step=1)
    world.tell(2, adopted=1)
    assert not world.collided()
    assert world.order().ids == []


def test_an_older_report_does_not_take_the_place_of_a_newer_one() -> None:
    world = writes(3, "ab")
    world.hold(["ab", "ba", "ba"])
    for node in (1, 2):
        world.tell(node, adopted=1)
        world.tell(node)
    assert not world.collided()


def test_reports_of_an_earlier_ballot_are_forgotten() -> None:
    world = writes(3, "ab")
    world.hold(["ab", "ba", "ba"])
    world.acceptors[0].accepted = world.acceptors[0].promised = Ballot(2, 0)
    world.tell(0)
    assert not world.collided()


def test_its_own_tail_is_looked_at_where_it_is() -> None:
    world = writes(3, "ab")
    world.hold(["a", "ba", "ba"])
    world.acceptors[0].history.accept("b")
    assert world.collided()


def test_what_is_not_known_yet_and_all_behind_it_waits() -> None:
    world = writes(3, "abc")
    world.hold(["abc", "bac", "bac"])
    del world.known["c"]
    assert sorted(world.order().ids) == ["a", "b"]


def test_one_that_does_not_vote_looks_at_the_tails_of_others() -> None:
    world = writes(4, "ab")
    for node, tail in ((1, "ab"), (2, "ba"), (3, "ab")):
        world.acceptors[node].history.accept(tail)
        world.tell(node)
    world.tell(0)
    quorums = QuorumSystem.majority(4, (1, 2, 3)).for_ballot(KIND, 0)
    assert world.reports.collided(world.acceptors[0], quorums, votes=False)
    assert sorted(world.reports.safe_order(world.acceptors[0], quorums).ids) == ["a", "b"]


def test_an_order_to_vote_for_comes_from_a_quorum_that_the_acceptor_is_of() -> None:
    world = writes(3, "abc")
    world.hold(["c", "ab", "ba"])
    assert sorted(world.order().ids) == ["a", "b"]
    assert world.order(own=True).ids == []


# Bounds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [WINDOW_COMMANDS // 2, WINDOW_COMMANDS])
def test_as_many_collided_commands_as_a_window_holds_are_ordered_at_once(count: int) -> None:
    names = [f"{n:05}" for n in range(count)]
    world = writes(3, names)
    world.hold([names, names[::-1], names[count // 2 :] + names[: count // 2]])
    assert world.collided()
    assert sorted(world.order().ids) == names
    assert not world.reports.beyond(world.acceptors[0], world.quorums)


def test_more_than_that_in_opposite_orders_is_for_another_ballot() -> None:
    names = [f"{n:05}" for n in range(2 * WINDOW_COMMANDS)]
    world = writes(3, names)
    world.hold([names, names[::-1], names[::-1]])
    assert world.collided()
    assert world.order(own=True).ids == []
    assert world.reports.beyond(world.acceptors[0], world.quorums)


def test_a_collision_is_looked_for_at_the_head_of_the_tail() -> None:
    """What stands before it is learned and decreed, and then it stands at the head."""
    names = [f"{n:05}" for n in range(SCAN_COMMANDS + 2)]
    swapped = [*names[:-2], names[-1], names[-2]]
    world = writes(3, names)
    world.hold([names, swapped, swapped])
    assert not world.collided()
    for acceptor in world.acceptors:
        acceptor.history.insert(names[:2])
        world.tell(acceptor.node)
    assert world.collided()


@pytest.mark.parametrize(("length", "left"), [(ROUNDS_MAX, ["z"]), (4 * ROUNDS_MAX, [])])
def test_a_long_chain_of_commands_that_miss_their_predecessors_is_given_up(length: int, left: list[str]) -> None:
    """Each interferes with its two neighbours. One acceptor lacks the first; each tail takes out one more at a time."""
    names = [f"{n:03}" for n in range(length)]
    footprints: dict[str, Footprint] = {name: ((f"r{n}", 0), (f"r{n + 1}", 0)) for n, name in enumerate(names)}
    world = World(2, WRITES, {**footprints, "z": (("z", 0),)})
    evens, odds = names[::2], names[1::2]
    world.hold([["z", *evens, *odds], ["z", *odds, *evens[1:]]])
    assert world.order().ids == left
