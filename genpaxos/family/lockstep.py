"""The real replicas in lock-step: everybody gets, in one step, all that was sent one message delay before.

A client's own message is the first delay; writing to stable storage takes none. The clock stands still, so nothing
happens but what messages cause, except between two steps of a flow, where :meth:`LockStep.beat` lets heartbeats pass.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from commutativity import Command, Machine
from genpaxos.core.ballot import Ballot
from genpaxos.core.commands import command_id
from genpaxos.core.effects import Effects, Route
from genpaxos.core.inspect import graph
from genpaxos.core.messages import Heartbeat, PeerMessage, Phase2b, Propose, Reply
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.family.cast import CLIENT, Cast
from genpaxos.family.trace import Learning, Note, Sent, Step, Trace
from genpaxos.family.words import commands_of, describe

GRAPH_LIMIT = 100
DELAYS_MAX = 30
CLIENT_NODE = -1


@dataclass(slots=True)
class _Flight:
    """A message on its way; ``CLIENT_NODE`` is the client."""

    sender: int
    receiver: int
    message: PeerMessage | Reply
    text: str
    lost: bool = False


class LockStep:
    """Some replicas, the messages in flight between them, and the trace of it all."""

    def __init__(
        self, machine: type[Machine], settings: Settings, cast: Cast, trace: Trace, *, digests: bool = False
    ) -> None:
        self.cast = cast
        self.digests = digests
        """Whether votes are shown with the hashes they carry."""
        self.trace = trace
        self.delay = 0
        """Message delays since the step of the flow began."""
        self.replicas = [Replica(node, machine(), settings, 1.0) for node in range(len(cast.names))]
        self.down: set[int] = set()
        self._now_ms = 0.0
        self._flights: list[_Flight] = []
        self._quiet = False
        self._labels: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        """Command -> the delay at which its client sent it, within the step."""
        self._learned: dict[str, Learning] = {}
        self._told: dict[int, tuple[Ballot, int]] = {}
        """Per acceptor: how much it has said it adopted."""

    # What a script says ---------------------------------------------------------------------------------------------

    def step(self, title: str) -> None:
        """Begin a new part of the flow."""
        self._finish()
        self.trace.steps.append(Step(title))
        self.delay = 0
        self._asked.clear()

    def request(
        self,
        commands: dict[str, Command[Any]],
        to: Sequence[int],
        *,
        swapped: Collection[int] = (),
        home: int | None = None,
    ) -> None:
        """A client sends each command to the replicas of ``to``; those of ``swapped`` get them in the other order.

        ``home`` answers, by default the first learner that is asked, else the first replica that is.
        """
        asked = []
        for label, command in commands.items():
            name = command_id("client", len(self._labels) + 1)
            self._labels[name] = label
            self._asked[name] = self.delay
            asked.append((name, [command.operation, list(command.arguments), 0]))
        if home is None:
            home = next((node for node in to if node in self.cast.learners), to[0])
        self._say(f"request {_list(commands)} to {self._names(to)}")
        if any(node in swapped for node in to):
            self._say(f"in the other order at {self._names(node for node in to if node in swapped)}")
        for node in to:
            for name, body in reversed(asked) if node in swapped else asked:
                self._send(CLIENT_NODE, node, Propose([name], [body], EVERYBODY if node == home else 0))

    def campaign(self, node: int) -> None:
        """A replica starts a ballot of its own."""

        def begin(replica: Replica) -> Effects:
            effects = Effects()
            replica.begin_phase1(effects)
            return effects

        self._say(f"ballot by {self.name(node)}")
        self._do(node, begin)

    def crash(self, node: int, why: str = "fails") -> None:
        """A replica is gone; what it has sent is on its way."""
        self._say(f"crash {self.name(node)}")
        self.down.add(node)
        self.note(f"{self.name(node)} {why}", node)

    def lose(self, sender: int, receivers: Collection[int]) -> None:
        """What is in flight on these links is lost."""
        self._say(f"lose what is in flight from {self.name(sender)} to {self._names(receivers)}")
        for flight in self._flights:
            flight.lost |= flight.sender == sender and flight.receiver in receivers

    def note(self, text: str, node: int | None = None) -> None:
        """Add a remark on what happens."""
        lane = None if node is None else self.name(node)
        self.trace.notes.append(Note(len(self.trace.steps) - 1, self.delay, text, lane, node not in self.down))

    def delays(self, count: int) -> None:
        """Let so many message delays pass."""
        for _ in range(count):
            self.delay += 1
            flights, self._flights = self._flights, []
            for flight in flights:
                flight.lost |= flight.receiver in self.down
                self._record(flight)
            for node in range(len(self.replicas)):
                self._deliver(node, [flight for flight in flights if flight.receiver == node and not flight.lost])

    def settle(self) -> None:
        """Until nothing is in flight."""
        for _ in range(DELAYS_MAX):
            if not self._flights:
                return
            self.delays(1)
        raise AssertionError("the messages never end")

    def beat(self) -> None:
        """Heartbeats pass, unrecorded: those that missed the start of a ballot join it, and all hear of each other."""
        self.settle()
        self._say("heartbeats, off the record")
        self._quiet, before = True, self.delay
        for _ in range(4):
            self._now_ms += 101.0
            for node in range(len(self.replicas)):
                if node not in self.down:
                    self._do(node, lambda replica: replica.step(self._now_ms))
            self.settle()
        self._quiet, self.delay = False, before

    def elect(self, node: int) -> None:
        """Phase 1 of the leader, unrecorded."""
        self._say(f"{self.name(node)} is elected, off the record")
        self._quiet = True
        self.campaign(node)
        self.settle()
        self.beat()
        self.delay = 0

    def finish(self) -> Trace:
        """The end of the flow."""
        self._finish()
        return self.trace

    def name(self, node: int) -> str:
        """The lane of a replica or of the client."""
        return CLIENT if node == CLIENT_NODE else self.cast.names[node]

    # What follows from it -------------------------------------------------------------------------------------------

    def _say(self, what: str) -> None:
        if not self._quiet:
            self.trace.script.append((len(self.trace.steps) - 1, self.delay, what))

    def _names(self, nodes: Iterable[int]) -> str:
        return _list(map(self.name, nodes))

    def _finish(self) -> None:
        if not self.trace.steps:
            return
        self.settle()
        witness = next(node for node in self.cast.learners if node not in self.down)
        self.trace.steps[-1].graph = graph(self.replicas[witness], GRAPH_LIMIT)

    def _deliver(self, node: int, flights: Sequence[_Flight]) -> None:
        if not flights:
            return
        peers: list[tuple[int, PeerMessage]] = []
        clients: list[tuple[Route, Propose]] = []
        for flight in flights:
            assert not isinstance(flight.message, Reply)
            if flight.sender == CLIENT_NODE and isinstance(flight.message, Propose):
                clients.append((CLIENT, flight.message))
            else:
                peers.append((flight.sender, flight.message))
        self._do(node, lambda replica: replica.step(self._now_ms, peers, clients))

    def _do(self, node: int, action: Callable[[Replica], Effects]) -> None:
        replica = self.replicas[node]
        effects = action(replica)
        others = [peer for peer in range(len(self.replicas)) if peer != node]
        for message, letters in groupby(effects.letters(others), key=itemgetter(1)):
            for peer, _ in letters:
                self._send(node, peer, message)
            if isinstance(message, Phase2b):
                self._told[node] = (message.ballot, message.adopted)
        for reply in [*effects.early.values(), *effects.replies.values()]:
            self._flights.append(_Flight(node, CLIENT_NODE, reply, self._response(reply)))
        if node in self.cast.learners:
            self._watch(node, replica)

    def _send(self, sender: int, receiver: int, message: PeerMessage) -> None:
        adopted: list[str] = []
        if isinstance(message, Phase2b):
            ballot, told = self._told.get(sender, (message.ballot, 0))
            adopted = self.replicas[sender].history.ids[told if ballot == message.ballot else 0 : message.adopted]
        self._flights.append(
            _Flight(sender, receiver, message, describe(message, self._labels, adopted, digests=self.digests))
        )

    def _response(self, reply: Reply) -> str:
        return f"Response({', '.join(self._labels[command] for command in reply.ids)})"

    def _record(self, flight: _Flight) -> None:
        message = flight.message
        if self._quiet or isinstance(message, Heartbeat):
            return
        commands = message.ids if isinstance(message, Reply) else commands_of(message)
        self.trace.messages.append(
            Sent(
                step=len(self.trace.steps) - 1,
                delay=self.delay,
                sender=self.name(flight.sender),
                receiver=self.name(flight.receiver),
                kind=type(message).__name__,
                text=flight.text,
                commands=[self._labels[command] for command in commands],
                digests=message.digests if isinstance(message, Phase2b) else [],
                lost=flight.lost,
            )
        )

    def _watch(self, node: int, replica: Replica) -> None:
        """Note what this learner has newly learned, and by which rule."""
        for command, asked in self._asked.items():
            known = self._learned.get(command)
            if known is not None and self.name(node) in known.learners:
                continue
            if not replica.executor.has_run(command):
                continue
            fast = replica.learner.learned_fast(command) or replica.learner.recent.get(command, False)
            if known is None:
                rule, step = "fast" if fast else "classic", len(self.trace.steps) - 1
                known = self._learned[command] = Learning(self._labels[command], command, step, rule, {})
                self.trace.learned.append(known)
            known.learners[self.name(node)] = self.delay - asked


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
