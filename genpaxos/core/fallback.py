"""When a coordinator abandons, for a while, the policy in which acceptors order (protocol §4).

Coordinated and uncoordinated ballots need two things that nobody can promise: a fast quorum that is up, and collisions
that can be put in order by what acceptors report. Where either fails, the coordinator starts a ballot in which it
orders by itself. There a classic quorum is enough, and whatever it hears of is decreed at once, so progress is certain.
A ballot's kind is named when it starts and stored by every acceptor, and recovery goes by the kind of the ballot that
it finds: kinds may change from ballot to ballot.

It returns when what the ballot started with is committed, so that each time all that had waited is decided, a fast
quorum is up, and votes have agreed for :attr:`~genpaxos.core.election.Timing.fallback_ms`. If it has to give up again
soon, it waits twice as long before it next returns.
"""

from math import inf

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot, BallotKind, Policy
from genpaxos.core.election import Election
from genpaxos.core.learner import Learner
from genpaxos.core.policies import rules_of
from genpaxos.core.pool import Pool
from genpaxos.core.settings import Settings

DOUBLINGS_MAX = 6
"""With the default of a second, at most about a minute."""


class Fallback:
    """The policy of this replica's ballots."""

    def __init__(
        self,
        node: int,
        settings: Settings,
        acceptor: Acceptor,
        learner: Learner,
        election: Election,
        pool: Pool,
        now_ms: float,
    ) -> None:
        self._node = node
        self._timing = settings.timing
        self._configured = settings.policy
        self._accepts = settings.accepts(node)
        self._acceptor = acceptor
        self._learner = learner
        self._election = election
        self._pool = pool
        self._rules = rules_of(self._configured)
        self._started_ms = now_ms
        self._until_ms = -inf
        """Up to here this replica's ballots are leader-ordered."""
        self._doublings = 0
        self._splits = 0
        """How many votes had differed when it was last asked."""
        self._ballot: Ballot = ZERO
        self._watched: set[str] = set()
        """Commands of this ballot that were undecreed at the time of ``_watched_ms``, and still are."""
        self._watched_ms = now_ms

    def policy(self, now_ms: float, recovered: int = 0) -> Policy:
        """The policy of a ballot that is started now, whatever for. V[1..recovered] is what this replica's last one
        started with: while that is not committed, it goes on as it is."""
        recovering = self._acceptor.history.committed < recovered and self._acceptor.rules.coordinator_orders
        holds = not self._rules.coordinator_orders and (recovering or now_ms < self._until_ms)
        return Policy.LEADER_ORDERED if holds else self._configured

    def fall(self, now_ms: float) -> None:
        """The next ballot, to be started now, is leader-ordered."""
        quiet_ms = now_ms - self._until_ms
        soon_ms = max(self._hold_ms, self._timing.election_ms)
        self._doublings = 0 if quiet_ms > soon_ms else min(self._doublings + 1, DOUBLINGS_MAX)
        self._until_ms = now_ms + self._hold_ms

    def due(self, now_ms: float, *, lingers: bool, recovered: int = 0) -> bool:
        """While this replica leads, at intervals: whether it should now start a ballot of another kind.

        ``lingers``: some command has been undecreed for an interval. V[1..recovered] is what the ballot started with.
        """
        if self._rules.coordinator_orders:
            return False
        rules = self._acceptor.rules
        if rules.coordinator_orders:
            return self._acceptor.history.committed >= recovered and self._returns(now_ms)
        undecided = lingers and rules.lingering_fails
        if undecided or self._lacks_fast_quorum(now_ms) or self._stuck(now_ms):
            self.fall(now_ms)
            return True
        return False

    @property
    def _hold_ms(self) -> float:
        return self._timing.fallback_ms * float(1 << self._doublings)

    def _returns(self, now_ms: float) -> bool:
        learner = self._learner
        if learner.split_count != self._splits:
            self._splits = learner.split_count
            self._until_ms = max(self._until_ms, now_ms + self._timing.fallback_ms)
        return now_ms >= self._until_ms and self._fast_quorum_up(now_ms)

    def _lacks_fast_quorum(self, now_ms: float) -> bool:
        """No fast quorum is up. Right after its start a replica cannot tell: others may start more slowly."""
        return now_ms - self._started_ms >= self._timing.election_ms and not self._fast_quorum_up(now_ms)

    def _fast_quorum_up(self, now_ms: float) -> bool:
        quorums = self._learner.quorums.for_ballot(BallotKind(self._configured), self._node)
        return bool(quorums.fast_table[self._election.heard_mask(now_ms)])

    def _stuck(self, now_ms: float) -> bool:
        """Some command has stood undecreed for half an election time: neither do votes decide, nor could it be ordered.

        Looked at are those of one moment, until all of them are decreed or half an election time is over.
        """
        ballot = self._acceptor.accepted
        undecreed = self._acceptor.history.tail if self._accepts else self._pool
        if ballot != self._ballot:
            self._ballot, self._watched = ballot, set()
        self._watched.intersection_update(undecreed)
        if not self._watched:
            self._watched, self._watched_ms = set(undecreed), now_ms
        return bool(self._watched) and now_ms - self._watched_ms >= self._timing.election_ms / 2
