"""Commands as the core handles them: plain tuples, no object per command (protocol §2).

A command's *id* says whose it is and which numbers its operations have (:mod:`genpaxos.core.ids`). Its *body* is
``[operation, arguments, acknowledged]``, where ``acknowledged`` says that the client has the results of its operations
up to that sequence number (protocol §7); that of a run holds lists of both. The body is part of the command: a retry
carries the same one.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NoReturn

from commutativity import Footprint, InvalidCommand, Machine
from genpaxos.core.endings import END, End, end_of
from genpaxos.core.ids import SEQUENCE_MAX, split_id
from genpaxos.core.keys import admitted, admitted_run
from genpaxos.core.runs import pairs_of
from genpaxos.core.sessions import Sessions

Body = list[Any]
"""``[operation: str, arguments: list, acknowledged: int]``, as decoded from JSON; of a run, lists of the first two."""

Refused = Mapping[int, str]
"""The operations of a run that are not admitted, by their places, with the reasons."""

Proposal = tuple[Body, Footprint, str, int, int, Refused]
"""A body, the footprint computed from its arguments, the id taken apart (client, first and last sequence number), and
what of it is not admitted."""

Origin = tuple[str, Sequence[int]]
"""One client, and the first sequence numbers of its commands."""

_NONE: Refused = {}


def footprint_of(machine: type[Machine], command: str, body: Body) -> Footprint:
    """The footprint of any command from its id and its body. Raises :class:`InvalidCommand`."""
    client, first, last = split_id(command)
    if type(body[0]) is list:
        return admitted_run(machine, {}, client, last - first + 1, body)[0]
    return admitted(machine, client, first, body[0], body[1])


def footprints_of(machine: type[Machine], command: str, body: Body) -> list[Footprint]:
    """The footprints of a command's operations, in their order; of one that is not admitted an empty one."""
    if type(body[0]) is not list:
        return [footprint_of(machine, command, body)]
    made: list[Footprint] = []
    for operation, arguments in pairs_of(body):
        try:
            made.append(machine.admit(operation, arguments))
        except InvalidCommand:
            made.append(())
    return made


def _origin(command: str) -> tuple[str, int]:
    """Client and first number; 0, which acknowledges nothing, for what is no command id."""
    try:
        return split_id(command)[:2]
    except InvalidCommand:
        return "", 0


def _refuse_number(command: str, acknowledged: int) -> NoReturn:
    _, first, _ = split_id(command)
    raise InvalidCommand(f"command {first} acknowledges {acknowledged}: only results of earlier ones can be")


