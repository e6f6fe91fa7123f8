"""Command histories: sequences modulo swapping neighbours that do not interfere (Lamport §3.3; protocol §2).

Such a class of sequences is a partially ordered set (a Mazurkiewicz trace). It is kept as a networkx graph with an
edge from each command to every interfering one behind it; the order is the transitive closure, and the sequences of
the class are its topological sorts. With ↓C for a command and all it must follow, the prefixes of a history are its
down-closed parts, and two histories agree on C exactly when they have the same ↓C.

networkx is imported when the first history is made, so that naming the class costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias

from commutativity import CommutativityTable, Footprint, interferes
from genpaxos.textbook.algebra import Command, CStruct

if TYPE_CHECKING:
    import networkx as nx

Interference: TypeAlias = Callable[[Command, Command], bool]
"""Whether two different commands interfere; symmetric."""


@dataclass(frozen=True, slots=True)
class InterferingPairs:
    """An interference relation given by its pairs."""

    pairs: frozenset[frozenset[Command]]

    @classmethod
    def of(cls, *pairs: Iterable[Command]) -> Self:
        """``InterferingPairs.of("ab", ("c:1", "c:2"))``"""
        return cls(frozenset(map(frozenset, pairs)))

    def __call__(self, one: Command, other: Command) -> bool:
        return frozenset((one, other)) in self.pairs


@dataclass(frozen=True, slots=True)
class InterferingFootprints:
    """The interference of commands with these footprints under a commutativity table."""

    table: CommutativityTable
    footprints: Mapping[Command, Footprint] = field(hash=False)

    def __call__(self, one: Command, other: Command) -> bool:
        return interferes(self.table, self.footprints[one], self.footprints[other])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CommandHistory(CStruct):
    """A partially ordered set of commands. ``CommandHistory.empty(interferes)`` is ⊥."""

    interferes: Interference
    order: nx.DiGraph[Command]
    """An edge from each command to every interfering one behind it; frozen."""
    _hash: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((frozenset(self.order), frozenset(self.order.edges))))

    @classmethod
    def empty(cls, interferes: Interference) -> Self:
        """⊥ of the histories under an interference relation."""
        import networkx as nx

        return cls(interferes, nx.freeze(nx.DiGraph()))

    def bottom(self) -> Self:
        return self.empty(self.interferes)

    def append(self, command: Command) -> Self:
        """The command comes behind all it interferes with."""
        if command in self.order:
            return self
        edges = [(earlier, command) for earlier in self.order if self.interferes(earlier, command)]
        longer = self.order.copy()
        longer.add_node(command)
        longer.add_edges_from(edges)
        return self._of(longer)

    @property
    def commands(self) -> tuple[Command, ...]:
        """The topological sort that comes first in alphabetical order."""
        import networkx as nx

        return tuple(nx.lexicographical_topological_sort(self.order))

    def down(self, command: Command) -> Self:
        """↓C: the command and all it must follow, with their order."""
        import networkx as nx

        return self._part({command, *nx.ancestors(self.order, command)})

    def __le__(self, other: Self) -> bool:
        """Every command is in the other history, with the same ↓C."""
        return all(command in other.order and self._agrees(other, command) for command in self.order)

    def __and__(self, other: Self) -> Self:
        """The commands that have the same ↓C in both."""
        import networkx as nx

        common: set[Command] = set()
        for command in nx.topological_sort(self.order):
            behind_common = common.issuperset(self.order.predecessors(command))
            if behind_common and command in other.order and self._agrees(other, command):
                common.add(command)
        return self if len(common) == len(self.order) else self._part(common)

    def compatible(self, other: Self) -> bool:
        """The histories agree on what they share, and what only one holds commutes with what only the other holds."""
        here, there = set(self.order), set(other.order)
        return all(self._agrees(other, command) for command in here & there) and not any(
            self.interferes(one, another) for one in here - there for another in there - here
        )

    def _join(self, other: Self) -> Self:
        """The union of the commands and of the orders."""
        union = self.order.copy()
        union.add_nodes_from(other.order)
        union.add_edges_from(other.order.edges)
        return self._of(union)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CommandHistory):
            return NotImplemented
        # The adjacency holds the commands and the edges; neither depends on the sequence appended.
        return (self._hash, self.interferes) == (other._hash, other.interferes) and self.order.adj == other.order.adj

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        import networkx as nx

        edges = sorted(nx.transitive_reduction(self.order).edges)
        parts = [", ".join(self.commands) or "⊥", ", ".join(f"{one}<{other}" for one, other in edges)]
        return f"CommandHistory({' | '.join(filter(None, parts))})"

    def _agrees(self, other: Self, command: Command) -> bool:
        """Whether a shared command directly follows the same commands in both."""
        return set(self.order.predecessors(command)) == set(other.order.predecessors(command))

    def _part(self, commands: set[Command]) -> Self:
        import networkx as nx

        part: nx.DiGraph[Command] = nx.DiGraph()
        part.add_nodes_from(command for command in self.order if command in commands)
        part.add_edges_from((one, other) for one, other in self.order.edges if one in commands and other in commands)
        return self._of(part)

    def _of(self, order: nx.DiGraph[Command]) -> Self:
        import networkx as nx

        return type(self)(self.interferes, nx.freeze(order))
