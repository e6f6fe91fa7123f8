"""When an acceptor tells its adoption watermark (protocol §3, Learning (ii)).

While votes deliver, nobody waits for watermarks: they only raise the commit index, which the log, catch-up and
truncation use. Keeping one back for some milliseconds saves a message to every replica and a sync for it. (A replica
that is sent a vote gets the watermark with it, so the coordinator, which tells the others, knows sooner.) Holding back
is always safe: it is a message delayed. It costs time only where the fast path fails, so nothing is kept back in
classic ballots, when votes disagree, and when no fast quorum is to be heard.
"""

from math import inf

from genpaxos.core.ballot import ZERO, Ballot


class Watermark:
    """Keeps the last watermark told, and when the next one is due."""

    def __init__(self, patience_ms: float) -> None:
        self.due_ms: float = inf
        """When the watermark kept back must be told."""
        self._patience_ms = patience_ms
        self._told: tuple[Ballot, int] = (ZERO, 0)

    @property
    def ballot(self) -> Ballot:
        """The ballot of the last one told."""
        return self._told[0]

    def due(self, ballot: Ballot, adopted: int, urgent: bool, now_ms: float) -> bool:
        """Whether to tell now that V[1..adopted] was adopted in ``ballot``."""
        if (ballot, adopted) == self._told:
            self.due_ms = inf
            return False
        if urgent or now_ms >= self.due_ms or not self._patience_ms:
            return True
        if self.due_ms == inf:
            self.due_ms = now_ms + self._patience_ms
        return False

    def sent(self, ballot: Ballot, adopted: int) -> None:
        """It was told."""
        self._told = (ballot, adopted)
        self.due_ms = inf
