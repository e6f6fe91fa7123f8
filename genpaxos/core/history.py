"""An acceptor's command history, ``V[1..j] • tail`` (protocol §3), kept so that a step costs O(1) per command.

The *label* of a command is the digest it had when it joined the history. Labels of decrees are exact. The label of a
tail command may go stale when a decree overtakes it: re-digesting the tail at each decree would cost O(tail) per batch,
so it is not done. Within one leader-ordered ballot that is safe, because a label counts only when it equals the
coordinator's, and such a label is never stale (the argument is in DESIGN.md, "Lazy labels"). Across ballots it would
not be, so :meth:`replace` digests everything afresh.
"""

import struct
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import chain, takewhile
from math import inf

import orjson
from xxhash import xxh3_64_intdigest

from commutativity import InterferenceIndex
from genpaxos.core.commands import Body, Proposal, size_bytes
from genpaxos.core.endings import Closing, End

_PACK = struct.Struct("<QQ").pack
MASK = 2**64 - 1
RUN_COMMANDS_MAX = 512
RUN_BYTES_MAX = 128 * 1024
"""Settled bodies that are encoded together, unless one alone is longer: to get at one, all of them are decoded."""


class DivergenceError(RuntimeError):
    """Two replicas disagree on what follows what: the replica must stop (protocol §3, Execution)."""


