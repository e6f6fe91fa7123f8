"""The conflict index: digests that make command histories cheap (protocol.md §2.1).

``digest(C)`` is a 64-bit hash that two histories give C in common exactly when the commands that C must
follow, and their order, are the same in both. It hashes C's id with sums of the digests of the earlier
commands C interferes with; each of those stands, in the same way, for all that it must follow.

§2.1 keeps ``acc[r][m]``, the sum over the commands that touch r in mode m, and hashes every one that C interferes
with. So it is kept here, as ``touches``; what goes through the hash is their sum, one number per touched resource
whatever the table's size. Both say the same: the set of interfering predecessors.

A command that touches the whole machine must see the touches of every resource, which are therefore also
summed by mode in ``parts``; and must be seen by all, which ``wholes`` holds by the modes that they interfere with.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from xxhash import xxh3_64_intdigest

from commutativity.command import JSON
from commutativity.footprint import Footprint
from commutativity.table import CommutativityTable

MASK: Final = 2**64 - 1
END_OF_ID: Final = 0xFF
"""A byte UTF-8 never uses: ids of different length cannot be mistaken for one another's sums. A single sum, which is
what nearly every command has, is the hash's seed instead."""
_PACKERS: Final = tuple(struct.Struct(f"<B{count}Q").pack for count in range(9))


