"""One seeded run in a hostile world, with everything checked that can be: what the chaos and mutation tests share.

Beyond :class:`SimulatedCluster` the world here delivers messages in *batches* (a promise and a vote in one step), sees
to it that what any replica learned fast is committed with that very digest, and keeps the clients' history.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from commutativity import Command
from examples.bank import Bank
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.learner import Learned
from genpaxos.core.messages import PeerMessage, Propose
from genpaxos.core.replica import Replica
from genpaxos.core.roles import Settings
from genpaxos.simulation.cluster import Faults, SafetyViolationError, SimulatedCluster
from genpaxos.simulation.linearizability import Call, Failed, check_linearizable

CLIENTS = 3
ACCOUNTS = "abc"
STEPS_MAX = 100_000
"""A run takes some thousand steps; one that takes more than this is going round in circles."""


class StalledError(Exception):
    """The healed cluster did not answer everything: a failure of liveness, not of safety."""


@dataclass(frozen=True)
class World:
    """What one run is made of."""

    replicas: int = 3
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    faults: Faults = field(default_factory=Faults)
    commands: int = 40
    chaos_ms: float = 4000.0
    batch_ms: float = 0.0
    """Messages for one replica are kept back up to so long, and then handled in one step."""
    accounts: str = ACCOUNTS
    timing: Timing = field(default_factory=Timing)
    sync_first: bool = True
    """What leaves a replica is made durable first; ``False`` is a deliberate error."""
    accepts_stalls: bool = False


class ChaosCluster(SimulatedCluster):
    """The simulated cluster, and more eyes on it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.learned: dict[str, int] = {}
        """What any replica learned by the fast rule, with its digest."""
        self.calls: dict[str, tuple[float, Command[Any]]] = {}
        self.answered_ms: dict[str, float] = {}
        self._step_learned: list[Learned] = []
        self._steps = 0
        self._inbox: list[tuple[list[tuple[int, PeerMessage]], list[tuple[str, Propose]]] | None]
        self._inbox = [None] * world.replicas
        self._batching = random.Random(~seed)
        settings = Settings(world.replicas, world.policy, world.fast, world.timing)
        super().__init__(Bank, settings, seed=seed)

    def submit(self, client: str, command: Command[Any], *, to: Sequence[int] | None = None) -> str:
        name = super().submit(client, command, to=to)
        self.calls[name] = (self.now_ms, command)
        return name

    def history_calls(self) -> tuple[list[Call], list[int]]:
        """What the clients saw, and the order of the log as a hint to explain it by."""
        names = list(self.calls)
        calls = []
        for name, (invoked_ms, command) in self.calls.items():
            error, value = self.results.get(name, (None, None))
            outcome = value if error is None else Failed(error, str(value))
            calls.append(
                Call(name, command.operation, command.arguments, invoked_ms, self.answered_ms.get(name), outcome)
            )
        position = {name: index for index, name in enumerate(names)}
        return calls, [position[name] for name, _ in self.log]

    def restart(self, node: int) -> None:
        super().restart(node)
        replica = self.replicas[node]
        assert replica is not None
        learn = replica._learned

        def learned(news: Learned) -> None:
            self._step_learned.append(news)
            learn(news)

        replica._learned = learned  # type: ignore[method-assign, assignment]

    def crash(self, node: int) -> None:
        self._inbox[node] = None
        super().crash(node)

    def _answer(self, name: str, result: list[Any]) -> None:
        self.answered_ms.setdefault(name, self.now_ms)
        super()._answer(name, result)

    def _step(
        self,
        node: int,
        peers: Sequence[tuple[int, PeerMessage]] = (),
        clients: Sequence[tuple[str, Propose]] = (),
    ) -> None:
        if self.replicas[node] is None:
            return
        box = self._inbox[node]
        if self.world.batch_ms and (peers or clients):
            if box is None:
                box = self._inbox[node] = ([], [])
                replica = self.replicas[node]
                self.at(
                    self.now_ms + self._batching.uniform(0, self.world.batch_ms), lambda: self._drain(node, replica)
                )
            box[0].extend(peers)
            box[1].extend(clients)
            return
        if box is not None:
            self._inbox[node], peers, clients = None, [*box[0], *peers], [*box[1], *clients]
        self._handle(node, peers, clients)

    def _drain(self, node: int, replica: Replica | None) -> None:
        if self.replicas[node] is replica and self._inbox[node] is not None:
            self._step(node)

    def _handle(
        self, node: int, peers: Sequence[tuple[int, PeerMessage]], clients: Sequence[tuple[str, Propose]]
    ) -> None:
        self._steps += 1
        _expect(self._steps < STEPS_MAX, "the replicas never come to rest")
        self._step_learned = []
        if self.world.sync_first or node not in self._doomed:
            super()._step(node, peers, clients)
            return
        replica = self.replicas[node]
        assert replica is not None
        effects = replica.step(self.now_ms, peers, clients)
        self._carry_out(node, effects)
        self._doomed.discard(node)
        self.crash(node)

    def _check(self, replica: Replica) -> None:
        committed = len(self.log)
        super()._check(replica)
        for ids, digests in self._step_learned:
            for command, digest in zip(ids, digests, strict=True):
                if self.learned.setdefault(command, digest) != digest:
                    raise SafetyViolationError(f"{command} was learned fast with two digests")
                at = replica.history.positions.get(command)
                if at is not None and at <= min(len(self.log), replica.history.committed):
                    self._same(command, self.log[at - 1][1])
        for command, digest in self.log[committed:]:
            self._same(command, digest)

    def _same(self, command: str, digest: int) -> None:
        if self.learned.get(command, digest) != digest:
            raise SafetyViolationError(f"{command} was learned fast with one digest and committed with another")


