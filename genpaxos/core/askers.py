"""Which replicas clients ask for results: those must hear of votes at once.

A command's request names the replicas that are asked for its result. What interferes with it may be asked for
elsewhere, and each of the two replicas asked must learn both commands to run its own. So votes go to all replicas at
which *some* client has waited lately, and to the pinned quorum, whose members must see each other's votes to see that
they disagree, the coordinator among them. A vote that is not sent to the others is a vote that is lost on the way
there, hence safe: they learn from decrees, which carry the commit index, and from watermarks.
"""

from genpaxos.core.ballot import BallotKind
from genpaxos.core.quorum import EVERYBODY

LATELY_MS = 1_000.0
"""A replica that was not asked for so long is taken not to be asked."""


class Askers:
    """Which replicas clients have asked lately, as far as this one has heard; at the start it takes all for asked."""

    def __init__(self, replicas: int, now_ms: float) -> None:
        self._asked_ms = [now_ms] * replicas

    def ask(self, replicas: int, now_ms: float) -> None:
        """A client asks these (a bit mask; 0: it is not said which)."""
        mask = replicas or EVERYBODY
        for replica in range(len(self._asked_ms)):
            if mask >> replica & 1:
                self._asked_ms[replica] = now_ms

    def asked(self, replica: int, now_ms: float) -> bool:
        """Whether a client has asked this replica lately."""
        return now_ms - self._asked_ms[replica] < LATELY_MS

    def spared(self, kind: BallotKind, now_ms: float) -> list[int]:
        """Who need not hear of a vote in a ballot of this kind.

        Nobody where no quorum is pinned: then everybody's votes and watermarks may be needed, and seen to disagree.
        """
        if not kind.pinned:
            return []
        replicas = range(len(self._asked_ms))
        return [replica for replica in replicas if replica not in kind.pinned and not self.asked(replica, now_ms)]
