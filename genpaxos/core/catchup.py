"""Serving what others lack: decrees, committed decrees, bodies (protocol §3, §8), in chunks of bounded size."""

from collections.abc import Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Proposals, size_bytes
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
        ids, digests = history.decrees(message.first, min(last, message.first + CHUNK_COMMANDS_MAX - 1))
        ids = self.chunk(ids)
        if leading:
            return self._coordinator.phase2a(message.first, len(ids))
        bodies = self._proposals.bodies(ids)
        return Committed(self._acceptor.promised, message.first, ids, digests[: len(ids)], bodies)

    def on_fetch_bodies(self, message: FetchBodies) -> Bodies | None:
        """The bodies asked for, as far as they are known and fit a chunk."""
        known = self._proposals.known
        ids = self.chunk([command for command in message.ids if command in known])
        return Bodies(ids, self._proposals.bodies(ids)) if ids else None

    def chunk(self, ids: Sequence[str]) -> list[str]:
        """The first of ``ids`` (whose bodies are known) that fit one message; at least one."""
        chosen: list[str] = []
        size = 0
        for command in ids[:CHUNK_COMMANDS_MAX]:
            size += size_bytes(self._proposals.known[command][0]) + len(command) + 24
            if chosen and size > CHUNK_BYTES_MAX:
                break
            chosen.append(command)
        return chosen
