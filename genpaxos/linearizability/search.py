"""The search behind :mod:`~genpaxos.linearizability`: one component, every order that could explain it.

Source: Gavin Lowe, *Testing for linearizability* (Concurrency and Computation 29(4), 2017), the just-in-time
linearization graph search, itself after Wing & Gong, *Testing and verifying concurrent objects* (JPDC 17, 1993).

**Just in time.** Returned calls are numbered by their return. The *frontier* is the first of them not ordered
yet; only its return forces anything to happen, so a call is ordered either at its own return or as a *helper*
just before another. Calls that overlap the frontier are the *window*; nothing else can be ordered now.

**A configuration** is (frontier, which of the later calls are ordered, which unknown calls are, state). How it was
reached does not matter, so it is visited once. Three facts, none of which rests on the commutativity table:

- *Unknown calls are optional.* Of two configurations that differ only in the unknown calls used, the one that
  used a subset can do all the other can. The other is dropped.
- *Equal calls are interchangeable.* Of two overlapping calls with the same command and the same result, the
  one that returns first is ordered first: exchanging them in an order leaves every state, result and
  precedence as it was.
- *A frontier that no configuration passes* settles the component: the history up to that return has no
  explanation.

The specification is a black box, so no more can be cut: an order not tried could always have been the one that fits. A
history without an explanation therefore costs all its configurations (at most 2^w for each return, w calls in the
window); one with an explanation usually a small multiple of its length, because the search goes for it greedily. It
resumes elsewhere best-first: a helper more costs as much as going back a few returns. Exhaustive all the same.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate
from typing import Any, Final, NamedTuple

from genpaxos.linearizability.states import States

LEVEL_COST: Final = 2
"""Returns to go back rather than order one more helper at the same return."""
UNKNOWN_LEVELS: Final = 2
"""An unknown call as a helper counts as this many."""
PROGRESS_STEPS: Final = 4096
ALTERNATIVES_MAX: Final = 16
"""Different results remembered for the call that could not be explained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call as the search sees it."""

    index: int
    command: int
    outcome: bytes | None  # None: unknown
    invoked_at: Any
    returned_at: Any
    after: tuple[int, ...] = ()
    """Indices of calls it follows although times are equal: its own client's."""


class History:
    """One component. Labels: returned calls by return, then unknown calls by invocation."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        returned = [entry for entry in entries if entry.outcome is not None]
        returned.sort(key=lambda entry: (entry.returned_at, entry.invoked_at, entry.index))
        unknown = [entry for entry in entries if entry.outcome is None]
        unknown.sort(key=lambda entry: (entry.invoked_at, entry.index))
        self.entries = returned + unknown
        self.size = len(returned)
        self.commands = [entry.command for entry in self.entries]
        self.outcomes = [entry.outcome for entry in self.entries]
        label = {entry.index: number for number, entry in enumerate(self.entries)}
        self.after = {label[e.index]: tuple(label[i] for i in e.after if i in label) for e in entries if e.after}
        self.after = {number: labels for number, labels in self.after.items() if labels}
        self.groups = self._groups()
        self.windows, self.unknown_until = self._windows(returned, unknown)

    def _groups(self) -> list[int]:
        """Interchangeable calls share a number. A call tied to another by equal times is interchangeable with none."""
        tied = {one for number, labels in self.after.items() for one in (number, *labels)}
        numbers: dict[tuple[Any, ...], int] = {}
        keys = [
            (c, o, n if n in tied else -1) for n, (c, o) in enumerate(zip(self.commands, self.outcomes, strict=True))
        ]
        return [numbers.setdefault(key, len(numbers)) for key in keys]

    @staticmethod
    def _windows(returned: Sequence[Entry], unknown: Sequence[Entry]) -> tuple[list[tuple[int, ...]], list[int]]:
        """For each return: the later returns that overlap it, and how many unknown calls had begun."""
        begun = sorted(range(len(returned)), key=lambda number: returned[number].invoked_at)
        windows: list[tuple[int, ...]] = []
        unknown_until: list[int] = []
        active: list[int] = []
        next_begun = next_unknown = 0
        for number, entry in enumerate(returned):
            while next_begun < len(begun) and returned[begun[next_begun]].invoked_at <= entry.returned_at:
                insort(active, begun[next_begun])
                next_begun += 1
            while next_unknown < len(unknown) and unknown[next_unknown].invoked_at <= entry.returned_at:
                next_unknown += 1
            assert active[0] == number
            del active[0]
            windows.append(tuple(active))
            unknown_until.append(next_unknown)
        return windows, unknown_until


class Configuration(NamedTuple):
    """Where a search stands. Bit i of ``ordered`` is call ``frontier + 1 + i``; bit i of ``used`` is unknown call i."""

    frontier: int
    ordered: int
    used: int
    state: int
    node: int


@dataclass(slots=True)
class Deepest:
    """The furthest return reached: a configuration there, and what that return's call gave in all those tried."""

    configuration: Configuration
    outcomes: dict[bytes, None] = field(default_factory=dict)


