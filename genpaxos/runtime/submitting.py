"""What callers ask of a client: commands submitted one by one or together, with an idempotency key, or once more."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar, overload

from commutativity import Command, InvalidCommand
from genpaxos.core.ids import parted, sealed_id, split_id
from genpaxos.core.keys import key_client
from genpaxos.errors import Rejected, Unknown
from genpaxos.runtime import options, resubmission
from genpaxos.runtime.connections import Connections
from genpaxos.runtime.lifetime import Lifetime
from genpaxos.runtime.packing import body_of
from genpaxos.runtime.pending import Many, One, OneOfMany, Pending, Sent, Session, Shared, Submission

R = TypeVar("R")

OUTSTANDING_MAX = 65_536
"""Commands one client may have unanswered; more are held back in ``submit``."""


class Submitting(Lifetime):
    """A client's public methods. Every one of them ends by its deadline."""

    def __init__(self, connections: Connections, timeout_s: float, retry_s: float) -> None:
        super().__init__(connections)
        self.timeout_s = options.seconds("timeout_s", timeout_s)
        self._retry_s = options.seconds("retry_s", retry_s)
        self._pending: dict[str, Sent] = {}
        """What was sent and has operations without a result, by id."""
        self._outstanding = 0
        """Operations without a result."""
        self._room: asyncio.Future[None] | None = None
        """Done when a command has ended, if somebody waits for it."""

    @abstractmethod
    def _enlist(self, pending: Pending) -> None:
        """Send it soon, with whatever else is ready by then."""

    @abstractmethod
    def _send_soon(self, sent: Sent) -> None:
        """Send a command whose id is known, which may be on its way already."""

    @abstractmethod
    def _name_of(self, pending: Pending) -> str:
        """The id to ask for it by."""

    @abstractmethod
    def _note_deadline(self, deadline_s: float) -> None:
        """Something is to end at this time."""

    @staticmethod
    @abstractmethod
    def _encoded(command: Any) -> bytes:
        """The arguments of a command as they travel. Raises :class:`Rejected`."""

    @abstractmethod
    def _late(self, sent: Sent, place: int, command: Command[Any], reachable: list[int]) -> Unknown:
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
        if self._outstanding >= OUTSTANDING_MAX:
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
        return Submission(partial(self._name_of, started), command, started.future)

    def _start(self, command: Command[Any], timeout_s: float | None, key: str | None) -> One:
        loop = self._check_open()
        started = One(command, self._encoded(command), self._deadline(timeout_s), loop.create_future())
        if key is None:
            self._enlist(started)
        else:
            session = Session(key_client(options.idempotency_key(key)))
            self._send_again(self._sent_alone(session, started, 1), 0, started)
        return started

    def _sent_alone(self, session: Session, pending: Pending, first: int) -> Sent:
        """A command with one operation, for which nobody waits yet."""
        body = body_of([pending], 0)
        name = sealed_id(session.client, first, body)
        return Sent(name, body, session, first, [None], time.monotonic() + self._retry_s)

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
        for command in commands:
            place = len(many.results)
            many.results.append(None)
            try:
                arguments = self._encoded(command)
            except Rejected as error:
                many.fail(place, error)
                continue
            many.left += 1
            self._enlist(OneOfMany(command, arguments, deadline_s, many, place))

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
        try:
            sent, number = parted(name)
        except InvalidCommand as error:
            raise Rejected(str(error)) from None
        client, first, last = split_id(sent)
        if sealed_id(client, first, body, last - first + 1) != sent:
            raise Rejected(f"{name} is the id of another command than {command}")
        session = self._session
        if session.client != client:
            session = Session(client, retired=True, resumed=True)
        elif first <= session.sequence:
            session.pending.add(first)
        again = One(command, self._encoded(command), deadline_s, loop.create_future())
        waiting: list[Pending | None] = [None] * (last - first + 1)
        place = (first if number is None else number) - first
        self._send_again(Sent(sent, body, session, first, waiting, time.monotonic() + self._retry_s), place, again)
        return await again.future

    async def _body_of(self, name: str, command: Command[Any], deadline_s: float) -> bytes:
        alone = One(command, self._encoded(command), deadline_s, asyncio.Future())
        for body in resubmission.bodies(name, body_of([alone], 0)):
            if body is not None:
                return body
            if time.monotonic() >= deadline_s:
                break
            await asyncio.sleep(0)
        raise Rejected(f"the time was too short to find out what {name} acknowledges: nothing was sent. Allow more")

    def _send_again(self, sent: Sent, place: int, pending: Pending) -> None:
        """Send what may be on its way already, and wait for the result of one of its operations."""
        present = self._pending.get(sent.name, sent)
        waits = present.waiting[place]
        pending.sent, pending.at = present, place
        present.waiting[place] = pending if waits is None else Shared.of(waits, pending)
        if waits is None:
            self._outstanding += 1
        self._note_deadline(pending.deadline_s)
        if present is sent:
            self._send_soon(sent)

    def _deadline(self, timeout_s: float | None) -> float:
        """When a call that begins now must have ended. Raises :class:`InvalidOption`."""
        return time.monotonic() + (self.timeout_s if timeout_s is None else options.seconds("timeout_s", timeout_s))

    async def _room_for(self, count: int, deadline_s: float) -> bool:
        """Wait until so many more may be outstanding; says whether that was before the deadline."""
        while self._outstanding + count > OUTSTANDING_MAX:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._room], timeout=left_s)  # does not cancel what all the others wait for
        return time.monotonic() < deadline_s

    def _unsent(self, command: Command[Any]) -> Unknown | Rejected:
        """What becomes of a command whose time was over before it was sent. It may be resubmitted like any other."""
        try:
            pending = One(command, self._encoded(command), 0, asyncio.Future())
        except Rejected as error:
            return error
        late = self._late(self._sent_alone(Session(retired=True), pending, 1), 0, command, self._reachable())
        late.args = (f"{late} It was not sent yet: {self._outstanding:,} others were waiting for their results.",)
        return late

    def _made_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)
