"""A single value: the c-struct set of traditional consensus, hence of Basic and Fast Paxos (Lamport §3.3)."""

from dataclasses import dataclass
from typing import Self

from genpaxos.textbook.algebra import Command, CStruct


@dataclass(frozen=True, slots=True, repr=False)
class SingleValue(CStruct):
    """⊥ or one command: the first one appended stays, ``⊥ • C = C`` and ``C • D = C``."""

    value: Command | None = None

    def bottom(self) -> Self:
        return type(self)()

    def append(self, command: Command) -> Self:
        return type(self)(command) if self.value is None else self

    @property
    def commands(self) -> tuple[Command, ...]:
        return () if self.value is None else (self.value,)

    def contains(self, command: Command) -> bool:  # noqa: ARG002
        """Whether anything was chosen: ``C = ⊥ • C • D``, so that a chosen value contains every command.

        That makes "eventually a proposed command is contained in what is learned" the liveness of consensus.
        """
        return self.value is not None

    def __le__(self, other: Self) -> bool:
        return self.value is None or self == other

    def __and__(self, other: Self) -> Self:
        return self if self == other else self.bottom()

    def compatible(self, other: Self) -> bool:
        return self <= other or other <= self

    def _join(self, other: Self) -> Self:
        return other if self <= other else self

    def __repr__(self) -> str:
        return f"SingleValue({self.value or '⊥'})"
