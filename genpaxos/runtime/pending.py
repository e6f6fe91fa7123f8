"""A client's commands on their way: their numbers, and who waits for the results."""

import asyncio
import secrets
import string
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from commutativity import Command
from genpaxos.core.sessions import client_name

_LETTERS = string.ascii_lowercase + string.digits
RANDOM_LETTERS = 10
"""Of a client's name: with the commit index at its birth in it, no two clients have the same."""


@dataclass(slots=True)
class Session:
    """Numbers a client's commands from 1; retired after an unknown outcome, so that no hole is ever acknowledged."""

    client: str = field(default_factory=lambda: secrets.token_hex(8))
    """Its name, made without a replica: when the session has ended it is remembered for good."""
    sequence: int = 0
    pending: set[int] = field(default_factory=set)
    retired: bool = False
    _acknowledged: int = 0

    @classmethod
    def born(cls, commit_index: int | None) -> "Session":
        """One that tells when it was born, if a replica's commit index is known: then its name need not be kept."""
        if commit_index is None:
            return cls()
        return cls(client_name("".join(secrets.choice(_LETTERS) for _ in range(RANDOM_LETTERS)), commit_index))

    def acknowledged(self) -> int:
        """All results up to this sequence number are here."""
        known, pending, last = self._acknowledged, self.pending, self.sequence
        while known < last and known + 1 not in pending:
            known += 1
        self._acknowledged = known
        return known


@dataclass(slots=True)
class Pending(ABC):
    """A command without a result."""

    name: str
    command: Command[Any]
    body: bytes
    session: Session
    sequence: int
    deadline_s: float
    retry_s: float

    @abstractmethod
    def succeed(self, value: Any) -> None:
        """Its result is here."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """There will be none."""


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