class Proposals:
    """Every command under way that this replica knows the body of: proposed, in its tail, or decreed not long ago.

    Of what was committed and executed some time ago the session table alone knows that it was: such a command is
    *settled* (:meth:`genpaxos.core.history.History.settle`). It is never taken up again, wherever it comes from.
    """

    def __init__(self, machine: type[Machine], sessions: Sessions) -> None:
        self._known: dict[str, Proposal] = {}
        self._ends: dict[str, End] = {}
        self.known: Mapping[str, Proposal] = self._known
        """Each of them by id; only this class changes it."""
        self.ends: Mapping[str, End] = self._ends
        """Those of them that end sessions."""
        self._machine = machine
        own = machine.admit.__func__ is Machine.admit.__func__  # type: ignore[attr-defined]  # a class method has one
        self._admissions = {name: made.admit for name, made in machine.operations.items()} if own else {}
        """What :meth:`Machine.admit` comes to, without its calls; empty where the program has replaced it."""
        self.sessions = sessions

    def settled(self, command: str) -> bool:
        """Whether the command was executed and is not known any more; its body is found in the log at most."""
        if command in self.known:
            return False
        try:
            return self.sessions.executed(command, *split_id(command))
        except InvalidCommand:
            return False

    def add(
        self,
        ids: Sequence[str],
        bodies: Sequence[Body],
        origin: Origin | None = None,
        decreed: Container[str] = (),
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """Admit commands. Returns the ids not known before, and ``(id, why)`` for each that is refused.

        A refusal depends on the command alone, so every replica refuses the same ones. Settled ones are passed over.
        ``origin`` spares taking the ids apart. Those of ``decreed`` are certain not to have run here, whatever the
        sessions say: a client may have acknowledged their numbers for other commands.
        """
        fresh: list[str] = []
        refused: list[tuple[str, str]] = []
        known, admissions, executed = self._known, self._admissions, self.sessions.executed
        origins = map(_origin, ids) if origin is None else zip(repeat(origin[0]), origin[1])
        highest = SEQUENCE_MAX if origin is None else self.sessions.highest(origin[0])
        for command, body, (client, sequence) in zip(ids, bodies, origins, strict=True):
            if command in known:
                continue
            try:
                if not 0 <= body[2] < sequence:
                    _refuse_number(command, body[2])
                operation, arguments, _ = body
                last = sequence if type(operation) is str else sequence + len(operation) - 1
                if sequence <= highest and executed(command, client, sequence, last) and command not in decreed:
                    continue
                admit = admissions.get(operation) if sequence != 1 and type(operation) is str else None
                if admit is not None:  # the first of a client may come with a key
                    known[command] = (body, admit(arguments), client, sequence, sequence, _NONE)
                elif operation == END and origin is not None:
                    raise InvalidCommand(f"{END} is proposed by replicas alone")
                else:
                    known[command] = self._made(command, body)
            except InvalidCommand as error:
                refused.append((command, str(error)))
            else:
                fresh.append(command)
        return fresh, refused

    def readmit(self, ids: Sequence[str], bodies: Sequence[Body]) -> None:
        """Take in commands that were admitted before, even if they have run: those that ran ahead of a snapshot, and
        those stored behind it. Raises :class:`InvalidCommand`."""
        for command, body in zip(ids, bodies, strict=True):
            self._known[command] = self._made(command, body)

    def _made(self, command: str, body: Body) -> Proposal:
        """What is known of any command, a built-in one too. Raises :class:`InvalidCommand`."""
        client, first, last = split_id(command)
        if type(body[0]) is list:
            footprint, refused = admitted_run(self._machine, self._admissions, client, last - first + 1, body)
            return body, footprint, client, first, last, refused
        if first != last:
            raise InvalidCommand(f"{command[:80]!r} is the id of a run, and its body holds one operation")
        footprint = admitted(self._machine, client, first, body[0], body[1])
        if body[0] == END:
            self._ends[command] = end_of(body[1])
        return body, footprint, client, first, last, _NONE

    def forget_ends(self, ids: Iterable[str]) -> None:
        """These commands that end sessions have been executed at their place in V."""
        for command in ids:
            del self._ends[command]

    def forget(self, ids: Iterable[str]) -> None:
        """These commands are settled."""
        known = self._known
        for command in ids:
            del known[command]

    def forget_over(self, held: Callable[[str], bool]) -> None:
        """Drop the commands of clients whose sessions have ended, except those that are ``held`` somewhere."""
        over, known = self.sessions.over, self._known
        for command in [name for name, made in known.items() if over(made[2]) and not held(name)]:
            del known[command]
            self._ends.pop(command, None)

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` whose body is not known and still needed."""
        known, settled = self.known, self.settled
        return [command for command in ids if command not in known and not settled(command)]

    def forget_settled(self, ahead: Container[str]) -> None:
        """Drop the bodies of all commands that have run, except those of ``ahead``, which no cut covers."""
        executed = self.sessions.executed
        kept = {
            command: known
            for command, known in self.known.items()
            if command in ahead or not executed(command, known[2], known[3], known[4])
        }
        self._known.clear()
        self._known.update(kept)
        for command in [command for command in self._ends if command not in kept]:
            del self._ends[command]

    def bodies(self, ids: Iterable[str]) -> list[Body]:
        """The bodies of known commands, in the same order."""
        known = self.known
        return [known[command][0] for command in ids]


def size_bytes(value: Any) -> int:
    """About how many bytes a JSON value takes on the wire: enough to cut chunks by."""
    match value:
        case str():
            return len(value) + 3
        case list():
            return 2 + sum(map(size_bytes, value))
        case dict():
            return 2 + sum(size_bytes(key) + size_bytes(item) for key, item in value.items())
        case _:
            return 8
