"""The results page: what the bars say of results, which files are taken, and that the page is what its results make."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from rich.console import Console

from bench import cli
from bench.errors import BenchError
from bench.publish import programme, results
from bench.publish.bars import BARS, Reached, Sense, Verdict, verdicts, verdicts_on
from bench.publish.notes import Notes
from bench.publish.page import page
from bench.publish.plot import panels, svg
from bench.publish.results import ResultsError, load
from bench.publish.runs import BY_NAME, RUNS, Run, run_of

KEPT = Path("bench/results")
PAGE = Path("docs/benchmarks.md")
REGIONS = {"VA": 30.0, "CA": 40.0, "OR": 50.0, "JP": 60.0, "EU": 70.5}


def side(rate: float, p50: float = 1.0, p99: float = 2.0) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "commands": 10,
        "commands_per_second": rate,
        "latency_ms": {"p50": p50, "p99": p99},
        "latency_ms_range": {"p50": [p50, p50], "p99": [p99, p99]},
        "cpu_cores": {"client": 0.25, "server": 1.0, "others": 0.125},
        "fast_share": None,
    }
    return {
        **figures,
        "commands_per_second_range": [rate, rate],
        "cpu_us_per_command": 50.0,
        "load": "one at a time",
        "client": {"inside": False, "cores": 0.25, "may_limit": False},
        "rounds": [figures],
    }


MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "system": "Linux",
    "python": "CPython",
    "versions": {"genpaxos": "1"},
    "load_average": [0.5, 0.5, 0.5],
    "file_system": "ext4",
    "sync_ms": {"p50": 0.25, "p99": 0.5},
}


def steady(rate: float = 100.0, **peers: float) -> dict[str, Any]:
    """A throughput result beside peers with these rates."""
    ratios = {name: rate / theirs for name, theirs in peers.items()}
    compared = {
        name: {
            **side(theirs, p50=4.0, p99=8.0),
            "about": f"{name} as it comes",
            "ratio": {"median": ratios[name], "low": ratios[name], "high": ratios[name]},
        }
        for name, theirs in peers.items()
    }
    return {
        "benchmark": "throughput",
        "options": {
            "replicas": 3,
            "outstanding": 256,
            "rounds": 1,
            "commands": 10,
            "policy": "leader-ordered",
            "transport": "tcp",
            "many": False,
        },
        **side(rate),
        "ratios": ratios,
        "peers": compared,
        "machine": MACHINE,
    }


def wan(*means: float) -> dict[str, Any]:
    """A result across regions at 0, 2 and 100 % interference: the same wait in each."""
    shares = [
        {
            "interference": share,
            "mean_ms": {"median": mean, "low": mean, "high": mean},
            "planned_mean_ms": mean,
            "per_region": {
                name: {"p50_ms": {"median": mean, "low": mean, "high": mean}, "above_bound_ms": mean - bound}
                for name, bound in REGIONS.items()
            },
        }
        for share, mean in zip((0.0, 0.02, 1.0), means, strict=True)
    ]
    return {
        "benchmark": "wan",
        "options": {},
        "regions": list(REGIONS),
        "lower_bound": {"mean_ms": 50.25, "per_region": REGIONS},
        "contenders": {"genpaxos": {"shares": shares}},
        "machine": MACHINE,
    }


def growth(late: int, us: float, memory: float) -> dict[str, Any]:
    def point(commands: int, each: float) -> dict[str, Any]:
        lists: dict[str, Any] = {name: [1.0, 2.0] for name in ("rss_mib", "disk_mib", "snapshots")}
        times = {"microseconds_per_command": each, "mean_microseconds_per_command": each, "cpu_us_per_command": None}
        return {"commands": commands, **times, **lists}

    return {
        "benchmark": "growth",
        "options": {
            "over": "commands",
            "resources": 10,
            "outstanding": 8,
            "snapshot_commands": 20,
            "replicas": 3,
            "transport": "ipc",
        },
        "points": [point(10_000, 10.0), point(late, us)],
        "ratios": {"time": 1.0, "memory": memory, "disk": 1.0},
        "machine": MACHINE,
    }


def figure(name: str, result: dict[str, Any]) -> float | None:
    (verdict,) = [verdict for verdict in verdicts_on(result) if verdict.bar.name == name]
    return verdict.figure


# Bars ---------------------------------------------------------------------------------------------------------------


def test_a_verdict_says_in_words_whether_a_bar_is_met_and_by_how_much() -> None:
    floor = replace(BARS[0], sense=Sense.AT_LEAST, limit=4.0)
    roof = replace(BARS[0], sense=Sense.AT_MOST, limit=4.0)
    assert [Verdict(floor, value).text() for value in (5.0, 4.0, 3.0)] == [
        "met, with 25% to spare",
        "met, with 0% to spare",
        "short of it by 25%",
    ]
    assert [Verdict(roof, value).text() for value in (5.0, 4.0, 3.0)] == [
        "above it by 25%",
        "met, with 0% to spare",
        "met, with 25% to spare",
    ]
    assert Verdict(roof, None).text() == "not measured"
    assert Verdict(roof, None).shown() == "–"


def test_every_bar_belongs_to_a_run_and_is_not_measured_without_one() -> None:
    assert {bar.run for bar in BARS} <= BY_NAME.keys()
    assert len({bar.name for bar in BARS}) == len(BARS)
    assert {verdict.reached for verdict in verdicts({})} == {Reached.UNMEASURED}


def test_ratios_are_taken_as_the_run_gives_them_and_a_peer_that_is_missing_was_not_measured() -> None:
    result = steady(100.0, etcd=20.0, unreplicated=400.0)
    assert figure("throughput against etcd", result) == 5.0
    assert figure("throughput against the unreplicated server", result) == 0.25
    assert figure("throughput against PySyncObj", result) is None
    assert figure("throughput", result) == 100.0


def test_latencies_are_compared_at_the_same_quantile() -> None:
    result = steady(100.0, etcd=20.0)
    at_64 = {**result, "options": {**result["options"], "outstanding": 64}}
    one = {**result, "benchmark": "latency", "options": {**result["options"], "outstanding": 1}}
    assert figure("latency at 64 against etcd", at_64) == 2.0 / 8.0
    assert figure("latency against etcd", one) == 1.0 / 4.0
    assert figure("latency", one) == 1.0


def test_interference_is_held_to_the_calm_and_at_its_worst_to_classic() -> None:
    shares = [
        {"interference": share, "tested": side(rate), "classic": side(1.0), "ratio": {"median": ratio}}
        for share, rate, ratio in [(0.0, 100.0, 1.5), (0.25, 10.0, 0.75), (1.0, 80.0, 1.1)]
    ]
    result = {"benchmark": "interference", "options": {"replicas": 3}, "shares": shares}
    assert figure("interference", result) == 0.8
    assert figure("interference against classic", result) == 0.75


def test_a_pause_is_the_longest_of_all_rounds_and_roles() -> None:
    pauses = {"coordinator": 900.0, "pinned follower": 40.0, "other follower": 90.0}
    pause_ms = {role: {"median": 1.0, "low": 0.0, "high": high} for role, high in pauses.items()}
    result = {"benchmark": "recovery", "options": {"replicas": 3}, "pause_ms": pause_ms}
    assert figure("recovery from a dead coordinator", result) == 900.0
    assert figure("recovery from another dead replica", result) == 90.0


def test_growth_is_judged_by_runs_that_are_long_enough() -> None:
    long, short = growth(1_000_000, 12.5, 1.125), growth(100_000, 12.5, 1.125)
    assert figure("growth of the time", long) == 1.25
    assert figure("growth of the memory", long) == 1.125
    assert figure("growth of the time", short) is None
    assert figure("growth of the memory", short) is None


def test_across_regions_the_worse_of_no_and_little_interference_counts_and_the_region_furthest_from_its_bound() -> None:
    result = wan(60.0, 64.0, 72.0)
    assert figure("wan with little interference", result) == 64.0
    assert figure("wan when everything interferes", result) == 72.0
    assert figure("wan against the lower bound", result) == 72.0 - 30.0
    elsewhere = {**result, "regions": ["here", "there"]}
    assert figure("wan with little interference", elsewhere) is None
    assert figure("wan against the lower bound", elsewhere) is None


# Files --------------------------------------------------------------------------------------------------------------


def test_a_result_is_of_the_run_that_its_options_say() -> None:
    result = steady()
    assert run_of(result) is BY_NAME["throughput"]
    assert run_of({**result, "options": {**result["options"], "outstanding": 4096}}) is None
    many = {**result["options"], "outstanding": 4096, "many": True}
    assert run_of({**result, "options": many}) is BY_NAME["saturation"]
    assert run_of(growth(100, 1.0, 1.0)) is BY_NAME["growth-commands"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is not JSON .*: measure it again, or take it away"),
        ("[]", "is no benchmark's result, and no run of the page"),
        ('{"benchmark": "fortune", "options": {}}', r"is a result of fortune with \{\}.*Its runs are: throughput \("),
        (
            '{"benchmark": "throughput", "options": {"outstanding": 7, "seed": 1}}',
            r"is a result of throughput with \{'outstanding': 7\}.*--only RUN",
        ),
    ],
)
def test_what_is_no_result_of_a_run_is_refused_and_the_error_teaches(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ResultsError, match=why):
        load(results.result_files(tmp_path))


def test_two_results_of_one_run_and_none_at_all_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["results", str(tmp_path)]) == 1
    assert "measure them with `python -m bench programme" in capsys.readouterr().err
    for name in "ab":
        (tmp_path / f"{name}.json").write_bytes(orjson.dumps(steady()))
    with pytest.raises(ResultsError, match=r"a\.json and .*b\.json are both results of the run throughput: keep one"):
        load(results.result_files(tmp_path))


# The page -----------------------------------------------------------------------------------------------------------


def test_the_page_is_what_its_results_make(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["results", str(KEPT), "--output", str(PAGE), "--check"]) == 0
    assert "is what these results make" in capsys.readouterr().out


def test_a_page_that_was_edited_by_hand_is_noticed_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, kept, output = tmp_path / "found", tmp_path / "kept", tmp_path / "page.md"
    for directory in (found, kept):
        directory.mkdir()
    (found / "throughput.json").write_bytes(orjson.dumps(steady(100.0, etcd=50.0)))
    (kept / "of-before.json").write_text("{}")
    words = ["results", str(found), "--output", str(output), "--json"]
    assert cli.main([*words, "--keep", str(kept)]) == 0
    assert [file.name for file in kept.iterdir()] == ["throughput.json"]
    assert f"]({output.with_suffix('.svg').name})" in output.read_text()
    assert cli.main([*words, "--check"]) == 0
    output.write_text(output.read_text().replace("2.00", "6.00"))
    capsys.readouterr()
    assert cli.main([*words, "--check"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["runs"]) == (False, ["throughput"])
    assert {"bar": "throughput against etcd", "figure": 2.0, "reached": "short"}.items() <= told["bars"][0].items()


def test_the_page_says_what_is_met_missed_and_why_and_what_was_not_measured() -> None:
    notes = Notes({"throughput against etcd": "Replicas take\nmore processor time.", "How it was measured": "Well."})
    result = {**steady(100.0, etcd=50.0, unreplicated=100.0), "absent": {"pysyncobj": "pysyncobj is not installed"}}
    text = page({"throughput": result, "wan": wan(90.0, 91.0, 92.0)}, notes, "p.svg")
    assert "| ✗ commands/s with 256 outstanding, as a ratio to etcd's | ≥ 5.00 | 2.00 | short of it by 60% |" in text
    assert (
        "| ✓ commands/s with 256 outstanding, as a ratio to the unreplicated durable server's | ≥ 0.50 | 1.00 |" in text
    )
    assert "short of it by 60%. Replicas take\n  more processor time." in text
    assert "above it by 1140%. No note says why yet." in text
    assert "**pysyncobj is missing here**: pysyncobj is not installed." in text
    assert "| etcd | 50 | 4.00 | 8.00 | 2.00 | 0.25 + 1.00 | 50 |" in text
    assert "| EU | 70.5 | 90.0 | 91.0 | 92.0 |" in text
    assert "## Recovery\n\nNot measured." in text
    assert "## How it was measured\n\nWell." in text
    assert "| Many commands outstanding | 0.25 | 0.25 | 0.25 |" in text
    assert "short runs" not in text
    assert "short runs" in page({"throughput": {**result, "quick": True}}, notes, "p.svg")


def beside(rate: float, ratio: float) -> dict[str, Any]:
    """A peer's figures at a point."""
    return {**side(rate, p50=4.0), "ratio": {"median": ratio, "low": ratio, "high": ratio + 1}}


