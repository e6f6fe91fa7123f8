"""``python -m bench programme``: all runs one after the other, each in a process of its own, each result in a file.

What has a file is not measured again, so a programme that was interrupted goes on where it stopped.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape

from bench.errors import BenchError
from bench.peers.against import absent
from bench.publish.runs import BY_NAME, RUNS, Run

ALL = "all"
NAME = "programme"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    words = "every run of the results page, into one file each; resumed where it stopped"
    parser = commands.add_parser(NAME, help=words, description=words)
    names = [run.name for run in RUNS]
    parser.add_argument("directory", type=Path, help="where results go; made if it is not there")
    parser.add_argument("--only", action="append", choices=names, metavar="RUN", help=f"such runs: {', '.join(names)}")
    parser.add_argument(
        "--again", action="append", choices=[*names, ALL], metavar="RUN", default=[], help=f"measure it anew; or {ALL}"
    )
    parser.add_argument("--quick", action="store_true", help="short runs, to see that they work; the page says so")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object: what was measured, kept, and failed"
    )
    parser.set_defaults(command=_main)


def _main(arguments: argparse.Namespace) -> int:
    again = [run.name for run in RUNS] if ALL in arguments.again else arguments.again
    console = Console(stderr=True, highlight=False)
    done = programme(arguments.directory, console, only=arguments.only, again=again, quick=arguments.quick)
    if arguments.json:
        print(orjson.dumps(done).decode())
    return 1 if done["failed"] else 0


def programme(
    directory: Path,
    console: Console,
    *,
    only: Collection[str] | None = None,
    again: Collection[str] = (),
    quick: bool = False,
) -> dict[str, list[str]]:
    """Measure what has no result yet; gives the names of runs ``measured``, ``kept`` and ``failed``.

    A run that fails is said so, and leaves no file; the others go on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    done: dict[str, list[str]] = {"measured": [], "kept": [], "failed": []}
    runs = RUNS if only is None else [BY_NAME[name] for name in dict.fromkeys(only)]
    for number, run in enumerate(runs, start=1):
        file = directory / f"{run.name}.json"
        if file.exists() and run.name not in again:
            done["kept"].append(run.name)
            console.print(f"[dim]kept[/]      {run.name}")
            continue
        console.print(f"[dim]measuring[/] {run.name} ({number} of {len(runs)}) …")
        started_s = time.monotonic()
        try:
            result = measured(run, quick=quick)
        except BenchError as error:
            done["failed"].append(run.name)
            console.print(f"[red]failed[/]    {run.name}: {escape(str(error))}")
            continue
        _write(file, result)
        done["measured"].append(run.name)
        console.print(f"[green]measured[/]  {run.name} in {time.monotonic() - started_s:.0f} s")
    return done


def measured(run: Run, *, quick: bool = False) -> dict[str, Any]:
    """One run's result, measured in a process of its own beside the peers there are. Raises :class:`BenchError`."""
    missing = {name: why for name, why in absent().items() if name in run.against}
    against = tuple(name for name in run.against if name not in missing)
    words = [sys.executable, "-m", *run.command_line(against, *(run.quick if quick else ()))]
    process = subprocess.run(words, stdout=subprocess.PIPE, stderr=None, check=False)  # progress shows on the terminal
    if process.returncode:
        raise BenchError(f"`{' '.join(['python', *words[1:]])}` ended with status {process.returncode}")
    result: dict[str, Any] = orjson.loads(process.stdout)
    return {**result, "absent": missing, "quick": quick}


def _write(file: Path, result: dict[str, Any]) -> None:
    """All or nothing: a file that is there is a whole result."""
    part = file.with_suffix(".part")
    part.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    part.replace(file)
