"""The engine's stack without consensus, behind the engine's client: what replication is measured against."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.harness import tally
from bench.harness.bulk import BulkLoop, described
from bench.harness.cluster import data_directory, free_ports
from bench.harness.contender import Load
from bench.harness.options import Options
from bench.peers.children import Children
from bench.peers.peer import Peer
from commutativity import Command, OperationError
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.local import machine_name
from genpaxos.runtime.query import NoAnswer, ask

SERVER = "server"
DATA = "data"
READY_S = 30.0
FILL_OUTSTANDING = 8


class Unreplicated(Peer):
    """One server; a machine in this process takes the same commands, to compare."""

    def __init__(self, about: str, children: Children, options: Options, address: str, client: Client) -> None:
        super().__init__(about, children, options.deadline_s)
        self.address = address
        self.many = options.many
        self._machine = options.machine
        self._client = client
        self._ran: list[Command[Any]] = []

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Run all, so many at a time. Raises :class:`BenchError`."""
        if self.many:
            load = await BulkLoop(self._client, commands, outstanding).run(self.deadline_s)
        else:
            load = await self._closed_loop(self._client, commands, outstanding)
        self._ran += commands
        return load

    def load_made(self, outstanding: int) -> str:
        """As the engine's is."""
        return described(outstanding, many=self.many)

    async def fill(self, keys: int) -> None:
        """By the very commands that the engine gets. Raises :class:`BenchError`."""
        opening = tally.opening(keys)
        await self._closed_loop(self._client, opening, FILL_OUTSTANDING)
        self._ran += opening

    def stored(self) -> dict[str, Path]:
        """Its journal."""
        return {SERVER: self.children.directory / DATA}

    async def verify(self) -> dict[str, Any]:
        """The server holds what the same commands make elsewhere, each once. Raises :class:`BenchError`."""
        model = self._machine()
        for command in self._ran:
            with suppress(OperationError):
                model.apply(command.operation, list(command.arguments))
        judge(ask(self.address, "state", timeout_s=10.0), len(self._ran), model.snapshot())
        return {"state_as_expected": True, "acknowledged": len(self._ran)}


def judge(state: dict[str, Any], commands: int, expected: Any) -> None:
    """Raise :class:`BenchError` unless the server applied so many commands and holds the expected state."""
    if state["applied"] != commands:
        raise BenchError(f"unreplicated: {commands:,} commands were acknowledged and {state['applied']:,} applied")
    if state["machine"] != expected:
        raise BenchError("unreplicated: the server's state is not what the acknowledged commands make")


@asynccontextmanager
async def start(options: Options, *, sync: bool = True) -> AsyncIterator[Unreplicated]:
    """A server that is up; gone with its data when left. Raises :class:`BenchError`."""
    with data_directory(options.directory) as directory, Children(directory) as children:
        address = f"tcp://127.0.0.1:{free_ports(1)[0]}" if options.tcp else f"ipc://{directory}/server.sock"
        config = ClusterConfig("unreplicated", machine_name(options.machine), (ReplicaConfig(address, directory),))
        serve(children, address, directory / DATA, config.machine, sync=sync)
        async with Client(config, timeout_s=options.deadline_s / 2) as client:
            about = f"one server without consensus, {'synced' if sync else 'not synced'}"
            yield Unreplicated(about, children, options, address, client)


def serve(children: Children, address: str, directory: Path, machine: str, *, sync: bool) -> None:
    """Start the server of a machine, ``module:Class``, from what the directory holds, and wait until it answers.

    Raises :class:`BenchError`.
    """
    flags = ["--sync"] if sync else []
    children.start_python(SERVER, "bench.peers.unreplicated_server", address, str(directory), machine, *flags)
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        children.check()
        with suppress(NoAnswer):
            ask(address, "state", timeout_s=0.5)
            return
    raise BenchError(f"the unreplicated server did not answer within {READY_S:g} s")
