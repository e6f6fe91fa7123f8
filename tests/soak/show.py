"""The soak test on a screen: a progress bar, a table at the end; lines in a pipe, one JSON object for machines."""

from __future__ import annotations

import argparse
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from genpaxos.core.ballot import Policy
from genpaxos.errors import GenpaxosError
from genpaxos.view.verdict import VerdictView
from tests.soak.soak import Options, Outcome, Run, soak

HOUR_RATE = 200.0
"""The verdict is on all calls at once: an hour at this rate is 720,000 of them in this process's memory."""
TICK_S = 0.25
PLAIN_S = 30.0
"""Between two lines in a pipe."""


def main() -> int:
    """Run once; returns 0 only if every check holds."""
    options, as_json = _parse()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(
        signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT)
    )  # leave no replica behind, paused at that
    console = Console(stderr=as_json)
    directory = Path(tempfile.mkdtemp(prefix="genpaxos-soak-"))
    ok = False
    progress = _Progress(options, console)
    try:
        with progress:
            outcome = soak(options, directory, progress.watch)
        ok = outcome.ok
        if as_json:
            print(orjson.dumps(summary(outcome)).decode())
        else:
            console.print(table(outcome), VerdictView(outcome.checks))
    except GenpaxosError as error:
        _complain(f"soak: {error}")
    except KeyboardInterrupt:
        return 130
    finally:
        if ok:
            shutil.rmtree(directory)
        else:
            _complain(progress.story())
            _complain(f"journals and logs are in {directory}; faults drawn from --seed {options.seed}")
    return 0 if ok else 1


def _complain(what: str) -> None:
    Console(stderr=True).print(what, highlight=False, markup=False, soft_wrap=True)


def _parse() -> tuple[Options, bool]:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=HOUR_RATE, metavar="PER_S", help="commands a second, of all")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--replicas", type=int, default=default.replicas)
    parser.add_argument("--clients", type=int, default=default.clients)
    parser.add_argument("--machine", choices=["bank", "register"], default=default.machine)
    parser.add_argument("--interference", type=float, default=default.interference, metavar="SHARE")
    parser.add_argument("--snapshot-commands", type=int, default=default.snapshot_commands, metavar="COMMANDS")
    parser.add_argument("--policy", choices=[str(policy) for policy in Policy], default=str(default.policy))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    options = Options(
        seconds=chosen.minutes * 60,
        rate=chosen.rate,
        seed=chosen.seed,
        replicas=chosen.replicas,
        clients=chosen.clients,
        machine=chosen.machine,
        interference=chosen.interference,
        policy=Policy(chosen.policy),
        snapshot_commands=chosen.snapshot_commands,
    )
    return options, chosen.json


def summary(outcome: Outcome) -> dict[str, Any]:
    """The run as one JSON object."""
    run, pauses = outcome.run, outcome.pauses
    record = run.record
    latencies = record.latencies_ms() or [float("nan")]
    return {
        "seed": run.options.seed,
        "policy": str(run.options.policy),
        "replicas": run.options.replicas,
        "clients": run.options.clients,
        "seconds": round(record.seconds, 1),
        "commands": len(record.calls),
        "commits_per_second": round(record.acknowledged / record.seconds, 1),
        "latency_ms": {
            "p50": round(latencies[len(latencies) // 2], 2),
            "p99": round(latencies[len(latencies) * 99 // 100], 2),
            "max": round(latencies[-1], 1),
        },
        "outcomes_asked_for_again": outcome.unknown,
        "ballots_led": len(run.watch.ballots),
        "faults": run.injector.counts,
        "harmless_bits": run.injector.harmless,
        "log_max_commands": run.watch.growth.log_max,
        "disk_max_mb": round(run.watch.growth.disk_max_bytes / 1e6, 2),
        "memory_max_mb": round(run.watch.growth.memory_max_bytes / 1e6, 1),
        "slowest_start_s": round(max(run.injector.started_s, default=0.0), 3),
        "longest_pause_s": round(pauses.paused_s, 3),
        "longest_pause_in_blackout_s": round(pauses.blackout_s, 3),
        "slowest_resumption_s": round(pauses.resumed_s, 3),
        "slowest_rejoining_s": round(pauses.rejoined_s, 3),
        "checks": {name: {"holds": answer, "found": found} for name, (answer, found) in outcome.checks.items()},
        "ok": outcome.ok,
    }


def table(outcome: Outcome) -> Table:
    """The run for people."""
    told = summary(outcome)
    late = told["latency_ms"]
    rows = {
        "cluster": f"{told['replicas']} replicas, {told['policy']}, {told['clients']} clients, seed {told['seed']}",
        "commands": f"{told['commands']:,} in {told['seconds']:,.0f} s: {told['commits_per_second']:,.0f} commits/s",
        "latency": f"p50 {late['p50']:.1f} ms, p99 {late['p99']:.0f} ms, longest {late['max']:,.0f} ms",
        "asked again": f"{told['outcomes_asked_for_again']:,} times for an unknown outcome",
        "faults": "\n".join(f"{count:>5,}  {kind}" for kind, count in told["faults"].items()) or "none",
        "ballots": f"{told['ballots_led']:,} seen led by a coordinator",
        "each held": f"at most {told['log_max_commands']:,} commands, {told['disk_max_mb']:.1f} MB of journal and "
        f"snapshots, {told['memory_max_mb']:.0f} MB of memory",
        "longest pause": f"{told['longest_pause_s']:.2f} s; {told['longest_pause_in_blackout_s']:.2f} s in a blackout",
        "restarts": f"a replica answered within {told['slowest_start_s']:.2f} s of its start",
        "after healing": f"new commands answered within {told['slowest_resumption_s']:.2f} s, "
        f"victims caught up within {told['slowest_rejoining_s']:.2f} s",
    }
    grid = Table(show_header=False, title="soak test", title_justify="left")
    for name, text in rows.items():
        grid.add_row(name, text)
    return grid


class _Progress:
    """A bar on a terminal, a line now and then in a pipe; from a thread, so that it does not slow the clients."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._run: Run | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, name="soak-progress", daemon=True)
        self._bar = Progress(
            BarColumn(20), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> _Progress:
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.stop()

    def watch(self, run: Run) -> None:
        """The run is under way."""
        self._run = run

    def story(self) -> str:
        """What happened in it so far."""
        return "nothing was started" if self._run is None else self._run.story()

    def _show(self) -> None:
        task = self._bar.add_task("starting the replicas", total=self._options.seconds)
        told_s = time.monotonic()
        while not self._stop.wait(TICK_S):
            self._bar.update(task, description=self._text(), completed=self._elapsed_s())
            if not self._console.is_terminal and time.monotonic() - told_s >= PLAIN_S:
                told_s = time.monotonic()
                self._console.print(f"{self._elapsed_s():,.0f} s: {self._text()}", highlight=False, soft_wrap=True)

    def _elapsed_s(self) -> float:
        return self._run.record.seconds if self._run is not None and self._run.record.started_s else 0.0

    def _text(self) -> str:
        if self._run is None or not self._run.record.started_s:
            return "starting the replicas"
        record, injector = self._run.record, self._run.injector
        if record.ended_s:
            return f"{record.acknowledged:,} commands answered; judging"
        now = "; ".join(map(str, injector.now)) or "all is well"
        return f"{record.acknowledged:,} commands, {len(injector.episodes):,} faults; {now}"
