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
from genpaxos.core.commands import Body
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.ids import command_id, operation_ids, split_id
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
    more: tuple[Command[Any], ...] = ()
    """What is sent together with the command, in a run."""
    read: int = 0
    """How many results of the first reply to a run are read; 0: all. The client acknowledges these, and asks again."""


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
    """One command as its client knows it; several operations if it is a run."""

    id: str
    command: Command[Any]
    body: Body
    invoked_ms: float
    more: tuple[Command[Any], ...] = ()
    answered_ms: float | None = None
    result: Result | None = None
    waits: bool = True
    """Whether the client still asks."""
    gave_up: bool = False
    """Whether it had ceased to ask for a while."""
    read: int = 0
    """How many results of the first reply are read."""
    had: int = 0
    """How many results are here, while not all of them are."""

    @property
    def commands(self) -> tuple[Command[Any], ...]:
        """Its operations."""
        return (self.command, *self.more)

    def results(self) -> list[Result]:
        """Those of its operations; none if it was not answered."""
        if self.result is None:
            return []
        return self.result if self.more else [self.result]


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
        """The calls of all sessions."""
        self._first_name = name
        self._begin = 0
        """Where those of this session begin."""
        self._sequence = 0
        """The number of this session's last operation."""
        self._answered_calls = 0
        """So many of this session's first calls are answered."""
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
        first, count = self._sequence + 1, 1 + len(plan.more)
        self._sequence += count
        operations = [one.operation for one in (plan.command, *plan.more)]
        arguments = [list(one.arguments) for one in (plan.command, *plan.more)]
        acknowledged = self._acknowledge()
        body = [operations, arguments, acknowledged] if plan.more else [operations[0], arguments[0], acknowledged]
        name, now_ms = command_id(self.name, first, count), self._scheduler.now_ms
        pending = self._by_id[name] = Pending(name, plan.command, body, now_ms, plan.more, read=plan.read)
        self.calls.append(pending)
        if plan.more:
            self._marks.hit(Mark.RUN_SENT)
        self._ask(pending, *self._first_attempt(plan))
        self._scheduler.at(self._scheduler.now_ms + self._retry_ms, self._retry, pending)
        if plan.patience_ms is not None:
            self._scheduler.at(self._scheduler.now_ms + plan.patience_ms, self._give_up, pending, plan.back_ms)
        return pending

    def _acknowledge(self) -> int:
        """All results of this session up to the number that is returned are here."""
        begin, calls = self._begin, self.calls
        while begin + self._answered_calls < len(calls) and (call := calls[begin + self._answered_calls]).result:
            self._answered_calls += 1
            self._acknowledged += len(call.commands)
        following = calls[begin + self._answered_calls : begin + self._answered_calls + 1]
        return self._acknowledged + (following[0].had if following else 0)

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
        self._begin, self._acknowledged, self._sequence, self._answered_calls = len(self.calls), 0, 0, 0
        self.name = client_name(f"{self._first_name}x{self._begin}", self._commit_index())

    def on_message(self, _replica: int, message: Reply | Refusal) -> None:
        """Results, or why there are none."""
        if isinstance(message, Refusal):
            raise ViolationError(Invariant.SOUND, f"{message.ids[0]} was refused: {message.reasons[0]}")
        for command, result in zip(message.ids, message.results, strict=True):
            self._answered(self._by_id[command], result)

    def _answered(self, pending: Pending, result: Result) -> None:
        parts = result if pending.more else [result]
        ended = all(part == ENDED for part in parts)
        forgotten = ended or all(part == FORGOTTEN for part in parts)
        if pending.result is None and pending.read and not forgotten:
            self._marks.hit(Mark.RUN_READ_IN_PART)
            pending.had, pending.read = pending.read, 0
        elif pending.result is None and ended:
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


def as_calls(pending: Pending) -> list[Call]:
    """What the client saw, for the linearizability checker; every operation counts as a client of its own."""
    results: list[Result | None] = [*pending.results()] or [None] * len(pending.commands)
    names = operation_ids(pending.id)
    return [
        Call(name, one.operation, one.arguments, pending.invoked_ms, pending.answered_ms, _outcome(result))
        for name, one, result in zip(names, pending.commands, results, strict=True)
    ]


def _outcome(result: Result | None) -> Any:
    if result is None:
        return None
    error, value = result[:2]
    return value if error is None else Failed(error if error == OPERATION_FAILED else short_code(error), str(value))
