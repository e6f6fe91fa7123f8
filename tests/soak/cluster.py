"""Real replica processes over TCP in a network that can be broken."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from commutativity import Machine
from genpaxos import Client
from genpaxos.core.ballot import Policy
from genpaxos.runtime.config import SNAPSHOT_COMMANDS, ClusterConfig, ReplicaConfig
from genpaxos.runtime.local import machine_name
from genpaxos.runtime.processes import ReplicaProcesses
from genpaxos.runtime.query import NoAnswer, ask_each
from tests.soak.network import HOST, Network
from tests.soak.replica import ROUTES

READY_S = 30.0
PORTS = range(20_000, 32_000)
"""Below what systems hand out by themselves, so that no connection can take the port of a replica that is down."""
FULL_BYTES = 64 * 1024
"""A full disk: no byte can be written to a file beyond this. Logs are smaller, journals larger."""


class SoakProcesses(ReplicaProcesses):
    """Replicas that dial through the network's links, and that can be paused."""

    def __init__(self, config: ClusterConfig, cluster_file: Path, routes: Callable[[int], dict[str, str]]) -> None:
        super().__init__(config, cluster_file)
        self._routes = routes

    def start(self, node: int) -> None:
        """As in :class:`ReplicaProcesses`, but by way of :mod:`tests.soak.replica`."""
        earlier = self._processes.get(node)
        if earlier is not None and not self.running(node):  # it may have ended by itself: refusing its data
            self._reap(earlier, None)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, sys.path)])}
        with self.log_file(node).open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.replica", "serve", str(self.cluster_file), str(node), "--attached"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, ROUTES: json.dumps(self._routes(node))},
                start_new_session=True,
            )

    def signal(self, node: int, number: signal.Signals) -> None:
        """Send a replica's process a signal, if it runs."""
        if self.running(node):
            self._processes[node].send_signal(number)

    def memory_bytes(self, node: int) -> int:
        """How much of the machine's memory a replica's process holds; 0 if it does not run."""
        try:
            pages = Path(f"/proc/{self._processes[node].pid}/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * resource.getpagesize()

    def fill_disk(self, node: int) -> None:
        """From now on the replica's writes fail, as on a full disk."""
        limits = (FULL_BYTES, FULL_BYTES)
        resource.prlimit(self._processes[node].pid, resource.RLIMIT_FSIZE, limits)

    def stop(self) -> None:
        """A process that is paused could not end: it goes on first."""
        for node in self._processes:
            self.signal(node, signal.SIGCONT)
        super().stop()


class SoakCluster:
    """A cluster in a directory, its network, and clients. Enter it to start everything; leave it to end everything."""

    def __init__(
        self,
        machine: type[Machine],
        directory: Path,
        *,
        replicas: int,
        policy: Policy = Policy.LEADER_ORDERED,
        snapshot_commands: int = SNAPSHOT_COMMANDS,
    ) -> None:
        self.config = ClusterConfig(
            name="soak",
            id="soak",  # the clients have other addresses: those of the proxies
            machine=machine_name(machine),
            replicas=tuple(
                ReplicaConfig(f"tcp://{HOST}:{port}", directory / str(node))
                for node, port in enumerate(_free_ports(replicas))
            ),
            policy=policy,
            snapshot_commands=snapshot_commands,
        )
        self._file = directory / "cluster.toml"
        self.network = Network(self.config)
        self.processes = SoakProcesses(self.config, self._file, self.network.routes)
        self._clients: list[Client] = []

    async def __aenter__(self) -> SoakCluster:
        self._file.write_text(self.config.text(), encoding="utf-8")
        await self.network.__aenter__()
        try:
            await asyncio.to_thread(self._start)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()
        await asyncio.to_thread(self.processes.stop)
        await self.network.__aexit__()

    def _start(self) -> None:
        self.processes.create()
        for node in range(len(self.config.replicas)):
            self.processes.start(node)
        self.processes.wait_ready(READY_S)

    async def client(self, **options: Any) -> Client:
        """A connected client, closed with the cluster."""
        client = await Client(self.network.for_clients(), **options).__aenter__()
        self._clients.append(client)
        return client

    def status(self, timeout_s: float = 0.3) -> dict[int, dict[str, Any]]:
        """The rows of the replicas that answer; asked directly, not through the network."""
        answers = ask_each([replica.address for replica in self.config.replicas], "status", timeout_s=timeout_s)
        return {node: row for node, row in enumerate(answers) if not isinstance(row, NoAnswer)}

    def coordinator(self) -> int | None:
        """Who coordinates the highest ballot, as far as the replicas that answer say."""
        leading = [(row["promised"], node) for node, row in self.status().items() if row["role"] == "coordinator"]
        return max(leading)[1] if leading else None


def takes_part(row: Mapping[str, Any]) -> bool:
    """Whether a replica, by its own status, votes: no fault stopped it, and it is not on its way back in."""
    return row["error"] is None and row["role"] != "rejoining"


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on just now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
