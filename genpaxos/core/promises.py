"""The promises of one phase 1, with their reports: what a coordinator has, and what it still lacks (protocol §5)."""

from collections.abc import Mapping

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Proposals
from genpaxos.core.incarnations import outdated
from genpaxos.core.messages import Phase1b
from genpaxos.core.quorum import QuorumSystem, mask_of


class Promises:
    """The promises for the ballot that a coordinator is to start; ``acceptor`` is the one beside it."""

    def __init__(self, acceptor: Acceptor, proposals: Proposals, quorums: QuorumSystem) -> None:
        self.reports: dict[int, Phase1b] = {}
        """By acceptor, as they answered."""
        self.outdated = 0
        """How many reports were dropped, ever, because they were of an incarnation that is over."""
        self._acceptor = acceptor
        self._proposals = proposals
        self._quorums = quorums

    def start(self, reports: Mapping[int, Phase1b]) -> None:
        """Begin with these."""
        self.reports = dict(reports)

    def add(self, acceptor: int, report: Phase1b) -> None:
        """One more; of each acceptor the first counts, of its newest incarnation."""
        self.reports.setdefault(acceptor, report)
        for over in outdated(self.reports):
            del self.reports[over]
            self.outdated += 1

    def unanswered(self, replicas: int) -> list[int]:
        """Acceptors that have not reported yet."""
        return [a for a in range(replicas) if a not in self.reports]

    def missing_bodies(self) -> dict[int, list[str]]:
        """Per acceptor that reported: commands of its report whose bodies are not known here."""
        decrees = self.missing_decrees()
        missing = {a: self._proposals.missing([*r.ids, *r.tail]) for a, r in self.reports.items()}
        for acceptor, report in self.reports.items():
            listed = set(missing[acceptor])
            missing[acceptor] += [i for i in report.ids if i in decrees and i not in listed]
        return {a: ids for a, ids in missing.items() if ids}

    def lacking(self) -> tuple[int, int]:
        """What phase 1 still waits for: reports it has (more are better), and bodies it lacks (fewer are)."""
        return len(self.reports), sum(map(len, self.missing_bodies().values()))

    def behind(self) -> int | None:
        """An acceptor whose report says that more is committed than this replica has, if any."""
        ahead = max(self.reports, key=lambda a: self.reports[a].committed, default=None)
        if ahead is None or self.reports[ahead].committed <= self._acceptor.history.committed:
            return None
        return ahead

    def openings(self) -> dict[int, int]:
        """Per acceptor that reported: the index from which it needs the decrees of the new ballot."""
        return {a: report.committed + 1 for a, report in self.reports.items() if a != self._acceptor.node}

    def missing_decrees(self) -> set[str]:
        """Decrees behind the commit index of the highest ballot that a classic quorum reports, not known here.

        As in :meth:`Acceptor.missing_bodies` they cannot have run, whatever the sessions say: that ballot's V begins
        with all that is committed.
        """
        if not self._quorums.is_classic(mask_of(self.reports)):
            return set()
        known, first = self._proposals.known, self._acceptor.history.committed + 1
        k = max(report.accepted for report in self.reports.values())
        at_k = [report for report in self.reports.values() if report.accepted == k]
        return {i for r in at_k for i in r.ids[max(0, first - r.first) :] if i not in known}
