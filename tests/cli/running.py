"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "genpaxos", *map(str, arguments)]


def environment(**changed: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT), **changed}


def genpaxos(*arguments: object, cwd: Path = ROOT, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a pipe."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**changed),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(*arguments: object, cwd: Path = ROOT, status: int = 0) -> Any:
    """What a command with ``--json`` prints: one JSON value on one line, and nothing else."""
    done = genpaxos(*arguments, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (status, ""), done
    assert done.stdout.count("\n") == 1
    return orjson.loads(done.stdout)


def complaint(*arguments: object, cwd: Path = ROOT, status: int = 1) -> str:
    """What a command that fails says: on standard error, in words, and nothing on standard output."""
    done = genpaxos(*arguments, cwd=cwd)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def on_a_terminal(*arguments: str, **changed: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as reader, ExitStack() as stack:
        with open(theirs, "wb", buffering=0) as writer:
            process = subprocess.Popen(
                command(*arguments), cwd=ROOT, env=environment(TERM="xterm-256color", **changed), stdout=writer
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        printed = b""
        with suppress(OSError):  # the terminal is gone with its last writer
            while chunk := reader.read(4096):
                printed += chunk
        assert process.wait(30) == 0, printed[-2_000:]
    return printed.decode()
