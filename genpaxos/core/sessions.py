"""Exactly-once: which commands of each client were executed, and their results (protocol §7).

Replicas run commuting commands in different orders, so every update here commutes: a set of sequence numbers, and the
maximum of the acknowledgements that the commands carry.
"""

from typing import Any

Result = list[Any]
"""``[None, value]``, or ``[error code, error message]`` for a declared error."""


class _Session:
    """One client: 1..watermark and those in ``above`` were executed; results up to ``acknowledged`` are dropped."""

    __slots__ = ("above", "acknowledged", "results", "watermark")

    def __init__(self) -> None:
        self.watermark = 0
        self.above: set[int] = set()
        self.acknowledged = 0
        self.results: dict[int, Result] = {}

    def raise_watermark(self) -> None:
        while self.watermark + 1 in self.above:
            self.watermark += 1
            self.above.discard(self.watermark)

    def acknowledge(self, sequence: int) -> None:
        """Drop the results up to ``sequence``; costs no more than there are results, whatever a client claims."""
        if sequence - self.acknowledged <= len(self.results):
            for known in range(self.acknowledged + 1, sequence + 1):
                self.results.pop(known, None)
        else:
            self.results = {known: result for known, result in self.results.items() if known > sequence}
        self.acknowledged = sequence


class Sessions:
    """The session table: part of the replicated state."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def executed(self, client: str, sequence: int) -> bool:
        """Whether the client's command has run."""
        session = self._sessions.get(client)
        return session is not None and (sequence <= session.watermark or sequence in session.above)

    def result(self, client: str, sequence: int) -> Result | None:
        """The result of a command that has run, unless its client has acknowledged having it."""
        session = self._sessions.get(client)
        return session.results.get(sequence) if session is not None else None

    def record(self, client: str, sequence: int, result: Result, acknowledged: int) -> None:
        """Note that a command ran, which had not run before, and what it acknowledges.

        A client that gives one number to two commands gets both executed; which result its number then has must not
        depend on their order.
        """
        session = self._sessions.get(client)
        if session is None:
            session = self._sessions[client] = _Session()
        if sequence == session.watermark + 1:
            session.watermark = sequence
            if session.above:
                session.raise_watermark()
        elif sequence > session.watermark:
            session.above.add(sequence)
        if sequence > session.acknowledged:
            other = session.results.get(sequence)
            session.results[sequence] = result if other is None else min(result, other, key=repr)
        if acknowledged > session.acknowledged:
            session.acknowledge(acknowledged)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON, equal on replicas that executed the same commands in whatever order."""
        return {
            client: [s.watermark, sorted(s.above), s.acknowledged, sorted(s.results.items())]
            for client, s in sorted(self._sessions.items())
        }
