"""``python -m tests.simulation.bug_table``: how many seeds the simulator needs to find each bug; see ``make bugs``.

The table it writes is also where the tests read the seed that finds each bug: one place, measured.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median_high

import orjson
from rich.console import Console

from genpaxos.simulation.swarm import draw_plan
from genpaxos.view.progress import ProgressBar
from tests.simulation.bugs import BUGS, Bug, caught

PAGE = Path(__file__).parents[2] / "docs" / "bugs.md"
SEEDS_MAX = 2_000
SERIES = tuple(range(0, 50_000, 10_000))
"""Where the independent series of seeds begin."""
ROWS = "<!-- rows: written by make bugs -->\n"


@dataclass(frozen=True, slots=True)
class Find:
    """One series: seeds were run from ``start`` on until an invariant failed."""

    start: int
    seeds: int
    """How many were run, the one that found the bug included."""
    invariant: str | None
    """The one that failed, ``None`` if none did."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bug in the table."""

    label: str
    pattern: str
    median: int
    """Of the seeds that the series took."""
    least: int
    most: int
    found: int
    """In how many of the series."""
    invariant: str
    """The one that caught it most often."""
    seed: int
    """One that finds it."""

    @classmethod
    def of(cls, bug: Bug, finds: Iterable[Find]) -> Row:
        """What the series come to."""
        finds = sorted(finds, key=lambda find: find.start)
        counts = [find.seeds for find in finds]
        hits = [find for find in finds if find.invariant is not None]
        often = Counter(find.invariant for find in hits).most_common(1)
        seed = hits[0].start + hits[0].seeds - 1 if hits else -1
        invariant = (often[0][0] if often else None) or "none"
        middle = median_high(counts)
        return cls(bug.label, bug.pattern, middle, min(counts), max(counts), len(hits), invariant, seed)

    @classmethod
    def parse(cls, line: str) -> Row:
        """A line of the table. Raises ``ValueError`` if it is none."""
        label, pattern, middle, spread, found, invariant, seed = (
            cell.strip() for cell in line.strip("| \n").split("|")
        )
        least, _, most = spread.partition("–")
        return cls(label, pattern, int(middle), int(least), int(most), int(found.split()[0]), invariant, int(seed))

    def __str__(self) -> str:
        spread = f"{self.least}–{self.most}"
        found = f"{self.found} of {len(SERIES)}"
        return (
            f"| {self.label} | {self.pattern} | {self.median} | {spread} | {found} | {self.invariant} | {self.seed} |"
        )


def hunt(bug: Bug, start: int, seeds_max: int) -> Find:
    """Run seeds from ``start`` on until an invariant fails."""
    for seed in range(start, start + seeds_max):
        violation = caught(bug, draw_plan(seed))
        if violation is not None:
            return Find(start, seed - start + 1, violation.invariant.name.lower())
    return Find(start, seeds_max, None)


def published(page: Path = PAGE) -> dict[str, Row]:
    """The rows of the table, by label. Raises ``ValueError`` if one cannot be read."""
    _, _, table = page.read_text(encoding="utf-8").partition(ROWS)
    rows = [Row.parse(line) for line in table.splitlines()[2:] if line.startswith("|")]
    return {row.label: row for row in rows}


def publish(rows: dict[str, Row], page: Path = PAGE) -> None:
    """Put rows into the table; those of other bugs stay."""
    text, marker, _ = page.read_text(encoding="utf-8").partition(ROWS)
    known = {**published(page), **rows}
    head = "| # | bug | median seeds | least–most | found | caught by | seed |\n|---|---|---|---|---|---|---|\n"
    body = "".join(f"{known[bug.label]}\n" for bug in BUGS if bug.label in known)
    page.write_text(text + marker + head + body, encoding="utf-8")


def measured(bugs: list[Bug], seeds_max: int, workers: int) -> Iterator[tuple[Bug, Find]]:
    """Every series of every bug, as they come."""
    jobs = [(bug, start) for bug in bugs for start in SERIES]
    if workers == 1:
        yield from ((bug, hunt(bug, start, seeds_max)) for bug, start in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(partial(hunt, bug, start, seeds_max)): bug for bug, start in jobs}
        for future in as_completed(running):
            yield running[future], future.result()


def main() -> int:
    """Returns 0 only if every series found its bug."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.bug_table", description=__doc__)
    parser.add_argument("labels", nargs="*", help="the numbers of the bugs to hunt, by default all")
    parser.add_argument("--seeds-max", type=int, default=SEEDS_MAX, help="where a series ends without a find")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--json", action="store_true", help="print one JSON value; docs/bugs.md stays as it is")
    options = parser.parse_args()
    unknown = set(options.labels) - {bug.label for bug in BUGS}
    if unknown:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}; there are {', '.join(bug.label for bug in BUGS)}")
    bugs = [bug for bug in BUGS if not options.labels or bug.label in options.labels]
    rows = _hunted(bugs, options.seeds_max, options.workers, as_json=options.json)
    return 0 if all(row.found == len(SERIES) for row in rows) else 1


def _hunted(bugs: list[Bug], seeds_max: int, workers: int, *, as_json: bool) -> list[Row]:
    console = Console(stderr=as_json)
    finds: dict[Bug, list[Find]] = {bug: [] for bug in bugs}
    rows: list[Row] = []
    with ProgressBar(console) as progress:
        progress("series", 0, len(bugs) * len(SERIES))
        for number, (bug, find) in enumerate(measured(bugs, seeds_max, workers), 1):
            progress("series", number, len(bugs) * len(SERIES))
            finds[bug].append(find)
            if len(finds[bug]) == len(SERIES):
                row = Row.of(bug, finds[bug])
                rows.append(row)
                if not as_json:
                    console.print(str(row), highlight=False, markup=False, soft_wrap=True)
                    publish({row.label: row})
    if as_json:
        print(orjson.dumps([{field: getattr(row, field) for field in Row.__slots__} for row in rows]).decode())
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