def draw_command(draw: random.Random, accounts: str) -> Command[Any]:
    """A command of the bank; whether it interferes with the others is chance."""
    account, chance = draw.choice(accounts), draw.random()
    if chance < 0.5:
        return Bank.deposit(account, draw.randint(1, 9))
    if chance < 0.7:
        return Bank.withdraw(account, draw.randint(1, 9))
    if chance < 0.8:
        return Bank.transfer(account, draw.choice(accounts), 2)
    return Bank.balance(account) if chance < 0.95 else Bank.total()


def run(seed: int, world: World) -> ChaosCluster:
    """Commands while everything fails, then healing, then every check there is.

    Raises :class:`SafetyViolationError`, :class:`DivergenceError` or another error of the replicas when the protocol is
    broken, and :class:`StalledError` when it no longer answers.
    """
    draw = random.Random(seed)
    cluster = ChaosCluster(world, seed)
    _expect(cluster.run_until(lambda: any(r.coordinator.leading for r in cluster.alive()), 5000), "no coordinator")
    cluster.faults = world.faults
    names: list[str] = []
    cluster.unleash(world.chaos_ms)
    for _ in range(world.commands):
        client = f"c{draw.randrange(CLIENTS)}"
        names.append(cluster.submit(client, draw_command(draw, world.accounts)))
        cluster.run_for(draw.uniform(0, 2 * world.chaos_ms / world.commands))
    cluster.run_for(max(0.0, world.chaos_ms - cluster.now_ms))
    heal(cluster)
    if not world.accepts_stalls or all(name in cluster.results for name in names):
        calls, hint = cluster.history_calls()
        verdict = check_linearizable(Bank, calls, hint=hint)
        if not verdict:
            raise SafetyViolationError(str(verdict))
    return cluster


