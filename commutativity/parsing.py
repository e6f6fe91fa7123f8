"""Reading a commutativity table: words with their places in the text, and errors that point at them.

The result is a :class:`Grid` of complete, symmetric cells. Mappings are written out as text first, so that both forms
of a table are checked by the same code and get the same drawings in their errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

INTERFERES = "x"
COMMUTES = "."
COMMENT = "#"
NAMES_MAX = 256
"""Names in one table. The cells are held as one tuple per name; a larger table is a mistake, not a machine."""

Source: TypeAlias = str | Mapping[str, Mapping[str, bool | str] | Iterable[str]]


class TableError(ValueError):
    """A commutativity table is malformed, or a name was asked of it that it does not have.

    ``row`` and ``column`` are the names of the offending cell and ``line`` and ``offset`` its place in the text (both
    counted from 1), where they apply; the message ends with a drawing of the place.
    """

    def __init__(
        self,
        message: str,
        *,
        row: str | None = None,
        column: str | None = None,
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.row = row
        self.column = column
        self.line = line
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the table's text: ``line`` and ``offset`` count from 1, ``source`` is the whole line."""

    text: str
    line: int
    offset: int
    source: str

    def drawing(self) -> str:
        """The line with a caret under the word."""
        indent, carets = " " * (self.offset - 1), "^" * len(self.text)
        return f"  line {self.line}, column {self.offset}:\n    {self.source}\n    {indent}{carets}"


@dataclass(frozen=True, slots=True)
class Grid:
    """A checked table: ``names`` in header order, and one row of ``True`` (interferes) or ``False`` per name."""

    names: tuple[str, ...]
    rows: tuple[tuple[bool, ...], ...]


def read(source: Source) -> Grid:
    """The grid a table's source describes. Raises :class:`TableError` for anything but a complete, symmetric table."""
    text = source if isinstance(source, str) else _written_out(source)
    lines = _words(text)
    if not lines:
        raise TableError(
            "the table is empty: expected a header row of names, then one row per name with a cell "
            f"per column ({INTERFERES!r} interferes, {COMMUTES!r} commutes)"
        )
    header, rows = lines[0], lines[1:]
    names = _header_names(header)
    cells = _cells(header, rows, names)
    _check_symmetric(names, cells)
    return Grid(names, tuple(tuple(word.text == INTERFERES for word in cells[name]) for name in names))


def write(names: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    """The canonical text of a table: columns right-aligned under their names."""
    margin = max(len(name) for name in names)
    widths = [max(len(name), 1) + 2 for name in names]
    lines = [" " * margin + "".join(name.rjust(width) for name, width in zip(names, widths, strict=True))]
    for name, cells in zip(names, rows, strict=True):
        lines.append(name.ljust(margin) + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))
    return "\n".join(lines)


def _words(text: str) -> list[list[Word]]:
    """The words of every line that has any, without comments."""
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        source = raw.expandtabs(8)
        content = source.split(COMMENT, 1)[0]
        words, offset = [], 0
        for text_of_word in content.split():
            offset = content.index(text_of_word, offset)
            words.append(Word(text_of_word, number, offset + 1, source.rstrip()))
            offset += len(text_of_word)
        if words:
            lines.append(words)
    return lines


def _at(word: Word, message: str, *, row: str | None = None, column: str | None = None) -> TableError:
    return TableError(f"{message}\n{word.drawing()}", row=row, column=column, line=word.line, offset=word.offset)


def _header_names(header: list[Word]) -> tuple[str, ...]:
    if len(header) > NAMES_MAX:
        raise _at(header[NAMES_MAX], f"the table has {len(header)} names; at most {NAMES_MAX} are allowed")
    seen: set[str] = set()
    for word in header:
        if word.text in (INTERFERES, COMMUTES):
            raise _at(
                word,
                f"{word.text!r} is a cell, not a name: the first line of a table names its columns",
            )
        if word.text in seen:
            raise _at(word, f"the column {word.text!r} appears twice: give every name one column")
        seen.add(word.text)
    return tuple(word.text for word in header)


