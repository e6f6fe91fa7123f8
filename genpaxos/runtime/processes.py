"""Replica processes on this machine: start, kill, stop; every child this process started is ended with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from genpaxos.errors import GenpaxosError
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.hashing import FIXED_HASH_SEED, hash_seed
from genpaxos.runtime.identity import create_directory
from genpaxos.runtime.query import NoAnswer, ask_each

STOP_S = 5.0
"""How long a replica gets to end after SIGTERM."""


class ReplicaProcesses:
    """The replicas of one cluster file, as child processes of this one."""

    def __init__(self, config: ClusterConfig, cluster_file: Path) -> None:
        self.config = config
        self.cluster_file = cluster_file
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def create(self) -> None:
        """Make the directories of all replicas; they must not exist yet."""
        for node in range(len(self.config.replicas)):
            create_directory(self.config, node)

    def start(self, node: int) -> None:
        """Start a replica from its directory; what it prints goes to ``log`` in there."""
        running = self._processes.get(node)
        if running is not None and running.poll() is None:
            raise GenpaxosError(f"replica {node} is running already")
        if running is not None:
            self._reap(running, None)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, sys.path)]),
            "PYTHONHASHSEED": hash_seed() or FIXED_HASH_SEED,
        }
        with self.log_file(node).open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [sys.executable, "-m", "genpaxos", "serve", str(self.cluster_file), str(node), "--attached"],
                stdin=subprocess.PIPE,  # closed by the system when this process ends, however it ends
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for this process, which then stops them in order
            )

    def kill(self, node: int) -> None:
        """``kill -9``, and wait for the process to be gone."""
        process = self._processes[node]
        process.send_signal(signal.SIGKILL)
        self._reap(process, None)

    def stop(self) -> None:
        """End all with SIGTERM; those that take longer than ``STOP_S`` with SIGKILL."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        end_s = time.monotonic() + STOP_S
        for process in self._processes.values():
            try:
                self._reap(process, max(0.0, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                self._reap(process, None)

    @staticmethod
    def _reap(process: "subprocess.Popen[bytes]", timeout_s: float | None) -> None:
        process.wait(timeout_s)
        if process.stdin is not None:
            process.stdin.close()

    def running(self, node: int) -> bool:
        """Whether the replica's process is alive."""
        process = self._processes.get(node)
        return process is not None and process.poll() is None

    def log_file(self, node: int) -> Path:
        """What the replica prints."""
        return self.config.replica(node).directory / "log"

    def check(self) -> None:
        """Raises :class:`GenpaxosError` with what a replica printed if one ended that should be running."""
        for node, process in self._processes.items():
            if process.poll() is not None:
                raise GenpaxosError(
                    f"replica {node} ended with status {process.returncode}:\n{self.log_file(node).read_text()}"
                )

    def wait_ready(self, timeout_s: float) -> None:
        """Return once a coordinator leads and all started replicas follow it. Raises :class:`GenpaxosError` if a
        replica ends or time runs out."""
        end_s = time.monotonic() + timeout_s
        addresses = [replica.address for replica in self.config.replicas]
        while True:
            self.check()
            answers = ask_each(addresses, "status", timeout_s=0.5)
            ready = [a for a in answers if not isinstance(a, NoAnswer) and a["quorum"] and a["coordinator"] is not None]
            ballots = {tuple(a["ballot"] or ()) for a in ready}
            if len(ready) >= len(self._processes) and len(ballots) == 1:
                return
            if time.monotonic() > end_s:
                raise GenpaxosError(f"no coordinator within {timeout_s:g} s; replicas say: {answers}")
            time.sleep(0.02)
