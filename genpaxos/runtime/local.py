"""Real replica processes in a temporary directory: what ``LocalCluster`` starts, and ends."""

import asyncio
import os
import random
import resource
import secrets
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from xxhash import xxh3_64_hexdigest

from commutativity import Machine
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.errors import ConfigError, WrongContext
from genpaxos.runtime import options
from genpaxos.runtime.blocking import BlockingClient
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import (
    ADDRESS,
    CHECKSUM_S,
    IPC_PATH_BYTES_MAX,
    SNAPSHOT_COMMANDS,
    ClusterConfig,
    ReplicaConfig,
)
from genpaxos.runtime.processes import ReplicaProcesses
from genpaxos.runtime.query import ask_cluster

READY_S = 30.0
FEW_DESCRIPTORS = 1_024
"""Fewer than this many, a crowd of clients may use up at once."""
PORTS = range(20_000, 32_000)
"""Those that the system gives to no outgoing connection, which could be in the way of a replica's restart."""


class LocalReplicas:
    """What :class:`~genpaxos.local.LocalCluster` is, without its pictures."""

    def __init__(
        self,
        machine: type[Machine],
        *,
        replicas: int = 3,
        policy: Policy | str = Policy.LEADER_ORDERED,
        fast: FastQuorums | str = FastQuorums.PINNED,
        timing: Timing | None = None,
        snapshot_commands: int = SNAPSHOT_COMMANDS,
        checksum_s: int = CHECKSUM_S,
        directory: Path | str | None = None,
    ) -> None:
        machine_text = machine_name(options.machine_class(machine))
        options.whole("replicas", replicas, 1, REPLICAS_MAX, "a number of replicas")
        policy, fast = options.choice("policy", Policy, policy), options.choice("fast", FastQuorums, fast)
        timing = Timing() if timing is None else options.instance("timing", Timing, timing)
        options.whole("snapshot_commands", snapshot_commands, 0, 10**9, "a number of commands (0: never)")
        options.whole("checksum_s", checksum_s, 0, 10**9, "a whole number of seconds (0: never)")
        self._own = directory is None
        self.directory = (
            Path(tempfile.mkdtemp(prefix="genpaxos-")) if directory is None else options.path("directory", directory)
        )
        sockets = socket_directory(self.directory)
        self._sockets = None if sockets == self.directory else sockets
        addresses = local_addresses(sockets, replicas)
        self.config = ClusterConfig(
            name=machine.__name__.lower(),
            id=secrets.token_hex(16),
            machine=machine_text,
            replicas=tuple(
                ReplicaConfig(address, self.directory / str(node)) for node, address in enumerate(addresses)
            ),
            policy=policy,
            fast=fast,
            timing=timing,
            snapshot_commands=snapshot_commands,
            checksum_s=checksum_s,
        )
        self.cluster_file = self.directory / "cluster.toml"
        self.processes = ReplicaProcesses(self.config, self.cluster_file)
        self._clients: list[Client] = []
        self._blocking: list[BlockingClient] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))  # others go on in this event loop meanwhile
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            with suppress(WrongContext):  # it lives in the event loop of another thread, which closes it
                await client.close()
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Make the directories, start all replicas, and wait until one coordinates."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if self._sockets is not None:
                _make_private(self._sockets)
            self.cluster_file.write_text(self.config.text(), encoding="utf-8")
            ClusterConfig.load(self.cluster_file)  # complains before anything is started
            self.processes.create()
            for node in range(len(self.config.replicas)):
                self.processes.start(node)
            self.processes.wait_ready(READY_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all replicas; a temporary directory is removed. In a fork of the process that made the cluster it ends
        only what was made there: the replicas are the parent's."""
        for client in self._blocking:
            client.close()
        self.processes.stop()
        if self._own and self.processes.are_own:
            shutil.rmtree(self.directory, ignore_errors=True)
        if self._sockets is not None and self.processes.are_own:
            shutil.rmtree(self._sockets, ignore_errors=True)

    async def client(self, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None) -> Client:
        """A connected client, closed with the cluster. It may also be made in a fork of this process."""
        client = await Client(self.config, timeout_s=timeout_s, retry_s=retry_s, home=home).__aenter__()
        self._clients.append(client)
        return client

    def client_sync(self, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None) -> BlockingClient:
        """A connected blocking client, closed with the cluster. It may also be made in a fork of this process."""
        client = BlockingClient(self.config, timeout_s=timeout_s, retry_s=retry_s, home=home)
        self._blocking.append(client)
        return client

    def kill(self, node: int) -> None:
        """``kill -9`` a replica."""
        self.processes.kill(node)

    def restart(self, node: int) -> None:
        """Start a killed replica again from its directory."""
        self.processes.start(node)

    def status(self) -> list[Any]:
        """Every replica's status; a :class:`NoAnswer` where there is none."""
        return ask_cluster(self.config, "status")

    def coordinator(self) -> int | None:
        """The replica that coordinates, if one says so."""
        leading = [row["node"] for row in self.status() if isinstance(row, dict) and row["role"] == "coordinator"]
        return leading[0] if leading else None


def local_addresses(sockets: Path, replicas: int) -> list[str]:
    """Where the replicas listen: on Unix sockets in ``sockets``; on TCP ports of this machine where processes may have
    few file descriptors, since libzmq ends a process that has none left for a Unix socket that it accepts.

    Raises :class:`ConfigError` if no ports are free.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= FEW_DESCRIPTORS:
        return [f"ipc://{sockets}/{node}.sock" for node in range(replicas)]
    ports = [port for port in random.sample(PORTS, 50 * replicas) if _is_free(port)]
    if len(ports) < replicas:
        raise ConfigError(f"no free ports from {PORTS.start} to {PORTS.stop - 1} on this machine")
    return [f"tcp://127.0.0.1:{port}" for port in ports[:replicas]]


def _is_free(port: int) -> bool:
    with socket.socket() as made:
        try:
            made.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def socket_directory(directory: Path) -> Path:
    """Where the sockets of a cluster in ``directory`` are: there, or in a short directory of their own if its path is
    too long for a Unix socket or has spaces. The same directory always gives the same answer: replicas remember it.
    """
    plain = f"ipc://{directory}/0.sock"
    if len(os.fsencode(directory)) + len("/00.sock") <= IPC_PATH_BYTES_MAX and ADDRESS.fullmatch(plain):
        return directory
    return Path("/tmp") / f"genpaxos-{os.getuid()}-{xxh3_64_hexdigest(os.fsencode(directory.absolute()))}"


def _make_private(short: Path) -> None:
    """Make a directory that nobody else can use. Raises :class:`ConfigError` if that cannot be."""
    try:
        short.mkdir(mode=0o700, exist_ok=True)
        ours = short.lstat().st_uid == os.getuid() and not short.is_symlink()
    except OSError as error:
        raise ConfigError(
            f"the path of the cluster's directory is too long for Unix sockets, and {short} cannot be made: {error}. "
            "Choose a shorter directory="
        ) from error
    if not ours:
        raise ConfigError(
            f"{short} belongs to somebody else: remove it, or choose a shorter directory= for the cluster"
        )


def machine_name(machine: type[Machine]) -> str:
    """How other processes can import a machine. Raises :class:`ConfigError` for one they cannot."""
    if "<locals>" in machine.__qualname__:
        raise ConfigError(
            f"{machine.__qualname__} is defined inside a function, where replica processes cannot import it: move the "
            "class to the module's top level"
        )
    if machine.__module__ != "__main__":
        return f"{machine.__module__}:{machine.__qualname__}"
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None or not Path(script).exists():
        raise ConfigError(
            f"{machine.__name__} is defined interactively, where replica processes cannot import it: "
            "move it to a module (in a notebook, %%writefile machine.py) and import it from there"
        )
    return f"{Path(script).resolve()}:{machine.__qualname__}"
