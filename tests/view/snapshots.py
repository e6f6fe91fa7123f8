"""Snapshots for the tests of the views: the bank of the documentation, and arbitrary ones for Hypothesis."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from rich.console import Console, RenderableType

from genpaxos.view.graph import CommandGraph, State

TABLE = """
         read  add  update
read      .     x     x
add       x     .     x
update    x     x     x
"""
FOOTPRINTS = {"deposit": ("add",), "withdraw": ("update",), "balance": ("read",), "transfer": ("update", "add")}


def command(number: int, line: str, state: str = "executed") -> dict[str, Any]:
    """`deposit alice 10` as the command `c1:<number>`; `total` reads the whole machine, `noop` touches nothing."""
    operation, *words = line.split()
    arguments: list[object] = [int(word) if word.isdecimal() else word for word in words]
    modes = FOOTPRINTS.get(operation, ())
    footprint: list[list[str | None]] = [[r, m] for r, m in zip(words, modes, strict=False)]
    if operation in ("total", "upgrade"):
        footprint = [[None, "read" if operation == "total" else None]]
    return {
        "id": f"c1:{number}",
        "operation": operation,
        "arguments": arguments,
        "footprint": footprint,
        "state": state,
        "index": number if state in ("classic", "executed") else None,
    }


def snapshot(lines: Iterable[str], first: int = 1, total: int | None = None) -> dict[str, Any]:
    """A snapshot of commands written `operation arguments`, or `state: operation arguments`."""
    commands = []
    for number, line in enumerate(lines, first):
        state, colon, rest = line.partition(": ")
        commands.append(command(number, rest, state) if colon else command(number, line))
    return {"table": TABLE, "first": first, "total": len(commands) if total is None else total, "commands": commands}


def bank(*lines: str, **window: int) -> CommandGraph:
    return CommandGraph.from_json(snapshot(lines, **window))


SKETCH = (
    "deposit alice 10", "deposit alice 10", "deposit bob 7", "deposit carol 1", "deposit carol 1",
    "withdraw alice 5", "balance carol", "transfer alice bob 3", "balance bob",
)  # fmt: skip
"""The example of the architecture page."""


def console(width: int, height: int = 40, **options: Any) -> Console:
    """A console that writes plain text to memory."""
    options = {"force_terminal": False, "no_color": True, "legacy_windows": False, **options}
    file = io.TextIOWrapper(io.BytesIO(), encoding=options.pop("encoding", "utf-8"))
    return Console(file=file, width=width, height=height, **options)


def drawn(view: RenderableType, width: int = 80, height: int = 40, **options: Any) -> list[str]:
    """The lines of a view as they would reach a pipe, without trailing spaces."""
    on = console(width, height, **options)
    with on.capture() as captured:
        on.print(view)
    return [line.rstrip() for line in captured.get().split("\n")][:-1]


def text_of(block: str) -> list[str]:
    """The lines of an expected drawing in a triple-quoted text, without the first and last line break."""
    return block.strip("\n").split("\n")


names = st.one_of(
    st.sampled_from(["alice", "bob", "a2", "a10", "", "[red]x[/]", "漢字", "e\u0301", "\x1b[31mred\x1b[0m", "a\nb"]),
    st.text(max_size=12),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str]]:
    """The text of a symmetric table, and its modes."""
    modes = draw(st.lists(st.sampled_from(["read", "add", "update", "m", "n"]), min_size=1, max_size=4, unique=True))
    cells = {frozenset((a, b)): draw(st.sampled_from(".x")) for i, a in enumerate(modes) for b in modes[i:]}
    rows = [" ".join([a, *(cells[frozenset((a, b))] for b in modes)]) for a in modes]
    return "\n".join([" ".join(modes), *rows]), modes


@st.composite
def snapshots(draw: st.DrawFn, resources: st.SearchStrategy[str] = names, size: int = 30) -> dict[str, Any]:
    """A snapshot with any table, names, footprints and states."""
    text, modes = draw(tables())
    pool = draw(st.lists(resources, min_size=1, max_size=12))
    touch = st.tuples(st.none() | st.sampled_from(pool) | st.sampled_from(pool), st.sampled_from(modes)).map(list)
    footprint = st.lists(touch, max_size=3) | st.just([[None, None]])
    operations = draw(st.lists(names, min_size=1, max_size=4))
    one = st.fixed_dictionaries(
        {
            "operation": st.sampled_from(operations),
            "arguments": st.lists(json_values, max_size=3),
            "footprint": footprint,
            "state": st.sampled_from([state.value for state in State]),
            "index": st.none() | st.integers(0, 10**6),
        }
    )
    commands = [{"id": f"c{i}", **body} for i, body in enumerate(draw(st.lists(one, max_size=size)))]
    return {
        "table": text,
        "first": draw(st.integers(0, 9999)),
        "total": draw(st.integers(0, 99999)),
        "commands": commands,
    }
