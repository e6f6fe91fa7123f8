"""The partial order of a command sequence, by bookkeeping per resource instead of comparing every pair.

A *footprint* is a tuple of touches `(resource, mode)`. Resource None is the whole machine: one more resource that every
command touches. Two commands interfere when they share a resource in interfering modes; a command follows the
interfering commands before it, and what those follow. The touch `(None, None)` is *undeclared*: it interferes with
everything, even with a command that touches nothing (an empty footprint, which commutes with all others).

Sequences modulo swapping neighbours that do not interfere are the traces of Cartier and Foata; drawn by levels they are
Viennot's heaps of pieces (*Heaps of pieces, I*, 1986).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Protocol

Mode = str | None
Touch = tuple[str | None, Mode]
Footprint = tuple[Touch, ...]
Place = dict[Mode, list[int]]
"""The commands on one resource that later commands may have to follow directly, by the mode of their touch."""


_IDLE = "touches nothing"
"""The mode of an empty footprint, which only the undeclared mode interferes with. No table has a mode with a space."""


class Table(Protocol):
    """What is needed of a `commutativity.CommutativityTable`."""

    @property
    def modes(self) -> Iterable[str]: ...

    def interferes(self, a: str, b: str, /) -> bool: ...


class Interference:
    """The interference relation of modes, with the undeclared mode added, ready for look-ups.

    `against[m]` are the modes that interfere with `m`. `covers[m]` are the modes `n` such that a later touch in `m`
    hides an earlier one in `n`: whoever would have to follow the earlier one must follow the later one anyway.
    """

    def __init__(self, table: Table) -> None:
        modes: tuple[Mode, ...] = (*table.modes, _IDLE, None)
        self.against: dict[Mode, tuple[Mode, ...]] = {
            a: tuple(b for b in modes if _interfere(table, a, b)) for a in modes
        }
        self.covers: dict[Mode, tuple[Mode, ...]] = {
            a: tuple(b for b in self.against[a] if set(self.against[b]) <= set(self.against[a])) for a in modes
        }

    def interferes(self, a: Footprint, b: Footprint) -> bool:
        """Whether a command with footprint `a` and one with footprint `b` must keep their order."""
        return any(
            (r is None or s is None or r == s) and n in self.against[m] for r, m in _touches(a) for s, n in _touches(b)
        )

    def levels(self, footprints: Sequence[Footprint]) -> list[int]:
        """The level of each command: 0, or 1 + the greatest level among the interfering commands before it.

        One dictionary look-up per touch and interfering mode, whatever came before.
        """
        local: dict[str, dict[Mode, int]] = {}
        whole: dict[Mode, int] = {}
        anywhere: dict[Mode, int] = {}
        levels: list[int] = []
        for footprint in footprints:
            level = 0
            for resource, mode in _touches(footprint):
                here = anywhere if resource is None else local.get(resource, {})
                for other in self.against[mode]:
                    level = max(level, 1 + here.get(other, -1), 1 + whole.get(other, -1))
            levels.append(level)
            for resource, mode in _touches(footprint):
                for place in (anywhere, whole if resource is None else local.setdefault(resource, {})):
                    place[mode] = max(level, place.get(mode, -1))
        return levels

    def edges(self, footprints: Sequence[Footprint]) -> Iterator[tuple[int, int]]:
        """Pairs of interfering positions (earlier, later) whose transitive closure is the partial order.

        Touches that a later touch covers are dropped on the way, so a chain of n commands gives about n pairs, not
        n²/2. Some of the pairs may still be implied by others: a transitive reduction removes them.
        """
        everywhere: Place = {}
        places: dict[str, Place] = {}
        for position, footprint in enumerate(footprints):
            for resource, _ in _touches(footprint):
                if resource is not None and resource not in places:
                    places[resource] = {mode: list(found) for mode, found in everywhere.items()}
            touched = [
                (mode, [everywhere, *places.values()] if resource is None else [places[resource]])
                for resource, mode in _touches(footprint)
            ]
            before: dict[int, None] = {}
            for mode, here in touched:
                for place in here:
                    before.update(dict.fromkeys(chain.from_iterable(place.get(m, ()) for m in self.against[mode])))
            yield from ((earlier, position) for earlier in before)
            self._advance(position, touched)

    def reduced_edges(self, footprints: Sequence[Footprint]) -> list[tuple[int, int]]:
        """The transitive reduction of the partial order: `edges` without those that others imply, sorted.

        The ancestors of a command are the bits of one integer, so a window of 2,000 commands takes milliseconds where a
        general transitive reduction takes seconds (the tests compare the two).
        """
        ancestors = [0] * len(footprints)
        reduced: list[tuple[int, int]] = []
        for later, pairs in groupby(self.edges(footprints), key=lambda pair: pair[1]):
            above = 0
            for earlier in sorted((pair[0] for pair in pairs), reverse=True):
                if not above >> earlier & 1:
                    reduced.append((earlier, later))
                    above |= ancestors[earlier] | 1 << earlier
            ancestors[later] = above
        return sorted(reduced)

    def _advance(self, position: int, touched: list[tuple[Mode, list[Place]]]) -> None:
        for mode, here in touched:
            for place in here:
                for covered in self.covers[mode]:
                    place.pop(covered, None)
        for mode, here in touched:
            for place in here:
                place.setdefault(mode, []).append(position)


def _touches(footprint: Footprint) -> Footprint:
    return footprint or (("", _IDLE),)


def _interfere(table: Table, a: Mode, b: Mode) -> bool:
    if a is None or b is None:
        return True
    return a != _IDLE and b != _IDLE and table.interferes(a, b)