PEER = {
    "about": "etcd as it comes",
    "client": {"inside": False, "cores": 0.5, "may_limit": False},
    "ratio": {"median": 2.5, "low": 2.0, "high": 3.0},
}


def interfering(peers: dict[str, Any]) -> dict[str, Any]:
    """A result at one share."""
    share = {
        "interference": 0.25,
        "tested": side(100.0),
        "classic": side(80.0),
        "ratio": {"median": 1.25, "low": 1.0, "high": 1.5},
    }
    options = {
        "replicas": 3,
        "transport": "tcp",
        "policy": "leader-ordered",
        "outstanding": 8,
        "rounds": 2,
        "commands": 5,
    }
    return {
        "benchmark": "interference",
        "options": options,
        "shares": [{**share, "peers": {name: beside(50.0, 2.0) for name in peers}} if peers else share],
        "machine": MACHINE,
        **({"client": PEER["client"], "peers": peers} if peers else {}),
    }


def killed(peers: dict[str, Any]) -> dict[str, Any]:
    """A result of kills, every figure the same."""

    def figures(*roles: str) -> dict[str, Any]:
        names = ("calm_pause_ms", "pause_ms", "slowest_ms", "answered_ms", "caught_up_ms")
        spreads = {name: {role: {"median": 7.0, "low": 7.0, "high": 7.0} for role in roles} for name in names}
        return {**spreads, "missed": dict.fromkeys(roles, 9), "commands_per_second": 100.0}

    return {
        "benchmark": "recovery",
        "options": {"replicas": 3, "transport": "ipc", "outstanding": 8, "rounds": 1},
        **figures("coordinator", "follower"),
        "machine": MACHINE,
        **(
            {"peers": {name: {**peer, **figures("leader", "follower")} for name, peer in peers.items()}}
            if peers
            else {}
        ),
    }


