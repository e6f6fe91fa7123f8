"""The search: breadth first over global states, each a tuple of numbers."""

import time
from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from genpaxos.simulation.explore.boxes import Boxes, Move
from genpaxos.simulation.explore.ledger import Book, Broken, Ledger
from genpaxos.simulation.explore.local import LocalSteps
from genpaxos.simulation.explore.numbering import Mailbox, Numbers
from genpaxos.simulation.explore.observations import Deeds
from genpaxos.simulation.explore.result import Exploration, Violation
from genpaxos.simulation.explore.scope import Scope
from genpaxos.simulation.explore.trace import Step, readable

Mutation = Callable[[], AbstractContextManager[object]]
"""Puts a deliberate error into the real code for as long as it is entered; for tests."""

State = tuple[int, ...]
"""Per replica its box; the book; the ballots started (a bit mask) and, above them, the crashes so far."""

PROGRESS_STATES = 5_000


class Progress(NamedTuple):
    """How far the search has come."""

    states: int
    waiting: int
    """States found but not expanded yet."""
    depth: int
    seconds: float


def explore(
    scope: Scope, *, mutation: Mutation | None = None, progress: Callable[[Progress], None] | None = None
) -> Exploration:
    """Visit every state of a scope, or stop at the first violation, which is then one at the least depth."""
    with mutation() if mutation is not None else nullcontext():
        return _Search(scope, progress).run()


class _Found(Exception):  # noqa: N818
    def __init__(self, what: str, step: int) -> None:
        self.what = what
        self.step = step


class _Search:
    def __init__(self, scope: Scope, progress: Callable[[Progress], None] | None) -> None:
        self.scope = scope
        self.progress = progress
        self.began = time.monotonic()
        self.deeds = Numbers()
        self.events = Numbers()
        self.mailboxes = [Mailbox() for _ in range(scope.acceptors)]
        steps = [LocalSteps(scope, node, self.mailboxes, self.deeds) for node in range(scope.acceptors)]
        self.boxes = [
            Boxes(scope, local, mailbox, self.events) for local, mailbox in zip(steps, self.mailboxes, strict=True)
        ]
        self.ledger = Ledger(scope)
        self.books = Numbers()
        self.book_memory: dict[tuple[int, int], int] = {}
        self.pruned_memory: dict[tuple[int, ...], int] = {}
        first: State = (*(boxes.first for boxes in self.boxes), self.books.number(self.ledger.first), 0)
        self.seen: dict[State, int] = {first: 0}
        self.queue: list[State] = [first]
        self.parents = array("q", [-1])
        self.causes = array("q", [-1])
        self.transitions = 0

    def run(self) -> Exploration:
        depth, level_end, position = 0, 1, 0
        violation, bound = None, None
        try:
            while position < len(self.queue):
                if position == level_end:
                    depth, level_end = depth + 1, len(self.queue)
                self.expand(self.queue[position], position)
                position += 1
                if self.progress is not None and position % PROGRESS_STATES == 0:
                    waiting = len(self.queue) - position
                    self.progress(Progress(len(self.queue), waiting, depth, time.monotonic() - self.began))
                if len(self.queue) > self.scope.states_max:
                    bound = f"{self.scope.states_max} states"
                    break
        except _Found as found:
            violation = Violation(found.what, self.trace(position, found.step))
        return Exploration(
            states=len(self.queue),
            transitions=self.transitions,
            complete=violation is None and bound is None,
            bound=bound,
            violation=violation,
            depth=depth,
            local_states=tuple(len(boxes.steps) for boxes in self.boxes),
            messages=tuple(len(mailbox) for mailbox in self.mailboxes),
            seconds=time.monotonic() - self.began,
            scope=self.scope.to_json(),
        )

    def expand(self, state: State, position: int) -> None:
        nodes = len(self.boxes)
        for node in range(nodes):
            boxes = self.boxes[node]
            for move in boxes.moves(state[node]):
                self.follow(state, position, node, move, state[-1])
        for index, ballot in enumerate(self.scope.ballot_list()):
            if not state[-1] >> index & 1:
                owner = ballot.coordinator
                started = self.boxes[owner].campaign(state[owner], index)
                if started is not None:
                    self.follow(state, position, owner, started, state[-1] | 1 << index)
        if state[-1] >> self.scope.ballots < self.scope.crashes:
            for node in range(nodes):
                self.crash(state, position, node)

    def crash(self, state: State, position: int, node: int) -> None:
        move = self.boxes[node].restart(state[node])
        book: Book = self.books.values[state[-2]]
        try:
            self.ledger.forgotten(book, node, self.boxes[node].facts(move.box).promised)
        except Broken as broken:
            raise _Found(str(broken), move.event) from broken
        self.follow(state, position, node, move, state[-1] + (1 << self.scope.ballots))

    def follow(self, state: State, position: int, node: int, move: Move, used: int) -> None:
        self.transitions += 1
        if move.broken is not None:
            raise _Found(f"replica {node}: {move.broken}", move.event)
        after = list(state)
        after[node] = move.box
        for peer, messages in move.sends:
            after[peer] = self.boxes[peer].receive(after[peer], messages)
        book = state[-2]
        if move.deeds >= 0:
            key = (book, move.deeds)
            found = self.book_memory.get(key)
            book = self.book_memory[key] = self.written(*key, move.event) if found is None else found
        if self.scope.prune and (book != state[-2] or self.settles(node, state[node], move.box)):
            book = self.forget(book, after)
        after[-2] = book
        after[-1] = used
        made = tuple(after)
        if made not in self.seen:
            self.seen[made] = len(self.queue)
            self.queue.append(made)
            self.parents.append(position)
            self.causes.append(move.event)

    def written(self, book: int, deeds: int, event: int) -> int:
        done: Deeds = self.deeds.values[deeds]
        try:
            return self.books.number(self.ledger.after(self.books.values[book], done))
        except Broken as broken:
            raise _Found(str(broken), event) from broken

    def settles(self, node: int, before: int, after: int) -> bool:
        outlook = self.boxes[node].outlook
        return outlook[before] != outlook[after]

    def forget(self, book: int, state: list[int]) -> int:
        key = (book, *[boxes.outlook[box] for boxes, box in zip(self.boxes, state, strict=False)])
        found = self.pruned_memory.get(key)
        if found is None:
            outlook = [boxes.outlooks.values[number] for boxes, number in zip(self.boxes, key[1:], strict=True)]
            made = self.ledger.pruned(self.books.values[book], outlook)
            found = self.pruned_memory[key] = self.books.number(made)
        return found

    def trace(self, position: int, event: int) -> tuple[str, ...]:
        """The steps that led to a state, and one more."""
        causes = [event]
        while position > 0:
            causes.append(self.causes[position])
            position = self.parents[position]
        steps: list[Step] = [self.events.values[cause] for cause in reversed(causes)]
        return readable(steps, self.scope, self.mailboxes)
