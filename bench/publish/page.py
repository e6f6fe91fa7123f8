"""The results page as Markdown: the bars first, then what was measured, on which machine, and how."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.harness.client_check import BUSY_CORES
from bench.harness.contender import ENGINE
from bench.publish.bars import Reached, Verdict, verdicts
from bench.publish.markdown import between, paragraphs, table
from bench.publish.notes import METHOD, PEERS, Notes
from bench.publish.page_tables import section
from bench.publish.plot import panels
from bench.publish.runs import RUNS, Result
from bench.publish.tables import Grid, figure

INTRODUCTION = """\
# Benchmarks

<!-- Made by `python -m bench results`: edit benchmarks-notes.md, not this. -->

`make results` measures all of this on your machine, in about twenty minutes, and writes this page; no figure on
it is typed by hand. Replicas are real processes with real storage, synced before anything leaves; peers are up in the
same run and take turns, on the same disk. Every run is verified in the end: a fast wrong run is no result. Figures are
medians of the rounds, with ranges in parentheses."""
QUICK = """\
**Measured by short runs, to see that they work: these figures are rough.** `make results` measures in earnest."""
PICTURE = "commands per second and latency beside the peers"
MARKS = {Reached.MET: "✓", Reached.SHORT: "✗", Reached.UNMEASURED: "–"}
NO_NOTE = "No note says why yet."


def page(results: Mapping[str, Result], notes: Notes, picture: str) -> str:
    """The whole page, of results by the names of their runs; ``picture`` is the file that
    :mod:`bench.publish.plot` draws."""
    found = verdicts(results)
    return (
        paragraphs(
            INTRODUCTION,
            QUICK if any(result.get("quick") for result in results.values()) else "",
            _bars(found),
            f"![{PICTURE}]({picture})" if panels(results) else "",
            _short(found, notes),
            _machine(results),
            *(_run(run.title, results.get(run.name), notes) for run in RUNS),
            _heading(METHOD, notes.about(METHOD)),
            _peers(results, notes),
        )
        + "\n"
    )


def _heading(title: str, *texts: str) -> str:
    body = paragraphs(*texts)
    return paragraphs(f"## {title}", body) if body else ""


def _bars(found: Iterable[Verdict]) -> str:
    held = [verdict for verdict in found if not verdict.bar.aim]
    rows = [
        [f"{MARKS[v.reached]} {v.bar.what}", v.bar.text(), v.shown(), v.text()] for v in sorted(found, key=_aims_last)
    ]
    counts = {reached: sum(verdict.reached is reached for verdict in held) for reached in Reached}
    words = (
        f"Of {len(held)} bars {counts[Reached.MET]} are met, {counts[Reached.SHORT]} are missed, and "
        f"{counts[Reached.UNMEASURED]} were not measured. An *aim* would be better still."
    )
    return _heading("The bars", words, table(Grid(("", "bar", "figure", "verdict"), rows, words=(0, 1, 3))))


def _aims_last(verdict: Verdict) -> bool:
    return verdict.bar.aim


def _short(found: Iterable[Verdict], notes: Notes) -> str:
    """What is missed, by how much, and why."""
    missed = [
        f"- **{v.bar.what}**: {v.shown()}, where {v.bar.text()} is asked for: {v.text()}. {_why(v, notes)}"
        for v in found
        if v.reached is Reached.SHORT and (not v.bar.aim or notes.about(v.bar.name))
    ]
    return _heading("What falls short, and why", "\n".join(missed))


def _why(verdict: Verdict, notes: Notes) -> str:
    return notes.about(verdict.bar.name).replace("\n", "\n  ") or NO_NOTE


def _machine(results: Mapping[str, Result]) -> str:
    """Once, or once for every machine that results came from."""
    machines: dict[str, list[Mapping[str, Any]]] = {}
    for result in results.values():
        machines.setdefault(_described(result["machine"]), []).append(result["machine"])
    lines = [
        f"- {words}. A sync of 4 KiB took {between(m['sync_ms']['p50'] for m in found)} ms (p50; p99 "
        f"{between(m['sync_ms']['p99'] for m in found)}) before the runs, the load was "
        f"{between(m['load_average'][0] for m in found)}."
        for words, found in machines.items()
    ]
    return _heading("The machine", "\n".join(lines))


def _described(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    file_system = machine["file_system"] or "an unknown file system"
    system = f"{machine['system']}, {file_system}, {machine['python']}"
    return f"{machine['cpu']}, {machine['cores']} cores, {system}; {versions}"


def _run(title: str, result: Result | None, notes: Notes) -> str:
    if result is None:
        return _heading(title, "Not measured.")
    absent = [f"**{name} is missing here**: {why}." for name, why in result.get("absent", {}).items()]
    return _heading(title, *absent, section(result), notes.about(title))


def _peers(results: Mapping[str, Result], notes: Notes) -> str:
    """What the peers are, and how it was checked that their clients were not what was measured."""
    compared = [(run.title, results[run.name]) for run in RUNS if results.get(run.name, {}).get("client")]
    about: dict[str, str] = {}
    for _, result in compared:
        for name, peer in result.get("peers", {}).items():
            about.setdefault(name, peer["about"])  # recovery's says more than what a peer is
    rows = [[title, *(_client(side.get("client")) for side in _sides(result, about))] for title, result in compared]
    words = (
        "How much of a core each load generator took, the median of the rounds: one that takes "
        f"{BUSY_CORES:g} or more may be what limits its system. Where the client is inside the leader's process, the "
        "figure is that of the whole process, in italics: what limits it is the system, its client included."
    )
    shares = paragraphs(words, table(Grid(("", ENGINE, *about), rows))) if compared else ""
    return _heading(
        PEERS, "\n".join(f"- `{name}`: {words}" for name, words in about.items()), notes.about(PEERS), shares
    )


def _sides(result: Result, names: Iterable[str]) -> list[Mapping[str, Any]]:
    return [result, *(result.get("peers", {}).get(name, {}) for name in names)]


def _client(client: Mapping[str, Any] | None) -> str:
    if client is None or client["cores"] is None:
        return figure(None)
    share = figure(client["cores"], ".2f")
    if client["inside"]:
        return f"*{share}*"
    return f"**{share}: may be the limit**" if client["may_limit"] else share
