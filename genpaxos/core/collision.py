"""Collisions: what the votes of one ballot prove safe to decree, or to vote for next (protocol §4.2, §4.3).

Phase 2b of a round is phase 1b of the next: the reports of a classic quorum of acceptors that have adopted the same V
are enough to order what they all have voted for, as phase 1 would.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, islice, takewhile
from typing import TYPE_CHECKING

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.history import DivergenceError
from genpaxos.core.messages import Phase2b
from genpaxos.core.quorum import QuorumSystem, mask_of

if TYPE_CHECKING:
    import networkx as nx

WINDOW_COMMANDS = 64
"""How much of each tail is looked at: a prefix of a history is one too, and ordering costs its square."""

Tail = dict[str, int]
"""Command -> digest, in the acceptor's order."""


@dataclass(slots=True)
class _Report:
    """What one acceptor has reported: its tail behind V[1..adopted], as far as it is known without a gap."""

    adopted: int
    step: int
    tail: Tail = field(default_factory=dict)


class Reports:
    """The tails that the acceptors of one ballot have reported to this replica."""

    def __init__(self, known: Container[str]) -> None:
        self._known = known
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

    def watch(self, acceptor: Acceptor) -> None:
        """Include this replica's own acceptor. Reports of another ballot than its own, also of a higher one that it has
        not heard of yet, say nothing about what it may order."""
        if acceptor.accepted != self._ballot:
            self._ballot = acceptor.accepted
            self._reports.clear()
        self._reports[acceptor.node] = _Report(acceptor.history.length, acceptor.step, dict(acceptor.history.tail))

    @property
    def step(self) -> int:
        """The furthest step within the ballot that any acceptor has reported."""
        return max((report.step for report in self._reports.values()), default=0)

    def collided(self, acceptor: Acceptor, quorums: QuorumSystem, *, votes: bool = True) -> bool:
        """Whether some command of the acceptor's tail can no longer reach a fast quorum in this step.

        One that does not vote has no tail: it looks at those of the others.
        """
        tails = self._tails(acceptor)
        own = acceptor.history.tail if votes else dict.fromkeys(command for tail in tails.values() for command in tail)
        for command in list(own)[:WINDOW_COMMANDS]:
            masks = _masks(command, tails)
            voted = mask_of(a for a, tail in tails.items() if command in tail)
            rest = (1 << quorums.replicas) - 1 & ~voted
            if not any(quorums.fast_table[mask | rest] for mask in masks.values()):
                return True
        return False

    def safe_order(
        self, acceptor: Acceptor, quorums: QuorumSystem, interfere: Callable[[str, str], bool], *, own: bool = False
    ) -> list[str]:
        """The longest sequence that some classic quorum's reports prove safe behind V; empty if there is none.

        With ``own``, this replica's acceptor is of the quorum: what it is to vote for it has accepted already.
        """
        tails = self._tails(acceptor)
        best: list[str] = []
        for members in _classic_quorums(tails, quorums):
            if own and acceptor.node not in members:
                continue
            chosen = {a: tails[a] for a in members}
            common = set.intersection(*(set(tail) for tail in chosen.values()))
            if len(common) > len(best):
                order = _agreed(chosen, common) or _ordered(chosen, common, quorums, interfere)
                best = max(best, order, key=len)
        return best

    def _tails(self, acceptor: Acceptor) -> dict[int, Tail]:
        """The tails of acceptors that stand where this one does, each cut to the window and to known bodies."""
        place = (acceptor.history.length, acceptor.step)
        return {
            a: dict(takewhile(lambda vote: vote[0] in self._known, islice(report.tail.items(), WINDOW_COMMANDS)))
            for a, report in sorted(self._reports.items())
            if (report.adopted, report.step) == place
        }


def _classic_quorums(tails: Mapping[int, Tail], quorums: QuorumSystem) -> Iterable[tuple[int, ...]]:
    """All sets of the acceptors at hand that are classic quorums, the largest first."""
    for size in range(len(tails), 0, -1):
        for members in combinations(tails, size):
            if quorums.is_classic(mask_of(members)):
                yield members


def _masks(command: str, tails: Mapping[int, Tail]) -> dict[int, int]:
    """Digest -> the acceptors that report the command with it."""
    masks: dict[int, int] = {}
    for acceptor, tail in tails.items():
        digest = tail.get(command)
        if digest is not None:
            masks[digest] = masks.get(digest, 0) | 1 << acceptor
    return masks


def _agreed(tails: Mapping[int, Tail], common: set[str]) -> list[str]:
    """The common commands in the order of one tail, if all report each of them with one digest: nothing collided."""
    first, *others = tails.values()
    if all(other[command] == first[command] for command in common for other in others):
        return [command for command in first if command in common]
    return []


def _ordered(
    tails: Mapping[int, Tail], common: set[str], quorums: QuorumSystem, interfere: Callable[[str, str], bool]
) -> list[str]:
    """§4.2: the greatest common down-closed set, in an order that keeps what may be chosen; the rest of it by id."""
    import networkx as nx

    precedes = {a: _precedence(tail, interfere) for a, tail in tails.items()}
    kept = _down_closed(precedes, common)
    order: nx.DiGraph[str] = nx.DiGraph()
    order.add_nodes_from(kept)
    asked = mask_of(tails)
    for command in kept:
        for mask in _masks(command, tails).values():
            if quorums.may_be_chosen_fast(mask, asked):
                before = precedes[next(a for a in tails if mask >> a & 1)].predecessors(command)
                _keep(order, command, set(before), interfere)
    try:
        return list(nx.lexicographical_topological_sort(order))
    except nx.NetworkXUnfeasible:
        raise DivergenceError(f"votes of one ballot contradict each other about {sorted(kept)[:3]}") from None


def _precedence(tail: Tail, interfere: Callable[[str, str], bool]) -> "nx.DiGraph[str]":
    """An edge from each command to every later one it interferes with."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(tail)
    graph.add_edges_from((one, other) for one, other in combinations(tail, 2) if interfere(one, other))
    return graph


def _down_closed(precedes: Mapping[int, "nx.DiGraph[str]"], common: set[str]) -> set[str]:
    """The greatest subset of ``common`` that is down-closed in every one of the orders."""
    import networkx as nx

    kept = set(common)
    while True:
        out = {
            command
            for graph in precedes.values()
            for missing in set(graph) - kept
            for command in nx.descendants(graph, missing) & kept
        }
        if not out:
            return kept
        kept -= out


def _keep(order: "nx.DiGraph[str]", command: str, before: set[str], interfere: Callable[[str, str], bool]) -> None:
    """Fix the command's down-set: what interferes with it comes before it exactly if it is in ``before``."""
    for other in list(order):
        if other != command and interfere(other, command):
            order.add_edge(*((other, command) if other in before else (command, other)))
