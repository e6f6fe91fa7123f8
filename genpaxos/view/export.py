"""The stable command graph as Mermaid, Graphviz and JSON: the transitive reduction, levels downward.

Labels hold text that users chose. Mermaid gets every character with a meaning of its own as an entity (`#34;`),
Graphviz gets backslashes and quotes escaped; invisible characters are dropped in both.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from genpaxos.view.graph import Command, CommandGraph, State
from genpaxos.view.label import describe, shorten

LABEL_WIDTH_MAX = 60

_COLOURS = {  # fill, line, text
    State.PROPOSED: ("#ffffff", "#8f96a3", "#5b6270"),
    State.ACCEPTED: ("#fff6e3", "#d7a03c", "#5c430f"),
    State.FAST: ("#4cc38a", "#2c8a5c", "#06210f"),
    State.CLASSIC: ("#3f6fd1", "#284a91", "#ffffff"),
    State.EXECUTED: ("#565f70", "#3a414d", "#ffffff"),
}


def graph_json(graph: CommandGraph) -> dict[str, Any]:
    """See `CommandGraph.to_json`."""
    nodes = [
        {
            "id": command.id,
            "operation": command.operation,
            "arguments": list(command.arguments),
            "footprint": [list(touch) for touch in command.footprint],
            "state": command.state.value,
            "index": command.index,
            "level": level,
        }
        for command, level in zip(graph.commands, graph.levels, strict=True)
    ]
    edges = [[graph.commands[a].id, graph.commands[b].id] for a, b in graph.edges]
    return {"first": graph.first, "total": graph.total, "nodes": nodes, "edges": edges}


def mermaid(graph: CommandGraph) -> str:
    """See `CommandGraph.to_mermaid`. (Mermaid itself draws at most 500 edges unless told otherwise.)"""
    lines = ["flowchart TD"]
    lines += [f'    n{i}["{_mermaid_label(c)}"]:::{c.state.value}' for i, c in enumerate(graph.commands)]
    lines += [f"    n{a} --> n{b}" for a, b in graph.edges]
    for state in State:
        fill, line, text = _COLOURS[state]
        lines.append(f"    classDef {state.value} fill:{fill},stroke:{line},color:{text}")
    return "\n".join(lines) + "\n"


def dot(graph: CommandGraph) -> str:
    """See `CommandGraph.to_dot`."""
    lines = [
        "digraph commands {",
        "  rankdir=TB;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
    ]
    for i, command in enumerate(graph.commands):
        fill, line, text = _COLOURS[command.state]
        label = _dot_text(shorten(describe(command.operation, command.arguments), LABEL_WIDTH_MAX))
        tip = _dot_text(f"{describe(command.id, ())} {command.state.value}")
        colours = f'fillcolor="{fill}", color="{line}", fontcolor="{text}"'
        lines.append(f'  n{i} [label="{label}", tooltip="{tip}", {colours}];')
    by_level = sorted(range(len(graph.commands)), key=lambda i: graph.levels[i])
    for _, same in groupby(by_level, key=lambda i: graph.levels[i]):
        lines.append(f"  {{ rank=same; {' '.join(f'n{i};' for i in same)} }}")
    lines += [f"  n{a} -> n{b};" for a, b in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid_label(command: Command) -> str:
    text = shorten(describe(command.operation, command.arguments), LABEL_WIDTH_MAX)
    return "".join(c if c.isalnum() or c in " .,_-…" else f"#{ord(c)};" for c in text) or " "


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