def interferes(table: CommutativityTable, first: Footprint, second: Footprint) -> bool:
    """Whether commands with these footprints interfere: the definition itself, pair by pair."""
    undeclared = len(table.modes)
    if (None, undeclared) in first or (None, undeclared) in second:
        return True
    return any((a is None or b is None or a == b) and n in table.interfering[m] for a, m in first for b, n in second)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two commands touch one resource (``None``: the whole machine), in the modes with these indices."""

    resource: str | None
    first: int
    second: int
    interferes: bool


def meetings(table: CommutativityTable, first: Footprint, second: Footprint) -> list[Meeting]:
    """Where two footprints meet. None for an undeclared one, which interferes without a cell of the table."""
    undeclared = len(table.modes)
    return [
        Meeting(b if a is None else a, m, n, n in table.interfering[m])
        for a, m in first
        for b, n in second
        if (a is None or b is None or a == b) and undeclared not in (m, n)
    ]


class InterferenceIndex:
    """The sums of a history, and the digest of a command appended to it. The cost is one look-up per touched resource.

    Digests and sums are 64-bit; the packing is little-endian, so that all platforms agree. Footprints must come from a
    machine with the same table (:meth:`Machine.admit`).
    """

    __slots__ = ("_interfering", "_modes", "_parts", "_table", "_touches", "_wholes")

    def __init__(self, table: CommutativityTable) -> None:
        modes = len(table.modes)
        self._table = table
        self._modes = modes
        self._interfering = table.interfering
        self._touches: dict[str, list[int]] = {}
        # Per mode, the touches of resources; last, the commands that touch nothing.
        self._parts = [0] * (modes + 1)
        # Per mode, the whole-machine touches interfering with it; then the undeclared alone, which is what a
        # command that touches nothing sees; then all whole-machine touches, which is what an undeclared
        # command sees.
        self._wholes = [0] * (modes + 2)

    def digest(self, command_id: str, footprint: Footprint) -> int:
        """The 64-bit digest the command would have if appended now."""
        if len(footprint) == 1:
            resource, mode = footprint[0]
            if resource is not None:
                return xxh3_64_intdigest(command_id.encode(), self._seen_by_part(resource, mode))
        wholes, sums = self._wholes, []
        for resource, mode in footprint:
            if resource is None:
                sums.append(self._seen_by_whole(mode))
            else:
                sums.append(self._seen_by_part(resource, mode))
        if not footprint:
            sums.append(wholes[self._modes])
        count = len(sums)
        pack = _PACKERS[count] if count < len(_PACKERS) else struct.Struct(f"<B{count}Q").pack
        return xxh3_64_intdigest(command_id.encode() + pack(END_OF_ID, *sums))

    def meets(self, footprint: Footprint) -> bool:
        """Whether anything was added that interferes with this footprint, if every digest added was 1: a question to an
        index that is kept for it, and to which less than 2^64 commands are added."""
        if not footprint:
            return self._wholes[self._modes] != 0
        return any(
            self._seen_by_whole(mode) if resource is None else self._seen_by_part(resource, mode)
            for resource, mode in footprint
        )

    def append(self, command_id: str, footprint: Footprint) -> int:
        """Digest the command, then add it; gives the digest."""
        if len(footprint) == 1:
            resource, mode = footprint[0]
            if resource is not None:
                # The same as digest() and add(), with one look-up: nearly every command comes this way.
                row = self._touches.get(resource)
                if row is None:
                    row = self._touches[resource] = [0] * self._modes
                seen = self._wholes[mode]
                for other in self._interfering[mode]:
                    seen += row[other]
                digest: int = xxh3_64_intdigest(command_id.encode(), seen & MASK)
                row[mode] = (row[mode] + digest) & MASK
                self._parts[mode] = (self._parts[mode] + digest) & MASK
                return digest
        digest = self.digest(command_id, footprint)
        self.add(footprint, digest)
        return digest

    def follow(self, command_id: str, footprint: Footprint, digest: int) -> bool:
        """Add the command if ``digest`` is what it would have if appended now; says whether it is."""
        if len(footprint) == 1:
            resource, mode = footprint[0]
            if resource is not None:
                # As in append(), one look-up for both.
                row = self._touches.get(resource)
                if row is None:
                    row = self._touches[resource] = [0] * self._modes
                seen = self._wholes[mode]
                for other in self._interfering[mode]:
                    seen += row[other]
                if xxh3_64_intdigest(command_id.encode(), seen & MASK) != digest:
                    return False
                row[mode] = (row[mode] + digest) & MASK
                self._parts[mode] = (self._parts[mode] + digest) & MASK
                return True
        if self.digest(command_id, footprint) != digest:
            return False
        self.add(footprint, digest)
        return True

    def add(self, footprint: Footprint, digest: int) -> None:
        """Add a command whose digest is known. The order of additions does not matter."""
        for resource, mode in footprint:
            if resource is None:
                self._add_whole(mode, digest)
                continue
            row = self._touches.get(resource)
            if row is None:
                row = self._touches[resource] = [0] * self._modes
            row[mode] = (row[mode] + digest) & MASK
            self._parts[mode] = (self._parts[mode] + digest) & MASK
        if not footprint:
            self._parts[self._modes] = (self._parts[self._modes] + digest) & MASK

    def remove(self, footprint: Footprint, digest: int) -> None:
        """The exact inverse of :meth:`add`, mod 2^64. Rows that become zero are dropped."""
        self.add(footprint, -digest & MASK)
        for resource, _ in footprint:
            if resource is not None and not any(self._touches.get(resource, (1,))):
                del self._touches[resource]

    def clear(self) -> None:
        """Become the index of an empty history."""
        self._touches = {}
        self._parts = [0] * (self._modes + 1)
        self._wholes = [0] * (self._modes + 2)

    def copy(self) -> InterferenceIndex:
        """An independent copy, in O(resources)."""
        made = InterferenceIndex(self._table)
        made._touches = {resource: row[:] for resource, row in self._touches.items()}
        made._parts = self._parts[:]
        made._wholes = self._wholes[:]
        return made

    def snapshot(self) -> JSON:
        """The sums as JSON. Hexadecimal text, since unsigned 64-bit numbers do not survive every JSON decoder."""
        rows: JSON = {name: _hex(row) for name, row in sorted(self._touches.items()) if any(row)}
        return {"touches": rows, "parts": _hex(self._parts), "wholes": _hex(self._wholes)}

    @classmethod
    def restore(cls, table: CommutativityTable, snapshot: JSON) -> InterferenceIndex:
        """The index :meth:`snapshot` gave. Raises ``ValueError`` for anything else, or for a table of another size."""
        made = cls(table)
        try:
            given: Any = snapshot
            made._touches = {name: _sums(row, made._modes) for name, row in given["touches"].items()}
            made._parts = _sums(given["parts"], made._modes + 1)
            made._wholes = _sums(given["wholes"], made._modes + 2)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a snapshot of an interference index over {made._modes} modes: {error!r}") from None
        return made

    def __eq__(self, other: object) -> bool:
        """Equal sums; a resource whose sums are zero is as good as absent."""
        if not isinstance(other, InterferenceIndex):
            return NotImplemented
        return (
            self._table == other._table
            and self._parts == other._parts
            and self._wholes == other._wholes
            and _nonzero(self._touches) == _nonzero(other._touches)
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<InterferenceIndex of {len(self._touches)} resources, {self._modes} modes>"

    def _seen_by_part(self, resource: str, mode: int) -> int:
        """The sum of the digests that a touch of a resource must follow."""
        row, seen = self._touches.get(resource), self._wholes[mode]
        if row is not None:
            for other in self._interfering[mode]:
                seen += row[other]
        return seen & MASK

    def _seen_by_whole(self, mode: int) -> int:
        """The sum of the digests that a touch of the whole machine must follow."""
        if mode == self._modes:
            return (sum(self._parts) + self._wholes[-1]) & MASK
        seen = self._wholes[mode]
        for other in self._interfering[mode]:
            seen += self._parts[other]
        return seen & MASK

    def _add_whole(self, mode: int, digest: int) -> None:
        undeclared = mode == self._modes
        for other in range(self._modes + 1) if undeclared else self._interfering[mode]:
            self._wholes[other] = (self._wholes[other] + digest) & MASK
        self._wholes[-1] = (self._wholes[-1] + digest) & MASK


def _nonzero(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {name: row for name, row in rows.items() if any(row)}


def _hex(sums: list[int]) -> str:
    return "".join(f"{value:016x}" for value in sums)


def _sums(text: str, count: int) -> list[int]:
    if len(text) != 16 * count:
        raise ValueError(f"{len(text)} digits where {16 * count} belong")
    return [int(text[i : i + 16], 16) for i in range(0, len(text), 16)]