def heal(cluster: ChaosCluster) -> None:
    """End all faults and wait until everybody has everything."""
    cluster.faults = Faults()
    cluster.run_for(cluster.world.faults.down_ms[1] + cluster.world.faults.cut_ms[1])
    for node, replica in enumerate(cluster.replicas):
        if replica is None:
            cluster.restart(node)
    answered = cluster.run_until(lambda: all(name in cluster.results for name in cluster.calls), 10_000)
    _expect(answered or cluster.world.accepts_stalls, "commands without an answer")
    quiet = cluster.run_until(lambda: _at_rest(cluster), 10_000)
    _expect(quiet or cluster.world.accepts_stalls, "the replicas do not come to rest")
    if quiet:
        cluster.check_finally()


def _at_rest(cluster: ChaosCluster) -> bool:
    alive = cluster.alive()
    committed = alive[0].history.committed
    return all(r.history.committed == r.history.length == committed and not r.history.tail for r in alive)


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise StalledError(what)


def draw_world(seed: int) -> World:
    """Any world: 3 to 5 replicas, every policy, every fault."""
    draw = random.Random(seed * 7 + 1)
    policy = draw.choice([Policy.LEADER_ORDERED] * 3 + [Policy.CLASSIC])
    return World(
        replicas=draw.choice([3, 3, 4, 5]),
        policy=policy,
        fast=draw.choice([FastQuorums.PINNED, FastQuorums.PINNED, FastQuorums.ANY]),
        faults=Faults(
            loss=draw.choice([0, 0.01, 0.1]),
            duplication=draw.choice([0, 0.05, 0.3]),
            delay_ms=draw.choice([(0.2, 2), (0.2, 30), (1, 120)]),
            crash=draw.choice([0, 0.001, 0.003, 0.01]),
            cut=draw.choice([0, 0.001, 0.01]),
        ),
        commands=draw.choice([30, 60]),
        batch_ms=draw.choice([0, 0, 2, 20]),
    )


def draw_duel(seed: int) -> World:
    """Coordinators that never get to rest: elections as quick as messages, links that come and go, few accounts."""
    draw = random.Random(seed * 11 + 3)
    policy = draw.choice([Policy.LEADER_ORDERED] * 4 + [Policy.CLASSIC])
    return World(
        replicas=draw.choice([3, 3, 5]),
        policy=policy,
        fast=draw.choice([FastQuorums.PINNED, FastQuorums.PINNED, FastQuorums.ANY]),
        faults=Faults(
            loss=draw.choice([0.05, 0.2]),
            duplication=0.2,
            delay_ms=draw.choice([(0.2, 20), (0.2, 60)]),
            crash=draw.choice([0.002, 0.01]),
            down_ms=(5, 150),
            cut=draw.choice([0.01, 0.05]),
            cut_ms=(10, 150),
        ),
        commands=40,
        chaos_ms=1500,
        batch_ms=draw.choice([0, 10]),
        accounts="ab",
        timing=Timing(heartbeat_ms=10, election_ms=25, stagger_ms=8, retry_ms=8, watermark_ms=5),
    )


def draw_fragile(seed: int) -> World:
    """What is chosen is chosen by the fewest replicas that will do, and soon one of them is gone: few messages get
    through,
    replicas crash all the time but never for long, and every command interferes with most others.
    """
    draw = random.Random(seed * 13 + 5)
    return World(
        replicas=draw.choice([3, 3, 4]),
        fast=draw.choice([FastQuorums.PINNED, FastQuorums.ANY]),
        faults=Faults(
            loss=draw.choice([0.2, 0.4]),
            duplication=0.1,
            delay_ms=draw.choice([(0.2, 4), (0.2, 20)]),
            crash=draw.choice([0.01, 0.03]),
            down_ms=(5, 120),
            cut=0.03,
            cut_ms=(5, 80),
        ),
        commands=60,
        chaos_ms=1500,
        batch_ms=draw.choice([0, 5]),
        accounts="a",
        timing=Timing(heartbeat_ms=6, election_ms=18, stagger_ms=4, retry_ms=5, watermark_ms=4),
    )
