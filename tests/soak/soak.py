"""A run: real replicas, a steady load, faults, and the demo's verdict with what only faults can tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from genpaxos.core.ballot import Policy
from genpaxos.demo import run as demo
from genpaxos.demo.evidence import ReplicaEvidence, collect
from genpaxos.demo.run import Record
from genpaxos.demo.verdict import Check, judge, passed
from genpaxos.runtime.client import Client
from tests.soak import pauses
from tests.soak.cluster import SoakCluster
from tests.soak.faults import DRAWN, FINAL_CALM_S, Kind, plan
from tests.soak.growth import Growth
from tests.soak.injector import Injector
from tests.soak.pauses import Pauses
from tests.soak.watch import Watch
from tests.soak.workload import WORKLOADS

TIMEOUT_S = 3.0
"""A client's patience; then a command's outcome is unknown to it, and it asks again."""
TRIES = 30
EXPECTED_LINES = (
    "listens on",
    "stops taking part: StorageError",  # a full disk: the watch tells whether a fault made it
    "took no snapshot, so its journal goes on growing: OSError: [Errno 27] File too large",  # likewise
    "does not hear this one: dialling it anew",
)
"""What a replica may print: its start, and what faults make it say."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of."""

    seconds: float = 120.0
    rate: float = 400.0
    """Commands a second, all clients together; what a pause holds up is made up for as far as time allows."""
    seed: int = 1
    replicas: int = 5
    clients: int = 8
    machine: str = "bank"
    interference: float = 0.3
    policy: Policy = Policy.LEADER_ORDERED
    snapshot_commands: int = 2_000
    """So few that every replica takes snapshots, and needs those of others, all the time."""
    kinds: tuple[Kind, ...] = DRAWN

    def as_demo(self) -> demo.Options:
        """The same in the demo's words, which its verdict is about; how many commands there are is seen in the end."""
        return demo.Options(
            machine=self.machine,
            replicas=self.replicas,
            clients=self.clients,
            commands=round(self.rate * self.seconds),
            seed=self.seed,
            interference=self.interference,
            policy=self.policy,
        )


@dataclass(slots=True)
class Run:
    """A run under way, and what has been seen of it."""

    options: Options
    record: Record
    cluster: SoakCluster
    injector: Injector
    watch: Watch
    submitted: int = 0
    """Commands, the opening's apart."""
    over: bool = False
    """Set when clients are to submit no more."""
    evidence: list[ReplicaEvidence] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def story(self) -> str:
        """Everything that happened, a line each: what to read when the verdict is no."""
        return "\n".join(f"{event.at_s:9.3f} s  {event.text}" for event in self.record.events)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run was like, and the verdict on it."""

    run: Run
    pauses: Pauses
    checks: dict[str, Check]

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return passed(self.checks)

    @property
    def unknown(self) -> int:
        """How often a client asked again for what had become of a command."""
        return sum("asking again" in event.text for event in self.run.record.events)


def soak(options: Options, directory: Path, look: Callable[[Run], None] = lambda _: None) -> Outcome:
    """Run and judge; ``look`` is handed the run as soon as it is under way.

    Raises :class:`genpaxos.GenpaxosError` if the cluster does not start or does not come to rest.
    """
    run = asyncio.run(_run(options, directory, look))
    found = pauses.measure(run.record, run.injector.episodes, run.watch.samples)
    strange = [*run.watch.failures, *run.injector.failures, *run.complaints]
    checks = {
        **judge(run.record, run.evidence),
        "archive": _archive(run),
        "flat": run.watch.growth.check(),
        **found.checks(),
        "no surprise": (not strange, "; ".join(strange) or "no replica stopped or complained unless a fault made it"),
    }
    return Outcome(run, found, checks)


async def _run(options: Options, directory: Path, look: Callable[[Run], None]) -> Run:
    workload = WORKLOADS[options.machine](options.seed, options.interference)
    record = Record(options.as_demo(), workload)
    machine, policy = workload.machine, options.policy
    growth = Growth(options.snapshot_commands, options.rate)
    async with SoakCluster(
        machine,
        directory,
        replicas=options.replicas,
        policy=policy,
        snapshot_commands=options.snapshot_commands,
    ) as cluster:
        injector = Injector(cluster, record)
        run = Run(options, record, cluster, injector, Watch(cluster, injector, growth))
        look(run)
        await _load_and_faults(run)
        check, archive = cluster.processes.check, run.watch.archive
        run.evidence = await asyncio.to_thread(collect, cluster.config, check, archive)
        await run.watch.look()
        record.status = list((await asyncio.to_thread(cluster.status, 2.0)).values())
        run.complaints = _complaints(cluster)
    return run


async def _load_and_faults(run: Run) -> None:
    options, record = run.options, run.record
    clients = [await run.cluster.client(timeout_s=TIMEOUT_S) for _ in range(options.clients)]
    record.started_s = time.monotonic()
    for command in record.workload.opening():
        await demo.call(clients[0], "opening", command, record, tries=TRIES)
    record.started_s = time.monotonic()
    watching = asyncio.create_task(run.watch.run())
    working = [asyncio.create_task(_work(client, number, run)) for number, client in enumerate(clients)]
    faults = asyncio.create_task(_faults(run))
    try:
        await asyncio.gather(faults, *working)
        record.ended_s = time.monotonic()
    finally:
        run.watch.stop()
        for task in (faults, *working):
            task.cancel()
        await asyncio.gather(watching, faults, *working, return_exceptions=True)
    await watching  # an end it came to is one of the run's
    record.options = replace(record.options, commands=run.submitted)


async def _faults(run: Run) -> None:
    """The plan, and a calm in which all can be seen to be well again: the load ends after that, never before."""
    end_s = run.record.started_s + run.options.seconds
    options = run.options
    await run.injector.run(plan(options.seed, options.seconds, options.replicas, options.kinds), end_s)
    await asyncio.sleep(max(FINAL_CALM_S, end_s - time.monotonic()))
    run.over = True


async def _work(client: Client, number: int, run: Run) -> None:
    """One client: a command after the other, none before its time, until the run is over."""
    options, record = run.options, run.record
    for turn, command in enumerate(record.workload.stream(number)):
        due_s = record.started_s + (turn * options.clients + number) / options.rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        if run.over:
            return
        run.submitted += 1
        await demo.call(client, f"client-{number}", command, record, tries=TRIES)


def _archive(run: Run) -> Check:
    """Whether all that any replica ever told of the log is one log, the one that is judged."""
    archive, told = run.watch.archive, len(run.evidence[0].ids)
    if archive.contradictions:
        return False, f"{len(archive.contradictions)} contradictions: {archive.contradictions[0]}"
    cut = min(run.watch.growth.cuts.values())
    return len(archive) == told, (
        f"{len(archive):,} commands were told while the replicas ran and {told:,} in the end, when each had cut off at "
        f"least {cut:,}; nobody contradicted"
    )


def _complaints(cluster: SoakCluster) -> list[str]:
    """What replicas printed that they have no reason to print."""
    found: list[str] = []
    for node, replica in enumerate(cluster.config.replicas):
        earlier = replica.directory.parent.glob(f"{replica.directory.name}.lost-*/log")
        for log in [*earlier, cluster.processes.log_file(node)]:
            lines = log.read_text(encoding="utf-8").splitlines()
            strange = [line for line in lines if not any(expected in line for expected in EXPECTED_LINES)]
            found += [f"log of replica {node}: {line}" for line in strange[:5]]
    return found
