"""The stable command graph: its order is the declared one, its levels are longest chains, its errors teach."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commutativity import CommutativityTable, interferes
from genpaxos.view.graph import CommandGraph, State
from genpaxos.view.snapshot import SnapshotError
from tests.view.snapshots import SKETCH, TABLE, bank, command, snapshot, snapshots

few_resources = snapshots(resources=st.sampled_from(["a", "b", "c"]), size=40)


def pairs_graph(graph: CommandGraph) -> nx.DiGraph[str]:
    """The order by its definition: an edge for every interfering pair."""
    pairs: nx.DiGraph[str] = nx.DiGraph()
    pairs.add_nodes_from(command.id for command in graph.commands)
    for position, later in enumerate(graph.commands):
        for earlier in graph.commands[:position]:
            if graph.interferes(earlier, later):
                pairs.add_edge(earlier.id, later.id)
    return pairs


def test_the_sketch_of_the_architecture_page_has_four_levels() -> None:
    graph = bank(*SKETCH)
    assert graph.levels == (0, 0, 0, 0, 0, 1, 1, 2, 3)
    assert graph.height == 4
    assert [c.id for c in graph.predecessors("c1:8")] == ["c1:1", "c1:2", "c1:6"]
    assert sorted(graph.reduced().edges) == [
        ("c1:1", "c1:6"), ("c1:2", "c1:6"), ("c1:3", "c1:9"), ("c1:4", "c1:7"), ("c1:5", "c1:7"),
        ("c1:6", "c1:8"), ("c1:8", "c1:9"),
    ]  # fmt: skip


def test_a_whole_machine_command_follows_every_resource_and_is_followed_by_all() -> None:
    graph = bank("deposit a 1", "deposit b 1", "total", "total", "deposit c 1", "balance d")
    assert graph.levels == (0, 0, 1, 1, 2, 0)


def test_an_undeclared_command_interferes_even_with_one_that_touches_nothing() -> None:
    graph = bank("noop", "upgrade", "noop", "balance a", "noop")
    assert graph.levels == (0, 1, 2, 2, 2)
    assert graph.undeclared == 1


def test_an_empty_graph_has_no_level() -> None:
    graph = bank()
    assert graph.height == 0
    assert graph.levels == ()
    assert len(graph.to_networkx()) == 0


@settings(deadline=None)
@given(few_resources)
def test_a_level_is_the_length_of_the_longest_chain_below(data: dict[str, Any]) -> None:
    graph = CommandGraph.from_json(data)
    pairs = pairs_graph(graph)
    longest: dict[str, int] = {}
    for node in nx.topological_sort(pairs):
        longest[node] = max((1 + longest[before] for before in pairs.predecessors(node)), default=0)
    assert {c.id: graph.level(c) for c in graph.commands} == longest


@settings(deadline=None, max_examples=200)
@given(few_resources)
@example(
    {
        "table": "r a\nr . .\na . x",
        "commands": [
            {"id": "0", "operation": "both", "footprint": [[None, "a"], ["x", "r"]], "state": "fast"},
            {"id": "1", "operation": "one", "footprint": [["x", "a"]], "state": "fast"},
        ],
    }
)  # the first touch of a resource by a command that also touches the whole machine
def test_the_graph_and_its_reduction_are_the_order_of_the_interfering_pairs(data: dict[str, Any]) -> None:
    graph = CommandGraph.from_json(data)
    pairs = pairs_graph(graph)
    closure = set(nx.transitive_closure_dag(pairs).edges)
    assert set(graph.to_networkx().edges) <= set(pairs.edges)
    assert set(nx.transitive_closure_dag(graph.to_networkx()).edges) == closure
    assert set(nx.transitive_closure_dag(graph.reduced()).edges) == closure
    assert set(graph.reduced().edges) == set(nx.transitive_reduction(pairs).edges)


@settings(deadline=None)
@given(few_resources)
def test_commands_interfere_here_exactly_when_they_do_in_the_engine(data: dict[str, Any]) -> None:
    graph = CommandGraph.from_json(data)
    table = CommutativityTable(data["table"])
    index = {None: len(table.modes)} | {mode: table.index(mode) for mode in table.modes}
    engine = {c.id: tuple((r, index[m]) for r, m in c.footprint) for c in graph.commands}
    for a in graph.commands[:12]:
        for b in graph.commands[-12:]:
            assert graph.interferes(a, b) == interferes(table, engine[a.id], engine[b.id])


def test_a_long_chain_gives_as_many_edges_as_links() -> None:
    graph = bank(*["withdraw alice 1"] * 2_000)
    assert graph.height == 2_000
    assert graph.to_networkx().number_of_edges() == 1_999


def test_nodes_carry_their_command_and_level() -> None:
    node = bank(*SKETCH).reduced().nodes["c1:8"]
    assert node["level"] == 2
    assert node["command"].operation == "transfer"
    assert node["command"].state is State.EXECUTED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": "read\nread ?"}, "graph.table is no commutativity table"),
        ({"table": 7}, "graph.table must be a text, not 7"),
        ({"commands": None}, "graph.commands must be a list, not null"),
        ({"first": -1}, "graph.first counts something, so it cannot be negative: -1"),
        ({"commands": ["x"]}, r"commands\[0\] must be an object, not 'x'"),
        ({"commands": [{}]}, r"commands\[0\] has no 'id' \(it has nothing\); 'id' must be a text"),
    ],
)
def test_a_malformed_snapshot_says_where_and_what_was_expected(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SnapshotError, match=message):
        CommandGraph.from_json(snapshot(SKETCH) | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "learned"}, "has state 'learned'; a state is one of proposed, accepted, fast, classic, executed"),
        ({"footprint": [["alice", "write"]]}, r"mode 'write', which the table does not declare \(its modes: read,"),
        ({"footprint": [["alice"]]}, r"footprint\[0\] must be a pair \[resource, mode\], not a list of 1"),
        ({"footprint": [["alice", None]]}, r"has no mode; what is undeclared touches the whole machine"),
        ({"footprint": [[1, "add"]]}, "must be a text, not 1"),
        ({"index": True}, "index must be an integer, not True"),
    ],
)
def test_a_malformed_command_names_the_command(change: dict[str, Any], message: str) -> None:
    bad = {"table": TABLE, "commands": [command(7, "deposit alice 1") | change]}
    with pytest.raises(SnapshotError, match=r"'c1:7'.*" + message):
        CommandGraph.from_json(bad)


def test_a_command_occurs_once() -> None:
    twice = {"table": TABLE, "commands": [command(1, "balance a"), command(1, "balance a")]}
    with pytest.raises(SnapshotError, match="'c1:1' occurs twice"):
        CommandGraph.from_json(twice)


def test_drawing_needs_no_networkx() -> None:
    code = "import sys, genpaxos.view.dashboard, genpaxos.view.export; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
