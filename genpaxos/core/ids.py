"""What names commands and their operations (protocol §2, §2.2).

The id of a command is ``client:sequence``, of a run (:mod:`genpaxos.core.runs`) ``client:first+count``. Clients send it
with a hash of the body in front (``hash/client:sequence``, :func:`sealed_id`), so that one id names one body, whoever
sends it where. One operation of a run is named ``id#number``.
"""

from xxhash import xxh3_64_hexdigest

from commutativity import InvalidCommand

SEQUENCE_MAX = 2**63 - 1
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


def operation_count(command: str) -> int:
    """How many operations a command holds. Raises :class:`InvalidCommand`."""
    _, first, last = split_id(command)
    return last - first + 1


def parted(name: str) -> tuple[str, int | None]:
    """The id of the command, and of a part of a run the number of the operation. Raises :class:`InvalidCommand`."""
    command, mark, digits = name.partition("#")
    _, first, last = split_id(command)
    number = _number(digits) if mark else None
    if number is not None and (first == last or not first <= number <= last):
        raise InvalidCommand(
            f"{name[:80]!r} is not the id of an operation: expected 'id#number', a number of the run's"
        )
    return command, number


def _number(digits: str) -> int:
    """What these digits say if that is a sequence number as it is written, else 0."""
    if digits.isdecimal() and digits.isascii() and len(digits) < 20 and digits[0] != "0":
        return int(digits)
    return 0
