"""Output that a terminal or file cannot encode: shown by the nearest plain character, never an error.

The views draw with plain characters where they know that the console is ASCII. But names, arguments and error messages
are the user's, and a locale may lack just one of their characters.
"""

import codecs
import json
import sys
from typing import IO, Any

PLAIN = {
    "✓": "+", "✗": "X", "×": "x", "·": "-", "•": "*", "–": "-", "—": "-", "…": ".", "→": ">", "←": "<", "▶": ">",
    "↓": "v", "≤": "<", "≥": ">", "≠": "#", "“": '"', "”": '"', "‘": "'", "’": "'", "█": "#", "░": ".",
    "▐": "[", "▌": "]", "│": "|", "┃": "|", "║": "|", "┊": ":", "─": "-", "━": "-",
    "═": "=", "╌": ".", "╸": "-", "╺": "-", "╴": "-",
    "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+", "╷": "|", "╵": "|",
    "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
"""One character for one, so that tables keep their shape."""
HANDLER = "genpaxos.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    shown = "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in part)
    return shown, error.end


codecs.register_error(HANDLER, _plain)


def make_printable(*streams: IO[str]) -> None:
    """From now on these streams take any text. Streams that are no text files of Python's own are left alone."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=HANDLER)


def takes_unicode(stream: IO[str] | None = None) -> bool:
    """Whether the stream (default: standard output) can show every character."""
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "ascii"
    return encoding.lower().startswith("utf")


def print_json(value: Any) -> None:
    """One line of JSON on standard output; where that is not Unicode, JSON's own escapes keep it JSON."""
    import orjson

    text = orjson.dumps(value).decode()
    print(text if takes_unicode() else json.dumps(value))
