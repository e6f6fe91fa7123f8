"""Replica processes on this machine: start, kill, stop; every child this process started is ended with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from genpaxos.errors import GenpaxosError, WrongContext
from genpaxos.runtime import ownership
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.hashing import FIXED_HASH_SEED, hash_seed
from genpaxos.runtime.identity import create_directory
from genpaxos.runtime.query import NoAnswer, ask_cluster

STOP_S = 5.0
"""How long a replica gets to end after SIGTERM."""


KILL_S = 10.0
"""The same after SIGKILL, which only the system itself can delay."""


class ReplicaProcesses(ownership.Forkable):
    """The replicas of one cluster file, as child processes of this one. A fork of this process cannot control them."""

    def __init__(self, config: ClusterConfig, cluster_file: Path) -> None:
        self._pid = os.getpid()
        ownership.watch_forks(self)
        self.config = config
        self.cluster_file = cluster_file
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def are_own(self) -> bool:
        """Whether this is the process that started them, and not a fork of it."""
        return self._pid == os.getpid()

    def cut_off(self) -> None:
        """In a fork: let go of the pipes by which replicas see that the process that started them is gone."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()

    def _check_own(self) -> None:
        if not self.are_own:
            raise WrongContext(
                f"process {self._pid} started this cluster, and this is a fork of it: start, kill and stop replicas "
                "there. Clients of the cluster may be made here"
            )

    def create(self) -> None:
        """Make the directories of all replicas; they must not exist yet."""
        for node in range(len(self.config.replicas)):
            create_directory(self.config, node)

    def start(self, node: int) -> None:
        """Start a replica from its directory; what it prints goes to ``log`` in there."""
        self._check_own()
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
        self._check_own()
        process = self._processes[node]
        process.send_signal(signal.SIGKILL)
        self._reap(process, KILL_S)

    def stop(self) -> None:
        """End all with SIGTERM; those that take longer than ``STOP_S`` with SIGKILL. In a fork does nothing."""
        if not self.are_own:
            return
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        end_s = time.monotonic() + STOP_S
        for process in self._processes.values():
            try:
                self._reap(process, max(0.0, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                self._reap(process, KILL_S)

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
        self._check_own()
        for node, process in self._processes.items():
            if process.poll() is not None:
                raise GenpaxosError(
                    f"replica {node} ended with status {process.returncode}:\n"
                    + self.log_file(node).read_text(encoding="utf-8", errors="replace")
                )

    def wait_ready(self, timeout_s: float) -> None:
        """Return once a coordinator leads and all started replicas follow it. Raises :class:`GenpaxosError` if a
        replica ends or time runs out."""
        end_s = time.monotonic() + timeout_s
        while True:
            self.check()
            answers = ask_cluster(self.config, "status", timeout_s=0.5)
            ready = [a for a in answers if not isinstance(a, NoAnswer) and a["quorum"] and a["coordinator"] is not None]
            ballots = {tuple(a["ballot"] or ()) for a in ready}
            if len(ready) >= len(self._processes) and len(ballots) == 1:
                return
            if time.monotonic() > end_s:
                raise GenpaxosError(f"no coordinator within {timeout_s:g} s; replicas say: {answers}")
            time.sleep(0.02)
