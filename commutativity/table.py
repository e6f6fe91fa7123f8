"""The commutativity table: which modes (or operations) interfere, and which commute (protocol.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commutativity.parsing import COMMUTES, INTERFERES, Source, TableError, read, write

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["CommutativityTable", "TableError"]


class CommutativityTable:
    """A complete, symmetric relation over names: modes, or the operations themselves.

    ::

        CommutativityTable('''
                     read  add  update
            read      .     x     x
            add       x     .     x
            update    x     x     x
        ''')

    ``x`` interferes, ``.`` commutes, ``#`` starts a comment. The same as a mapping, with ``True`` or ``"x"`` for
    *interferes*, ``{"read": {"read": False, "add": True, "update": True}, "add": ...}``, or naming for each row only
    what interferes with it, ``{"read": ["add", "update"], "add": ["read", "update"], "update": [...]}``.

    Raises :class:`TableError`, pointing at the cell, when the table is incomplete, asymmetric or misspelt.
    """

    __slots__ = ("_index", "_rows", "interfering", "modes")

    modes: tuple[str, ...]
    """The names, in header order."""
    interfering: tuple[tuple[int, ...], ...]
    """For each mode's index, the sorted indices of the modes that interfere with it."""

    def __init__(self, source: Source) -> None:
        grid = read(source)
        self.modes = grid.names
        self._rows = grid.rows
        self._index = {name: position for position, name in enumerate(grid.names)}
        self.interfering = tuple(tuple(j for j, cell in enumerate(row) if cell) for row in grid.rows)

    def interferes(self, a: str, b: str) -> bool:
        """Whether the modes ``a`` and ``b`` interfere. Raises :class:`TableError` for an unknown name."""
        return self._rows[self.index(a)][self.index(b)]

    def index(self, name: str) -> int:
        """The position of ``name`` in :attr:`modes`. Raises :class:`TableError` for an unknown name."""
        try:
            return self._index[name]
        except (KeyError, TypeError):
            raise TableError(f"the table has no {name!r}; it has {', '.join(self.modes)}") from None

    def text(self) -> str:
        """The canonical text, which parses back to an equal table."""
        return write(self.modes, [[INTERFERES if cell else COMMUTES for cell in row] for row in self._rows])

    def diff(self, other: CommutativityTable) -> list[str]:
        """What differs from ``other``, one line for a reader per difference; empty when the tables are equal."""
        lines = [f"{name!r} is only in the first table" for name in self.modes if name not in other._index]
        lines += [f"{name!r} is only in the second table" for name in other.modes if name not in self._index]
        common = [name for name in self.modes if name in other._index]
        for i, a in enumerate(common):
            for b in common[i:]:
                here, there = self.interferes(a, b), other.interferes(a, b)
                if here != there:
                    lines.append(f"{a} and {b}: {_word(here)} in the first table, {_word(there)} in the second")
        if not lines and self.modes != other.modes:
            lines.append(f"the names are ordered {', '.join(self.modes)}; then {', '.join(other.modes)}")
        return lines

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __eq__(self, other: object) -> bool:
        """Equal names in equal order (digests depend on it: mode indices are positions) with equal cells."""
        if not isinstance(other, CommutativityTable):
            return NotImplemented
        return self.modes == other.modes and self._rows == other._rows

    def __hash__(self) -> int:
        return hash((self.modes, self._rows))

    def __repr__(self) -> str:
        return f"CommutativityTable('''\n{self.text()}\n''')"

    def __rich__(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        drawn = Table()
        for name in ("", *self.modes):
            drawn.add_column(Text(name))
        for name, row in zip(self.modes, self._rows, strict=True):
            cells = [Text(INTERFERES, "bold red") if cell else Text(COMMUTES, "green") for cell in row]
            drawn.add_row(Text(name, "bold"), *cells)
        return drawn


def _word(interferes: bool) -> str:
    return "interfere" if interferes else "commute"
