"""Commands as the core handles them: plain tuples, no object per command (protocol §2).

A command's *id* is the text ``client:sequence``, of a run (:mod:`genpaxos.core.runs`) ``client:first+count``. Clients
send it with a hash of the body in front (``hash/client:sequence``, :func:`sealed_id`), so that one id names one body,
whoever sends it where. Its *body* is ``[operation, arguments, acknowledged]``, where ``acknowledged`` says that the
client has the results of its operations up to that sequence number (protocol §7); that of a run holds lists of both.
The body is part of the command: a retry carries the same one.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NoReturn

from xxhash import xxh3_64_hexdigest

from commutativity import Footprint, InvalidCommand, Machine
from genpaxos.core.endings import END, End, end_of
from genpaxos.core.keys import admitted, admitted_run
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

SEQUENCE_MAX = 2**63 - 1
_NONE: Refused = {}
OWN_SESSIONS = "genpaxos"
"""How the names of the sessions begin in which replicas number their own commands. No client may have such a name: it
could use up the numbers."""


def command_id(client: str, first: int, count: int = 1) -> str:
    """The id of a client's command with the operations ``first … first + count - 1``, numbered from 1."""
    return f"{client}:{first}" if count == 1 else f"{client}:{first}+{count}"


def sealed_id(client: str, sequence: int, encoded_body: bytes, count: int = 1) -> str:
    """A command id that carries a hash of the body's JSON bytes. ``count``: how many operations it holds."""
    return f"{xxh3_64_hexdigest(encoded_body)}/{command_id(client, sequence, count)}"


def split_id(command: str) -> tuple[str, int, int]:
    """The client of a command id and the sequence numbers of its first and its last operation.

    Raises :class:`InvalidCommand` if it is not one.
    """
    prefix, _, numbers = command.rpartition(":")
    client = prefix.rpartition("/")[2]
    digits, plus, count = numbers.partition("+")
    first, more = _number(digits), _number(count) if plus else 1
    if client and first and more > bool(plus) and first + more - 1 <= SEQUENCE_MAX:
        return client, first, first + more - 1
    raise InvalidCommand(
        f"{command[:80]!r} is not a command id: expected 'client:sequence', or of a run 'client:first+count', numbers "
        "from 1"
    )


def operation_id(command: str, first: int, last: int, number: int) -> str:
    """What names one operation of a command: of a run ``id#number``."""
    return command if first == last else f"{command}#{number}"


def operation_ids(command: str) -> list[str]:
    """What names the operations of a command, in their order. Raises :class:`InvalidCommand`."""
    _, first, last = split_id(command)
    return [operation_id(command, first, last, number) for number in range(first, last + 1)]


def footprint_of(machine: type[Machine], command: str, body: Body) -> Footprint:
    """The footprint of any command from its id and its body. Raises :class:`InvalidCommand`."""
    client, first, last = split_id(command)
    if type(body[0]) is list:
        return admitted_run(machine, {}, client, last - first + 1, body)[0]
    return admitted(machine, client, first, body[0], body[1])


def _number(digits: str) -> int:
    """What these digits say if that is a sequence number as it is written, else 0."""
    if digits.isdecimal() and digits.isascii() and len(digits) < 20 and digits[0] != "0":
        return int(digits)
    return 0


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
                admit = admissions.get(operation) if sequence != 1 and last == sequence else None
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
