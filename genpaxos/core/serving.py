"""Serving what others lack: decrees, committed decrees, bodies, states (protocol §3, §8), in chunks of bounded size.

What is asked for waits here, one request of a kind per replica, and each step answers some of it: so serving those that
lag delays nobody else's commands by more than a chunk takes, and a request that is repeated before it is answered costs
nothing. Nothing is begun for a replica to which much is still under way (:attr:`Serving.busy`), nor is a chunk sent
again that has just left: a replica that asks again asked before that arrived.
"""

from collections.abc import Collection, Container, Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import Ballot
from genpaxos.core.commands import Body, Proposals, size_bytes
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Bodies, Committed, Fetch, FetchBodies, FetchSnapshot, Phase2a
from genpaxos.core.truncation import Truncation

CHUNK_COMMANDS_MAX = 2_000
CHUNK_BYTES_MAX = 512 * 1024
"""A chunk of either size takes a few milliseconds to handle, so serving a replica that lags delays nobody else's
commands by more. One step sends no more than one such chunk, or several small ones."""

Request = Fetch | FetchBodies | FetchSnapshot


class Serving:
    """Answers the requests of replicas that lag."""

    def __init__(
        self, acceptor: Acceptor, coordinator: Coordinator, proposals: Proposals, again_ms: float = 0.0
    ) -> None:
        self.busy: Container[int] = ()
        """The replicas to which so much is still under way that nothing large should be added. Said by the owner."""
        self.served_bytes = 0
        """About how much was ever sent from here."""
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._proposals = proposals
        self._again_ms = again_ms
        """A chunk is not sent again within so long."""
        self._waiting: dict[tuple[int, type[Request]], Request] = {}
        """What is to be answered, in the order in which it was asked for."""
        self._sent: dict[int, tuple[tuple[Ballot, int], float]] = {}
        """Per replica: from where on decrees were sent it last, in which ballot, and when."""

    def on_request(self, sender: int, message: Request, _effects: Effects) -> None:
        """A replica asks for something; what it asked for before and did not get is no longer wanted."""
        self._waiting[sender, type(message)] = message

    def reset(self) -> None:
        """Forget what was asked for and what was sent."""
        self._waiting.clear()
        self._sent.clear()

    def open(self, acceptor: int, first: int) -> None:
        """A ballot begins that the acceptor needs from this index on, whatever it was sent before."""
        self._sent.pop(acceptor, None)
        self._waiting[acceptor, Fetch] = Fetch(first)

    @property
    def waits(self) -> bool:
        """Whether there is something to be answered at once."""
        return bool(self._waiting) and any(peer not in self.busy for peer, _ in self._waiting)

    @property
    def held(self) -> Collection[int]:
        """The replicas that are to be answered as soon as they are not busy."""
        return {peer for peer, _ in self._waiting if peer in self.busy} if self._waiting else ()

    def serve(self, truncation: Truncation, now_ms: float, effects: Effects) -> None:
        """Answer what was asked for, as much as one step should."""
        if not self._waiting:
            return
        budget = CHUNK_BYTES_MAX
        for key in list(self._waiting):
            if budget <= 0:
                return
            if key[0] not in self.busy:
                budget -= self._answer(key[0], self._waiting.pop(key), truncation, now_ms, effects)

    def _answer(self, peer: int, message: Request, truncation: Truncation, now_ms: float, effects: Effects) -> int:
        """Answer one request; returns how many bytes that took, about."""
        match message:
            case FetchSnapshot():
                if not truncation.stored:
                    return 0
                effects.chunks.append((peer, truncation.offset(message, now_ms)))
                return self._counted(CHUNK_BYTES_MAX)
            case Fetch() if self.is_cut(message):
                effects.chunks.append((peer, truncation.begin(now_ms)))
                return self._counted(CHUNK_BYTES_MAX)
            case Fetch():
                return self._send_decrees(peer, message, now_ms, effects)
            case FetchBodies():
                return self._send_bodies(peer, message, truncation, now_ms, effects)

    def _send_decrees(self, peer: int, message: Fetch, now_ms: float, effects: Effects) -> int:
        what = (self._acceptor.promised, message.first)
        sent, sent_ms = self._sent.get(peer, (None, 0.0))
        if sent == what and now_ms - sent_ms < self._again_ms:
            return 0
        answer = self.on_fetch(message)
        if answer is None:
            return 0
        effects.send(peer, answer)
        if answer.ids:
            self._sent[peer] = what, now_ms
        return self._counted(_size(answer.ids, answer.bodies or []))

    def _send_bodies(
        self, peer: int, message: FetchBodies, truncation: Truncation, now_ms: float, effects: Effects
    ) -> int:
        answer = self.on_fetch_bodies(message)
        if answer is not None:
            effects.send(peer, answer)
        lacking = len(message.ids) - (len(answer.ids) if answer else 0)
        if lacking and truncation.stored and self._are_cut(message.ids):
            effects.chunks.append((peer, truncation.begin(now_ms)))  # only the state can still tell what they did
            return self._counted(CHUNK_BYTES_MAX)
        return self._counted(_size(answer.ids, answer.bodies)) if answer is not None else 0

    def _counted(self, size: int) -> int:
        self.served_bytes += size
        return size

    def _are_cut(self, ids: Sequence[str]) -> bool:
        """Whether some of the commands were executed and are not even in the log any more."""
        settled = [command for command in ids if self._proposals.settled(command)]
        return not self._acceptor.history.has_settled(settled)

    def is_cut(self, message: Fetch) -> bool:
        """Whether a snapshot stands for the decrees asked for."""
        return message.first <= self._acceptor.history.base

    def on_fetch(self, message: Fetch) -> Phase2a | Committed | None:
        """A chunk of decrees from ``message.first`` on: this ballot's if this replica leads, else committed ones.

        A coordinator answers even when there is nothing: that tells an acceptor which ballot to join.
        """
        history = self._acceptor.history
        leading = self._coordinator.leading
        last = history.length if leading else history.committed
        if message.first > last + leading:
            return None
        last = min(last, message.first + CHUNK_COMMANDS_MAX - 1)
        bodies = history.bodies(message.first, last, CHUNK_BYTES_MAX)
        ids, digests = history.decrees(message.first, message.first + len(bodies) - 1)
        count = self.chunk(ids, bodies)
        if leading:
            return self._coordinator.phase2a(message.first, bodies[:count])
        return Committed(self._acceptor.promised, message.first, ids[:count], digests[:count], bodies[:count])

    def on_fetch_bodies(self, message: FetchBodies) -> Bodies | None:
        """The bodies asked for, as far as they are here and fit a chunk."""
        known = self._proposals.known
        asked = message.ids[:CHUNK_COMMANDS_MAX]
        missing = [command for command in asked if command not in known]
        settled = self._acceptor.history.settled_bodies(missing, CHUNK_BYTES_MAX) if missing else {}
        ids = [command for command in asked if command in known or command in settled]
        bodies = [settled[command] if command in settled else known[command][0] for command in ids]
        count = self.chunk(ids, bodies)
        return Bodies(ids[:count], bodies[:count]) if count else None

    def chunk(self, ids: Sequence[str], bodies: Sequence[Body]) -> int:
        """How many of these commands are sent at a time."""
        return chunk(ids, bodies)


def chunk(ids: Sequence[str], bodies: Sequence[Body]) -> int:
    """How many of these commands fit one message: at least one, if there is one."""
    size = 0
    for count, (command, body) in enumerate(zip(ids[:CHUNK_COMMANDS_MAX], bodies, strict=False)):
        size += size_bytes(body) + len(command) + 24
        if count and size > CHUNK_BYTES_MAX:
            return count
    return min(len(ids), CHUNK_COMMANDS_MAX)


def _size(ids: Sequence[str], bodies: Sequence[Body]) -> int:
    return sum(map(len, ids)) + sum(map(size_bytes, bodies)) + 24 * len(ids) + 100
