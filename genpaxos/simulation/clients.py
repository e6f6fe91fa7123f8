"""Clients: they number their commands, have several outstanding, retry, give up, and come back for what they left.

A client that gave up does not know whether its command ran. It may ask again under the same id, and so may one that
resumes its session after losing its memory: the answer must be the first one, or that it was forgotten.

A client may leave, and begin another session: what it had outstanding it goes on asking for, and may hear that its
session has ended. Then the command was executed before that, or never is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from commutativity import Command
from commutativity.declared import short_code
from genpaxos.core.answers import FORGOTTEN
from genpaxos.core.commands import Body, command_id, split_id
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.messages import Propose, Refusal, Reply
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.sessions import ENDED, Result, client_name
from genpaxos.linearizability import Call, Failed
from genpaxos.simulation.clock import Scheduler
from genpaxos.simulation.marks import Mark, Marks
from genpaxos.simulation.violations import Invariant, ViolationError


@dataclass(frozen=True, slots=True)
class Submission:
    """A command to submit: part of a plan."""

    at_ms: float
    client: int
    command: Command[Any]
    reach: tuple[int, ...] = ()
    """The replicas that the first attempt goes to; if empty, those that may vote as far as the client knows, or all.
    Later ones go to all."""
    home: int | None = None
    """The replica that is asked to answer the first attempt, every one if ``None``."""
    patience_ms: float | None = None
    """After so long the client gives up; ``None``: never."""
    back_ms: float | None = None
    """So long after it gave up it comes back; ``None``: never."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """A client that lost its memory asks for all of its commands again: part of a plan."""

    at_ms: float
    client: int


@dataclass(frozen=True, slots=True)
class Departure:
    """A client takes its leave, and goes on in another session: part of a plan."""

    at_ms: float
    client: int


@dataclass(frozen=True, slots=True)
class Farewell:
    """A client tells a replica that its session is over."""

    client: str


@dataclass(slots=True, eq=False)
class Pending:
    """One command as its client knows it."""

    id: str
    command: Command[Any]
    body: Body
    invoked_ms: float
    answered_ms: float | None = None
    result: Result | None = None
    waits: bool = True
    """Whether the client still asks."""
    gave_up: bool = False
    """Whether it had ceased to ask for a while."""


class Client:
    """One session after the other."""

    def __init__(
        self,
        name: str,
        address: int,
        replicas: int,
        scheduler: Scheduler,
        send: Callable[[int, int, Propose | Farewell], None],
        marks: Marks,
        retry_ms: float = 400.0,
        commit_index: Callable[[], int] = lambda: 0,
        voters: Callable[[], Sequence[int]] = tuple,
    ) -> None:
        self.name = name
        """The name of the session."""
        self.calls: list[Pending] = []
        """The calls of all sessions, each by sequence number, from 1."""
        self._first_name = name
        self._begin = 0
        """Where those of this session begin."""
        self._by_id: dict[str, Pending] = {}
        self._commit_index = commit_index
        """What a replica tells a client that begins a session."""
        self._voters = voters
        """Who need commands from clients, as replicas told it; nobody if that is not known."""
        self._address = address
        self._everyone = range(replicas)
        self._scheduler = scheduler
        self._send = send
        self._marks = marks
        self._retry_ms = retry_ms
        self._acknowledged = 0
        """All results of this session up to this sequence number are here."""

    def submit(self, plan: Submission) -> Pending:
        """Send a command for the first time."""
        begin, calls = self._begin, self.calls
        while begin + self._acknowledged < len(calls) and calls[begin + self._acknowledged].result is not None:
            self._acknowledged += 1
        body = [plan.command.operation, list(plan.command.arguments), self._acknowledged]
        name = command_id(self.name, len(calls) - begin + 1)
        pending = self._by_id[name] = Pending(name, plan.command, body, self._scheduler.now_ms)
        calls.append(pending)
        self._ask(pending, *self._first_attempt(plan))
        self._scheduler.at(self._scheduler.now_ms + self._retry_ms, self._retry, pending)
        if plan.patience_ms is not None:
            self._scheduler.at(self._scheduler.now_ms + plan.patience_ms, self._give_up, pending, plan.back_ms)
        return pending

    def _first_attempt(self, plan: Submission) -> tuple[Sequence[int], int | None]:
        """Whom a command goes to at first, and who is to answer it."""
        voters = () if plan.reach else self._voters()
        if not voters:
            return plan.reach or self._everyone, plan.home
        self._marks.hit(Mark.THRIFTY)
        home = voters[0] if plan.home is None else plan.home
        return sorted({*voters, home}), home

    def resume(self) -> None:
        """Ask for everything again, answered or not."""
        self._marks.hit(Mark.RESUMED)
        for pending in self.calls:
            self._ask(pending, self._everyone, None)

    def leave(self) -> None:
        """Tell all replicas that the session is over, and begin another."""
        if len(self.calls) > self._begin:
            self._marks.hit(Mark.LEFT)
            for replica in self._everyone:
                self._send(self._address, replica, Farewell(self.name))
            self._begin_session()

    def _begin_session(self) -> None:
        self._begin, self._acknowledged = len(self.calls), 0
        self.name = client_name(f"{self._first_name}x{self._begin}", self._commit_index())

    def on_message(self, _replica: int, message: Reply | Refusal) -> None:
        """Results, or why there are none."""
        if isinstance(message, Refusal):
            raise ViolationError(Invariant.SOUND, f"{message.ids[0]} was refused: {message.reasons[0]}")
        for command, result in zip(message.ids, message.results, strict=True):
            self._answered(self._by_id[command], result)

    def _answered(self, pending: Pending, result: Result) -> None:
        forgotten = result in (FORGOTTEN, ENDED)
        if pending.result is None and result == ENDED:
            pending.waits = False
            self._marks.hit(Mark.SESSION_ENDED)
            if split_id(pending.id)[0] == self.name:
                self._begin_session()
        elif pending.result is None:
            if forgotten:
                raise ViolationError(Invariant.RESULTS, f"the result of {pending.id} was forgotten before it was had")
            pending.result, pending.answered_ms, pending.waits = result, self._scheduler.now_ms, False
        elif result != pending.result and not forgotten:
            raise ViolationError(Invariant.RESULTS, f"{pending.id} was answered {pending.result}, and later {result}")

    def _ask(self, pending: Pending, replicas: Sequence[int], home: int | None) -> None:
        asked = EVERYBODY if home is None else 1 << home
        for replica in replicas:
            self._send(self._address, replica, Propose([pending.id], [pending.body], asked))

    def _retry(self, pending: Pending) -> None:
        if pending.waits:
            self._ask(pending, self._everyone, None)
            self._scheduler.at(self._scheduler.now_ms + self._retry_ms, self._retry, pending)

    def _give_up(self, pending: Pending, back_ms: float | None) -> None:
        if not pending.waits:
            return
        pending.waits, pending.gave_up = False, True
        self._marks.hit(Mark.GAVE_UP)
        if back_ms is not None:
            self._scheduler.at(self._scheduler.now_ms + back_ms, self._come_back, pending)

    def _come_back(self, pending: Pending) -> None:
        if pending.result is None:
            self._marks.hit(Mark.CAME_BACK)
            pending.waits = True
            self._retry(pending)


def as_call(pending: Pending) -> Call:
    """What the client saw, for the linearizability checker; every command counts as a client of its own."""
    outcome: Any = None
    if pending.result is not None:
        error, value = pending.result[:2]
        outcome = (
            value if error is None else Failed(error if error == OPERATION_FAILED else short_code(error), str(value))
        )
    return Call(
        pending.id,
        pending.command.operation,
        pending.command.arguments,
        pending.invoked_ms,
        pending.answered_ms,
        outcome,
    )
