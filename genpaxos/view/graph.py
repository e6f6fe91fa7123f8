"""The stable command graph: the commands of a history with the order that every replica agrees on.

A replica sends a snapshot, the commands in decree order (a linear extension of the partial order)::

    {
        "table": "<the commutativity table as text>",
        "first": 1,
        "total": 2,
        "commands": [
            {
                "id": "c1:7",
                "operation": "deposit",
                "arguments": ["alice", 10],
                "footprint": [["alice", "add"]],
                "state": "executed",
                "index": 1,
            },
            ...,
        ],
    }

In a footprint the resource null is the whole machine, `[null, null]` is undeclared, which interferes with everything,
and an empty footprint touches nothing. `index` is null while a command is not decreed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from genpaxos.view.order import Footprint, Interference, Table, Touch
from genpaxos.view.snapshot import SnapshotError, expect, natural, optional, required

if TYPE_CHECKING:
    import networkx as nx


class State(Enum):
    """How far a command has come, as the replica that sent the snapshot knows it."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    FAST = "fast"
    CLASSIC = "classic"
    EXECUTED = "executed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One node of the graph."""

    id: str
    operation: str
    arguments: tuple[object, ...] = ()
    footprint: Footprint
    state: State
    index: int | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, object], where: str = "command") -> Command:
        name = required(data, "id", str, where)
        where = f"{where} {name!r}"
        state = required(data, "state", str, where)
        if state not in {known.value for known in State}:
            raise SnapshotError(f"{where} has state {state!r}; a state is one of {_listed(s.value for s in State)}")
        touches = required(data, "footprint", list, where)
        return cls(
            id=name,
            operation=required(data, "operation", str, where),
            arguments=tuple(optional(data, "arguments", list, where) or ()),
            footprint=tuple(_touch(touch, f"{where}.footprint[{i}]") for i, touch in enumerate(touches)),
            state=State(state),
            index=optional(data, "index", int, where),
        )


@dataclass(frozen=True, eq=False)
class CommandGraph:
    """The commands of a window of the history, in a linear extension of their partial order.

    `first` is the index of the first command shown and `total` the number of commands in the whole history. Levels and
    order are those of the window: what a command follows before `first` is not seen.
    """

    table: Table
    commands: tuple[Command, ...]
    first: int = 1
    total: int = 0

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> CommandGraph:
        """Read a snapshot; anything else than the documented shape is a `SnapshotError` that says what to correct."""
        from commutativity import CommutativityTable

        data = expect(data, dict, "the graph snapshot")
        text = required(data, "table", str, "graph")
        try:
            table = CommutativityTable(text)
        except ValueError as error:
            raise SnapshotError(f"graph.table is no commutativity table: {error}") from error
        commands = tuple(
            Command.from_json(expect(item, dict, f"commands[{i}]"), f"commands[{i}]")
            for i, item in enumerate(required(data, "commands", list, "graph"))
        )
        first = natural(data, "first", "graph", default=1)
        return cls(table, commands, first, natural(data, "total", "graph", default=len(commands)))

    def __post_init__(self) -> None:
        modes = set(self.table.modes)
        seen: set[str] = set()
        for command in self.commands:
            if command.id in seen:
                raise SnapshotError(f"command {command.id!r} occurs twice; a history holds a command once")
            seen.add(command.id)
            for _, mode in command.footprint:
                if mode is not None and mode not in modes:
                    raise SnapshotError(
                        f"command {command.id!r} touches in mode {mode!r}, which the table does not declare "
                        f"(its modes: {_listed(self.table.modes)}); an undeclared command has [null, null]"
                    )

    @cached_property
    def interference(self) -> Interference:
        return Interference(self.table)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Command id -> position in the linear extension."""
        return {command.id: position for position, command in enumerate(self.commands)}

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The level of each command, in the order of `commands`: the longest chain of commands it must follow.

        Commands of one level commute pairwise. Level 0 is the bottom of Viennot's heap (*Heaps of pieces*, 1986).
        """
        return tuple(self.interference.levels([command.footprint for command in self.commands]))

    @property
    def undeclared(self) -> int:
        """How many of the commands are undeclared, so that everything waits for them."""
        return sum((None, None) in command.footprint for command in self.commands)

    @property
    def height(self) -> int:
        """The number of levels."""
        return 1 + max(self.levels, default=-1)

    def level(self, command: Command | str) -> int:
        return self.levels[self.positions[command if isinstance(command, str) else command.id]]

    def interferes(self, a: Command, b: Command) -> bool:
        """Whether `a` and `b` must keep their order."""
        return self.interference.interferes(a.footprint, b.footprint)

    def predecessors(self, command: Command | str) -> tuple[Command, ...]:
        """The earlier commands that interfere with `command`: those it follows, except through others."""
        position = self.positions[command if isinstance(command, str) else command.id]
        later = self.commands[position]
        return tuple(earlier for earlier in self.commands[:position] if self.interferes(earlier, later))

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """The transitive reduction (Hasse diagram) of the order, as sorted positions (earlier, later)."""
        return tuple(self.interference.reduced_edges([command.footprint for command in self.commands]))

    def to_networkx(self) -> nx.DiGraph[str]:
        """A graph of command ids whose transitive closure is the partial order; edges join interfering pairs.

        Nodes carry `command` and `level`. Most of the pairs that others imply are left out, so a long chain of commands
        stays as small as a chain.
        """
        return self._networkx(self.interference.edges([command.footprint for command in self.commands]))

    def reduced(self) -> nx.DiGraph[str]:
        """The transitive reduction of `to_networkx`: no edge is implied by others."""
        return self._networkx(self.edges)

    def _networkx(self, edges: Iterable[tuple[int, int]]) -> nx.DiGraph[str]:
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        for command, level in zip(self.commands, self.levels, strict=True):
            graph.add_node(command.id, command=command, level=level)
        graph.add_edges_from((self.commands[earlier].id, self.commands[later].id) for earlier, later in edges)
        return graph

    def to_json(self) -> dict[str, Any]:
        """`{"first", "total", "nodes": [{…, "level"}], "edges": [[earlier, later], …]}`, edges reduced."""
        from genpaxos.view.export import graph_json

        return graph_json(self)

    def to_mermaid(self) -> str:
        """A Mermaid flowchart of the reduction."""
        from genpaxos.view.export import mermaid

        return mermaid(self)

    def to_dot(self) -> str:
        """A Graphviz digraph of the reduction, one rank per level."""
        from genpaxos.view.export import dot

        return dot(self)


def _touch(data: object, where: str) -> Touch:
    pair = expect(data, list, where)
    if len(pair) != 2:
        raise SnapshotError(f"{where} must be a pair [resource, mode], not a list of {len(pair)}")
    resource, mode = (None if item is None else expect(item, str, where) for item in pair)
    if mode is None and resource is not None:
        raise SnapshotError(f"{where} has no mode; what is undeclared touches the whole machine: [null, null]")
    return resource, mode


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
