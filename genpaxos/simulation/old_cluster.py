"""A whole cluster in one process: the real :class:`Replica` under a seeded network, disk and clock.

One seed decides everything: when a message arrives, whether it is lost or arrives again, which replica crashes (losing
what it had not synced) and which links are cut. The same seed gives the same run.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from commutativity import Command, Machine
from genpaxos.core.commands import Body, command_id
from genpaxos.core.effects import Effects
from genpaxos.core.messages import PeerMessage, Propose
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.roles import Settings

CLIENT_RETRY_MS = 400.0


class SafetyViolationError(AssertionError):
    """An invariant of the protocol does not hold."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How badly the world behaves. Chances are per message, or per millisecond of virtual time."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms: tuple[float, float] = (0.2, 2.0)
    crash: float = 0.0
    unsynced: float = 0.5
    """Share of crashes that fall between a step and its sync: the step's effects never happen."""
    down_ms: tuple[float, float] = (50.0, 1500.0)
    cut: float = 0.0
    cut_ms: tuple[float, float] = (50.0, 1500.0)


class SimulatedCluster:
    """N replicas, their disks, the network between them and one virtual clock; invariants are checked at every step."""

    def __init__(self, machine: type[Machine], settings: Settings, *, seed: int, faults: Faults | None = None) -> None:
        self.machine = machine
        self.settings = settings
        self.faults = faults or Faults()
        self.now_ms = 0.0
        self.disks: list[list[Record]] = [[] for _ in range(settings.replicas)]
        self.replicas: list[Replica | None] = [None] * settings.replicas
        self.cut: set[tuple[int, int]] = set()
        self.results: dict[str, list[Any]] = {}
        """The result each command's client got first."""
        self.log: list[tuple[str, int]] = []
        """The committed decrees with their digests, as far as any replica has seen them committed."""
        self.trace: list[str] = []
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._sequences: dict[str, int] = {}
        self._doomed: set[int] = set()
        """Replicas that will crash inside their next step."""
        for node in range(settings.replicas):
            self.restart(node)

    def alive(self) -> list[Replica]:
        """The replicas that are up."""
        return [replica for replica in self.replicas if replica is not None]

    # Time -----------------------------------------------------------------------------------------------------------

    def at(self, at_ms: float, action: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        self._order += 1
        heapq.heappush(self._events, (at_ms, self._order, action))

    def run_for(self, duration_ms: float) -> None:
        """Let virtual time pass."""
        end_ms = self.now_ms + duration_ms
        while self._events and self._events[0][0] <= end_ms:
            self.now_ms, _, action = heapq.heappop(self._events)
            action()
        self.now_ms = end_ms

    def run_until(self, condition: Callable[[], bool], limit_ms: float) -> bool:
        """Let time pass until ``condition`` holds; ``False`` if it does not within ``limit_ms``."""
        end_ms = self.now_ms + limit_ms
        while not condition():
            if self.now_ms >= end_ms:
                return False
            self.run_for(5.0)
        return True

    # Clients --------------------------------------------------------------------------------------------------------

    def submit(self, client: str, command: Command[Any], *, to: Sequence[int] | None = None) -> str:
        """Send a command to all replicas, or to those of ``to``; retried until it is answered. Returns its id."""
        sequence = self._sequences[client] = self._sequences.get(client, 0) + 1
        name = command_id(client, sequence)
        self.trace.append(f"{self.now_ms:.3f} submit {name} {command}")
        self._propose(name, [command.operation, list(command.arguments), 0], to or range(self.settings.replicas))
        return name

    def _propose(self, name: str, body: Body, to: Sequence[int]) -> None:
        for node in to:
            self._transmit(lambda node=node: self._step(node, clients=[(name, Propose([name], [body], True))]))  # type: ignore[misc]
        self.at(self.now_ms + CLIENT_RETRY_MS, lambda: self._retry(name, body))

    def _retry(self, name: str, body: Body) -> None:
        if name not in self.results:
            self._propose(name, body, range(self.settings.replicas))

    # Faults ---------------------------------------------------------------------------------------------------------

    def crash(self, node: int) -> None:
        """The replica is gone; what it had synced remains."""
        self.trace.append(f"{self.now_ms:.3f} crash {node}")
        self.replicas[node] = None

    def restart(self, node: int) -> None:
        """Start the replica from its disk."""
        self.trace.append(f"{self.now_ms:.3f} start {node}")
        replica = Replica(node, self.machine(), self.settings, self.now_ms, list(self.disks[node]))
        self.replicas[node] = replica
        self.at(self.now_ms, lambda: self._tick(node, replica))

    def unleash(self, duration_ms: float) -> None:
        """Draw crashes and cuts from :attr:`faults` for a while; the last of them may outlast it."""
        end_ms = self.now_ms + duration_ms

        def millisecond() -> None:
            if self._random.random() < self.faults.crash:
                self._crash_one()
            if self._random.random() < self.faults.cut:
                self._cut_one()
            if self.now_ms < end_ms:
                self.at(self.now_ms + 1.0, millisecond)

        self.at(self.now_ms, millisecond)

    def _crash_one(self) -> None:
        node = self._random.randrange(self.settings.replicas)
        if self.replicas[node] is None or node in self._doomed:
            return
        if self._random.random() < self.faults.unsynced:
            self._doomed.add(node)
        else:
            self.crash(node)
        self.at(self.now_ms + self._random.uniform(*self.faults.down_ms), lambda: self._revive(node))

    def _revive(self, node: int) -> None:
        self._doomed.discard(node)
        if self.replicas[node] is None:
            self.restart(node)

    def _cut_one(self) -> None:
        link = (self._random.randrange(self.settings.replicas), self._random.randrange(self.settings.replicas))
        self.cut.add(link)
        self.at(self.now_ms + self._random.uniform(*self.faults.cut_ms), lambda: self.cut.discard(link))

    # Steps ----------------------------------------------------------------------------------------------------------

    def _tick(self, node: int, replica: Replica) -> None:
        if self.replicas[node] is replica:
            self._step(node)
            self.at(max(replica.due_ms, self.now_ms + 1.0), lambda: self._tick(node, replica))

    def _step(
        self,
        node: int,
        peers: Sequence[tuple[int, PeerMessage]] = (),
        clients: Sequence[tuple[str, Propose]] = (),
    ) -> None:
        replica = self.replicas[node]
        if replica is None:
            return
        effects = replica.step(self.now_ms, peers, clients)
        if node in self._doomed:
            self._doomed.discard(node)
            self.crash(node)
            return
        self.disks[node].extend(effects.records)
        self._check(replica)
        self._carry_out(node, effects)

    def _carry_out(self, node: int, effects: Effects) -> None:
        others = [peer for peer in range(self.settings.replicas) if peer != node]
        for message in effects.broadcasts:
            for peer in others:
                self._send(node, peer, message)
        for peer, message in effects.sends:
            self._send(node, peer, message)
        for reply in effects.replies.values():
            for name, result in zip(reply.ids, reply.results, strict=True):
                self._answer(name, result)

    def _answer(self, name: str, result: list[Any]) -> None:
        first = self.results.setdefault(name, result)
        if first != result:
            raise SafetyViolationError(f"{name} was answered {first}, and later {result}")

    def _send(self, sender: int, receiver: int, message: PeerMessage) -> None:
        def arrive() -> None:
            if (sender, receiver) not in self.cut:
                self.trace.append(f"{self.now_ms:.3f} {sender}->{receiver} {message}")
                self._step(receiver, peers=[(sender, message)])

        self._transmit(arrive)

    def _transmit(self, arrive: Callable[[], None]) -> None:
        faults, draw = self.faults, self._random
        copies = 2 if draw.random() < faults.duplication else 1
        for _ in range(copies):
            if draw.random() >= faults.loss:
                self.at(self.now_ms + draw.uniform(*faults.delay_ms), arrive)

    # Invariants -----------------------------------------------------------------------------------------------------

    def _check(self, replica: Replica) -> None:
        """Consistency and stability: committed decrees agree at every index, chosen commands keep their digest."""
        history, executor = replica.history, replica.executor
        for index in range(min(len(self.log), history.committed), history.committed):
            self.log.append((history.ids[index], history.digests[index]))
        recent = range(max(0, history.committed - 64), history.committed)
        for index in recent:
            if self.log[index] != (history.ids[index], history.digests[index]):
                raise SafetyViolationError(
                    f"index {index + 1} is committed as {self.log[index]}; "
                    f"replica {replica.node} has {history.ids[index]}"
                )
        if executor.executed > history.committed:
            raise SafetyViolationError(f"replica {replica.node} executed beyond its commit index")

    def check_finally(self) -> None:
        """After healing: all logs equal, all machines equal, every command executed exactly once everywhere."""
        first, *others = self.alive()
        ids = first.history.ids[: first.history.committed]
        if len(set(ids)) != len(ids):
            raise SafetyViolationError("a command was committed twice")
        for replica in self.alive():
            if replica.executor.applied != len(ids) or replica.executor.ahead or replica.executor.waiting:
                raise SafetyViolationError(
                    f"replica {replica.node} applied {replica.executor.applied} commands of {len(ids)} committed; "
                    f"ahead {sorted(replica.executor.ahead)}, waiting {replica.executor.waiting}"
                )
        for replica in others:
            if replica.history.ids[: replica.history.committed] != ids:
                raise SafetyViolationError(f"the logs of replicas {first.node} and {replica.node} differ")
            if replica.executor.machine.snapshot() != first.executor.machine.snapshot():
                raise SafetyViolationError(f"the machines of replicas {first.node} and {replica.node} differ")
            if replica.executor.sessions.to_json() != first.executor.sessions.to_json():
                raise SafetyViolationError(f"the session tables of replicas {first.node} and {replica.node} differ")
