"""Exactly-once: which operations of each client were executed, and their results (protocol §7).

Replicas run commuting commands in different orders, so every update here commutes: a set of sequence numbers, results
by command id, and the maximum of the acknowledgements that the commands carry. What a client acknowledges has run
somewhere; on a replica that lags it may be still to run, so an acknowledgement says nothing of what was executed here.

What does not commute is the end of sessions (:mod:`genpaxos.core.endings`): a command that interferes with everything.
Of a session that has ended the client's name is kept, so that none of its commands runs any more; and where the name
tells when the client was born (:func:`born`), one number, the *floor*, in the end stands for all names born before it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

DROP_RESULTS = 64
"""Acknowledged results are dropped when so many sequence numbers have been acknowledged."""
DROP_BYTES: Final = 64 * 1024
"""They are dropped at once if the session's results take more than this."""
_SIZED: Final = frozenset((str, list, dict))
"""Types of results whose bytes are counted; the others take little."""
BIRTH_MARK: Final = "B"
_DIGITS: Final = frozenset("0123456789abcdef")
_HIGHEST: Final = 2**63 - 1

Result = list[Any]
"""``[None, value]``, or for a declared error what :func:`commutativity.declared.as_result` makes of it; of a run
(:mod:`genpaxos.core.runs`) a list of those of its operations."""

ENDED: Final[Result] = [
    "genpaxos.SessionEnded",
    "the client's session has ended: this command was executed before that, or never is",
]


def client_name(random: str, commit_index: int) -> str:
    """The name of a client born when a replica's commit index was this one. ``random`` is of lower-case letters and
    digits, and no two clients have the same."""
    return f"{random}{BIRTH_MARK}{commit_index:x}"


def born(client: str) -> int | None:
    """The commit index that a client's name tells as its birth; ``None`` if it tells none."""
    _, mark, digits = client.rpartition(BIRTH_MARK)
    return int(digits, 16) if mark and digits and len(digits) <= 16 and _DIGITS.issuperset(digits) else None


def last_number(first: int, result: Result) -> int:
    """The last sequence number of a command with this result."""
    return first + len(result) - 1 if type(result[0]) is list else first


def held_bytes(result: Result) -> int:
    """About how many bytes a result takes while it is held; 0 for one that takes little."""
    if type(result[0]) is list:
        return sum(map(held_bytes, result))
    value = result[1]
    return _nested_bytes(value) if type(value) in _SIZED else 0


def _nested_bytes(value: Any) -> int:
    match value:
        case str():
            return len(value) + 50
        case list():
            return 60 + sum(map(_nested_bytes, value))
        case dict():
            return 100 + sum(_nested_bytes(key) + _nested_bytes(item) for key, item in value.items())
        case _:
            return 30


class _Session:
    """One client: 1..watermark and those in ``above`` were executed; results up to ``acknowledged`` are dropped."""

    __slots__ = ("above", "acknowledged", "bytes", "dropped", "highest", "results", "watermark")

    def __init__(self) -> None:
        self.watermark = 0
        self.above: set[int] = set()
        self.highest = 0
        self.acknowledged = 0
        self.dropped = 0
        """The results up to here are dropped: what was acknowledged since goes a few at a time."""
        self.results: dict[int, tuple[tuple[str, Result, int], ...]] = {}
        """Commands with their results and what these take, by the first number of the command. A client that gives one
        number to two commands gets both executed."""
        self.bytes = 0
        """What the results take (:func:`held_bytes`), also those that are acknowledged and not dropped yet."""

    def ran(self, first: int, last: int) -> None:
        """These numbers were executed."""
        self.highest = max(self.highest, last)
        above = self.above
        if first > self.watermark + 1:
            above.update(range(first, last + 1))
        elif last > self.watermark:
            if above:
                above.difference_update(range(first, last + 1))  # a client may give a number to two commands
            self.watermark = last
            while above and self.watermark + 1 in above:
                self.watermark += 1
                above.discard(self.watermark)

    def has_run(self, first: int, last: int) -> bool:
        """Whether all of these numbers were executed."""
        if last <= self.watermark:
            return True
        above = self.above
        return last in above and above.issuperset(range(max(first, self.watermark + 1), last + 1))

    def drop(self) -> None:
        """Drop acknowledged results; costs no more than there are results, whatever a client claims.

        Those of a run are dropped when all of them are acknowledged.
        """
        results, most = self.results, self.acknowledged
        acknowledged = range(self.dropped + 1, most + 1)
        firsts = acknowledged if len(acknowledged) <= len(results) else [first for first in results if first <= most]
        self.dropped = most
        for first in firsts:
            held = results.pop(first, ())
            kept = tuple(one for one in held if last_number(first, one[1]) > most)
            if kept:
                results[first] = kept
                self.dropped = min(self.dropped, first - 1)
            if self.bytes:
                self.bytes -= sum(size for *_, size in held) - sum(size for *_, size in kept)