def test_the_page_puts_peers_beside_every_point_and_needs_none() -> None:
    etcd = {"etcd": PEER}
    long, size = growth(1_000_000, 12.5, 1.125), growth(100, 1.0, 1.0)
    theirs = {**long["points"][0], "microseconds_per_command": 25.0, "disk_mib": [None]}
    with_peers = {
        "interference": interfering(etcd),
        "recovery": killed(etcd),
        "growth-commands": {
            **long,
            "peers": etcd,
            "points": [{**point, "peers": {"etcd": theirs}} for point in long["points"]],
        },
        "growth-size": {
            **size,
            "options": {**size["options"], "over": "size", "rounds": 2},
            "peers": etcd,
            "points": [{"size": 16, "outstanding": 8, **side(100.0), "peers": {"etcd": beside(40.0, 2.5)}}],
        },
    }
    text = page(with_peers, Notes(), "p.svg")
    assert "| interfering | etcd /s | etcd p50 ms | engine/etcd |" in text
    assert "| 25% | 50 | 4.00 | 2.00 (2.00–3.00) |" in text
    assert "| etcd leader | 7 | 7 | 7 | 9 | 7 | 7 |" in text
    assert "- **etcd** (etcd as it comes) made 100 commands/s before the kills; the pause when its leader is" in text
    assert "the engine's commands/s as a ratio to theirs: etcd 2.50 (2.00–3.00)." in text
    assert "| 10,000 | 25.0 | 10.0 | – | 2 | – |" in text
    assert "| 16 | 40 | 4.00 | 2.50 (2.50–3.50) |" in text
    assert "| Interference | 0.50 | 0.50 |" in text
    alone = page({"interference": interfering({}), "recovery": killed({}), "growth-commands": long}, Notes(), "p.svg")
    assert "| 25% | 100 | 80 | 1.00 | 1.00 | 1.25 (1.00–1.50) |" in alone
    assert "| coordinator | 7 | 7 | 7 | 9 | 7 | 7 |" in alone
    assert "etcd /s" not in alone
    assert "## The peers" not in alone


