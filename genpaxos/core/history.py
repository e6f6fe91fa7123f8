"""An acceptor's command history, ``V[1..j] • tail`` (protocol §3), kept so that a step costs O(1) per command.

The *label* of a command is the digest it had when it joined the history. Labels of decrees are exact. The label of a
tail command may go stale when a decree overtakes it: re-digesting the tail at each decree would cost O(tail) per batch,
so it is not done. Within one leader-ordered ballot that is safe, because a label counts only when it equals the
coordinator's, and such a label is never stale (the argument is in docs/proofs.md, "Lazy labels"). Across ballots it
would not be, so :meth:`replace` digests everything afresh.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import chain, takewhile

from commutativity import InterferenceIndex
from genpaxos.core.commands import Proposal
from genpaxos.core.endings import Closing, End
from genpaxos.core.log import Log


class DivergenceError(RuntimeError):
    """Two replicas disagree on what follows what: the replica must stop (protocol §3, Execution)."""


class History(Log):
    """``V[1..length] • tail`` with the interference index over all of it.

    The sums of what is cut off stay in the index, so digests do not change (protocol §8).
    """

    def __init__(
        self,
        index: InterferenceIndex,
        known: Mapping[str, Proposal],
        ends: Mapping[str, End] | None = None,
        sessions: Container[str] = (),
        forget: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        super().__init__(known, {} if ends is None else ends, sessions, forget)
        self.tail: dict[str, int] = {}
        self._index = index
        self.has_run: Callable[[str], bool] = lambda _: False
        """Whether a command has run ahead of its index: then it is chosen, so no end before it ends its client."""

    def state(self) -> tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[str, int], ...], int]:
        """Decrees, their digests, the tail and the commit index; of a history of which nothing is settled."""
        assert not self.settled
        return tuple(self.ids), tuple(self.digests), tuple(self.tail.items()), self.committed

    def load(self, ids: Sequence[str], digests: Sequence[int], tail: Iterable[tuple[str, int]], committed: int) -> None:
        """Become what :meth:`state` gave; the commands are known."""
        assert not self.settled
        self.ids, self.digests, self.tail = list(ids), list(digests), dict(tail)
        self.commit(committed)
        self.positions = {command: index for index, command in enumerate(ids, 1)}
        self._index.clear()
        for command, digest in chain(zip(ids, digests, strict=True), self.tail.items()):
            self._index.add(self._known[command][1], digest)

    def holds(self, command: str) -> bool:
        """Whether the history contains the command."""
        return command in self.positions or command in self.tail

    def undecreed(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` that V does not hold; none that are cut off."""
        known, positions = self._known, self.positions
        return [command for command in ids if command in known and command not in positions]

    def labels(self, ids: Sequence[str]) -> tuple[list[str], list[int]]:
        """Those of ``ids`` that the history holds, with the labels they have there now, as decrees or in the tail."""
        tail, positions, digests, before = self.tail, self.positions, self.digests, self.base + 1
        held = [command for command in ids if command in tail or command in positions]
        return held, [tail[c] if c in tail else digests[positions[c] - before] for c in held]

    def restart(self, index: int, log_sum: int, sums: InterferenceIndex) -> None:
        """Become V[1..index], all of it cut off and committed, with an empty tail."""
        self.base = self.settled = index
        self.commit(index)
        self._base_sum = log_sum
        self._index = sums
        self.revision += 1
        self.ids, self.digests, self.positions, self.tail = [], [], {}, {}
        self._bodies.clear()
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

    def take_over(self, first: int, ids: Sequence[str], digests: Sequence[int]) -> None:
        """V[first..] is committed as these, whatever stood there. Raises :class:`DivergenceError`."""
        self.replace(first, ids, digests)
        self.commit(first + len(ids) - 1)

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
