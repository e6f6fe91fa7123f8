"""A part of the state space, and its exploration level by level: all of it, or the share of one process among several.

A global state is a tuple of numbers, packed: per replica its box; the book; the ballots started (a bit mask) and, above
them, the crashes so far. Every state belongs to one shard, by a hash of what it means, since each process numbers
values in its own order. A shard expands its own states and hands on those that belong to others.
"""

import struct
from array import array
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from genpaxos.explore.boxes import Boxes, Move
from genpaxos.explore.ledger import Book, Broken, Ledger
from genpaxos.explore.local import LocalSteps
from genpaxos.explore.numbering import Mailbox, Numbers
from genpaxos.explore.observations import Deeds
from genpaxos.explore.scope import Scope
from genpaxos.explore.trace import Step

State = bytes

PROGRESS_STATES = 5_000
CLOCK_STATES = 200
"""How often the clock is looked at."""

Place = tuple[int, int]
"""A shard, and a position in it."""

NOWHERE: Place = (-1, -1)


class Limits(NamedTuple):
    """When to give up."""

    states_max: int
    deadline_s: float
    """By ``time.monotonic``, which is one clock for all processes of a machine."""


class Found(NamedTuple):
    """A broken invariant: what, in which state of this shard, and by which event."""

    what: str
    position: int
    event: int


class _FoundError(Exception):
    def __init__(self, what: str, event: int) -> None:
        self.what = what
        self.event = event


