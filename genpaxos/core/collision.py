"""Collisions: what the votes of one ballot prove safe to decree, or to vote for next (protocol §4.2, §4.3).

Phase 2b of a round is phase 1b of the next: the reports of a classic quorum of acceptors that have adopted the same V
are enough to order what they all have voted for, as phase 1 would. What a step does for it is bounded: it looks at
``SCAN_COMMANDS`` for collisions and at ``WINDOW_COMMANDS`` of each tail to order them, each a few times. What cannot be
ordered within these bounds is for another ballot (:mod:`genpaxos.core.fallback`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple

from commutativity import CommutativityTable, InterferenceIndex
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.commands import Proposal
from genpaxos.core.messages import Phase2b
from genpaxos.core.quorum import QuorumSystem, mask_of

SCAN_COMMANDS = 64
"""How many commands at the head of a tail are looked at for a collision, at every step. What does not collide is
learned and decreed, so that what stands behind comes to the head."""
WINDOW_COMMANDS = 1_024
"""How much of each tail is looked at to put a collision in order: a prefix of a history is one too."""
ROUNDS_MAX = 16
"""How often commands that miss one of their predecessors are taken out in turn; seldom more than twice."""

Tail = dict[str, int]
"""Command -> digest, in the acceptor's order."""


class Order(NamedTuple):
    """A sequence that is safe behind V."""

    ids: list[str]
    kept: Mapping[str, int]
    """Those of them that may have been chosen, with the digests that they must have there."""


NOTHING = Order([], {})


@dataclass(slots=True)
class _Report:
    """What one acceptor has reported: its tail behind V[1..adopted], as far as it is known without a gap."""

    adopted: int
    step: int
    tail: Tail = field(default_factory=dict)


