"""One demo run: start the cluster, let the clients work, kill and restart a replica if asked, keep a record."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from commutativity import Command, OperationError
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.demo.workload import WORKLOADS, Workload
from genpaxos.errors import OperationFailed, Unknown
from genpaxos.linearizability import Call, Failed
from genpaxos.local import LocalCluster
from genpaxos.runtime.client import Client, Submission

KILL_AT = 0.4
"""The replica is killed when this share of the commands is acknowledged …"""
DOWN_S = 1.0
"""… and started again this much later, or when the commands run out."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of."""

    machine: str = "bank"
    replicas: int = 5
    clients: int = 8
    commands: int = 5_000
    seed: int = 1
    interference: float = 0.1
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    kill: str | None = None
    """``coordinator``, ``any``, or ``None``."""


@dataclass(slots=True)
class Event:
    """Something that happened during the run, in seconds since its start."""

    at_s: float
    kind: Literal["fault", "repair", "note"]
    text: str


@dataclass(slots=True)
class Record:
    """What the clients saw. ``calls`` and ``ids`` are parallel; times are seconds on one monotonic clock."""

    options: Options
    workload: Workload
    calls: list[Call] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    acknowledged: int = 0
    events: list[Event] = field(default_factory=list)
    started_s: float = 0.0
    ended_s: float = 0.0
    killed: int | None = None
    killed_s: float | None = None
    status: list[Any] = field(default_factory=list)
    """Every replica's status at the end."""

    @property
    def seconds(self) -> float:
        """How long the clients worked."""
        return (self.ended_s or time.monotonic()) - self.started_s

    def note(self, kind: Literal["fault", "repair", "note"], text: str) -> None:
        """Record an event."""
        self.events.append(Event(time.monotonic() - self.started_s, kind, text))

    def latencies_ms(self) -> list[float]:
        """The latencies of the calls that returned, sorted."""
        return sorted((c.returned_at - c.invoked_at) * 1000 for c in self.calls if c.returned_at is not None)

    def pause_s(self) -> float | None:
        """After a kill: the longest time without any acknowledgement."""
        if self.killed_s is None:
            return None
        times = sorted(call.returned_at for call in self.calls if call.returned_at is not None)
        gaps = [after - before for before, after in pairwise(times) if after >= self.killed_s]
        return max(gaps, default=None)


async def run(cluster: LocalCluster, record: Record) -> None:
    """Run the clients against a cluster that is up; fills ``record``."""
    options = record.options
    clients = [await cluster.client(timeout_s=30.0) for _ in range(options.clients)]
    shares = [
        options.commands // options.clients + (n < options.commands % options.clients) for n in range(options.clients)
    ]
    record.started_s = time.monotonic()
    for command in record.workload.opening():
        await call(clients[0], "opening", command, record)
    record.started_s = time.monotonic()
    faults = asyncio.create_task(_faults(cluster, record)) if options.kill else None
    await asyncio.gather(
        *(
            _client(client, f"client-{number}", record.workload.commands(number, share), record)
            for number, (client, share) in enumerate(zip(clients, shares, strict=True))
        )
    )
    record.ended_s = time.monotonic()
    if faults is not None:
        await faults


async def _client(client: Client, name: str, commands: list[Command[Any]], record: Record) -> None:
    for command in commands:
        await call(client, name, command, record)


async def call(client: Client, name: str, command: Command[Any], record: Record, *, tries: int = 2) -> None:
    """Submit one command and record its outcome; further tries use the same id."""
    invoked_at = time.monotonic()
    submission = client.start(command)
    returned_at: float | None = None
    result: Any = None
    try:
        result = await _outcome(client, submission, record, tries)
        returned_at = time.monotonic()
    except OperationError as error:
        returned_at = time.monotonic()
        result = Failed(error.code, error.message)
    except OperationFailed as failed:
        returned_at = time.monotonic()
        result = Failed(OPERATION_FAILED, f"{failed.type_name}: {failed.text}")
    except Unknown as unknown:
        record.note("fault", str(unknown))
    record.calls.append(Call(name, command.operation, command.arguments, invoked_at, returned_at, result))
    record.ids.append(submission.id)
    record.acknowledged += returned_at is not None


async def _outcome(client: Client, submission: Submission[Any], record: Record, tries: int) -> Any:
    answer: Awaitable[Any] = submission
    for _ in range(tries - 1):
        try:
            return await answer
        except Unknown as unknown:
            record.note("note", f"outcome of {unknown.id} unknown, asking again")
            answer = client.resubmit(unknown)
    return await answer


async def _faults(cluster: LocalCluster, record: Record) -> None:
    options = record.options
    while record.acknowledged < KILL_AT * options.commands:
        if record.ended_s:
            return
        await asyncio.sleep(0.005)
    coordinator = cluster.coordinator()
    victim = coordinator
    if options.kill == "any" or victim is None:
        victim = random.Random(options.seed).randrange(options.replicas)
    record.killed, record.killed_s = victim, time.monotonic()
    cluster.kill(victim)
    record.note("fault", f"kill -9 replica {victim}{' (coordinator)' if victim == coordinator else ''}")
    while not record.ended_s and time.monotonic() - record.killed_s < DOWN_S:
        await asyncio.sleep(0.01)
    cluster.restart(victim)
    record.note("repair", f"replica {victim} starts again from its directory")


def make(options: Options) -> Record:
    """An empty record for a run."""
    return Record(options, WORKLOADS[options.machine](options.seed, options.interference))


def start(
    options: Options,
    record: Record,
    settle: Callable[[LocalCluster], None],
    watch: Callable[[LocalCluster], None],
) -> None:
    """Bring up a cluster, tell ``watch``, run, and hand the still running cluster to ``settle``."""

    async def main() -> None:
        async with LocalCluster(
            record.workload.machine,
            replicas=options.replicas,
            policy=options.policy,
            fast=options.fast,
            snapshot_commands=0,  # the verdict reads the whole log
        ) as cluster:
            watch(cluster)
            await run(cluster, record)
            settle(cluster)

    asyncio.run(main())
