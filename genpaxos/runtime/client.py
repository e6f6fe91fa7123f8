"""The client: asyncio first, many commands outstanding, one message per replica for whatever is ready.

In fast ballots a command goes to every replica, and one of them, the *home*, is asked for the result. What is not
answered goes to all again under the same id; the replicas execute it once and give the first result again.
"""

import asyncio
import itertools
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import orjson

from commutativity import Command, OperationError
from commutativity.values import AnyJSON, problem
from genpaxos.core.ballot import Policy
from genpaxos.core.commands import sealed_id, split_id
from genpaxos.core.sessions import ENDED, born
from genpaxos.errors import Disconnected, GenpaxosError, NoQuorum, Rejected, RemoteProtocolError, Unknown
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.connections import FAREWELL_MS, Connections
from genpaxos.runtime.pending import Many, One, OneOfMany, Pending, Session

R = TypeVar("R")

OUTSTANDING_MAX = 65_536
"""Commands one client may have unanswered; more are held back in ``submit``."""
FLUSH_COMMANDS = 128
"""So many commands leave at once; fewer when the event loop comes round. Replicas begin with the first of a burst while
the client still encodes the rest of it."""
CHUNK_COMMANDS = 2_000
"""How many commands of :meth:`Client.submit_many` are sent off before the loop sees to something else."""
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
LARGE_REPLY_BYTES = 64 * 1024
AGE = 1_000
"""A session that is not used yet is made anew when so many commands were committed since it was born."""
SILENT_S = 0.8
"""A replica that has not answered for this long counts as unreachable."""


@dataclass(frozen=True, slots=True)
class Submission(Generic[R]):
    """A command on its way: its id, and the result to be awaited (as often as one likes)."""

    id: str
    command: Command[R]
    future: "asyncio.Future[R]"

    def __await__(self) -> Generator[Any, None, R]:
        return self.future.__await__()


