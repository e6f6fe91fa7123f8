"""Digests against an explicit partial order: equal exactly when the down-set, with its order, is equal."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from commutativity import CommutativityTable, Footprint, InterferenceIndex, interferes
from genpaxos.examples.bank import Bank


@dataclass(frozen=True)
class History:
    """A table with some commands: footprints by id, in one order."""

    table: CommutativityTable
    footprints: dict[str, Footprint]


@st.composite
def tables(draw: st.DrawFn) -> CommutativityTable:
    names = "mnop"[: draw(st.integers(1, 4))]
    cells = {(a, b): draw(st.booleans()) for a in names for b in names if a <= b}
    return CommutativityTable({a: {b: cells[min(a, b), max(a, b)] for b in names} for a in names})


@st.composite
def histories(draw: st.DrawFn, commands_max: int = 6) -> History:
    table = draw(tables())
    modes = st.integers(0, len(table.modes) - 1)
    touched = st.sets(st.tuples(st.sampled_from(["r", "s", "t"]), modes), max_size=3)
    whole = st.sets(modes, max_size=2)
    undeclared: Footprint = ((None, len(table.modes)),)
    declared = st.tuples(whole, touched).map(lambda drawn: (*((None, m) for m in sorted(drawn[0])), *sorted(drawn[1])))
    resources_only = touched.map(lambda pairs: tuple(sorted(pairs)))
    footprints = draw(
        st.lists(st.one_of(resources_only, declared, st.just(undeclared)), min_size=1, max_size=commands_max)
    )
    return History(table, {f"c{i}": footprint for i, footprint in enumerate(footprints)})


def interferes_by_definition(table: CommutativityTable, one: Footprint, two: Footprint) -> bool:
    """Protocol §2, written apart from the code under test."""
    for footprint in (one, two):
        if any(mode == len(table.modes) for _, mode in footprint):
            return True
    for a, m in one:
        for b, n in two:
            if (a == b or a is None or b is None) and table.interferes(table.modes[m], table.modes[n]):
                return True
    return False


def partial_order(history: History, order: list[str]) -> nx.DiGraph[str]:
    """The command history that a sequence stands for: an edge from each command to the later ones it
    interferes with."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(order)
    for place, later in enumerate(order):
        for earlier in order[:place]:
            if interferes_by_definition(history.table, history.footprints[earlier], history.footprints[later]):
                graph.add_edge(earlier, later)
    return graph