def _cells(header: list[Word], rows: list[list[Word]], names: tuple[str, ...]) -> dict[str, list[Word]]:
    cells: dict[str, list[Word]] = {}
    for first, *rest in rows:
        if first.text not in names:
            raise _at(
                first,
                f"unknown row {first.text!r}: a row starts with a name of the header ({', '.join(names)})",
                row=first.text,
            )
        if first.text in cells:
            raise _at(first, f"the row {first.text!r} appears twice: give every name one row", row=first.text)
        cells[first.text] = _row_cells(first, rest, names)
    for word in header:
        if word.text not in cells:
            raise _at(word, f"the name {word.text!r} has a column but no row: add the row", column=word.text)
    return cells


def _row_cells(first: Word, rest: list[Word], names: tuple[str, ...]) -> list[Word]:
    for word, column in zip(rest, names, strict=False):
        if word.text not in (INTERFERES, COMMUTES):
            raise _at(
                word,
                f"row {first.text!r}, column {column!r}: unknown word {word.text!r}; "
                f"write {INTERFERES!r} (interferes) or {COMMUTES!r} (commutes)",
                row=first.text,
                column=column,
            )
    if len(rest) < len(names):
        missing = names[len(rest)]
        raise _at(
            rest[-1] if rest else first,
            f"row {first.text!r} has {len(rest)} cells for {len(names)} columns: "
            f"nothing is said for column {missing!r} after this",
            row=first.text,
            column=missing,
        )
    if len(rest) > len(names):
        raise _at(
            rest[len(names)],
            f"row {first.text!r} has {len(rest)} cells for {len(names)} columns: this one has no column",
            row=first.text,
        )
    return rest


def _check_symmetric(names: tuple[str, ...], cells: dict[str, list[Word]]) -> None:
    for i, row in enumerate(names):
        for j, column in enumerate(names[:i]):
            cell, mirror = cells[row][j], cells[column][i]
            if cell.text != mirror.text:
                raise TableError(
                    f"the table is not symmetric: row {row!r}, column {column!r} says {cell.text!r}, "
                    f"but row {column!r}, column {row!r} says {mirror.text!r}\n"
                    f"{cell.drawing()}\n{mirror.drawing()}\n"
                    f"Two commands interfere or commute whichever is named first: "
                    f"make both {INTERFERES!r} or both {COMMUTES!r}.",
                    row=row,
                    column=column,
                    line=cell.line,
                    offset=cell.offset,
                )


def _written_out(source: Mapping[str, Mapping[str, bool | str] | Iterable[str]]) -> str:
    if not isinstance(source, Mapping):
        raise TableError(f"a table is made from text or from a mapping, not from {type(source).__name__}")
    names: tuple[Any, ...] = tuple(source)
    for name in names:
        if not isinstance(name, str) or not name or name.split() != [name] or COMMENT in name:
            raise TableError(f"{name!r} cannot be a name: use text without spaces or {COMMENT!r}")
    if not names:
        return ""
    return write(names, [_mapping_row(name, source[name], names) for name in names])


def _mapping_row(row: str, cells: Mapping[str, bool | str] | Iterable[str], names: tuple[str, ...]) -> list[str]:
    """The cells of one row given as ``{column: bool or word}``, or as the names that interfere with it."""
    if isinstance(cells, str) or not _is_iterable(cells):
        raise TableError(
            f"row {row!r} is {cells!r}: expected a mapping from column to True/False, "
            "or the list of the names it interferes with",
            row=row,
        )
    columns = list(cells)
    for column in columns:
        if column not in names:
            raise TableError(
                f"row {row!r} names the column {column!r}, which has no row of its own "
                f"(the rows are {', '.join(names)})",
                row=row,
                column=column,
            )
    if not isinstance(cells, Mapping):
        return [INTERFERES if name in columns else COMMUTES for name in names]
    for name in names:
        if name not in cells:
            raise TableError(
                f"row {row!r} says nothing about column {name!r}: a table is complete; add True or False",
                row=row,
                column=name,
            )
    return [_mapping_cell(row, name, cells[name]) for name in names]


def _is_iterable(cells: object) -> bool:
    return isinstance(cells, Iterable)


def _mapping_cell(row: str, column: str, cell: bool | str) -> str:
    if cell is True or cell == INTERFERES:
        return INTERFERES
    if cell is False or cell == COMMUTES:
        return COMMUTES
    raise TableError(
        f"row {row!r}, column {column!r}: unknown value {cell!r}; "
        f"use True or {INTERFERES!r} (interferes), False or {COMMUTES!r} (commutes)",
        row=row,
        column=column,
    )
