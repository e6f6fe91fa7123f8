"""A client's operations on their way: their numbers, what they were sent in, and who waits for the results."""

import asyncio
import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from commutativity import Command
from genpaxos.core.ids import operation_id
from genpaxos.core.sessions import client_name
from genpaxos.errors import GenpaxosError, Unknown, WrongCluster, WrongContext
from genpaxos.runtime import ownership

R = TypeVar("R")

_LETTERS = string.ascii_lowercase + string.digits
RANDOM_LETTERS = 10
"""The random letters of a client's name: with the commit index at its birth in it, no two clients have the same."""


@dataclass(slots=True)
class Session:
    """Numbers a client's operations from 1; retired after an unknown outcome, so that no hole is ever acknowledged."""

    client: str = field(default_factory=lambda: secrets.token_hex(8))
    """Its name, made without a replica: when the session has ended it is remembered for good."""
    sequence: int = 0
    pending: set[int] = field(default_factory=set)
    """The first numbers of its commands that have no result yet."""
    retired: bool = False
    resumed: bool = False
    """Its commands were numbered and sent earlier, perhaps by another process."""
    _ends: dict[int, int] = field(default_factory=dict)
    """By first number, the last one of each command that is not acknowledged."""
    _acknowledged: int = 0

    @classmethod
    def born(cls, commit_index: int | None) -> "Session":
        """One that tells when it was born, if a replica's commit index is known: then its name need not be kept."""
        if commit_index is None:
            return cls()
        return cls(client_name("".join(secrets.choice(_LETTERS) for _ in range(RANDOM_LETTERS)), commit_index))

    def number(self, count: int) -> int:
        """The first of the next ``count`` numbers, which are those of a command."""
        first = self.sequence + 1
        self.sequence += count
        self.pending.add(first)
        self._ends[first] = self.sequence
        return first

    def acknowledged(self) -> int:
        """All results up to this sequence number are here."""
        known, pending, ends = self._acknowledged, self.pending, self._ends
        while known + 1 in ends and known + 1 not in pending:
            known = ends.pop(known + 1)
        self._acknowledged = known
        return known


@dataclass(slots=True)
class Pending(ABC):
    """An operation without a result."""

    command: Command[Any]
    arguments: bytes
    """As they travel."""
    deadline_s: float
    sent: "Sent | None" = field(init=False, default=None)
    """What it was sent in, and its place there."""
    at: int = field(init=False, default=0)

    @abstractmethod
    def succeed(self, value: Any) -> None:
        """Its result is here."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """There will be none."""


@dataclass(slots=True)
class Sent:
    """What was sent as one command: operations that were ready together, under one id."""

    name: str
    body: bytes
    session: Session
    first: int
    waiting: list[Pending | None]
    """Who waits for the result of each operation; ``None`` where nobody does any more."""
    retry_s: float
    unknown: bool = False
    """Somebody waited in vain, and may ask again for a result that comes after all."""
    read_in_part: bool = False
    """The first results of a run are here, and not all of them."""
    last: int = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.first + len(self.waiting) - 1

    def name_of(self, place: int) -> str:
        """The id to ask for one operation by."""
        return operation_id(self.name, self.first, self.last, self.first + place)

    def end(self) -> None:
        """All results are here: who keeps one submission should not keep all that was sent with it."""
        if not self.unknown:  # else somebody may ask for a result that nobody waited for
            self.session.pending.discard(self.first)
        self.body, self.waiting = b"", []


@dataclass(slots=True)
class One(Pending):
    """Somebody awaits it."""

    future: "asyncio.Future[Any]"

    def succeed(self, value: Any) -> None:
        if not self.future.done():
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(slots=True)
class Shared(Pending):
    """Several wait for one operation: it was submitted twice under one key, or asked for again while it is pending.

    ``deadline_s`` is the earliest of theirs.
    """

    waiting: list[Pending]

    @classmethod
    def of(cls, one: Pending, other: Pending) -> "Shared":
        """The two as one."""
        first = one if one.deadline_s <= other.deadline_s else other
        waiting = [*one.waiting, other] if isinstance(one, Shared) else [one, other]
        return cls(one.command, one.arguments, first.deadline_s, waiting)

    def succeed(self, value: Any) -> None:
        for pending in self.waiting:
            pending.succeed(value)

    def fail(self, error: BaseException) -> None:
        for pending in self.waiting:
            pending.fail(error)

    def fail_late(self, error: BaseException, now_s: float) -> bool:
        """End those whose deadline is over; says whether any are left."""
        for pending in self.waiting:
            if pending.deadline_s <= now_s:
                pending.fail(error)
        self.waiting = [pending for pending in self.waiting if pending.deadline_s > now_s]
        self.deadline_s = min((pending.deadline_s for pending in self.waiting), default=now_s)
        return bool(self.waiting)


@dataclass(frozen=True, slots=True)
class Submission(Generic[R]):
    """An operation on its way: the result is to be awaited, as often as one likes."""

    named: str | Callable[[], str]
    command: Command[R]
    future: "asyncio.Future[R]"

    @property
    def id(self) -> str:
        """What to ask for it by, in this process or another (``resubmit``). What was started before is sent at once, as
        it is only then known what is sent together; who wants many to be sent together reads this later."""
        return self.named if isinstance(self.named, str) else self.named()

    def __await__(self) -> Generator[Any, None, R]:
        if asyncio._get_running_loop() is not self.future.get_loop():
            raise WrongContext(ownership.OTHER_LOOP_SUBMISSION)
        return self.future.__await__()


@dataclass(slots=True)
class Many:
    """Commands that are awaited together: one future for all."""

    future: "asyncio.Future[None]"
    results: list[Any] = field(default_factory=list)
    errors: dict[int, BaseException] = field(default_factory=dict)
    left: int = 1
    """How many are pending, and one more while not all of them are on their way."""

    def end_one(self) -> None:
        """One of them is not pending any more."""
        self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result(None)

    def fail(self, place: int, error: BaseException) -> None:
        """The command at this place ends so."""
        self.errors[place] = error


@dataclass(slots=True)
class OneOfMany(Pending):
    """Its result goes to its place among those of the others."""

    many: Many
    place: int

    def succeed(self, value: Any) -> None:
        self.many.results[self.place] = value
        self.many.end_one()

    def fail(self, error: BaseException) -> None:
        self.many.fail(self.place, error)
        self.many.end_one()


def turned_away(sent: Sent, place: int, pending: Pending, why: str, met: bool) -> GenpaxosError:
    """What becomes of an operation when all replicas turn out to be of another cluster. ``met`` says whether any of the
    right one was met before, which may have executed it."""
    if not met and not sent.session.resumed:
        return WrongCluster(f"{pending.command} was not executed: {why}")
    name = sent.name_of(place)
    said = f"no result for {pending.command} (id {name}): {why}. The right one may have executed it"
    return Unknown(said, id=name, command=pending.command, body=sent.body)
