"""A cluster to measure, with one client: replicas are processes of their own, durable, on loopback."""

import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.harness import workload
from bench.harness.bulk import BulkLoop, described
from bench.harness.contender import Load
from bench.harness.cpu import replica_pids
from bench.harness.load import ClosedLoop
from bench.harness.options import Options
from commutativity import Command, Machine
from genpaxos.core.ballot import Policy
from genpaxos.local import LocalCluster
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ReplicaConfig
from genpaxos.runtime.processes import ReplicaProcesses
from genpaxos.runtime.query import NoAnswer


@dataclass(slots=True)
class Bench:
    """A running cluster, its client, and every command acknowledged so far: by id, or what was submitted in bulk."""

    cluster: LocalCluster
    client: Client
    deadline_s: float
    home: int | None = None
    """The replica asked for results; ``None``: the coordinator."""
    many: bool = False
    """Whether commands are submitted in bulk, which tells no ids."""
    machine: type[Machine] = workload.MACHINE
    acknowledged: list[str] = field(default_factory=list)
    submitted: list[Command[Any]] = field(default_factory=list)

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Run all commands, so many at a time. Raises :class:`BenchError` if they do not end in time."""
        if self.many:
            load = await BulkLoop(self.client, commands, outstanding).run(self.deadline_s)
            self.submitted += commands
            return load
        loop = ClosedLoop(self.client, iter(commands), outstanding)
        await loop.run(self.deadline_s)
        self.acknowledged += loop.ids
        return loop.load

    def load_made(self, outstanding: int) -> str:
        """How commands come to be outstanding."""
        return described(outstanding, many=self.many)

    def pids(self) -> dict[str, int]:
        """The replicas' processes."""
        return {f"replica {node}": pid for node, pid in sorted(replica_pids(self.cluster.cluster_file).items())}

    def status(self) -> list[dict[str, Any]]:
        """What the replicas that answer say."""
        return [row for row in self.cluster.status() if not isinstance(row, NoAnswer)]

    def learned(self) -> tuple[int, int]:
        """How many commands the home has learned first on the fast, and on the classic path, since it started."""
        for row in self.status():
            if row["node"] == self.home or (self.home is None and row["role"] == "coordinator"):
                return row["fast"], row["classic"]
        return 0, 0

    def roles(self) -> dict[str, Any]:
        """Who coordinates, and which replicas the fast quorum is pinned to (``None``: not pinned)."""
        for row in self.status():
            if row["role"] == "coordinator":
                return {"coordinator": row["node"], "pinned": row["pinned"]}
        return {"coordinator": None, "pinned": None}


@asynccontextmanager
async def running(options: Options, policy: Policy) -> AsyncIterator[Bench]:
    """A cluster that is up, a bank's with its hot account filled; gone with its data when left."""
    with data_directory(options.directory) as directory:
        cluster = LocalCluster(
            options.machine,
            replicas=options.replicas,
            policy=policy,
            snapshot_commands=options.snapshot_commands,
            directory=directory,
        )
        if options.tcp:
            _use_tcp(cluster)
        async with cluster:
            # The client gives up first: it can say who was reachable.
            client = await cluster.client(timeout_s=options.deadline_s / 2, home=options.home)
            bench = Bench(cluster, client, options.deadline_s, options.home, options.many, options.machine)
            if options.machine is workload.MACHINE:
                await bench.run(workload.opening(), 1)
            yield bench


@contextmanager
def data_directory(parent: Path | None) -> Iterator[Path]:
    """A directory for the data of one contender, gone when left."""
    with tempfile.TemporaryDirectory(prefix="genpaxos-bench-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _use_tcp(cluster: LocalCluster) -> None:
    """Let the replicas listen on free ports of 127.0.0.1 instead of ipc sockets."""
    ports = free_ports(len(cluster.config.replicas))
    cluster.config = replace(
        cluster.config,
        replicas=tuple(
            ReplicaConfig(f"tcp://127.0.0.1:{port}", known.directory)
            for port, known in zip(ports, cluster.config.replicas, strict=True)
        ),
    )
    cluster.processes = ReplicaProcesses(cluster.config, cluster.cluster_file)


def free_ports(count: int) -> list[int]:
    """Distinct ports free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()