class Client:
    """Submits commands to a cluster. Use it as ``async with connect("cluster.toml") as client``.

    ``timeout_s`` is how long a result is waited for unless ``submit`` says otherwise; ``retry_s`` how long before a
    command is sent again; ``home`` the replica to ask for results (by default the coordinator).
    """

    def __init__(
        self, config: ClusterConfig, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None
    ) -> None:
        self.config = config
        self.timeout_s = timeout_s
        self._retry_s = retry_s
        self._fixed_home = home
        self._connections = Connections([replica.address for replica in config.replicas], self._on_message)
        self._session = Session()
        self._sessions = {self._session.client: self._session}
        self._pending: dict[str, Pending] = {}
        self._outbox: list[Pending] = []
        self._room: asyncio.Future[None] | None = None
        """Done when a command has ended, if somebody waits for it."""
        self._coordinator: int | None = None
        self._ballot: list[int] = [0, -1]
        self._heard_s: dict[int, float] = {}
        self._with_quorum: set[int] = set()
        """Replicas that last said they are connected with a quorum."""
        self._faults: dict[int, str] = {}
        self._tokens = itertools.count(1)
        self._seen: dict[int, int] = {}
        """The last token each replica has echoed."""
        self._born: int | None = None
        """The commit index that a replica told last."""
        self._clock: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> "Client":
        self._connections.open()
        self._clock = asyncio.create_task(self._run_clock())
        for _ in range(int(BIRTH_S / FIRST_PING_S)):
            if self._born is not None:
                break
            await asyncio.sleep(FIRST_PING_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the sockets. Commands without a result fail with :class:`Disconnected`."""
        self._closed = True
        farewell = self._clock is not None and self._take_leave()
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
            self._clock = None
        self._connections.close(linger_ms=FAREWELL_MS if farewell else 0)
        for pending in self._pending.values():
            pending.fail(Disconnected(f"closed before {pending.command} had a result"))
        self._pending.clear()
        self._made_room()

    # Commands -------------------------------------------------------------------------------------------------------

    async def submit(self, command: Command[R], *, timeout_s: float | None = None) -> R:
        """Have a command executed exactly once by all replicas; returns its result.

        Raises :class:`commutativity.OperationError` if the operation failed as declared; :class:`Rejected` if the
        command is not acceptable; :class:`Unknown` or :class:`NoQuorum` if there is no result in time (the command may
        have been executed, or may be yet; ``resubmit`` is safe); :class:`Disconnected` if the client is closed.
        """
        if len(self._pending) >= OUTSTANDING_MAX:
            await self._room_for(1)
        result: R = await self._start(command, timeout_s).future
        return result

    def start(self, command: Command[R], *, timeout_s: float | None = None) -> "Submission[R]":
        """Submit a command without waiting; ``await`` what is returned for the result, as of :meth:`submit`.

        Raises :class:`Rejected` and :class:`Disconnected` at once. Does not hold back: see :data:`OUTSTANDING_MAX`.
        """
        started = self._start(command, timeout_s)
        return Submission(started.name, command, started.future)

    def _start(self, command: Command[Any], timeout_s: float | None) -> One:
        self._check_open()
        session, name, sequence, body = self._numbered(command, self._session.acknowledged())
        deadline_s, retry_s = self._patience(timeout_s)
        future = asyncio.get_running_loop().create_future()
        started = One(name, command, body, session, sequence, deadline_s, retry_s, future)
        self._enlist(started)
        return started

    def _check_open(self) -> None:
        if self._clock is None:
            raise Disconnected(
                "this client is closed" if self._closed else "this client is not connected: use `async with`"
            )

    def _numbered(self, command: Command[Any], acknowledged: int) -> tuple[Session, str, int, bytes]:
        """The session's next command. Raises :class:`Rejected`, and then has used up no number."""
        session = self._session
        sequence = session.sequence + 1
        body = self._encoded(command, acknowledged)
        session.sequence = sequence
        session.pending.add(sequence)
        return session, sealed_id(session.client, sequence, body), sequence, body

    def _patience(self, timeout_s: float | None) -> tuple[float, float]:
        """When to give up a command that is sent now, and when to send it again."""
        now_s = time.monotonic()
        return now_s + (self.timeout_s if timeout_s is None else timeout_s), now_s + self._retry_s

    async def _room_for(self, count: int) -> None:
        while len(self._pending) + count > OUTSTANDING_MAX:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)  # who gives up must not cancel what all the others wait for

    def _made_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)

    async def submit_many(self, commands: Iterable[Command[R]], *, timeout_s: float | None = None) -> list[R]:
        """Submit commands together, which costs less than one by one; results in their order.

        Once all ended, raises what the first to fail raised, as of :meth:`submit`.
        """
        self._check_open()
        many = Many(asyncio.get_running_loop().create_future())
        rest = iter(commands)
        while chunk := list(itertools.islice(rest, CHUNK_COMMANDS)):
            await self._room_for(len(chunk))
            self._check_open()
            self._start_chunk(chunk, many, timeout_s)
            await asyncio.sleep(0)  # what was started leaves, and what has come is read
        many.end_one()
        await many.future
        if many.errors:
            raise many.errors[min(many.errors)]
        return many.results

    def _start_chunk(self, commands: list[Command[Any]], many: Many, timeout_s: float | None) -> None:
        acknowledged = self._session.acknowledged()
        deadline_s, retry_s = self._patience(timeout_s)
        for command in commands:
            place = len(many.results)
            many.results.append(None)
            try:
                session, name, sequence, body = self._numbered(command, acknowledged)
            except Rejected as error:
                many.fail(place, error)
                continue
            many.left += 1
            self._enlist(OneOfMany(name, command, body, session, sequence, deadline_s, retry_s, many, place))

    async def resubmit(self, unknown: Unknown, *, timeout_s: float | None = None) -> Any:
        """Ask again for a command whose outcome is unknown, under the same id: it is never executed twice."""
        client, sequence = split_id(unknown.id)
        session = self._sessions.get(client)
        if session is None:
            raise GenpaxosError(f"{unknown.id} was not submitted by this client")
        pending: Pending | None = self._pending.get(unknown.id)
        if pending is None:
            session.pending.add(sequence)
            future = asyncio.get_running_loop().create_future()
            deadline_s, retry_s = self._patience(timeout_s)
            pending = One(unknown.id, unknown.command, unknown.body, session, sequence, deadline_s, retry_s, future)
            self._enlist(pending)
        assert isinstance(pending, One), "what was awaited together has ended together"
        return await asyncio.shield(pending.future)

    def _enlist(self, pending: Pending) -> None:
        self._pending[pending.name] = pending
        outbox = self._outbox
        outbox.append(pending)
        if len(outbox) == 1:
            asyncio.get_running_loop().call_soon(self._flush)
        elif len(outbox) >= FLUSH_COMMANDS:
            self._flush()

    @staticmethod
    def _encoded(command: Command[Any], acknowledged: int) -> bytes:
        try:
            body = orjson.dumps([command.operation, command.arguments, acknowledged], option=_JSON_ONLY)
        except TypeError as error:
            raise Rejected(f"{command.operation}: the arguments are not JSON: {error}") from None
        if b"null" in body and (wrong := problem(AnyJSON(), list(command.arguments))) is not None:
            raise Rejected(f"{command.operation}: the arguments are not JSON: {wrong}")  # NaN would become null
        if len(body) > wire.COMMAND_BYTES_MAX:
            raise Rejected(
                f"{command.operation}: {len(body)} bytes; a command has at most {wire.COMMAND_BYTES_MAX}. "
                "Keep large data elsewhere and its name in the command."
            )
        return body

    # Sending --------------------------------------------------------------------------------------------------------

    @property
    def _home(self) -> int | None:
        """The replica to ask for results; ``None`` asks all, as long as none is known to be better."""
        return self._coordinator if self._fixed_home is None else self._fixed_home

    def _flush(self) -> None:
        fresh, self._outbox = self._outbox, []
        if not fresh:
            return
        to = None
        if self.config.policy is Policy.CLASSIC and self._home is not None:
            to = self._home
        self._transmit(fresh, to, self._home)

    def _transmit(self, commands: Iterable[Pending], to: int | None, home: int | None) -> None:
        """Send commands, to one replica or to all, in messages of bounded size."""
        client, size = "", 0
        sequences: list[int] = []
        bodies: list[bytes] = []
        for pending in commands:
            full = size > wire.BATCH_BYTES_MAX or len(sequences) >= wire.BATCH_COMMANDS_MAX
            if full or pending.session.client != client:
                if sequences:
                    self._connections.send(wire.request(client, sequences, bodies, home), to)
                client, sequences, bodies, size = pending.session.client, [], [], 0
            sequences.append(pending.sequence)
            bodies.append(pending.body)
            size += len(pending.body)
        if sequences:
            self._connections.send(wire.request(client, sequences, bodies, home), to)
        if self._connections.wants_ping:
            self._ping()

    async def _run_clock(self) -> None:
        started_s, ping_s = time.monotonic(), 0.0
        while True:
            now_s = time.monotonic()
            first = now_s < started_s + FIRST_CONTACT_S and len(self._heard_s) < len(self.config.replicas)
            if now_s >= ping_s:
                ping_s = now_s + (FIRST_PING_S if first else PING_S)
                self._ping()
            self._expire(now_s)
            again = [pending for pending in self._pending.values() if now_s >= pending.retry_s]
            for pending in again:
                pending.retry_s = now_s + self._retry_s
            self._transmit(again, None, None)
            await asyncio.sleep(FIRST_PING_S if first else TICK_S)

    def _ping(self) -> None:
        """Ask every replica who coordinates, and tell that this client is there, what it has, and what it has read."""
        token, session = next(self._tokens), self._session
        ended = session.acknowledged()
        for node in range(len(self.config.replicas)):
            ping = ["ping", token, session.client, ended, self._seen.get(node, 0)]
            self._connections.ping(node, token, wire.dumps(ping))

    def _expire(self, now_s: float) -> None:
        late = [name for name, pending in self._pending.items() if now_s >= pending.deadline_s]
        if not late:
            return
        reachable = sorted(node for node, heard_s in self._heard_s.items() if now_s - heard_s < SILENT_S)
        for name in late:
            pending = self._pending.pop(name)
            pending.fail(self._late(name, pending, reachable))
            self._retire(pending.session)
        self._made_room()

    def _late(self, name: str, pending: Pending, reachable: list[int]) -> Unknown:
        total = len(self.config.replicas)
        needed = total // 2 + 1
        safe = f"It may have been executed or may be yet; resubmitting it (id {name}) is safe."
        connected = [node for node in reachable if node in self._with_quorum]
        if len(reachable) < needed or not connected:
            who = ", ".join(map(str, reachable)) or "none"
            cut = "" if len(reachable) < needed else ", but they are not connected with each other"
            return NoQuorum(
                f"no result for {pending.command}: replicas reachable: {who}{cut}; "
                f"{needed} of {total} are needed. {safe}",
                id=name, command=pending.command, body=pending.body,
            )  # fmt: skip
        why = "; ".join(f"replica {node}: {fault}" for node, fault in sorted(self._faults.items()))
        coordinator = (
            "no coordinator is known" if self._coordinator is None else f"replica {self._coordinator} coordinates"
        )
        return Unknown(
            f"no result for {pending.command} in time ({coordinator}{'; ' + why if why else ''}). {safe}",
            id=name, command=pending.command, body=pending.body,
        )  # fmt: skip

    def _retire(self, session: Session) -> None:
        """Go on in a new session: the old one has a command that is not to be acknowledged, so it can be asked for."""
        if not session.retired:
            session.retired = True
            self._session = Session.born(self._born)
            self._sessions[self._session.client] = self._session

    # Receiving ------------------------------------------------------------------------------------------------------

    def _on_message(self, node: int, payload: bytes) -> None:
        try:
            message = wire.loads(payload)
        except RemoteProtocolError:
            return
        match message:
            case ["reply", ids, results]:
                self._on_reply(ids, results)
                if len(payload) > LARGE_REPLY_BYTES and self._connections.wants_ping:
                    self._ping()
            case ["pong", token, greeting]:
                self._seen[node] = token
                self._connections.echoed(node, token)
                self._on_pong(node, greeting)
            case ["refused", ids, reasons]:
                for name, why in zip(ids, reasons, strict=True):
                    self._refuse(name, why)
            case ["error", why]:
                self._faults[node] = str(why)

    def _on_reply(self, ids: list[str], results: list[list[Any]]) -> None:
        take = self._pending.pop
        for name, (error, value) in zip(ids, results, strict=True):
            pending = take(name, None)
            if pending is None:
                continue
            pending.session.pending.discard(pending.sequence)
            if error is None:
                pending.succeed(value)
            else:
                if error == ENDED[0]:
                    self._retire(pending.session)
                pending.fail(operation_error(error, value))
        self._made_room()

    def _refuse(self, name: str, why: str) -> None:
        pending = self._pending.pop(name, None)
        if pending is not None:
            self._retire(pending.session)  # its number will never be executed: a hole in the session
            pending.fail(Rejected(why))
            self._made_room()

    def _on_pong(self, node: int, greeting: dict[str, Any]) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s.get(node, -SILENT_S) >= SILENT_S and self._pending:
            self._transmit(self._pending.values(), node, None)  # connected, or connected again: it has missed these
        self._heard_s[node] = now_s
        self._begin_session(greeting.get("committed"))
        if greeting["quorum"]:
            self._with_quorum.add(node)
        else:
            self._with_quorum.discard(node)
        if greeting["fault"] is None:
            self._faults.pop(node, None)
        else:
            self._faults[node] = greeting["fault"]
        ballot, coordinator = greeting["ballot"], greeting["coordinator"]
        if coordinator is not None and ballot >= self._ballot and coordinator != self._coordinator:
            self._ballot, self._coordinator = ballot, coordinator
            self._transmit(self._pending.values(), None, None)

    def _begin_session(self, commit_index: int | None) -> None:
        """A session that is not used yet is born when a replica last told its commit index."""
        if commit_index is None:
            return
        told, self._born = self._born, commit_index
        if not self._session.sequence and (told is None or commit_index - (born(self._session.client) or 0) > AGE):
            del self._sessions[self._session.client]
            self._session = Session.born(commit_index)
            self._sessions[self._session.client] = self._session

    def _take_leave(self) -> bool:
        """Say that the session is over, unless a command of it has an unknown outcome: that may be asked for yet."""
        session = self._session
        if not session.sequence or session.pending or session.retired:
            return False
        self._connections.send(wire.dumps(["bye", session.client]))
        return True


def operation_error(code: str, message: str) -> OperationError:
    """The declared error an operation raised on the replicas: of its own class where this process knows it."""
    known = {kind.__name__: kind for kind in _subclasses(OperationError)}
    kind: type[OperationError] = known.get(code) or type(code, (OperationError,), {})
    error: OperationError = OperationError.__new__(kind)
    OperationError.__init__(error, message)
    return error


def _subclasses(kind: type[OperationError]) -> Iterable[type[OperationError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def connect(
    cluster: str | Path | ClusterConfig, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None
) -> Client:
    """A client of the cluster a file describes, to be entered with ``async with``. Raises :class:`ConfigError`."""
    config = cluster if isinstance(cluster, ClusterConfig) else ClusterConfig.load(cluster)
    return Client(config, timeout_s=timeout_s, retry_s=retry_s, home=home)
