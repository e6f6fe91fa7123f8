"""A totally ordered sequence: every command interferes with every other (Multi-Paxos; Lamport §3.3)."""

from dataclasses import dataclass
from typing import Self

from genpaxos.textbook.algebra import Command, CStruct


@dataclass(frozen=True, slots=True, repr=False)
class CommandSequence(CStruct):
    """Commands in the order in which they were appended; compatible iff one sequence is a prefix of the other."""

    items: tuple[Command, ...] = ()

    def bottom(self) -> Self:
        return type(self)()

    def append(self, command: Command) -> Self:
        return self if command in self.items else type(self)((*self.items, command))

    @property
    def commands(self) -> tuple[Command, ...]:
        return self.items

    def __le__(self, other: Self) -> bool:
        return self.items == other.items[: len(self.items)]

    def __and__(self, other: Self) -> Self:
        """The longest common prefix."""
        same = 0
        for one, another in zip(self.items, other.items, strict=False):
            if one != another:
                break
            same += 1
        return type(self)(self.items[:same])

    def compatible(self, other: Self) -> bool:
        return self <= other or other <= self

    def _join(self, other: Self) -> Self:
        return other if self <= other else self

    def __repr__(self) -> str:
        return f"CommandSequence({', '.join(self.items) or '⊥'})"