def test_the_picture_has_a_bar_and_a_range_for_every_contender() -> None:
    drawn = panels({"throughput": steady(100.0, etcd=50.0), "latency": steady(100.0)})
    assert [[bar.label for bar in panel.bars] for panel in drawn] == [["genpaxos", "etcd"], ["genpaxos"]]
    root = ElementTree.fromstring(svg(drawn))
    bars = root.findall("{*}rect")
    assert [bar.get("class") for bar in bars] == ["ours", "theirs", "ours"]
    assert float(bars[0].get("width", 0)) == 2 * float(bars[1].get("width", 0))
    assert len(root.findall("{*}line")) == 3
    assert [text.text for text in root.findall("{*}text")][-3:] == [
        "ms, one at a time, p50 (shorter is better)",
        "genpaxos",
        "1.00",
    ]


def test_notes_are_by_the_names_of_bars_and_sections_and_others_are_refused() -> None:
    notes = Notes.parse("# For editors\n\n## Recovery\n\nFast.\n\nVery.\n\n## latency\n\nSlow.\n")
    assert (notes.about("Recovery"), notes.about("latency"), notes.about("Saturation")) == (
        "Fast.\n\nVery.",
        "Slow.",
        "",
    )
    with pytest.raises(BenchError, match="notes: nothing is called 'recovery'; headings are 'How it was measured'"):
        Notes.parse("## recovery\n\nFast.")
    with pytest.raises(BenchError, match="'latency' has two notes"):
        Notes.parse("## latency\n\na\n\n## latency\n\nb")


