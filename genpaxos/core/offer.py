"""Decrees that an acceptor has received and not adopted yet (protocol §3, Phase 2a)."""

from typing import NamedTuple

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind
from genpaxos.core.messages import Phase2a


class OfferState(NamedTuple):
    """An offer as a plain value."""

    ballot: Ballot
    kind: BallotKind
    recovered: int
    committed: int
    first: int
    ids: tuple[str, ...]
    digests: tuple[int, ...]


class Offer:
    """Decrees of one ballot received in index order but not adopted yet."""

    def __init__(self, ballot: Ballot) -> None:
        self.ballot = ballot
        self.kind = CLASSIC
        self.recovered = 0
        self.committed = 0
        self.first = 1
        self.ids: list[str] = []
        self.digests: list[int] = []

    def state(self, promised: Ballot) -> OfferState | None:
        """All that matters of it to one that has promised this ballot; ``None`` if nothing does."""
        if self.ballot != promised or not self.ids:
            return None
        return OfferState(
            self.ballot, self.kind, self.recovered, self.committed, self.first, tuple(self.ids), tuple(self.digests)
        )

    @classmethod
    def load(cls, state: OfferState | None) -> "Offer":
        """What :meth:`state` gave."""
        made = cls(ZERO if state is None else state.ballot)
        if state is not None:
            _, made.kind, made.recovered, made.committed, made.first, ids, digests = state
            made.ids, made.digests = list(ids), list(digests)
        return made

    @property
    def next(self) -> int:
        return self.first + len(self.ids)

    def take(self, message: Phase2a, wanted: int) -> None:
        """Add what continues the run that starts at ``wanted`` or earlier; a gap is left to be fetched."""
        self.kind, self.recovered = message.kind, message.recovered
        self.committed = max(self.committed, message.committed)
        if not self.ids:
            self.first = wanted
        skip = self.next - message.first
        if skip >= 0:
            self.ids.extend(message.ids[skip:])
            self.digests.extend(message.digests[skip:])

    def reaches_recovered(self) -> bool:
        return self.next > self.recovered

    def drop(self, count: int) -> tuple[list[str], list[int]]:
        """Take out the first ``count`` decrees."""
        ids, digests = self.ids[:count], self.digests[:count]
        del self.ids[:count], self.digests[:count]
        self.first += count
        return ids, digests

    def skip_to(self, index: int) -> None:
        """Forget what lies before ``index``: it has come another way."""
        if index > self.first:
            self.drop(min(index - self.first, len(self.ids)))
            self.first = index
