"""Processes of a peer: started, watched, and gone when left, even if this process is killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import BenchError

STOP_S = 5.0
LOG_BYTES_SHOWN = 2_000
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

Process = subprocess.Popen[bytes]


class Children:
    """A context manager that ends every process started in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: dict[str, Process] = {}
        self._starts: dict[str, Callable[[], Process]] = {}

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            _reap(process)

    def start(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None, piped: bool = False
    ) -> Process:
        """Start a process; what it logs goes to a file. ``piped``: its standard input and output are pipes.

        Call it in the main thread: Linux ends a child when the *thread* ends that started it.
        """
        self._starts[name] = partial(self.start, name, command, env=env, piped=piped)
        pipe = subprocess.PIPE if piped else None
        with self._log(name).open("ab") as log:
            process = self._processes[name] = subprocess.Popen(
                command,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                env=env,
                start_new_session=True,  # Ctrl-C is for this process, which then stops them in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # one system call, no lock
            )
        return process

    def start_python(self, name: str, module: str, *arguments: str, piped: bool = False) -> Process:
        """Start a module of this package with this interpreter."""
        paths = os.pathsep.join([os.getcwd(), *filter(None, sys.path)])
        return self.start(
            name, [sys.executable, "-m", module, *arguments], env={**os.environ, "PYTHONPATH": paths}, piped=piped
        )

    def restart(self, name: str) -> Process:
        """Start one that was killed, as it was started before; in the main thread too."""
        return self._starts[name]()

    def kill(self, name: str) -> None:
        """``kill -9``, and wait for the process to be gone. It is no child any more, and can be started again."""
        process = self._processes.pop(name)
        process.kill()
        _reap(process)

    def kill_all(self) -> None:
        """For those that take their time over an orderly end, where their data goes as well."""
        for name in self.pids():
            self.kill(name)

    def pids(self) -> dict[str, int]:
        """Those that run, by name."""
        return {name: process.pid for name, process in self._processes.items() if process.poll() is None}

    def check(self) -> None:
        """Raises :class:`BenchError` with what a process logged last if one has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                logged = self._log(name).read_text(errors="replace")[-LOG_BYTES_SHOWN:].strip()
                raise BenchError(f"{name} ended with status {process.returncode}, though nobody stopped it:\n{logged}")

    def _log(self, name: str) -> Path:
        return self.directory / f"{name.replace(' ', '-')}.log"


def _reap(process: "subprocess.Popen[Any]") -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