def test_notes_hold_no_measured_figures() -> None:
    """They would be of another day than the page."""
    lines = PAGE.with_name(results.NOTES).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("## "))  # a bar's name may have one
    assert [word for word in text.split() if word.strip("(),.:").replace(",", "").replace(".", "").isdigit()] == []


# The programme ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [run for run in RUNS if run.benchmark in cli.BENCHMARKS], ids=lambda run: run.name)
def test_what_a_run_asks_for_is_what_its_result_is_known_by(run: Run) -> None:
    for more in ((), run.quick):
        module, *words = run.command_line(run.against, *more)
        options = cli._options(cli._parser().parse_args(words)).to_json()
        assert module == "bench"
        assert run_of({"benchmark": words[0], "options": options}) is run
        assert tuple(options["against"]) == run.against


def played(monkeypatch: pytest.MonkeyPatch, run: Callable[[list[str]], tuple[int, bytes]]) -> list[list[str]]:
    """Let ``run`` stand in for processes; gives the command lines there were."""
    asked: list[list[str]] = []

    def started(words: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        asked.append(words[2:])
        return subprocess.CompletedProcess(words, *run(words))

    monkeypatch.setattr(subprocess, "run", started)
    return asked


def test_a_programme_goes_on_after_a_failure_and_resumes_where_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programme, "absent", lambda: {"etcd": "etcd is not installed"})
    broken = ["recovery"]
    asked = played(monkeypatch, lambda words: (int(words[3] in broken), orjson.dumps({"benchmark": words[3]})))
    words = ["programme", str(tmp_path), "--json", "--only", "recovery", "--only", "throughput-5"]
    assert cli.main(words) == 1
    told = capsys.readouterr()
    assert json.loads(told.out) == {"measured": ["throughput-5"], "kept": [], "failed": ["recovery"]}
    assert "failed    recovery: `python -m bench recovery" in told.err.replace("\n", " ")
    assert [file.name for file in tmp_path.iterdir()] == ["throughput-5.json"]
    kept = json.loads((tmp_path / "throughput-5.json").read_text())
    assert kept == {"benchmark": "throughput", "absent": {"etcd": "etcd is not installed"}, "quick": False}
    assert "--against" not in asked[1]
    broken.clear()
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"measured": ["recovery"], "kept": ["throughput-5"], "failed": []}
    assert cli.main([*words, "--again", "all", "--quick"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"] == ["recovery", "throughput-5"]
    assert json.loads((tmp_path / "recovery.json").read_text())["quick"] is True
    assert asked[-1][-5:] == [*BY_NAME["throughput-5"].quick, "--json"]


def test_a_programme_measures_every_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = played(monkeypatch, lambda _: (0, b"{}"))
    done = programme.programme(tmp_path, Console(quiet=True))
    assert done["measured"] == [run.name for run in RUNS]
    assert [words[0] for words in asked] == [run.module for run in RUNS]
