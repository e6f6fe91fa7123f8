"""Exports: they parse, whatever the names, and say what the graph says."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from hypothesis import given, settings

from genpaxos.view.graph import CommandGraph
from genpaxos.view.label import describe, shorten
from tests.view.snapshots import SKETCH, bank, snapshots

MERMAID_NODE = re.compile(r'    n(\d+)\["((?:[^"#\[\](){}<>;&`|\\]|#\d+;)+)"\]:::(\w+)')
MERMAID_EDGE = re.compile(r"    n(\d+) --> n(\d+)")
MERMAID_CLASS = re.compile(r"    classDef \w+ fill:#\w{6},stroke:#\w{6},color:#\w{6}")
DOT_TOKEN = re.compile(r'\s*("(?:[^"\\\n]|\\\\|\\")*"|->|[A-Za-z0-9_.]+|[{}\[\]=,;])')


def dot_tokens(text: str) -> list[str]:
    """Every token of a Graphviz file; fails on anything that is none."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = DOT_TOKEN.match(text, at)
        assert found, f"no token at {text[at : at + 40]!r}"
        tokens.append(found[1])
        at = found.end()
    return tokens


def test_the_sketch_as_mermaid() -> None:
    lines = bank(*SKETCH).to_mermaid().splitlines()
    assert lines[:2] == ["flowchart TD", '    n0["deposit alice 10"]:::executed']
    assert "    n5 --> n7" in lines


def test_mermaid_characters_become_entities() -> None:
    graph = CommandGraph.from_json(
        {
            "table": "m\nm x",
            "commands": [
                {"id": "1", "operation": 'say "hi"]', "arguments": ["<b>#\n"], "footprint": [], "state": "fast"}
            ],
        }
    )
    assert '    n0["say #34;hi#34;#93; #60;b#62;#35; "]:::fast' in graph.to_mermaid().splitlines()


@settings(deadline=None, max_examples=60)
@given(snapshots())
def test_mermaid_parses_and_its_labels_read_back(data: dict[str, Any]) -> None:
    graph = CommandGraph.from_json(data)
    first, *lines = graph.to_mermaid().splitlines()
    assert first == "flowchart TD"
    nodes = [found for line in lines if (found := MERMAID_NODE.fullmatch(line))]
    edges = [found for line in lines if (found := MERMAID_EDGE.fullmatch(line))]
    assert len(nodes) + len(edges) + sum(bool(MERMAID_CLASS.fullmatch(line)) for line in lines) == len(lines)
    assert [(int(e[1]), int(e[2])) for e in edges] == list(graph.edges)
    for node, command in zip(nodes, graph.commands, strict=True):
        label = html.unescape(re.sub(r"#(\d+);", r"&#\1;", node[2]))
        assert label == (shorten(describe(command.operation, command.arguments), 60) or " ")
        assert node[3] == command.state.value


@settings(deadline=None, max_examples=60)
@given(snapshots())
def test_dot_parses_and_its_labels_read_back(data: dict[str, Any]) -> None:
    graph = CommandGraph.from_json(data)
    tokens = dot_tokens(graph.to_dot())
    assert tokens[:3] == ["digraph", "commands", "{"]
    assert tokens[-1] == "}"
    assert tokens.count("{") == tokens.count("}")
    labels = [tokens[i + 2] for i, token in enumerate(tokens) if token == "label"]
    for label, command in zip(labels, graph.commands, strict=True):
        text = re.sub(r"\\(.)", r"\1", label[1:-1])
        assert text == shorten(describe(command.operation, command.arguments), 60)
    arrows = [(tokens[i - 1], tokens[i + 1]) for i, token in enumerate(tokens) if token == "->"]
    assert arrows == [(f"n{a}", f"n{b}") for a, b in graph.edges]


@settings(deadline=None, max_examples=30)
@given(snapshots())
def test_json_survives_a_round_trip_and_edges_go_up_one_level_or_more(data: dict[str, Any]) -> None:
    exported = json.loads(json.dumps(CommandGraph.from_json(data).to_json()))
    level = {node["id"]: node["level"] for node in exported["nodes"]}
    assert all(level[a] < level[b] for a, b in exported["edges"])
    again = {"table": data["table"], "commands": exported["nodes"]}
    assert CommandGraph.from_json(again).to_json()["edges"] == exported["edges"]
