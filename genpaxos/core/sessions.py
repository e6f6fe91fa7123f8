"""Exactly-once: which commands of each client were executed, and their results (protocol §7).

Replicas run commuting commands in different orders, so every update here commutes: a set of sequence numbers, results
by command id, and the maximum of the acknowledgements that the commands carry. What a client acknowledges has run
somewhere; on a replica that lags it may be still to run, so an acknowledgement says nothing of what was executed here.
"""

from collections.abc import Iterator
from typing import Any

DROP_RESULTS = 64
"""Acknowledged results are dropped when so many sequence numbers have been acknowledged."""

Result = list[Any]
"""``[None, value]``, or for a declared error what :func:`commutativity.declared.as_result` makes of it."""


class _Session:
    """One client: 1..watermark and those in ``above`` were executed; results up to ``acknowledged`` are dropped."""

    __slots__ = ("above", "acknowledged", "dropped", "highest", "results", "watermark")

    def __init__(self) -> None:
        self.watermark = 0
        self.above: set[int] = set()
        self.highest = 0
        self.acknowledged = 0
        self.dropped = 0
        """The results up to here are dropped: what was acknowledged since goes a few at a time."""
        self.results: dict[int, tuple[tuple[str, Result], ...]] = {}
        """By sequence number. A client that gives one number to two commands gets both executed."""

    def raise_watermark(self) -> None:
        while self.watermark + 1 in self.above:
            self.watermark += 1
            self.above.discard(self.watermark)

    def drop(self) -> None:
        """Drop acknowledged results; costs no more than there are results, whatever a client claims."""
        if self.acknowledged - self.dropped <= len(self.results):
            for known in range(self.dropped + 1, self.acknowledged + 1):
                self.results.pop(known, None)
        else:
            self.results = {known: held for known, held in self.results.items() if known > self.acknowledged}
        self.dropped = self.acknowledged


class Sessions:
    """The session table: part of the replicated state."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def executed(self, command: str, client: str, sequence: int) -> bool:
        """Whether the command has run here.

        Of a number that its client has acknowledged the ids are gone: a second command under such a number is taken for
        the one that ran. A client that acknowledges a number has its results, so no honest one sends any.
        """
        session = self._sessions.get(client)
        if session is None or not (sequence <= session.watermark or sequence in session.above):
            return False
        return sequence <= session.acknowledged or any(name == command for name, _ in session.results[sequence])

    def highest(self, client: str) -> int:
        """None of the client's commands above this number has run here."""
        session = self._sessions.get(client)
        return 0 if session is None else session.highest

    def result(self, command: str, client: str, sequence: int) -> Result | None:
        """The result of a command that has run, unless its client has acknowledged having it."""
        session = self._sessions.get(client)
        if session is None or sequence <= session.acknowledged:
            return None
        held = session.results.get(sequence, ())
        return next((result for name, result in held if name == command), None)

    def record(self, command: str, client: str, sequence: int, result: Result, acknowledged: int) -> None:
        """Note that a command ran, which had not run before, and what it acknowledges."""
        session = self._sessions.get(client)
        if session is None:
            session = self._sessions[client] = _Session()
        if sequence > session.highest:
            session.highest = sequence
        if sequence == session.watermark + 1:
            session.watermark = sequence
            if session.above:
                session.raise_watermark()
        elif sequence > session.watermark:
            session.above.add(sequence)
        if sequence > session.acknowledged:
            held = session.results.get(sequence)
            mine = (command, result)
            session.results[sequence] = (
                (mine,) if held is None else tuple(sorted((*held, mine), key=lambda one: one[0]))
            )
        if acknowledged > session.acknowledged:
            session.acknowledged = acknowledged
            if acknowledged - session.dropped >= DROP_RESULTS:
                session.drop()

    def to_json(self) -> dict[str, Any]:
        """The table as JSON, equal on replicas that executed the same commands in whatever order."""
        return {
            client: [s.watermark, sorted(s.above), s.acknowledged, list(_rows(s))]
            for client, s in sorted(self._sessions.items())
        }

    def restore(self, table: dict[str, Any]) -> None:
        """Become the table that :meth:`to_json` gave."""
        self._sessions.clear()
        for client, (watermark, above, acknowledged, rows) in table.items():
            session = self._sessions[client] = _Session()
            session.watermark, session.above, session.acknowledged = watermark, set(above), acknowledged
            session.dropped, session.highest = acknowledged, max(watermark, *above, 0)
            for sequence, command, result in rows:
                session.results[sequence] = (*session.results.get(sequence, ()), (command, result))


def _rows(session: _Session) -> Iterator[list[Any]]:
    for sequence, held in sorted(session.results.items()):
        if sequence <= session.acknowledged:
            continue
        for command, result in held:
            yield [sequence, command, result]