class Sessions:
    """The session table: part of the replicated state."""

    def __init__(self) -> None:
        self.open: dict[str, _Session] = {}
        """By client."""
        self.ended: dict[str, None] = {}
        """Clients whose sessions have ended, as far as the floor does not say so."""
        self.floor = 0
        """A client born up to this commit index that has no session never will have one."""
        self.ends = 0
        """How many commands that end sessions this replica has executed since it started."""
        self.bytes = 0
        """What all results take that are held."""

    def __len__(self) -> int:
        return len(self.open)

    def over(self, client: str) -> bool:
        """Whether the client's session has ended: none of its commands runs any more."""
        if client in self.open:
            return False
        if client in self.ended:
            return True
        return bool(self.floor) and (birth := born(client)) is not None and birth <= self.floor

    def executed(self, command: str, client: str, first: int, last: int) -> bool:
        """Whether the command with these numbers has run here, or its client's session has ended: then it never will.

        Of a number that its client has acknowledged the ids are gone: a second command under such a number is taken for
        the one that ran. A client that acknowledges a number has its results, so no honest one sends any.
        """
        session = self.open.get(client)
        if session is None:
            return self.over(client)
        if not session.has_run(first, last):
            return False
        return last <= session.acknowledged or any(name == command for name, *_ in session.results.get(first, ()))

    def highest(self, client: str) -> int:
        """None of the client's commands above this number has run here, nor is it over with the client."""
        session = self.open.get(client)
        if session is None:
            return _HIGHEST if self.over(client) else 0
        return session.highest

    def held(self, client: str, acknowledged: int = 0) -> int:
        """The bytes that the client's results take, without those of commands up to number ``acknowledged``."""
        session = self.open.get(client)
        if session is None or not session.bytes:
            return 0
        if acknowledged <= session.acknowledged:
            return session.bytes
        return sum(
            size
            for first, held in session.results.items()
            for _, result, size in held
            if last_number(first, result) > acknowledged
        )

    def result(self, command: str, client: str, first: int, last: int) -> Result | None:
        """The result of a command that has run, unless its client has acknowledged having it; of a run, a list of
        results."""
        session = self.open.get(client)
        if session is None or last <= session.acknowledged:
            return None
        held = session.results.get(first, ())
        return next((result for name, result, _ in held if name == command), None)

    def record(self, command: str, client: str, first: int, result: Result, acknowledged: int) -> int:
        """Note that a command ran, which had not run before, and what it acknowledges; returns what its result takes,
        0 if it is not kept. The result of a run is a list of results."""
        size = 0
        session = self.open.get(client)
        if session is None:
            session = self.open[client] = _Session()
        last = first if type(result[0]) is not list else first + len(result) - 1
        if first == session.watermark + 1 and not session.above:  # as nearly always
            session.watermark = last
            if last > session.highest:
                session.highest = last
        else:
            session.ran(first, last)
        if last > session.acknowledged:
            if type(result[1]) in _SIZED:
                size = held_bytes(result)
                session.bytes += size
                self.bytes += size
            results, mine = session.results, (command, result, size)
            if first in results:
                results[first] = tuple(sorted((*results[first], mine), key=lambda one: one[0]))
            else:
                results[first] = (mine,)
            if first <= session.dropped:
                session.dropped = first - 1  # a part of the run is acknowledged
        if acknowledged > session.acknowledged:
            session.acknowledged = acknowledged
            if acknowledged - session.dropped >= DROP_RESULTS or session.bytes >= DROP_BYTES:
                self._drop(session)
        return size

    def end(self, clients: Iterable[str], floor: int, acknowledged: Iterable[tuple[str, int]] = ()) -> int:
        """End the sessions of these clients, raise the floor, and drop what clients say they have; returns how many
        sessions there were. To be done at one place among all commands on every replica."""
        self.ends += 1
        ended = 0
        for client in clients:
            session = self.open.pop(client, None)
            if session is not None:
                self.bytes -= session.bytes
                ended += 1
            self.ended[client] = None
        if floor > self.floor:
            self.floor = floor
        if self.floor:
            self.ended = {name: None for name in self.ended if (birth := born(name)) is None or birth > self.floor}
        for client, number in acknowledged:
            session = self.open.get(client)
            if session is not None and number > session.acknowledged:
                session.acknowledged = number
                self._drop(session)
        return ended

    def _drop(self, session: _Session) -> None:
        self.bytes -= session.bytes
        session.drop()
        self.bytes += session.bytes

    def to_json(self) -> dict[str, Any]:
        """The table as JSON, equal on replicas that executed the same commands in whatever order.

        Under the empty name, which no client has, stand the floor and the clients whose sessions have ended.
        """
        table: dict[str, Any] = {
            client: [s.watermark, sorted(s.above), s.acknowledged, list(_rows(s))]
            for client, s in sorted(self.open.items())
        }
        return {"": [self.floor, sorted(self.ended)], **table} if self.floor or self.ended else table

    def restore(self, table: dict[str, Any]) -> None:
        """Become the table that :meth:`to_json` gave."""
        self.open.clear()
        self.floor, ended = table.get("", (0, ()))
        self.ended, self.bytes = dict.fromkeys(ended), 0
        for client, row in table.items():
            if not client:
                continue
            watermark, above, acknowledged, rows = row
            session = self.open[client] = _Session()
            session.watermark, session.above, session.acknowledged = watermark, set(above), acknowledged
            session.dropped, session.highest = acknowledged, max(watermark, *above, 0)
            for first, command, result in rows:
                size = held_bytes(result)
                session.results[first] = (*session.results.get(first, ()), (command, result, size))
                session.dropped = min(session.dropped, first - 1)
                session.bytes += size
            self.bytes += session.bytes


def _rows(session: _Session) -> Iterator[list[Any]]:
    for first, held in sorted(session.results.items()):
        for command, result, _ in held:
            if last_number(first, result) > session.acknowledged:
                yield [first, command, result]
