"""Labels made of text that came from users: neutralised, described, and cut to a width in terminal cells.

Names of resources, operations and their arguments are chosen by whoever submits commands. They may hold escape
sequences, line breaks, bidirectional overrides, rich markup or wide characters. `printable` leaves only visible
characters and spaces; callers pass the result to rich as `Segment` or `Text`, never as markup.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

LENGTH_MAX = 200
"""Characters kept of one name: far wider than a column, short enough that a hostile name costs nothing to draw."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_SPACES = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def printable(text: str, *, ascii_only: bool = False, length_max: int = LENGTH_MAX) -> str:
    """`text` without escape sequences and invisible characters; line breaks become spaces.

    At most `length_max` characters are kept. With `ascii_only`, what is not ASCII becomes a Python escape (`\\xe9`).
    """
    text = _ESCAPES.sub("", text[: 4 * length_max])[:length_max]
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_still, text))
    return text.encode("ascii", "backslashreplace").decode("ascii") if ascii_only else text


def _still(character: str) -> str:
    if character in _SPACES or unicodedata.category(character) == "Zs":
        return " "
    if character.isascii() and character.isprintable():
        return character
    # Selectors and skin tones change the width of the character before them, and terminals disagree on how.
    if unicodedata.category(character) in _UNSEEN or "\ufe00" <= character <= "\ufe0f":
        return ""
    return "" if "\U0001f3fb" <= character <= "\U0001f3ff" else character


def argument_text(value: object) -> str:
    """One argument as a person would write it: a text bare, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def describe(operation: str, arguments: Iterable[object], *, ascii_only: bool = False) -> str:
    """`deposit alice 10`: an operation with its arguments, on one line."""
    return printable(" ".join([operation, *map(argument_text, arguments)]), ascii_only=ascii_only)


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` cut to at most `width` cells; a cut shows an ellipsis where there is room for one."""
    if cell_len(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return set_cell_size(text, max(width, 0)).strip()
    return set_cell_size(text, room).rstrip() + ellipsis


def pad(text: str, width: int, align: str = "<", fill: str = " ") -> str:
    """`text` padded to exactly `width` cells; `align` is `<`, `>` or `^` (centred, the odd cell to the right)."""
    room = max(0, width - cell_len(text))
    left = {"<": 0, ">": room, "^": room // 2}[align]
    return set_cell_size(fill * left + text + fill * (room - left), width)
