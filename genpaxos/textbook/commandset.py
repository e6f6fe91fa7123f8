"""A set of commands: none interferes with any other, and any two sets are compatible (Lamport §3.3)."""

from dataclasses import dataclass
from typing import Self

from genpaxos.textbook.algebra import Command, CStruct


@dataclass(frozen=True, slots=True, repr=False)
class CommandSet(CStruct):
    """⊑, ⊓ and ⊔ are ⊆, ∩ and ∪."""

    items: frozenset[Command] = frozenset()

    def bottom(self) -> Self:
        return type(self)()

    def append(self, command: Command) -> Self:
        return type(self)(self.items | {command})

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(sorted(self.items))

    def __le__(self, other: Self) -> bool:
        return self.items <= other.items

    def __and__(self, other: Self) -> Self:
        return type(self)(self.items & other.items)

    def compatible(self, other: Self) -> bool:  # noqa: ARG002
        return True

    def _join(self, other: Self) -> Self:
        return type(self)(self.items | other.items)

    def __repr__(self) -> str:
        return f"CommandSet({', '.join(self.commands) or '⊥'})"
