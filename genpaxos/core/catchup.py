"""Serving what others lack: decrees, committed decrees, bodies (protocol §3, §8), in chunks of bounded size."""

from collections.abc import Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Body, Proposals, size_bytes
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.messages import Bodies, Committed, Fetch, FetchBodies, Phase2a

CHUNK_COMMANDS_MAX = 2_000
CHUNK_BYTES_MAX = 512 * 1024
"""A chunk of either size takes a few milliseconds to handle, so serving a replica that lags delays nobody else's
commands by more."""


class Catchup:
    """Answers the requests of replicas that lag."""

    def __init__(self, acceptor: Acceptor, coordinator: Coordinator, proposals: Proposals) -> None:
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._proposals = proposals

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
        ids, digests = history.decrees(message.first, last)
        bodies = history.bodies(message.first, last)
        count = self.chunk(ids, bodies)
        if leading:
            return self._coordinator.phase2a(message.first, count)
        return Committed(self._acceptor.promised, message.first, ids[:count], digests[:count], bodies[:count])

    def on_fetch_bodies(self, message: FetchBodies) -> Bodies | None:
        """The bodies asked for, as far as they are here and fit a chunk."""
        known = self._proposals.known
        settled = self._acceptor.history.settled_bodies(command for command in message.ids if command not in known)
        ids = [command for command in message.ids if command in known or command in settled]
        bodies = [settled[command] if command in settled else known[command][0] for command in ids]
        count = self.chunk(ids, bodies)
        return Bodies(ids[:count], bodies[:count]) if count else None

    def chunk(self, ids: Sequence[str], bodies: Sequence[Body]) -> int:
        """How many of these commands fit one message: at least one, if there is one."""
        size = 0
        for count, (command, body) in enumerate(zip(ids[:CHUNK_COMMANDS_MAX], bodies, strict=False)):
            size += size_bytes(body) + len(command) + 24
            if count and size > CHUNK_BYTES_MAX:
                return count
        return min(len(ids), CHUNK_COMMANDS_MAX)