def down_set(graph: nx.DiGraph[str], command: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    members = nx.ancestors(graph, command) | {command}
    return frozenset(members), frozenset(graph.subgraph(members).edges)


def digests(history: History, order: list[str]) -> dict[str, int]:
    index = InterferenceIndex(history.table)
    return {command: index.append(command, history.footprints[command]) for command in order}


@given(histories(), st.data())
def test_interference_is_symmetric_and_as_defined(history: History, data: st.DataObject) -> None:
    one, two = data.draw(st.tuples(*[st.sampled_from(list(history.footprints.values()))] * 2))
    expected = interferes_by_definition(history.table, one, two)
    assert interferes(history.table, one, two) is expected
    assert interferes(history.table, two, one) is expected


@given(histories(), st.data())
def test_digests_are_equal_exactly_when_down_sets_are(history: History, data: st.DataObject) -> None:
    one = list(history.footprints)
    two = data.draw(st.permutations(one))
    # Each history may lack some commands of the other.
    one, two = (order[: data.draw(st.integers(1, len(order)))] for order in (one, two))
    graphs = partial_order(history, one), partial_order(history, two)
    found = digests(history, one), digests(history, two)
    for command in set(one) & set(two):
        same_down_set = down_set(graphs[0], command) == down_set(graphs[1], command)
        assert (found[0][command] == found[1][command]) is same_down_set


@given(histories(), st.data())
def test_linear_extensions_of_one_order_give_equal_digests_and_sums(history: History, data: st.DataObject) -> None:
    order = list(history.footprints)
    graph = partial_order(history, order)
    rank = {command: place for place, command in enumerate(data.draw(st.permutations(order)))}
    other = list(nx.lexicographical_topological_sort(graph, key=rank.__getitem__))
    assert digests(history, order) == digests(history, other)
    indices = [InterferenceIndex(history.table), InterferenceIndex(history.table)]
    for index, commands in zip(indices, (order, other), strict=True):
        for command in commands:
            index.append(command, history.footprints[command])
    assert indices[0] == indices[1]


@given(histories(), st.data())
def test_swapping_interfering_neighbours_changes_what_follows_them(history: History, data: st.DataObject) -> None:
    order = list(history.footprints)
    places = [
        i
        for i in range(len(order) - 1)
        if interferes(history.table, history.footprints[order[i]], history.footprints[order[i + 1]])
    ]
    if not places:
        return
    i = data.draw(st.sampled_from(places))
    swapped = [*order[:i], order[i + 1], order[i], *order[i + 2 :]]
    one, two = digests(history, order), digests(history, swapped)
    followers = nx.descendants(partial_order(history, order), order[i])
    for command in order:
        moved = command in followers or command == order[i]
        assert (one[command] != two[command]) is moved


@given(histories())
def test_digest_foretells_append_and_changes_nothing(history: History) -> None:
    index = InterferenceIndex(history.table)
    for command, footprint in history.footprints.items():
        before = index.copy()
        foretold = index.digest(command, footprint)
        assert index == before
        assert index.append(command, footprint) == foretold


@given(histories(), st.data())
def test_remove_is_the_inverse_of_add(history: History, data: st.DataObject) -> None:
    kept = InterferenceIndex(history.table)
    both = InterferenceIndex(history.table)
    to_remove = []
    for footprint in history.footprints.values():
        digest = data.draw(st.integers(0, 2**64 - 1))
        both.add(footprint, digest)
        if data.draw(st.booleans()):
            kept.add(footprint, digest)
        else:
            to_remove.append((footprint, digest))
    for footprint, digest in data.draw(st.permutations(to_remove)):
        both.remove(footprint, digest)
    assert both == kept


@given(histories())
def test_a_snapshot_survives_json_and_gives_an_equal_index(history: History) -> None:
    index = InterferenceIndex(history.table)
    for command, footprint in history.footprints.items():
        index.append(command, footprint)
    snapshot = orjson.loads(orjson.dumps(index.snapshot()))
    restored = InterferenceIndex.restore(history.table, snapshot)
    assert restored == index
    assert restored.snapshot() == index.snapshot()


def test_a_copy_is_independent() -> None:
    index = InterferenceIndex(Bank.table)
    copy = index.copy()
    index.append("c", Bank.admit("transfer", ["a", "b", 1]))
    assert copy == InterferenceIndex(Bank.table)
    assert index != copy


def test_a_zero_row_is_as_good_as_none() -> None:
    index = InterferenceIndex(Bank.table)
    footprint = Bank.admit("deposit", ["a", 1])
    index.add(footprint, 7)
    index.add(footprint, 2**64 - 7)
    assert repr(index) == "<InterferenceIndex of 1 resources, 3 modes>"
    assert index == InterferenceIndex(Bank.table)
    assert index.snapshot() == InterferenceIndex(Bank.table).snapshot()


def test_removing_the_last_command_of_a_resource_frees_its_row() -> None:
    index = InterferenceIndex(Bank.table)
    footprint = Bank.admit("transfer", ["a", "b", 1])
    index.remove(footprint, index.append("c", footprint))
    assert repr(index) == "<InterferenceIndex of 0 resources, 3 modes>"


def test_indices_of_different_tables_differ() -> None:
    other = CommutativityTable({"a": {"a": True}})
    assert InterferenceIndex(Bank.table) != InterferenceIndex(other)
    assert InterferenceIndex(Bank.table) != "an index"


@pytest.mark.parametrize(
    "snapshot",
    [None, {}, {"touches": {}, "parts": "", "wholes": ""}, {"touches": [], "parts": 3, "wholes": 4}],
)
def test_restoring_anything_else_is_refused(snapshot: object) -> None:
    with pytest.raises(ValueError, match="not a snapshot of an interference index over 3 modes"):
        InterferenceIndex.restore(Bank.table, snapshot)  # type: ignore[arg-type]


def test_ids_are_told_apart_from_sums() -> None:
    index = InterferenceIndex(Bank.table)
    footprint = Bank.admit("deposit", ["a", 1])
    assert index.digest("c", footprint) != index.digest("c\0\0\0\0\0\0\0\0", ())


def test_a_digest_hashes_the_id_and_one_sum_per_touch() -> None:
    index = InterferenceIndex(Bank.table)
    one = index.append("c1", Bank.admit("deposit", ["alice", 5]))
    two = index.append("c2", Bank.admit("deposit", ["alice", 7]))
    moved = index.append("c3", Bank.admit("transfer", ["alice", "bob", 3]))
    both = (one + two) % 2**64
    assert one == xxh3_64_intdigest(b"c1", 0), "a single sum is the seed"
    assert two == xxh3_64_intdigest(b"c2", 0), "deposits commute"
    assert moved == xxh3_64_intdigest(b"c3" + b"\xff" + both.to_bytes(8, "little") + bytes(8))


def test_digests_are_pinned() -> None:
    """Digests are compared between replicas of different versions and platforms: these may never change."""
    index = InterferenceIndex(Bank.table)
    commands = [
        ("client-1:1", Bank.deposit("alice", 5)),
        ("client-2:1", Bank.deposit("alice", 7)),
        ("client-1:2", Bank.transfer("alice", "bob", 3)),
        ("client-1:3", Bank.total()),
        ("κ:1", Bank.balance("bob")),
    ]
    found = [index.append(name, Bank.admit(c.operation, c.arguments)) for name, c in commands]
    found.append(index.append("client-3:1", ((None, 3),)))
    found.append(index.append("client-3:2", ()))
    assert [f"{digest:016x}" for digest in found] == PINNED


PINNED = [
    "c414ff8ceb5d7d89",
    "eb02e1ff35f1b464",
    "bdac0f9f110452c7",
    "f34ea6c62d952b0d",
    "58735ef6e9db28f2",
    "56698257b172476e",
    "f47dd37d0dfe7c41",
]