class Shard:
    """Its states, numbered in the order in which they are found."""

    def __init__(self, scope: Scope, index: int = 0, count: int = 1) -> None:
        self.scope = scope
        self.index = index
        self.count = count
        self.deeds = Numbers()
        self.events = Numbers()
        self.mailboxes = [Mailbox() for _ in range(scope.acceptors)]
        steps = [LocalSteps(scope, node, self.mailboxes, self.deeds) for node in range(scope.acceptors)]
        self.boxes = [
            Boxes(scope, local, mailbox, self.events) for local, mailbox in zip(steps, self.mailboxes, strict=True)
        ]
        self.books = Numbers()
        self.transitions = 0
        self.stopped = False
        """A limit was reached."""
        self.depth = 0
        """The depth of the level that is to be expanded next."""
        self.deepest = 0
        """The depth of the last level in which there was something to expand."""
        self.frontier: list[State] = []
        self.handed: list[list[tuple[State, int, int]]] = [[] for _ in range(count)]
        """Per shard: states found for it since the last level, each with its parent's position and the event."""
        self._ledger = Ledger(scope)
        self._owners = [ballot.coordinator for ballot in scope.ballot_list()]
        self._book_memory: dict[tuple[int, int], int] = {}
        self._pruned_memory: dict[tuple[int, ...], int] = {}
        self._layout = struct.Struct(f"={scope.acceptors + 2}I")
        self._seen: set[State] = set()
        self._parents = array("q")
        """The parent's position times the number of shards, plus its shard."""
        self._causes = array("q")
        self._expanded = 0
        first = (*(boxes.first for boxes in self.boxes), self.books.number(self._ledger.first), 0)
        if self.owner(first) == index:
            self.admit(first, NOWHERE, -1)

    def __len__(self) -> int:
        return len(self._parents)

    def owner(self, state: tuple[int, ...]) -> int:
        """The shard that a state belongs to."""
        if self.count == 1:
            return 0
        meaning = [boxes.hashes[box] for boxes, box in zip(self.boxes, state, strict=False)]
        return hash((*meaning, self.books.hashed(state[-2]), state[-1])) % self.count

    def admit(self, state: tuple[int, ...], parent: Place, cause: int) -> None:
        """Take in a state of this shard, unless it is known. The cause is an event of the parent's shard."""
        packed = self._layout.pack(*state)
        if packed not in self._seen:
            self._seen.add(packed)
            self.frontier.append(packed)
            self._parents.append(parent[1] * self.count + parent[0])
            self._causes.append(cause)

    def before(self, position: int) -> tuple[Place, int]:
        """The parent of a state, and the event that led from it."""
        parent = self._parents[position]
        return (NOWHERE if parent < 0 else (parent % self.count, parent // self.count)), self._causes[position]

    def told(self, event: int) -> Step:
        """An event, without numbers."""
        node, (kind, value) = self.events.values[event]
        if kind == "deliver":
            return Step(node, kind, 0, (self.mailboxes[node][value],))
        if kind in ("hear", "wait", "promises"):
            return Step(node, kind, 0, tuple(self.mailboxes[node][bit] for bit in value))
        if kind == "with":
            index, bits = value
            return Step(node, kind, index, tuple(self.mailboxes[node][bit] for bit in bits))
        return Step(node, kind, value)

    def unpacked(self, state: State) -> tuple[int, ...]:
        """A state's numbers."""
        return self._layout.unpack(state)

    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Per replica: its distinct states, and the distinct messages to it, as far as this shard has met them."""
        return tuple(len(boxes.steps) for boxes in self.boxes), tuple(len(mailbox) for mailbox in self.mailboxes)

    def level(self, limits: Limits, tell: Callable[[], None]) -> Found | None:
        """Expand the frontier; stops at a violation, or beyond the limits."""
        frontier, self.frontier = self.frontier, []
        first = len(self) - len(frontier)
        self.deepest = self.depth if frontier else self.deepest
        self.depth += 1
        unpack = self._layout.unpack
        for position, packed in enumerate(frontier, first):
            try:
                self._expand(unpack(packed), position)
            except _FoundError as found:
                return Found(found.what, position, found.event)
            self._expanded += 1
            if self._expanded % PROGRESS_STATES == 0:
                tell()
            if len(self) > limits.states_max or (
                self._expanded % CLOCK_STATES == 0 and monotonic() > limits.deadline_s
            ):
                self.stopped = True
                break
        return None

    @property
    def waiting(self) -> int:
        """States not expanded yet."""
        return len(self) - self._expanded

    # One state ------------------------------------------------------------------------------------------------------

    def _expand(self, state: tuple[int, ...], position: int) -> None:
        used = state[-1]
        for node, boxes in enumerate(self.boxes):
            for move in boxes.moves(state[node]):
                self._follow(state, position, node, move, used)
        for index, owner in enumerate(self._owners):
            if not used >> index & 1:
                started = self.boxes[owner].campaign(state[owner], index)
                if started is not None:
                    self._follow(state, position, owner, started, used | 1 << index)
        if used >> self.scope.ballots < self.scope.crashes:
            for node in range(len(self.boxes)):
                self._crash(state, position, node)

    def _crash(self, state: tuple[int, ...], position: int, node: int) -> None:
        move = self.boxes[node].restart(state[node])
        book: Book = self.books.values[state[-2]]
        try:
            self._ledger.forgotten(book, node, self.boxes[node].facts(move.box).promised)
        except Broken as broken:
            raise _FoundError(str(broken), move.event) from broken
        self._follow(state, position, node, move, state[-1] + (1 << self.scope.ballots))

    def _follow(self, state: tuple[int, ...], position: int, node: int, move: Move, used: int) -> None:
        self.transitions += 1
        box, sends, deeds, broken, event = move
        if broken is not None:
            raise _FoundError(f"replica {node}: {broken}", event)
        after = list(state)
        after[node] = box
        for peer, messages in sends:
            after[peer] = self.boxes[peer].receive(after[peer], messages)
        book = state[-2]
        if deeds >= 0:
            found = self._book_memory.get((book, deeds))
            book = self._written(book, deeds, event) if found is None else found
        outlook = self.boxes[node].outlook
        if self.scope.prune and (book != state[-2] or outlook[state[node]] != outlook[box]):
            book = self._pruned(book, after)
        after[-2] = book
        after[-1] = used
        owner = self.owner(tuple(after)) if self.count > 1 else self.index
        if owner != self.index:
            self._hand_on(owner, after, position, event)
            return
        packed = self._layout.pack(*after)
        if packed not in self._seen:
            self._seen.add(packed)
            self.frontier.append(packed)
            self._parents.append(position * self.count + self.index)
            self._causes.append(event)

    def _hand_on(self, owner: int, state: list[int], position: int, event: int) -> None:
        packed = self._layout.pack(*state)
        if packed not in self._seen:  # of what belongs to others: what they were told of
            self._seen.add(packed)
            self.handed[owner].append((packed, position, event))

    def _written(self, book: int, deeds: int, event: int) -> int:
        done: Deeds = self.deeds.values[deeds]
        try:
            made = self.books.number(self._ledger.after(self.books.values[book], done))
        except Broken as broken:
            raise _FoundError(str(broken), event) from broken
        self._book_memory[book, deeds] = made
        return made

    def _pruned(self, book: int, state: list[int]) -> int:
        key = (book, *[boxes.outlook[box] for boxes, box in zip(self.boxes, state, strict=False)])
        found = self._pruned_memory.get(key)
        if found is None:
            outlook = [boxes.outlooks.values[number] for boxes, number in zip(self.boxes, key[1:], strict=True)]
            made = self._ledger.pruned(self.books.values[book], outlook)
            found = self._pruned_memory[key] = self.books.number(made)
        return found
