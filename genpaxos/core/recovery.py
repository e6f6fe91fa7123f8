"""ProvedSafe: what a new ballot must decree, from the reports of a classic quorum (protocol §5, steps 1 to 4).

Lamport, *Generalized Consensus and Paxos* §5.3.2, in counting form: a command may have been chosen fast in the highest
ballot k when every member that some fast quorum has in Q reports it at k with one digest.
"""

from collections.abc import Mapping, Sequence

from genpaxos.core.history import DivergenceError, History
from genpaxos.core.messages import Phase1b
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem, mask_of


def decree_proved_safe(history: History, reports: Mapping[int, Phase1b], classic: QuorumSystem) -> None:
    """Extend V[1..committed] by the decrees a new ballot starts with.

    ``reports`` maps the acceptors of a classic quorum Q, the coordinator among them, to their promises. ``history`` is
    the coordinator's, truncated to its commit index, which has caught up with the largest one reported; the body of
    every command reported is known. Raises :class:`DivergenceError` if the reports contradict each other.
    """
    assert history.length == history.committed
    assert not history.tail
    assert all(report.committed <= history.committed for report in reports.values())
    k = max(report.accepted for report in reports.values())
    at_k = {a: report for a, report in sorted(reports.items()) if report.accepted == k}
    history.decree(_longest_decrees(history, at_k))
    kind = next(iter(at_k.values())).kind
    if rules_of(kind).acceptors_vote:
        rests = {a: _rest(history, report) for a, report in at_k.items()}
        labels = _chosen_fast(history, rests, classic.for_ballot(kind, k.coordinator), mask_of(reports))
        _place(history, labels, rests)
    history.decree(history.following(_others(history, reports)))


def _longest_decrees(history: History, at_k: Mapping[int, Phase1b]) -> list[str]:
    """Step 2: the longest decree prefix reported at k, beyond the committed prefix."""
    longest = max(at_k.values(), key=lambda report: report.first + len(report.ids))
    skip = history.committed + 1 - longest.first
    assert skip >= 0, "caught up with every report"
    return longest.ids[skip:]


def _rest(history: History, report: Phase1b) -> list[str]:
    """Step 2: the report projected onto the base: what it holds besides, in its own order.

    Without what the base ends sessions of: the reporter would drop it as soon as it has adopted the base.
    """
    return history.following(history.undecreed([*report.ids, *report.tail]))


def _chosen_fast(
    history: History, rests: Mapping[int, Sequence[str]], quorums: QuorumSystem, asked: int
) -> dict[str, int]:
    """Step 3: the commands that may have been chosen fast at k, with the digest they would have been chosen with."""
    votes: dict[tuple[str, int], int] = {}
    for acceptor, rest in rests.items():
        for vote in zip(rest, history.project(rest), strict=True):
            votes[vote] = votes.get(vote, 0) | 1 << acceptor
    return {
        command: digest for (command, digest), reported in votes.items() if quorums.may_be_chosen_fast(reported, asked)
    }


def _place(history: History, labels: Mapping[str, int], rests: Mapping[int, Sequence[str]]) -> None:
    """Decree those commands in an order that gives each its digest: down-closed and compatible, so one exists."""
    waiting = list(dict.fromkeys(command for rest in rests.values() for command in rest if command in labels))
    while waiting:
        for command in waiting:
            if history.digest(command) == labels[command]:
                history.decree([command])
        left = [command for command in waiting if command not in history.positions]
        if len(left) == len(waiting):
            raise DivergenceError(f"phase 1 reports contradict each other about {left[:3]}: quorums do not intersect")
        waiting = left


def _others(history: History, reports: Mapping[int, Phase1b]) -> list[str]:
    """Step 4: everything else seen, by acceptor and in its order."""
    seen = (command for _, report in sorted(reports.items()) for command in [*report.ids, *report.tail])
    return list(dict.fromkeys(history.undecreed(seen)))