class History:
    """``V[1..length] • tail`` with the interference index over all of it.

    V[1..base] is cut off (protocol §8): a snapshot stands for it. Its sums stay in the index, so digests do not change.

    V[1..settled] is found by index only. What is looked up by id at every step are the commands under way, and a table
    of just these stays in the processor's cache; one of the whole log does not, and cost a quarter of all time.
    """

    def __init__(
        self,
        index: InterferenceIndex,
        known: dict[str, Proposal],
        ends: dict[str, End] | None = None,
        sessions: Container[str] = (),
    ) -> None:
        self.base = 0
        self.ids: list[str] = []
        """V[base+1..length]; ``digests`` likewise."""
        self.digests: list[int] = []
        self.positions: dict[str, int] = {}
        """The indices of V[settled+1..length] by id."""
        self.tail: dict[str, int] = {}
        self.committed = 0
        """V[1..committed] never changes any more."""
        self.settled = 0
        """V[1..settled] is committed and executed, and neither in ``positions`` nor among the known proposals."""
        self.revision = 0
        """Counts what changes V, or labels in the tail: all but appending to the tail. What was read of the tail before
        is out of date when this has risen."""
        self._bodies: list[tuple[int, bytes]] = []
        """The bodies of V[base+1..settled] and perhaps some before, as JSON, with the index of the last in each run:
        little memory, and nothing that the garbage collector would have to walk through."""
        self.run_commands = RUN_COMMANDS_MAX
        """How many bodies as large as those settled last fill a run."""
        self._index = index
        self._known = known
        self._base_sum = 0
        self.closing = Closing({} if ends is None else ends, sessions)
        """Commands that end sessions, known and not settled: behind one stands no command of a client it ends."""
        self.has_run: Callable[[str], bool] = lambda _: False
        """Whether a command has run ahead of its index: then it is chosen, so no end before it ends its client."""

    @property
    def length(self) -> int:
        """The index j of the last decree."""
        return self.base + len(self.ids)

    def commit(self, index: int) -> None:
        """V[1..index] is committed: the one place that says so. The callers show why."""
        self.committed = index

    def state(self) -> tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[str, int], ...], int]:
        """Decrees, their digests, the tail and the commit index; of a history of which nothing is settled."""
        assert not self.settled
        return tuple(self.ids), tuple(self.digests), tuple(self.tail.items()), self.committed

    def load(self, ids: Sequence[str], digests: Sequence[int], tail: Iterable[tuple[str, int]], committed: int) -> None:
        """Become what :meth:`state` gave; the commands are known."""
        assert not self.settled
        self.ids, self.digests, self.tail, self.committed = list(ids), list(digests), dict(tail), committed
        self.positions = {command: index for index, command in enumerate(ids, 1)}
        self._index.clear()
        for command, digest in chain(zip(ids, digests, strict=True), self.tail.items()):
            self._index.add(self._known[command][1], digest)

    def holds(self, command: str) -> bool:
        """Whether the history contains the command."""
        return command in self.positions or command in self.tail

    def decrees(self, first: int, last: int | None = None) -> tuple[list[str], list[int]]:
        """Ids and digests of V[first..last], to the end by default. V[first] must not be cut off."""
        start = first - 1 - self.base
        assert start >= 0, f"V[{first}] is cut off: V[1..{self.base}] is"
        end = None if last is None else max(start, last - self.base)
        return self.ids[start:end], self.digests[start:end]

    def undecreed(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` that V does not hold; none that are cut off."""
        known, positions = self._known, self.positions
        return [command for command in ids if command in known and command not in positions]

    def labels(self, ids: Sequence[str]) -> tuple[list[str], list[int]]:
        """Those of ``ids`` that the history holds, with the labels they have there now, as decrees or in the tail."""
        tail, positions, digests, before = self.tail, self.positions, self.digests, self.base + 1
        held = [command for command in ids if command in tail or command in positions]
        return held, [tail[c] if c in tail else digests[positions[c] - before] for c in held]

    def log_sum(self, index: int) -> int:
        """A 64-bit sum over V[1..index] that two logs have in common exactly when they are the same up to there."""
        total = self._base_sum
        for at, digest in enumerate(self.digests[: index - self.base], self.base + 1):
            total += xxh3_64_intdigest(_PACK(at, digest))
        return total & MASK

    def bodies(self, first: int, last: int, bytes_max: float = inf) -> list[Body]:
        """The bodies of V[first..last], none of which is cut off; with ``bytes_max`` as many of the first of them as
        take so much or little more, and at least one: no more than that is decoded."""
        found: list[Body] = []
        size = 0
        if first <= self.settled:
            for place in range(bisect_left(self._bodies, (first,)), len(self._bodies)):
                end, encoded = self._bodies[place]
                run = orjson.loads(encoded)
                start = end - len(run) + 1
                found += run[max(0, first - start) : max(0, last + 1 - start)]
                size += len(encoded)
                if end >= last or size >= bytes_max:
                    break
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
        """Of those of ``ids`` that are settled and not cut off, the bodies; with ``bytes_max`` no more are decoded than
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
        found: dict[str, Body] = {}
        run: list[Body] = []
        end = size = 0
        for index in sorted(places):
            if index > end:
                if size >= bytes_max:
                    break
                end, encoded = self._bodies[bisect_left(self._bodies, (index,))]
                run = orjson.loads(encoded)
                size += len(encoded)
            found[places[index]] = run[index - end - 1]
        return found

    def settle(self, index: int, bytes_max: float = inf) -> None:
        """V[1..index] is committed and executed: who asks for one of its commands by id is answered by the sessions.

        With ``bytes_max`` only as much of it as takes so much or little more: the next call goes on.
        """
        assert index <= self.committed
        known, positions = self._known, self.positions
        size = 0
        while self.settled < index and size < bytes_max:  # after a restart it is the whole journal
            end = min(self.settled + min(self.run_commands, RUN_COMMANDS_MAX), index)
            run = self.ids[self.settled - self.base : end - self.base]
            encoded = orjson.dumps([known[command][0] for command in run])
            if len(encoded) > RUN_BYTES_MAX and len(run) > 1:
                self.run_commands = min(len(run) - 1, max(1, len(run) * RUN_BYTES_MAX // len(encoded)))
                continue
            if 2 * len(encoded) < RUN_BYTES_MAX and len(run) == self.run_commands:
                self.run_commands = min(RUN_COMMANDS_MAX, 2 * self.run_commands)
            self._bodies.append((end, encoded))
            for command in run:
                del known[command], positions[command]
            if self.closing.held:
                self.closing.remove(run)
            self.settled = end
            size += len(encoded)

    def cut(self, index: int) -> None:
        """Forget V[1..index], which a snapshot stands for."""
        assert self.base <= index <= self.committed
        self.settle(index)
        count = index - self.base
        self._base_sum = self.log_sum(index)
        del self.ids[:count], self.digests[:count], self._bodies[: bisect_left(self._bodies, (index + 1,))]
        self.base = index

    def restart(self, index: int, log_sum: int, sums: InterferenceIndex) -> None:
        """Become V[1..index], all of it cut off and committed, with an empty tail."""
        self.base = self.settled = self.committed = index
        self._base_sum = log_sum
        self._index = sums
        self.revision += 1
        self.ids, self.digests, self._bodies, self.positions, self.tail = [], [], [], {}, {}
        self.closing.remove(list(self.closing.held))

    def accept(self, ids: Sequence[str]) -> list[int]:
        """``history • ids``: append commands to the tail; returns their digests."""
        append, known, tail = self._index.append, self._known, self.tail
        digests = []
        for command in ids:
            digest = tail[command] = append(command, known[command][1])
            digests.append(digest)
        if self.closing.under_way:
            self.closing.add(ids)
        return digests

    def following(self, ids: Sequence[str], *, behind_tail: bool = True) -> list[str]:
        """Those of the known ``ids`` that may be appended in this order: none of a client whose session ends before.

        ``behind_tail``: behind the whole history, else behind V.
        """
        closing, known = self.closing, self._known
        under_way = closing.under_way
        if not under_way and not closing.held:
            return list(ids)
        fresh = any(command in under_way for command in ids)
        if not fresh and not closing.suspects(known[command][2] for command in ids):
            return list(ids)
        place = Closing(under_way, closing.sessions)
        place.add(command for command in closing.held if behind_tail or command in self.positions)
        passed: dict[str, None] = {}
        before = chain(self.ids[self.settled - self.base :], self.tail if behind_tail else ())
        in_front = list(before)

        def has_session(end: str, client: str) -> bool:
            ahead = takewhile(lambda command: command != end, chain(in_front, passed))
            return any(known[command][2] == client for command in ahead)

        for command in ids:
            if self.has_run(command) or not place.closed(known[command][2], has_session):
                passed[command] = None
                if command in under_way:
                    place.add((command,))
        return list(passed)

    def decree(self, ids: Sequence[str]) -> list[int]:
        """``V • ids``, as the coordinator does it, whose history is V; returns their digests."""
        assert not self.tail, "a coordinator's history is its decree sequence"
        append, known = self._index.append, self._known
        digests = [append(command, known[command][1]) for command in ids]
        self._extend(ids, digests)
        return digests

    def _drop_closed(self) -> None:
        """An end has come before commands of the tail: those of clients that it ends are not voted for any more.

        None of them can be chosen: not before that end, whose decree is safe, nor behind it, where nobody votes for it.
        """
        left = dict.fromkeys(self.following(list(self.tail), behind_tail=False))
        self.revision += 1
        for command in [command for command in self.tail if command not in left]:
            self._index.remove(self._known[command][1], self.tail.pop(command))

    def adopt(self, ids: Sequence[str], digests: Sequence[int]) -> list[bool]:
        """``V[1..j'] • (history without V[1..j'])`` for the next decrees; says for each if the tail held it."""
        index, known, tail = self._index, self._known, self.tail
        if not tail:
            for command, digest in zip(ids, digests, strict=True):
                index.add(known[command][1], digest)
            self._extend(ids, digests)
            return [False] * len(ids)
        held = []
        for command, digest in zip(ids, digests, strict=True):
            label = tail.pop(command, None)
            held.append(label is not None)
            if label == digest:
                continue  # merely moves
            footprint = known[command][1]
            if label is not None:
                index.remove(footprint, label)
            index.add(footprint, digest)
        self._extend(ids, digests)
        if tail and self.closing.held and any(command in self.closing.held for command in ids):
            self._drop_closed()
        return held

    def replace(self, first: int, ids: Sequence[str], digests: Sequence[int]) -> None:
        """``V[1..first-1] • ids • (history without those)``, everything behind V[first-1] digested afresh.

        Raises :class:`DivergenceError` if the digests of ``ids`` are not those expected.
        """
        assert first <= self.length + 1, f"V[{first}] follows on V[1..{self.length}]"
        rest = self.truncate(first - 1)
        if self.decree(ids) != list(digests):
            raise DivergenceError(
                f"the decrees from index {first} on do not follow from V[1..{first - 1}] as their digests say: "
                "this replica's log differs from the coordinator's"
            )
        self.accept(self.following([command for command in rest if command not in self.positions]))

    def truncate(self, length: int) -> list[str]:
        """Leave only V[1..length]; returns what was behind it, in order."""
        self.revision += 1
        rest, labels = self.decrees(length + 1)
        index, known = self._index, self._known
        for command in rest:
            del self.positions[command]
        rest.extend(self.tail)
        labels.extend(self.tail.values())
        for command, label in zip(rest, labels, strict=True):
            index.remove(known[command][1], label)
        self.tail.clear()
        del self.ids[length - self.base :], self.digests[length - self.base :]
        if self.closing.held:
            self.closing.remove(rest)
        return rest

    def insert(self, ids: Sequence[str]) -> list[int]:
        """``V • ids • (tail without them)``, the tail digested afresh; returns the digests of ``ids``."""
        rest = self.truncate(self.length)
        digests = self.decree(ids)
        self.accept(self.following([command for command in rest if command not in self.positions]))
        return digests

    def reorder(self, ids: Sequence[str]) -> None:
        """``V • ids • (tail without them)``, where ``ids`` stay in the tail; all of it digested afresh."""
        rest = self.truncate(self.length)
        listed = dict.fromkeys([*ids, *rest])
        self.accept(self.following(list(listed)))

    def project(self, rest: Sequence[str]) -> list[int]:
        """The digests of ``rest`` in ``V • rest``, leaving the history as it is (protocol §5 step 2)."""
        assert not self.tail
        append, remove, known = self._index.append, self._index.remove, self._known
        digests = [append(command, known[command][1]) for command in rest]
        for command, digest in zip(rest, digests, strict=True):
            remove(known[command][1], digest)
        return digests

    def digest(self, command: str) -> int:
        """The digest of a known command if it were appended now."""
        return self._index.digest(command, self._known[command][1])

    def _extend(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        start = self.length + 1
        self.revision += 1
        self.ids.extend(ids)
        self.digests.extend(digests)
        self.positions.update(zip(ids, range(start, start + len(ids)), strict=True))
        if self.closing.under_way:
            self.closing.add(ids)
