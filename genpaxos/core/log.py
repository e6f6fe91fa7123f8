"""A decree sequence V, from where it is cut off on (protocol §3, §8)."""

import struct
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from math import inf

from xxhash import xxh3_64_intdigest

from genpaxos.core.commands import Body, Proposal, size_bytes
from genpaxos.core.endings import Closing, End
from genpaxos.core.settled import SettledBodies

_PACK = struct.Struct("<QQ").pack
MASK = 2**64 - 1


class Log:
    """V[1..length], of which V[1..base] is cut off: a snapshot stands for it.

    V[1..settled] is found by index only. What is looked up by id at every step are the commands under way, and a table
    of just these stays in the processor's cache; one of the whole log does not, and cost a quarter of all time.
    """

    def __init__(
        self,
        known: Mapping[str, Proposal],
        ends: Mapping[str, End],
        sessions: Container[str],
        forget: Callable[[Sequence[str]], None],
    ) -> None:
        self.base = 0
        self.ids: list[str] = []
        """V[base+1..length]; ``digests`` likewise."""
        self.digests: list[int] = []
        self.positions: dict[str, int] = {}
        """The indices of V[settled+1..length] by id."""
        self.committed = 0
        """V[1..committed] never changes any more."""
        self.settled = 0
        """V[1..settled] is committed and executed, and neither in ``positions`` nor among the known proposals."""
        self.revision = 0
        """Counts what changes V, or labels in the tail: all but appending to the tail. What was read of the tail before
        is out of date when this has risen."""
        self.closing = Closing(ends, sessions)
        """Commands that end sessions, known and not settled: behind one stands no command of a client it ends."""
        self._bodies = SettledBodies()
        """The bodies of V[base+1..settled] and perhaps some before."""
        self._known = known
        self._forget = forget
        """Called with commands that are settled: their bodies are kept here from then on."""
        self._base_sum = 0

    @property
    def length(self) -> int:
        """The index j of the last decree."""
        return self.base + len(self.ids)

    def commit(self, index: int) -> None:
        """V[1..index] is committed; the callers show why. Nothing else sets the index."""
        self.committed = index

    def decrees(self, first: int, last: int | None = None) -> tuple[list[str], list[int]]:
        """Ids and digests of V[first..last], to the end by default. V[first] must not be cut off."""
        start = first - 1 - self.base
        assert start >= 0, f"V[{first}] is cut off: V[1..{self.base}] is"
        end = None if last is None else max(start, last - self.base)
        return self.ids[start:end], self.digests[start:end]

    def log_sum(self, index: int) -> int:
        """A 64-bit sum over V[1..index] that two logs have in common exactly when they are the same up to there."""
        total = self._base_sum
        for at, digest in enumerate(self.digests[: index - self.base], self.base + 1):
            total += xxh3_64_intdigest(_PACK(at, digest))
        return total & MASK

    def bodies(self, first: int, last: int, bytes_max: float = inf) -> list[Body]:
        """The bodies of V[first..last], none of which is cut off; with ``bytes_max`` as many of the first of them as
        take so much or little more, and at least one: no more than that is decoded."""
        found, size, enough = self._bodies.between(first, min(last, self.settled), bytes_max)
        if enough:
            return found
        known = self._known
        for command in self.ids[max(first - 1 + len(found), self.settled) - self.base : max(0, last - self.base)]:
            if size >= bytes_max:
                break
            body = known[command][0]
            found.append(body)
            if bytes_max < inf:
                size += size_bytes(body)
        return found

    def has_settled(self, ids: Iterable[str]) -> bool:
        """Whether all of these are settled and not cut off."""
        return set(ids).issubset(self.ids[: self.settled - self.base])

    def settled_bodies(self, ids: Iterable[str], bytes_max: float = inf) -> dict[str, Body]:
        """The bodies of those of ``ids`` that are settled and not cut off; with ``bytes_max`` no more are decoded than
        hold so much. Searches the log from its end: this is for the rare question about a command whose index nobody
        gives."""
        wanted, places = set(ids), {}
        for index in range(self.settled, self.base, -1):
            if not wanted:
                break
            command = self.ids[index - self.base - 1]
            if command in wanted:
                wanted.discard(command)
                places[index] = command
        return {places[index]: body for index, body in self._bodies.at(sorted(places), bytes_max)}

    @property
    def run_commands(self) -> int:
        """How many bodies as large as those settled last are stored together."""
        return self._bodies.run_commands

    def settle(self, index: int, bytes_max: float = inf) -> None:
        """V[1..index] is committed and executed: asked for by id, its commands are answered by the sessions.

        With ``bytes_max`` only as much of it as takes so much or little more: the next call goes on.
        """
        assert index <= self.committed
        known, positions = self._known, self.positions
        size = 0
        while self.settled < index and size < bytes_max:  # after a restart it is the whole journal
            end = min(self.settled + self._bodies.run_commands, index)
            run = self.ids[self.settled - self.base : end - self.base]
            added = self._bodies.add(end, [known[command][0] for command in run])
            if not added:
                continue  # they fill more than a run: fewer of them
            self._forget(run)
            for command in run:
                del positions[command]
            if self.closing.held:
                self.closing.remove(run)
            self.settled = end
            size += added

    def cut(self, index: int) -> None:
        """Forget V[1..index], which a snapshot stands for."""
        assert self.base <= index <= self.committed
        self.settle(index)
        count = index - self.base
        self._base_sum = self.log_sum(index)
        del self.ids[:count], self.digests[:count]
        self._bodies.cut(index)
        self.base = index

    def _extend(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        start = self.length + 1
        self.revision += 1
        self.ids.extend(ids)
        self.digests.extend(digests)
        self.positions.update(zip(ids, range(start, start + len(ids)), strict=True))
        if self.closing.under_way:
            self.closing.add(ids)
