"""The algebra of command histories and ProvedSafe by counting equal digests (protocol §2.1 and §5 step 3).

A history is given by its commands' digests. Equal digests of C mean equal ↓C, so that ⊓ is what has equal digests,
⊔ the union, and no quorum's ⊓ need be formed: C is in ⊔Γ exactly when all that some fast quorum R has in Q report C
with one digest. :mod:`genpaxos.core.recovery` runs on this; here it stands alone, to be compared with the definitions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from commutativity import CommutativityTable, Footprint, InterferenceIndex
from genpaxos.textbook.algebra import Command

Digests: TypeAlias = Mapping[Command, int]
"""The digest of every command of a history, in an order in which they can be appended."""


@dataclass(frozen=True, slots=True)
class DigestAlgebra:
    """Histories over commands with these footprints, as their digests."""

    table: CommutativityTable
    footprints: Mapping[Command, Footprint]

    def digests(self, sequence: Iterable[Command]) -> dict[Command, int]:
        """The history ⊥ • σ."""
        return self.extended({}, sequence)

    def extended(self, history: Digests, sequence: Iterable[Command]) -> dict[Command, int]:
        """The history v • σ."""
        index = InterferenceIndex(self.table)
        made = dict(history)
        for command, digest in made.items():
            index.add(self.footprints[command], digest)
        for command in sequence:
            if command not in made:
                made[command] = index.append(command, self.footprints[command])
        return made

    def compatible(self, one: Digests, other: Digests) -> bool:
        """Whether appending what ``one`` lacks of ``other`` gives every command the digest it has in ``other``."""
        return is_prefix(other, self.extended(one, other))


def is_prefix(one: Digests, other: Digests) -> bool:
    """v ⊑ w: ``other`` has every command of ``one`` with the same digest."""
    return one.items() <= other.items()


def glb(histories: Sequence[Digests]) -> dict[Command, int]:
    """⊓: the commands whose digest is equal in all."""
    first, *others = histories
    return {c: digest for c, digest in first.items() if all(other.get(c) == digest for other in others)}


def lub(histories: Iterable[Digests]) -> dict[Command, int]:
    """⊔ of compatible histories: the union. (Its items are not in an order in which they can be appended.)"""
    return {command: digest for history in histories for command, digest in history.items()}


def may_be_chosen(reported: int, asked: int, quorums: Iterable[int]) -> bool:
    """Whether some quorum R has R ∩ Q ⊆ ``reported``: all that answered of R reported it, the others may have voted."""
    return any(not quorum & asked & ~reported for quorum in quorums)


def proved_safe(votes: Mapping[int, Digests], asked: int, quorums: Sequence[int]) -> list[dict[Command, int]]:
    """ProvedSafe, given the votes of Q = ``asked`` at the highest ballot k, and the k-quorums; without duplicates.

    The quorum requirements must hold: a Γ that is not compatible goes unnoticed here.
    """
    voters = sum(1 << acceptor for acceptor in votes)
    if not may_be_chosen(voters, asked, quorums):
        return [dict(vote) for place, vote in enumerate(votes.values()) if vote not in list(votes.values())[:place]]
    reported: dict[tuple[Command, int], int] = {}
    for acceptor, vote in votes.items():
        for label in vote.items():
            reported[label] = reported.get(label, 0) | 1 << acceptor
    return [dict(label for label, voters in reported.items() if may_be_chosen(voters, asked, quorums))]
