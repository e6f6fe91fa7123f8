"""Round trips between regions, read from a text file: a matrix, or one pair per line.

The order in which regions first appear is the order of the replicas: the first one is replica 0.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.errors import GenpaxosError

RTT_MS_MAX = 60_000.0
EXAMPLE = "'VA-CA 60' or 'VA CA 60'"
_NAME = re.compile(r"[^\W\d_][\w./-]{0,31}")
_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:\s*ms)?", re.ASCII)
_ABSENT = ("", "-", ".")
"""Cells of a matrix that the other half or the diagonal says."""


class RttError(GenpaxosError):
    """A file of round trips is not as it must be; the message names the line, and what belongs there."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """A symmetric matrix of round trips; replica ``i`` is in ``regions[i]``."""

    regions: tuple[str, ...]
    ms: tuple[tuple[float, ...], ...]

    @property
    def longest_ms(self) -> float:
        """Between the two regions that are furthest apart."""
        return max(map(max, self.ms))


def read_rtt(path: str) -> RoundTrips:
    """Read a file, or standard input if ``path`` is ``-``. Raises :class:`RttError`, or ``OSError``."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RttError(f"{path} is no text in UTF-8: {error}") from None
    return parse_rtt(text, "standard input" if path == "-" else path)


def parse_rtt(text: str, source: str) -> RoundTrips:
    """Read a matrix under a heading of regions, or lines like ``VA-CA 60``; ``source`` is what complaints name.

    Fields are separated by spaces or by commas; ``#`` begins a comment. Raises :class:`RttError`.
    """
    return _Reader(source).read(text)


class _Reader:
    """Collects one round trip per pair of regions, and the line it came from."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._line = 0
        self._regions: list[str] = []
        self._found: dict[tuple[str, str], tuple[float, int]] = {}

    def read(self, text: str) -> RoundTrips:
        lines = self._lines(text)
        first = next(lines, None)
        if first is None:
            self._line = 0
            self._fail(f"nothing is in it: expected a matrix under a heading of regions, or lines like {EXAMPLE}")
        if _NUMBER.fullmatch(first[-1]):
            self._pair(first)
            for fields in lines:
                self._pair(fields)
        else:
            self._matrix(first, lines)
        return self._complete()

    def _lines(self, text: str) -> Iterator[list[str]]:
        """The fields of each line that has any; ``60 ms`` is one field."""
        for self._line, line in enumerate(text.splitlines(), 1):
            said = re.sub(r"(?<=\d)\s+ms\b", "ms", line.partition("#")[0].strip())
            if said:
                yield [field.strip() for field in said.split(",")] if "," in said else said.split()

    def _pair(self, fields: list[str]) -> None:
        """``A-B 60``, ``A B 60``, or the same with commas."""
        *names, number = fields
        if len(names) == 1:
            names = names[0].split("-")
            if len(names) > 2:
                self._fail(f"{fields[0]!r} has several dashes: write the two regions apart, like 'us-east us-west 60'")
        if len(names) != 2:
            self._fail(f"{' '.join(fields)!r} is no pair of regions with a number: expected {EXAMPLE}")
        one, other = map(self._name, names)
        self._record(one, other, self._ms(number))

    def _matrix(self, heading: list[str], lines: Iterator[list[str]]) -> None:
        """A heading of regions, with a corner or without; then a row per region, whole or one half of the matrix."""
        above = self._line
        rows = [(self._line, fields) for fields in lines]
        if not rows:
            self._fail(f"{' '.join(heading)!r} is a heading without rows; in a file of pairs a line is like {EXAMPLE}")
        first = heading[0]
        named = any(row[0] == first for _, row in rows)
        corner = first in _ABSENT or (not named and len(rows[0][1]) == len(heading))
        self._line = above
        columns = [self._name(name) for name in heading[corner:]]
        repeated = [name for n, name in enumerate(columns) if name in columns[:n]]
        if repeated:
            self._fail(f"the heading names {repeated[0]} twice")
        seen: set[str] = set()
        for self._line, row in rows:
            self._row(columns, row, seen)

    def _row(self, columns: list[str], row: list[str], seen: set[str]) -> None:
        name, *cells = row
        if name not in columns:
            self._fail(
                f"{name!r} is no region of the heading ({', '.join(columns)}); "
                f"in a file of pairs, every line is like {EXAMPLE}"
            )
        if name in seen:
            self._fail(f"a second row for {name}")
        if len(cells) > len(columns):
            self._fail(f"{len(cells)} numbers in the row of {name}, but {len(columns)} regions in the heading")
        seen.add(name)
        for column, cell in zip(columns, cells, strict=False):
            if cell not in _ABSENT:
                self._record(name, column, self._ms(cell))

    def _record(self, one: str, other: str, ms: float) -> None:
        if one == other:
            if ms:
                self._fail(f"{one} is {ms:g} ms away from itself: expected 0")
            return
        pair = (one, other) if one < other else (other, one)
        said_ms, where = self._found.setdefault(pair, (ms, self._line))
        if said_ms != ms:
            self._fail(
                f"{one}-{other} is {ms:g} ms here and {said_ms:g} on line {where}: a round trip takes the same from "
                "both ends. Write one number for both"
            )

    def _name(self, text: str) -> str:
        if not _NAME.fullmatch(text):
            self._fail(f"{text!r} is no name of a region: expected a letter, then letters, digits or one of . / _ -")
        if text not in self._regions:
            self._regions.append(text)
        return text

    def _ms(self, text: str) -> float:
        match = _NUMBER.fullmatch(text)
        if match is None:
            self._fail(f"{text!r} is no number of milliseconds")
        ms = float(match[1])
        if not 0 <= ms <= RTT_MS_MAX:
            self._fail(f"a round trip of {ms:g} ms: expected 0 to {RTT_MS_MAX:g}")
        return ms + 0.0  # -0 is 0

    def _complete(self) -> RoundTrips:
        self._line = 0
        regions = self._regions
        if not 2 <= len(regions) <= REPLICAS_MAX:
            self._fail(f"{len(regions)} regions: expected 2 to {REPLICAS_MAX}, one replica in each")
        pairs = [(a, b) for n, a in enumerate(regions) for b in regions[n + 1 :]]
        missing = [f"{a}-{b}" for a, b in pairs if (min(a, b), max(a, b)) not in self._found]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            self._fail(
                f"{len(missing)} of the {len(pairs)} round trips between {len(regions)} regions are missing: "
                f"{', '.join(missing[:5])}{more}"
            )
        rows = (tuple(0.0 if a == b else self._found[min(a, b), max(a, b)][0] for b in regions) for a in regions)
        return RoundTrips(tuple(regions), tuple(rows))

    def _fail(self, what: str) -> NoReturn:
        raise RttError(f"{self._source}{f', line {self._line}' if self._line else ''}: {what}")
