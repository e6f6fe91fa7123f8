"""The client: asyncio first, many commands outstanding, one message per replica for whatever is ready.

In fast ballots a command goes to every replica that may vote for it, and one replica, the *home*, is asked for the
result. Who may vote, replicas tell; while it is not known a command goes to all. What is not answered goes to all again
under the same id; the replicas execute it once and give the first result again.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Iterable
from math import inf
from pathlib import Path
from typing import Any

import orjson

from commutativity import Command, Machine
from commutativity.value.values import AnyJSON, problem
from genpaxos.core.ballot import Policy
from genpaxos.core.ids import sealed_id
from genpaxos.core.policies import rules_of
from genpaxos.core.runs import RUN_OPERATIONS_MAX
from genpaxos.core.sessions import born
from genpaxos.errors import (
    GenpaxosError,
    NoQuorum,
    Rejected,
    RemoteProtocolError,
    Unknown,
)
from genpaxos.faults import by_fault
from genpaxos.runtime import options, wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.connections import Connections
from genpaxos.runtime.delivering import LARGE_REPLY_BYTES, Delivering
from genpaxos.runtime.greeter import Expected
from genpaxos.runtime.packing import FRAME_BYTES, Packing, body_of, name_of
from genpaxos.runtime.pending import Pending, Sent, Session, Shared, Submission, turned_away

__all__ = ["Client", "Submission", "connect"]

TICK_S = 0.05
PING_S = 0.25
"""Between two questions to a replica for who coordinates."""
FIRST_PING_S = 0.01
"""The same while not all replicas have been heard, at most for ``FIRST_CONTACT_S`` after the start: what is sent before
a connection stands is lost, and the first command should not wait for a retry."""
FIRST_CONTACT_S = 1.0
BIRTH_S = 0.25
"""How long a client that connects waits for an answer, so that its first session can tell when it was born."""
_JSON_ONLY = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_SEQUENCES = (tuple, list)
AGE = 1_000
"""A session that is not used yet is made anew when so many commands were committed since it was born."""
SILENT_S = 0.8
"""A replica that has not answered for this long counts as unreachable."""


class Client(Delivering):
    """Submits commands to a cluster. Use it as ``async with connect("cluster.toml") as client``, once.

    A client belongs to the event loop it is entered in, and to the process; elsewhere its methods raise
    :class:`WrongContext` at once. ``timeout_s`` is how long a call takes at most unless it says otherwise, waiting for
    room and everything else included; ``retry_s`` how long before a command is sent again; ``home`` the replica to ask
    for results (by default the coordinator). With ``machine``, replicas with other operations or commutativity rules
    refuse this client. Raises :class:`InvalidOption`.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        timeout_s: float = 10.0,
        retry_s: float = 0.5,
        home: int | None = None,
        machine: type[Machine] | None = None,
    ) -> None:
        connections = Connections([replica.address for replica in config.replicas], self._on_message)
        # Where acceptors order, a run would collide as soon as one of its operations does.
        packing = Packing(1 if rules_of(config.policy).reports_tails else RUN_OPERATIONS_MAX)
        super().__init__(config, packing, connections, timeout_s, retry_s)
        self._fixed_home = options.replica_number(home, len(config.replicas))
        self._expected = Expected.of(config, None if machine is None else options.machine_class(machine))
        self._earliest_s = inf
        """No pending command has an earlier deadline."""
        self._wake_s = inf
        """When the clock looks next."""
        self._outbox: list[Pending] = []
        """Operations that are ready."""
        self._ready: list[Sent] = []
        """What is to be sent when the loop comes round."""
        self._flushing = False
        """Whether that is arranged."""
        self._coordinator: int | None = None
        self._ballot: list[int] = [0, -1]
        self._pinned: tuple[list[int], list[int]] = ([0, -1], [])
        """The highest ballot heard of, and the pinned quorum of it, once that is known: only its members may vote."""
        self._heard_s: dict[int, float] = {}
        self._with_quorum: set[int] = set()
        """Replicas that last said they are connected with a quorum."""
        self._faults: dict[int, str] = {}
        self._strangers: dict[int, str] = {}
        """Replicas that turned out to belong to another cluster, and what is wrong with them."""
        self._met = False
        """Whether any replica of the right cluster has ever answered."""
        self._stopped: set[int] = set()
        """Replicas that say they have stopped: what is in ``_faults`` says why."""
        self._held: dict[int, dict[str, str]] = {}
        """Operations whose commands a replica takes in slowly, with its reason."""
        self._tokens = itertools.count(1)
        self._seen: dict[int, int] = {}
        """The last token each replica has echoed."""

    async def _wait_for_first_answer(self) -> None:
        for _ in range(int(BIRTH_S / FIRST_PING_S)):
            if self._born is not None:
                return
            await asyncio.sleep(FIRST_PING_S)

    def _end_all(self, why: Callable[[Sent, int, Pending], GenpaxosError]) -> None:
        self._form()
        pending, self._pending = self._pending, {}
        self._ready, self._outstanding = [], 0
        for sent in pending.values():
            for place, waits in enumerate(sent.waiting):
                if waits is not None:
                    waits.fail(why(sent, place, waits))
        self._made_room()

    def _enlist(self, pending: Pending) -> None:
        if pending.deadline_s < self._earliest_s:
            self._note_deadline(pending.deadline_s)
        self._outstanding += 1
        outbox = self._outbox
        outbox.append(pending)
        if len(outbox) >= RUN_OPERATIONS_MAX:
            self._flush()
        elif len(outbox) == 1:
            self._flush_soon()

    def _send_soon(self, sent: Sent) -> None:
        self._pending[sent.name] = sent
        self._ready.append(sent)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _name_of(self, pending: Pending) -> str:
        if pending.sent is None:
            self._check_open()  # in a fork, or in another loop, nothing is sent, so that nobody knows the id
            self._flush()
        assert pending.sent is not None, "what is enlisted is sent by a flush"
        return pending.sent.name_of(pending.at)

    @staticmethod
    def _encoded(command: Any) -> bytes:
        """The arguments of a command. Raises :class:`Rejected`."""
        if not (type(command) is Command and type(command.operation) is str and type(command.arguments) in _SEQUENCES):
            raise options.not_a_command(command)
        try:
            arguments = orjson.dumps(command.arguments, option=_JSON_ONLY)
        except TypeError as error:
            raise Rejected(f"{command.operation}: the arguments are not JSON: {error}") from None
        if b"null" in arguments and (wrong := problem(AnyJSON(), list(command.arguments))) is not None:
            raise Rejected(f"{command.operation}: the arguments are not JSON: {wrong}")  # NaN would become null
        size = len(arguments) + len(name_of(command.operation)) + FRAME_BYTES
        if size > wire.COMMAND_BYTES_MAX:
            raise Rejected(
                f"{command.operation}: {size} bytes; a command has at most {wire.COMMAND_BYTES_MAX}. "
                "Keep large data elsewhere and its name in the command."
            )
        return arguments

    # Sending --------------------------------------------------------------------------------------------------------

    @property
    def _home(self) -> int | None:
        """The replica to ask for results; ``None`` asks all, as long as none is known to be better."""
        return self._coordinator if self._fixed_home is None else self._fixed_home

    def _flush(self) -> None:
        self._flushing = False
        self._form()
        ready, self._ready = [sent for sent in self._ready if any(sent.waiting)], []  # a retry may have overtaken it
        if not ready:
            return
        self._transmit(ready, self._receivers(), self._home)

    def _form(self) -> None:
        """Make commands of the operations that are ready."""
        fresh, self._outbox = self._outbox, []
        if not fresh:
            return
        session, now_s = self._session, time.monotonic()
        acknowledged, retry_s = session.acknowledged(), now_s + self._retry_s
        for part in self._packing.parts(fresh, now_s):
            body, count = body_of(part, acknowledged), len(part)
            first = session.number(count)
            name = sealed_id(session.client, first, body, count)
            waiting: list[Pending | None] = [*part]
            made = self._pending[name] = Sent(name, body, session, first, waiting, retry_s)
            for place, pending in enumerate(part):
                pending.sent, pending.at = made, place
            self._ready.append(made)

    def _receivers(self) -> Collection[int] | None:
        """The replicas that need a command from its client: who may vote for it, and the home, which is to answer.
        ``None`` while that is not known."""
        home, voters = self._home, self._pinned[1]
        if home is None:
            return None
        if self.config.policy is Policy.CLASSIC:
            return (home,)
        return {*voters, home} if voters else None

    def _transmit(self, commands: Iterable[Sent], to: Collection[int] | None, home: int | None) -> None:
        """Send commands, to some replicas or to all, in messages of bounded size."""
        client, size, cluster = "", 0, self._expected.text
        firsts: list[int] = []
        bodies: list[bytes] = []
        operations = 0
        for sent in commands:
            operations += len(sent.waiting)
            full = size > wire.BATCH_BYTES_MAX or operations > wire.BATCH_COMMANDS_MAX
            if full or sent.session.client != client or sent.first == 1:  # a key may have several commands
                if firsts:
                    self._connections.send(wire.request(client, firsts, bodies, home, cluster), to)
                client, firsts, bodies, size = sent.session.client, [], [], 0
                operations = len(sent.waiting)
            firsts.append(sent.first)
            bodies.append(sent.body)
            size += len(sent.body)
        if firsts:
            self._connections.send(wire.request(client, firsts, bodies, home, cluster), to)
        if self._connections.wants_ping:
            self._ping()

    async def _run_clock(self) -> None:
        started_s, ping_s = time.monotonic(), 0.0
        while self._loop is not None:
            now_s = time.monotonic()
            first = now_s < started_s + FIRST_CONTACT_S and len(self._heard_s) < len(self.config.replicas)
            if now_s >= ping_s:
                ping_s = now_s + (FIRST_PING_S if first else PING_S)
                self._ping()
            self._expire(now_s)
            again = [pending for pending in self._pending.values() if now_s >= pending.retry_s]
            for pending in again:
                pending.retry_s = now_s + self._retry_s
                if pending.read_in_part:  # the whole again would bring its beginning again
                    self._ask_for_more(pending, None)
            self._transmit((pending for pending in again if not pending.read_in_part), None, None)
            pause_s = FIRST_PING_S if first else TICK_S
            # No deadline is missed; with very many of them, those of a few milliseconds are seen to at once.
            pause_s = max(min(pause_s, self._earliest_s - time.monotonic()), 1e-6 * len(self._pending), 0.0)
            self._wake_s = time.monotonic() + pause_s
            await asyncio.sleep(pause_s)
        self._end_all(lambda *_: self._not_open())  # a fork of the process, in which the loop goes on

    def _note_deadline(self, deadline_s: float) -> None:
        """A command is to end at this time, which may be before the clock looks next."""
        self._earliest_s = min(self._earliest_s, deadline_s)
        if deadline_s < self._wake_s and self._loop is not None:
            self._loop.call_later(max(0.0, deadline_s - time.monotonic()), self._expire_now)

    def _expire_now(self) -> None:
        self._expire(time.monotonic())

    def _ping(self) -> None:
        """Ask every replica who coordinates, and tell that this client is there, what it has, and what it has read."""
        token, session = next(self._tokens), self._session
        ended = session.acknowledged()
        for node in range(len(self.config.replicas)):
            ping = ["ping", token, session.client, ended, self._seen.get(node, 0)]
            self._connections.ping(node, token, wire.dumps(ping))

    def _expire(self, now_s: float) -> None:
        hopeless = self._hopeless()
        if self._loop is None or (now_s < self._earliest_s and not hopeless):
            return
        self._connections.drain()  # the loop may have been busy elsewhere while results came
        if hopeless:  # waiting is of no use
            now_s = inf
        self._form()
        reachable, outstanding, earliest_s = self._reachable(), self._outstanding, inf
        for sent in list(self._pending.values()):
            for place, pending in enumerate(sent.waiting):
                if pending is None:
                    continue
                if now_s >= pending.deadline_s and self._end_late(sent, place, pending, reachable, now_s):
                    continue
                earliest_s = min(earliest_s, pending.deadline_s)
            if not any(sent.waiting):
                del self._pending[sent.name]
        self._earliest_s = earliest_s
        if self._outstanding < outstanding:
            self._made_room()

    def _end_late(self, sent: Sent, place: int, pending: Pending, reachable: list[int], now_s: float) -> bool:
        """The time of an operation is over, or of some who wait for it; says whether nobody waits any more."""
        error = self._late(sent, place, pending.command, reachable)
        sent.unknown = True
        self._retire(sent.session)
        if isinstance(pending, Shared) and pending.fail_late(error, now_s):
            return False
        pending.fail(error)
        sent.waiting[place] = None
        self._outstanding -= 1
        return True

    def _hopeless(self) -> bool:
        """Whether so many replicas have stopped that no quorum is left."""
        total = len(self.config.replicas)
        return bool(self._stopped) and total - len(self._stopped.intersection(self._reachable())) < total // 2 + 1

    def _reachable(self) -> list[int]:
        """The replicas that answered not long ago."""
        now_s = time.monotonic()
        return sorted(node for node, heard_s in self._heard_s.items() if now_s - heard_s < SILENT_S)

    def _late(self, sent: Sent, place: int, command: Command[Any], reachable: list[int]) -> Unknown:
        name = sent.name_of(place)
        total = len(self.config.replicas)
        needed = total // 2 + 1
        how = "it" if sent.first == sent.last else "this error"  # of a run's operation the id is not enough
        safe = f"It may have been executed or may be yet; resubmitting {how} (id {name}) is safe."
        safe += "".join(f" Replica {node}: {why}." for node, why in sorted(self._strangers.items()))
        connected = [node for node in reachable if node in self._with_quorum]
        why = "".join(f"; {fault.rstrip('.')}" for fault in by_fault(self._faults))
        if len(reachable) < needed or not connected:
            who = ", ".join(map(str, reachable)) or "none"
            cut = "" if len(reachable) < needed else ", but they are not connected with each other"
            if stopped := sorted(self._stopped.intersection(reachable)):
                cut = f", of which {', '.join(map(str, stopped))} stopped"
            return NoQuorum(
                f"no result for {command}: replicas reachable: {who}{cut}; "
                f"{needed} of {total} are needed{why}. {safe}",
                id=name, command=command, body=sent.body,
            )  # fmt: skip
        held = {held[command.operation] for held in self._held.values() if command.operation in held}
        why += "".join(f"; {reason}" for reason in sorted(held))
        coordinator = (
            "no coordinator is known" if self._coordinator is None else f"replica {self._coordinator} coordinates"
        )
        return Unknown(
            f"no result for {command} in time ({coordinator}{why}). {safe}",
            id=name, command=command, body=sent.body,
        )  # fmt: skip

    # Receiving ------------------------------------------------------------------------------------------------------

    def _on_message(self, node: int, payload: bytes) -> None:
        try:
            message = wire.loads(payload)
        except RemoteProtocolError:
            return
        match message:
            case ["reply", ids, results]:
                self._packing.saw(len(payload), ids, results, self._pending)
                self._on_reply(ids, results)
                if len(payload) > LARGE_REPLY_BYTES and self._connections.wants_ping:
                    self._ping()
            case ["part", str(name), int(start), list(results)]:
                self._on_part(node, name, start, results)
            case ["pong", int(token), dict(greeting)]:
                self._seen[node] = token
                self._connections.echoed(node, token)
                self._on_pong(node, greeting)
            case ["wrong-cluster", dict(card)]:
                self._meets_expectation(node, card)
            case ["refused", ids, reasons]:
                for name, why in zip(ids, reasons, strict=True):
                    self._refuse(name, why)
            case ["error", why]:
                self._faults[node] = str(why)

    def _on_pong(self, node: int, greeting: dict[str, Any]) -> None:
        if not self._meets_expectation(node, greeting):
            return
        self._met = True
        now_s = time.monotonic()
        if now_s - self._heard_s.get(node, -SILENT_S) >= SILENT_S and self._pending:
            self._transmit(self._pending.values(), (node,), None)  # connected, or connected again: it has missed these
        self._heard_s[node] = now_s
        self._begin_session(greeting.get("committed"))
        if greeting["quorum"]:
            self._with_quorum.add(node)
        else:
            self._with_quorum.discard(node)
        self._held[node] = greeting.get("held", {})
        if greeting["fault"] is None:
            self._faults.pop(node, None)
            self._stopped.discard(node)
        else:
            self._faults[node] = greeting["fault"]
            self._stopped.add(node)
        ballot, coordinator = greeting["ballot"], greeting["coordinator"]
        self._pinned = max(self._pinned, (ballot, greeting.get("pinned", [])))
        if coordinator is not None and ballot >= self._ballot and coordinator != self._coordinator:
            self._ballot, self._coordinator = ballot, coordinator
            self._transmit(self._pending.values(), None, None)

    def _meets_expectation(self, node: int, card: dict[str, Any]) -> bool:
        """Whether a replica is of the cluster that is meant. If none is, nothing is waited for."""
        wrong = self._expected.difference(self.config.replicas[node].address, card)
        if wrong is None:
            self._strangers.pop(node, None)
            return True
        self._strangers[node] = wrong
        self._heard_s.pop(node, None)
        self._with_quorum.discard(node)
        if len(self._strangers) == len(self.config.replicas) and self._pending:
            self._form()
            for sent in self._pending.values():
                self._retire(sent.session)  # its numbers are a hole, as when a command is refused
            why = self._strangers[min(self._strangers)]
            self._end_all(lambda sent, place, pending: turned_away(sent, place, pending, why, self._met))
        return False

    def _begin_session(self, commit_index: int | None) -> None:
        """A session that is not used yet is born when a replica last told its commit index."""
        if type(commit_index) is not int or commit_index < 0:
            return
        told, self._born = self._born, commit_index
        if not self._session.sequence and (told is None or commit_index - (born(self._session.client) or 0) > AGE):
            self._session = Session.born(commit_index)

    def _say_farewell(self) -> bool:
        """Say that the session is over, unless a command of it has an unknown outcome: that may be asked for yet."""
        session = self._session
        if not session.sequence or session.pending or session.retired:
            return False
        self._connections.send(wire.dumps(["bye", session.client]))
        return True


def connect(
    cluster: str | Path | ClusterConfig,
    *,
    timeout_s: float = 10.0,
    retry_s: float = 0.5,
    home: int | None = None,
    machine: type[Machine] | None = None,
) -> Client:
    """A client of the cluster a file describes, to be entered with ``async with``; the options are :class:`Client`'s.

    Raises :class:`ConfigError` and :class:`InvalidOption`.
    """
    config = cluster if isinstance(cluster, ClusterConfig) else ClusterConfig.load(cluster)
    return Client(config, timeout_s=timeout_s, retry_s=retry_s, home=home, machine=machine)