class Reports:
    """The tails that the acceptors of one ballot have reported to this replica."""

    def __init__(self, known: Mapping[str, Proposal], table: CommutativityTable) -> None:
        self._known = known
        self._table = table
        self._ballot: Ballot = ZERO
        self._reports: dict[int, _Report] = {}

    def on_phase2b(self, acceptor: int, message: Phase2b) -> None:
        """Take down a report; one that leaves a gap or is older than what is known is ignored."""
        if message.ballot > self._ballot:
            self._ballot = message.ballot
            self._reports.clear()
        if message.ballot < self._ballot:
            return
        known = self._reports.get(acceptor)
        place = (message.adopted, message.step)
        if known is None or place > (known.adopted, known.step):
            if message.start:
                self._reports.pop(acceptor, None)
                return
            known = self._reports[acceptor] = _Report(*place)
        if place == (known.adopted, known.step) and message.start <= len(known.tail):
            known.tail.update(zip(message.ids, message.digests, strict=True))

    def reset(self) -> None:
        """Forget all reports."""
        self._ballot = ZERO
        self._reports.clear()

    def watch(self, acceptor: Acceptor) -> None:
        """Include this replica's own acceptor, whose tail is looked at where it is. Reports of another ballot than its
        own, also of a higher one that it has not heard of yet, say nothing about what it may order."""
        if acceptor.accepted != self._ballot:
            self._ballot = acceptor.accepted
            self._reports.clear()
        self._reports[acceptor.node] = _Report(acceptor.history.length, acceptor.step, acceptor.history.tail)

    @property
    def step(self) -> int:
        """The furthest step within the ballot that any acceptor has reported."""
        return max((report.step for report in self._reports.values()), default=0)

    def collided(self, acceptor: Acceptor, quorums: QuorumSystem, *, votes: bool = True) -> bool:
        """Whether some command at the head of the acceptor's tail can no longer reach a fast quorum in this step.

        One that does not vote has no tail: it looks at those of the others.
        """
        tails = self._at_place(acceptor)
        if len(tails) < 2:
            return False
        heads = [acceptor.history.tail] if votes else list(tails.values())
        everybody = (1 << quorums.replicas) - 1
        others = list(tails.values())
        for command in chain.from_iterable(islice(tail, SCAN_COMMANDS) for tail in heads):
            first = None
            for tail in others:
                digest = tail.get(command)
                if first is None:
                    first = digest
                elif digest is not None and digest != first:
                    break
            else:
                continue  # all that report it agree
            masks = _masks(command, tails)
            rest = everybody & ~mask_of(a for a, tail in tails.items() if command in tail)
            if not any(quorums.fast_table[mask | rest] for mask in masks.values()):
                return True
        return False

    def safe_order(
        self, acceptor: Acceptor, quorums: QuorumSystem, *, own: bool = False, window: int = WINDOW_COMMANDS
    ) -> Order:
        """The longest sequence that one of the likeliest classic quorums' reports prove safe behind V; empty if none.

        With ``own``, this replica's acceptor is of the quorum: what it is to vote for it has accepted already.
        """
        tails = {a: tail for a, report in self._at_place(acceptor).items() if (tail := self._head(report, window))}
        best = NOTHING
        bases = [acceptor.node] if own or acceptor.node in tails else []
        if not own:
            bases += sorted(tails.keys() - bases, key=lambda a: (-len(tails[a]), a))[:1]
        for members in chain.from_iterable(_likely_quorums(tails, quorums, base) for base in bases):
            chosen = {a: tails[a] for a in members}
            common = set.intersection(*(set(tail) for tail in chosen.values()))
            if len(common) > len(best.ids):
                best = max(best, self._ordered(chosen, common, quorums), key=lambda order: len(order.ids))
        return best

    def beyond(self, acceptor: Acceptor, quorums: QuorumSystem) -> bool:
        """Whether a classic quorum's reports are at hand of which the windows show a part only."""
        long = (a for a, tail in self._at_place(acceptor).items() if len(tail) > WINDOW_COMMANDS)
        return quorums.is_classic(mask_of(long))

    def _at_place(self, acceptor: Acceptor) -> dict[int, Tail]:
        """The tails of acceptors that stand where this one does."""
        place = (acceptor.history.length, acceptor.step)
        return {a: r.tail for a, r in sorted(self._reports.items()) if (r.adopted, r.step) == place}

    def _head(self, tail: Tail, window: int) -> Tail:
        """The tail cut to the window, and to what is known."""
        known, head = self._known, {}
        for command, digest in islice(tail.items(), window):
            if command not in known:
                break
            head[command] = digest
        return head

    def _ordered(self, tails: Mapping[int, Tail], common: set[str], quorums: QuorumSystem) -> Order:
        """§4.2: the greatest common down-closed set, in an order that keeps what may be chosen; the rest of it by id.

        What may be chosen keeps the order of the acceptors that report it with the digest it would be chosen with, one
        acceptor after the other, each without what came before. That gives each command its down-set. What its digest
        stands for comes before it, from the same acceptor or an earlier one. And nothing else that interferes does: let
        C come from an acceptor whose turn is after that of one which reports X so, but not C. Some acceptor of the
        quorum reports both so, for any two fast quorums meet in it. It has X before C: else C would be among what the
        digest of X stands for, and whoever reports that would report C so.
        """
        members = self._down_closed(tails, common)
        asked = mask_of(tails)
        choosable: dict[int, bool] = {}
        kept: Tail = {}
        for command in members:
            for digest, mask in _masks(command, tails).items():
                if mask not in choosable:
                    choosable[mask] = quorums.may_be_chosen_fast(mask, asked)
                if choosable[mask]:
                    kept[command] = digest
        reported = (command for tail in tails.values() for command in tail if kept.get(command) == tail[command])
        return Order(self._merged(list(dict.fromkeys(reported)), sorted(members.difference(kept))), kept)

    def _merged(self, kept: list[str], free: list[str]) -> list[str]:
        """Both, by id as far as possible: one of ``free`` comes behind all of ``kept`` that it interferes with. It is
        not among what any of their digests stands for, or it would be one of them."""
        ahead, known, merged = InterferenceIndex(self._table), self._known, []
        for command in kept:
            ahead.add(known[command][1], 1)
        waiting = iter(kept)
        behind = next(waiting, None)
        for command in free:
            while behind is not None and (behind < command or ahead.meets(known[command][1])):
                ahead.remove(known[behind][1], 1)
                merged.append(behind)
                behind = next(waiting, None)
            merged.append(command)
        return merged if behind is None else [*merged, behind, *waiting]

    def _down_closed(self, tails: Mapping[int, Tail], common: set[str]) -> set[str]:
        """The greatest subset of ``common`` that is down-closed in every one of the tails; empty if that takes long."""
        kept, known = set(common), self._known
        for _ in range(ROUNDS_MAX):
            before = len(kept)
            for tail in tails.values():
                if len(kept) == len(tail):
                    continue  # nothing of it is out
                out = InterferenceIndex(self._table)
                any_out = False
                for command in tail:
                    footprint = known[command][1]
                    if command in kept:
                        if not any_out or not out.meets(footprint):
                            continue
                        kept.discard(command)
                    out.add(footprint, 1)
                    any_out = True
            if len(kept) == before:
                return kept
        return set()


def _likely_quorums(tails: Mapping[int, Tail], quorums: QuorumSystem, base: int) -> Iterator[tuple[int, ...]]:
    """Sets of the acceptors at hand that are classic quorums, the largest first, each without the one that has least in
    common with ``base``, which is in all of them."""
    head = tails.get(base)
    if head is None:
        return
    nearest = sorted(tails, key=lambda a: (a != base, -len(head.keys() & tails[a].keys()), a))
    for count in range(len(nearest), 0, -1):
        if not quorums.is_classic(mask_of(nearest[:count])):
            return
        yield tuple(sorted(nearest[:count]))


def _masks(command: str, tails: Mapping[int, Tail]) -> dict[int, int]:
    """Digest -> the acceptors that report the command with it."""
    masks: dict[int, int] = {}
    for acceptor, tail in tails.items():
        digest = tail.get(command)
        if digest is not None:
            masks[digest] = masks.get(digest, 0) | 1 << acceptor
    return masks
