"""What this replica asks others for: decrees, bodies, chunks of a state; each with patience (:mod:`.patience`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.assembly import Assembly
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Fetch, FetchBodies, FetchSnapshot, Phase2a
from genpaxos.core.now import Now
from genpaxos.core.patience import Patience
from genpaxos.core.policies import rules_of

BODIES_ASKED_MAX = 1_000
"""Bodies asked for in one message; the rest when those have come."""


class Requests:
    """What one replica asks for."""

    def __init__(self, acceptor: Acceptor, assembly: Assembly, replicas: int, retry_ms: float, now: Now) -> None:
        self._unknown: dict[str, int] = {}
        """Commands voted for that the coordinator never received, with a voter: unless they come soon it fetches
        them."""
        self._acceptor = acceptor
        self._assembly = assembly
        self._now = now
        self._decrees = Patience(retry_ms)
        """Asks for decrees by the ballot promised and the index of the first."""
        self._asked: tuple[int, int] | None = None
        """Whom it asked last, and for which index."""
        self._bodies = [Patience(retry_ms) for _ in range(replicas)]
        """Per holder: asks for bodies by the first command."""
        self._chunks = Patience(retry_ms)

    @property
    def progress(self) -> int:
        """How much of a state that was asked for has come."""
        return self._assembly.wanted

    # Decrees --------------------------------------------------------------------------------------------------------

    def fetch(self, source: int, wanted: int, effects: Effects) -> None:
        """Ask for decrees from ``wanted`` on, unless a snapshot is coming; for one index not again while the answer may
        be on its way."""
        what = self._acceptor.promised, wanted
        if self._assembly.sender is None and self._decrees.due(what, self._now.ms):
            self._asked = source, wanted
            effects.send(source, Fetch(wanted))

    def fetch_anew(self, source: int, wanted: int, connected: int, effects: Effects) -> None:
        """The same, without patience if who was asked last is not connected any more (a bit mask)."""
        if self._asked is not None and not connected >> self._asked[0] & 1:
            self._decrees.forget()
        self.fetch(source, wanted, effects)

    def on_decrees(self, sender: int, message: Phase2a, effects: Effects) -> None:
        """A chunk that was asked for calls for the next one, a gap for what is missing."""
        wanted = self._acceptor.next_wanted()
        carried = rules_of(message.kind).carries_bodies(message.kind, self._acceptor.node)
        answers = message.bodies is not None and not carried  # else decrees are without
        lags = (answers and message.first + len(message.ids) == wanted) or (carried and message.committed >= wanted)
        self._answered(message.first)
        if message.first > wanted or wanted <= message.recovered or lags:
            self.fetch(sender, wanted, effects)

    def on_committed(self, sender: int, first: int, effects: Effects) -> None:
        """Committed decrees from ``first`` on came, some of them new: ask for the next."""
        self._answered(first)
        self.fetch(sender, self._acceptor.history.committed + 1, effects)

    def _answered(self, first: int) -> None:
        if self._asked is not None and first == self._asked[1]:
            self._decrees.answered(self._now.ms)

    # Bodies ---------------------------------------------------------------------------------------------------------

    def bodies(self, holder: int, ids: Sequence[str], effects: Effects) -> None:
        """Ask one replica for bodies."""
        if ids and self._bodies[holder].due(ids[0], self._now.ms):
            effects.send(holder, FetchBodies(list(ids[:BODIES_ASKED_MAX])))

    def bodies_once(self, missing: Mapping[int, Sequence[str]], effects: Effects) -> None:
        """Ask for each of these bodies one of those who hold it, one that answers first."""
        asked: set[str] = set()
        for holder in sorted(missing, key=lambda one: self._bodies[one].repeated):
            ids = [command for command in missing[holder] if command not in asked]
            asked.update(ids)
            self.bodies(holder, ids, effects)

    def on_bodies(self, sender: int) -> None:
        """Bodies came that were asked for."""
        self._bodies[sender].answered(self._now.ms)

    def on_unknown(self, voter: int, ids: Sequence[str]) -> None:
        """A coordinator sees votes for commands it never received."""
        for command in ids:
            self._unknown[command] = voter

    def still_unknown(self, missing: Callable[[Iterable[str]], list[str]]) -> dict[int, list[str]]:
        """By voter, the commands of :meth:`on_unknown` that are still ``missing``; the others are not asked for."""
        by_voter: dict[int, list[str]] = {}
        self._unknown = {command: self._unknown[command] for command in missing(self._unknown)}
        for command, voter in self._unknown.items():
            by_voter.setdefault(voter, []).append(command)
        return by_voter

    # States ---------------------------------------------------------------------------------------------------------

    def chunk(self, sender: int, effects: Effects) -> None:
        """Ask for the next chunk of the state that is coming."""
        assembly = self._assembly
        if self._chunks.due((sender, assembly.index, assembly.wanted), self._now.ms):
            effects.send(sender, FetchSnapshot(assembly.index, assembly.wanted))

    def on_chunk(self, sender: int, effects: Effects) -> None:
        """A chunk came: ask for the next."""
        self._chunks.answered(self._now.ms)
        self.chunk(sender, effects)