class Search:
    """Looks for an order of one component that explains every returned call."""

    def __init__(self, states: States, history: History, ranks: dict[int, int] | None = None) -> None:
        self.states = states
        self.history = history
        last = len(ranks or ())
        self._ranks = [ranks.get(e.index, last) for e in history.entries] if ranks else None
        self._reached = list(accumulate((self._ranks or [])[: history.size], max, initial=-1))
        start = Configuration(0, 0, 0, 0, 0)
        self.deepest = Deepest(start)
        self._parents = [0]
        self._labels = [-1]
        self._visited: dict[tuple[int, int, int], list[int]] = {(0, 0, 0): [0]}
        self._heap: list[tuple[int, int, int, int, Configuration]] = []
        self._push(start, 0, 0)

    def run(self, steps_max: int, progress: Callable[[int, int, int], None] | None = None) -> bool | None:
        """True and an order in :attr:`order`; False when there is none; None when the steps ran out."""
        report_at = self.states.steps
        while self._heap:
            if self.states.steps >= steps_max:
                return None
            if progress is not None and self.states.steps >= report_at:
                progress(self.states.steps, self.deepest.configuration.frontier, self.history.size)
                report_at = self.states.steps + PROGRESS_STEPS
            _, _, stage, level, configuration = heappop(self._heap)
            if stage == 0:
                if self._dive(configuration, level, steps_max):
                    return True
            else:
                self._expand(configuration, stage, level)
        return False

    def order(self) -> list[int]:
        """Call indices in the order that led to the deepest configuration."""
        node = self.deepest.configuration.node
        labels: list[int] = []
        while node:
            labels.append(self._labels[node])
            node = self._parents[node]
        return [self.history.entries[label].index for label in reversed(labels)]

    def available(self, configuration: Configuration) -> Iterator[int]:
        """Labels that may be ordered before the frontier: returned calls by return, then unknown ones."""
        frontier, ordered, used, *_ = configuration
        after = self.history.after
        for label in self.history.windows[frontier]:
            if not ordered >> (label - frontier - 1) & 1 and (
                label not in after or self._all_ordered(after[label], configuration)
            ):
                yield label
        for number in range(self.history.unknown_until[frontier]):
            label = self.history.size + number
            if not used >> number & 1 and (label not in after or self._all_ordered(after[label], configuration)):
                yield label

    @staticmethod
    def _all_ordered(labels: tuple[int, ...], configuration: Configuration) -> bool:
        frontier, ordered = configuration.frontier, configuration.ordered
        return all(p < frontier or (p > frontier and ordered >> (p - frontier - 1) & 1) for p in labels)

    def _push(self, configuration: Configuration, stage: int, level: int) -> None:
        """Stage 0: order the frontier's call. 1: a helper that returned. 2: a helper that is unknown."""
        cost = LEVEL_COST * (level + (stage == 2)) + (stage > 0) - configuration.frontier
        heappush(self._heap, (cost, -len(self._parents), stage, level, configuration))

    def _dive(self, configuration: Configuration, level: int, steps_max: int) -> bool:
        """Order one frontier after the other, until one does not fit."""
        size = self.history.size
        while configuration.frontier < size:
            if self.states.steps >= steps_max:
                self._push(configuration, 0, level)
                return False
            for label in self._guides(configuration):
                child = self._take(configuration, label)
                if child is not None:
                    self._push(configuration, 0, level + 1)
                    configuration = child
            self._push(configuration, 1, level)
            child = self._take(configuration, configuration.frontier)
            if child is None:
                return False
            configuration, level = child, 0
        return True

    def _guides(self, configuration: Configuration) -> list[int]:
        """Helpers to try first, a mere guess: what the hint puts before the frontier; else what seems only to read."""
        frontier = configuration.frontier
        if self._ranks is None:
            commands, changes = self.history.commands, self.states.changes
            free = [n for n in self.history.windows[frontier] if not changes(commands[n])]
            return [
                n for n in free if not configuration.ordered >> (n - frontier - 1) & 1 and n not in self.history.after
            ]
        ranks, size, reached = self._ranks, self.history.size, self._reached[frontier]
        # An unknown call gets one turn: one without effect at its place would otherwise be tried wherever it has some.
        free = [n for n in self.available(configuration) if ranks[n] < ranks[frontier]]
        return sorted((n for n in free if n < size or ranks[n] > reached), key=ranks.__getitem__)

    def _expand(self, configuration: Configuration, stage: int, level: int) -> None:
        """One more helper before the frontier: any, but of interchangeable ones only the first."""
        size, groups = self.history.size, self.history.groups
        seen = {groups[configuration.frontier]}
        for label in self.available(configuration):
            if (label < size) != (stage == 1) or groups[label] in seen:
                continue
            seen.add(groups[label])
            child = self._take(configuration, label)
            if child is not None:
                self._push(child, 0, level + (1 if stage == 1 else UNKNOWN_LEVELS))
        if stage == 1 and self.history.unknown_until[configuration.frontier]:
            self._push(configuration, 2, level)

    def _take(self, configuration: Configuration, label: int) -> Configuration | None:
        """The configuration after ordering this call, unless its result does not fit or nothing new is reached."""
        frontier, ordered, used, state, parent = configuration
        outcome, after = self.states.step(state, self.history.commands[label])
        wanted = self.history.outcomes[label]
        if after < 0 or (wanted is not None and outcome != wanted):
            deepest = self.deepest
            if label == frontier == deepest.configuration.frontier and len(deepest.outcomes) < ALTERNATIVES_MAX:
                deepest.outcomes[outcome] = None
            return None
        if label >= self.history.size:
            used |= 1 << (label - self.history.size)
        elif label > frontier:
            ordered |= 1 << (label - frontier - 1)
        else:
            while ordered & 1:
                ordered >>= 1
                frontier += 1
            ordered >>= 1
            frontier += 1
        if not self._first_visit((frontier, ordered, after), used):
            return None
        self._parents.append(parent)
        self._labels.append(label)
        reached = Configuration(frontier, ordered, used, after, len(self._parents) - 1)
        if frontier > self.deepest.configuration.frontier:
            self.deepest = Deepest(reached)
        return reached

    def _first_visit(self, key: tuple[int, int, int], used: int) -> bool:
        """Remember it, unless it was reached before with these unknown calls or fewer."""
        visited = self._visited.get(key)
        if visited is None:
            self._visited[key] = [used]
            return True
        if any(earlier & used == earlier for earlier in visited):
            return False
        visited[:] = [earlier for earlier in visited if earlier & used != used]
        visited.append(used)
        return True
