"""What callers ask of a client: commands submitted one by one or together, with an idempotency key, or once more."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, TypeVar, overload

from commutativity import Command
from genpaxos.core.commands import sealed_id, split_id
from genpaxos.core.keys import key_client
from genpaxos.errors import Rejected, Unknown
from genpaxos.runtime import options, resubmission
from genpaxos.runtime.connections import Connections
from genpaxos.runtime.lifetime import Lifetime
from genpaxos.runtime.pending import Many, One, OneOfMany, Pending, Session, Shared, Submission

R = TypeVar("R")

OUTSTANDING_MAX = 65_536
"""Commands one client may have unanswered; more are held back in ``submit``."""


class Submitting(Lifetime):
    """A client's public methods. Every one of them ends by its deadline."""

    def __init__(self, connections: Connections, timeout_s: float, retry_s: float) -> None:
        super().__init__(connections)
        self.timeout_s = options.seconds("timeout_s", timeout_s)
        self._retry_s = options.seconds("retry_s", retry_s)
        self._pending: dict[str, Pending] = {}
        self._room: asyncio.Future[None] | None = None
        """Done when a command has ended, if somebody waits for it."""

    @abstractmethod
    def _enlist(self, pending: Pending) -> None:
        """Keep it until it has ended, and send it soon."""

    @abstractmethod
    def _note_deadline(self, deadline_s: float) -> None:
        """Something is to end at this time."""

    @staticmethod
    @abstractmethod
    def _encoded(command: Any, acknowledged: int) -> bytes:
        """The body of a command. Raises :class:`Rejected`."""

    @abstractmethod
    def _late(self, name: str, pending: Pending, reachable: list[int]) -> Unknown:
        """Why there is no result in time."""

    @abstractmethod
    def _reachable(self) -> list[int]:
        """The replicas that answered not long ago."""

    async def submit(self, command: Command[R], *, timeout_s: float | None = None, key: str | None = None) -> R:
        """Have a command executed exactly once by all replicas; returns its result.

        ``key`` is an idempotency key of the application's: under one key one command is executed, once, and whoever
        submits it again gets the first result, from any process.

        Raises :class:`commutativity.OperationError` if the operation failed as declared; :class:`Rejected` if the
        command is not acceptable (:class:`KeyConflict`: another command has the key; :class:`WrongCluster`);
        :class:`Unknown` or :class:`NoQuorum` if there is no result in time (the command may have been executed, or may
        be yet; ``resubmit`` is safe); :class:`Disconnected` if the client is closed, or not usable here;
        :class:`InvalidOption`.
        """
        if len(self._pending) >= OUTSTANDING_MAX:
            deadline_s = self._deadline(timeout_s)
            self._check_open()
            if not await self._room_for(1, deadline_s):
                raise self._unsent(command)
            timeout_s = max(deadline_s - time.monotonic(), 1e-9)
        result: R = await self._start(command, timeout_s, key).future
        return result

    def start(self, command: Command[R], *, timeout_s: float | None = None, key: str | None = None) -> "Submission[R]":
        """Submit a command without waiting; ``await`` what is returned for the result, as of :meth:`submit`.

        Raises :class:`Rejected` and :class:`Disconnected` at once. Does not hold back: see :data:`OUTSTANDING_MAX`.
        """
        started = self._start(command, timeout_s, key)
        return Submission(started.name, command, started.future)

    def _start(self, command: Command[Any], timeout_s: float | None, key: str | None) -> One:
        loop = self._check_open()
        if key is None:
            session, name, sequence, body = self._numbered(command, self._session.acknowledged())
        else:
            session, sequence, body = Session(key_client(options.idempotency_key(key))), 1, self._encoded(command, 0)
            name = sealed_id(session.client, sequence, body)
        deadline_s = self._deadline(timeout_s)
        retry_s = time.monotonic() + self._retry_s
        started = One(name, command, body, session, sequence, deadline_s, retry_s, loop.create_future())
        if key is None:
            self._enlist(started)
        else:
            self._enlist_again(started)
        return started

    async def submit_many(self, commands: Iterable[Command[R]], *, timeout_s: float | None = None) -> list[R]:
        """Submit commands together, which costs less than one by one; results in their order.

        ``timeout_s`` is for all of them. Once all that were sent have ended, raises what the iterable raised, or what
        the first to fail raised, as of :meth:`submit`.
        """
        loop, deadline_s = self._check_open(), self._deadline(timeout_s)
        many = Many(loop.create_future())
        rest, broken = options.iterator(commands), None
        while True:
            try:
                chunk = options.chunk(rest)
            except Exception as error:  # the iterable's own
                error.add_note(
                    f"raised by the iterable given to submit_many, after {len(many.results):,} submitted commands"
                )
                broken = error
                break
            if not chunk:
                break
            if not await self._room_for(len(chunk), deadline_s):
                many.results.append(None)
                many.fail(len(many.results) - 1, self._unsent(chunk[0]))
                break
            self._check_open()
            self._start_chunk(chunk, many, deadline_s)
            await asyncio.sleep(0)  # what was started leaves, and what has come is read
        many.end_one()
        await many.future
        if broken is not None:
            raise broken
        if many.errors:
            raise many.errors[min(many.errors)]
        return many.results

    def _start_chunk(self, commands: list[Command[Any]], many: Many, deadline_s: float) -> None:
        acknowledged, retry_s = self._session.acknowledged(), time.monotonic() + self._retry_s
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

    @overload
    async def resubmit(self, unknown: Unknown, *, timeout_s: float | None = None) -> Any: ...
    @overload
    async def resubmit(self, unknown: str, command: Command[R], *, timeout_s: float | None = None) -> R: ...
    async def resubmit(
        self, unknown: Unknown | str, command: Command[Any] | None = None, *, timeout_s: float | None = None
    ) -> Any:
        """Ask again for a command whose outcome is unknown, under the same id: it is never executed twice.

        By the error, or by id and command, in whatever process they are: also when the one that submitted it is gone.
        Raises as :meth:`submit` does; :class:`Rejected` if the id is not that command's; :class:`ResultForgotten` if it
        was executed and the client that submitted it has acknowledged having the result; :class:`SessionEnded` if that
        client's session has ended.
        """
        loop, deadline_s = self._check_open(), self._deadline(timeout_s)
        if isinstance(unknown, Unknown):
            name, command, body = unknown.id, unknown.command, unknown.body
        elif command is None:
            raise options.nothing_to_resubmit(unknown)
        else:
            name, body = unknown, await self._body_of(unknown, command, deadline_s)
            self._check_open()
        client, sequence = split_id(name)
        if sealed_id(client, sequence, body) != name:
            raise Rejected(f"{name} is the id of another command than {command}")
        session = self._session
        if session.client != client:
            session = Session(client, retired=True, resumed=True)
        elif sequence <= session.sequence:
            session.pending.add(sequence)
        retry_s = time.monotonic() + self._retry_s
        again = One(name, command, body, session, sequence, deadline_s, retry_s, loop.create_future())
        self._enlist_again(again)
        return await again.future

    async def _body_of(self, name: str, command: Command[Any], deadline_s: float) -> bytes:
        for body in resubmission.bodies(name, self._encoded(command, 0)):
            if body is not None:
                return body
            if time.monotonic() >= deadline_s:
                break
            await asyncio.sleep(0)
        raise Rejected(f"the time was too short to find out what {name} acknowledges: nothing was sent. Allow more")

    def _enlist_again(self, pending: Pending) -> None:
        """Enlist what may be on its way already."""
        present = self._pending.get(pending.name)
        if present is None:
            self._enlist(pending)
        else:
            self._pending[pending.name] = Shared.of(present, pending)
            self._note_deadline(pending.deadline_s)

    def _numbered(self, command: Command[Any], acknowledged: int) -> tuple[Session, str, int, bytes]:
        """The session's next command. Raises :class:`Rejected`, and then has used up no number."""
        session = self._session
        sequence = session.sequence + 1
        body = self._encoded(command, acknowledged)
        session.sequence = sequence
        session.pending.add(sequence)
        return session, sealed_id(session.client, sequence, body), sequence, body

    def _deadline(self, timeout_s: float | None) -> float:
        """When a call that begins now must have ended. Raises :class:`InvalidOption`."""
        return time.monotonic() + (self.timeout_s if timeout_s is None else options.seconds("timeout_s", timeout_s))

    async def _room_for(self, count: int, deadline_s: float) -> bool:
        """Wait until so many more may be outstanding; says whether that was before the deadline."""
        while len(self._pending) + count > OUTSTANDING_MAX:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._room], timeout=left_s)  # does not cancel what all the others wait for
        return time.monotonic() < deadline_s

    def _unsent(self, command: Command[Any]) -> Unknown | Rejected:
        """What becomes of a command whose time was over before it was sent. It may be resubmitted like any other."""
        session = Session(retired=True)
        try:
            body = self._encoded(command, 0)
        except Rejected as error:
            return error
        name = sealed_id(session.client, 1, body)
        late = self._late(name, One(name, command, body, session, 1, 0, 0, asyncio.Future()), self._reachable())
        late.args = (f"{late} It was not sent yet: {len(self._pending):,} others were waiting for their results.",)
        return late

    def _made_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)
