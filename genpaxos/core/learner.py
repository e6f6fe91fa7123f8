"""Learning: by a fast quorum of equal votes, or by a classic quorum of adoptions (protocol §3, Learning).

Both rules watch one ballot at a time, the highest one seen start; votes are never added across ballots, and an acceptor
counts once. Where no client waits votes need not come (:mod:`genpaxos.core.askers`): the second rule then learns alone.
"""

from collections import deque
from collections.abc import Callable, Sequence

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind
from genpaxos.core.history import History
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem

RECENT_COMMANDS_MAX = 4_096

Vote = int | tuple[int, int]
"""A digest, in an uncoordinated ballot's later steps with the step."""

Learned = tuple[list[str], list[int]]
"""Ids and digests of newly learned commands."""


class Learner:
    """Counts the votes and watermarks of one ballot."""

    def __init__(self, history: History, quorums: QuorumSystem, settled: Callable[[str], bool]) -> None:
        self._history = history
        self._classic = quorums
        self._settled = settled
        self.reset()

    def reset(self) -> None:
        """Watch no ballot, and know nothing."""
        self.ballot: Ballot = ZERO
        self.kind: BallotKind = CLASSIC
        self._counts_votes = False
        self.adopted = [0] * self._classic.replicas
        """Per acceptor: the decree index it is known to have adopted in ``ballot``."""
        self._agreed: int | None = 0
        """The index that a classic quorum has adopted; ``None`` if it is to be worked out anew."""
        self.fast_count = 0
        """Commands learned by the fast rule first."""
        self.classic_count = 0
        """Commands learned by the classic rule first."""
        self._recent: deque[tuple[list[str], set[str]]] = deque()
        """The newest committed commands, step by step, and those of them that were learned fast."""
        self._recent_count = 0
        self.quorums = self._classic
        """The quorum system of the ballot watched."""
        self._is_fast = self._classic.fast_table
        self._votes: dict[str, tuple[Vote, int]] = {}
        """Per command, its first vote and the mask of the acceptors that voted so."""
        self._split: dict[str, dict[Vote, int]] = {}
        """The other votes for a command, if there are any."""
        self._uncounted: deque[tuple[int, int, Sequence[str], Sequence[int]]] = deque()
        """Votes that a coordinator cast by decreeing, with nothing to add them to: index of the last, coordinator, ids,
        digests."""
        self.split_count = 0
        """Votes that differed from the first one for their command, ever."""
        self.conflicts: set[str] = set()
        """Commands voted for with different digests and not committed yet: the fast path has failed them."""
        self._learned: set[str] = set()
        """Learned fast but not yet committed: their further votes say nothing new."""

    @property
    def recent(self) -> dict[str, bool]:
        """How the newest committed commands were learned, to be shown: ``True`` if fast."""
        return {command: command in fast for ids, fast in self._recent for command in ids}

    @property
    def pending(self) -> int:
        """Commands with votes, none of them learned."""
        return len(self._votes) + sum(len(ids) for _, _, ids, _ in self._uncounted)

    def learned_fast(self, command: str) -> bool:
        """Whether the command was learned by the fast rule and is not committed yet."""
        return command in self._learned

    def can_learn_fast(self, heard: int) -> bool:
        """Whether the acceptors of the bit mask ``heard`` contain a fast quorum of the ballot watched."""
        return bool(self._is_fast[heard])

    def start(self, ballot: Ballot, kind: BallotKind) -> None:
        """Watch ``ballot`` from now on, if it is higher than the one watched."""
        if ballot > self.ballot:
            self.ballot, self.kind = ballot, kind
            self._counts_votes = rules_of(kind).acceptors_vote
            self.quorums = self._classic.for_ballot(kind, ballot.coordinator)
            self._is_fast = self.quorums.fast_table
            self.adopted, self._agreed = [0] * self._classic.replicas, 0
            self._votes.clear()
            self._uncounted.clear()
            self._split.clear()
            self.conflicts.clear()

    def on_votes(
        self, acceptor: int, ballot: Ballot, ids: Sequence[str], digests: Sequence[int], step: int = 0
    ) -> Learned:
        """Rule (i): count fast votes of one acceptor; returns what a fast quorum now has with one digest.

        Votes count only within one ballot and step (protocol §4.3).
        """
        learned: Learned = ([], [])
        if ballot != self.ballot or not ids or not self._counts_votes:
            return learned
        while self._uncounted:
            _, coordinator, earlier, labels = self._uncounted.popleft()
            self._count(coordinator, earlier, labels, 0, learned)
        self._count(acceptor, ids, digests, step, learned)
        self.fast_count += len(learned[0])
        return learned

    def on_decrees(
        self, coordinator: int, ballot: Ballot, first: int, ids: Sequence[str], digests: Sequence[int]
    ) -> Learned:
        """Rule (i) for a coordinator that orders commands: it votes by decreeing V[first…].

        As long as nobody else votes, its votes decide nothing, and are only kept. When replicas are saturated nobody
        does, and the decrees are learned by rule (ii) before anybody has counted their votes.
        """
        if self._votes or not ids or ballot != self.ballot or self._is_fast[1 << coordinator]:
            return self.on_votes(coordinator, ballot, ids, digests)
        if self._counts_votes:
            self._uncounted.append((first + len(ids) - 1, coordinator, ids, digests))
        return [], []

    def _count(self, acceptor: int, ids: Sequence[str], digests: Sequence[int], step: int, learned: Learned) -> None:
        """Add one acceptor's votes to those of the ballot, and to ``learned`` what a fast quorum now has."""
        bit = 1 << acceptor
        votes, done, is_fast = self._votes, self._learned, self._is_fast
        positions, committed = self._history.positions, self._history.committed
        for command, digest in zip(ids, digests, strict=True):
            vote: Vote = (digest, step) if step else digest
            cast = votes.get(command)
            if cast is None:
                index = positions.get(command)
                if command in done or (self._settled(command) if index is None else index <= committed):
                    continue
                mask = bit
                votes[command] = (vote, bit)
            elif cast[0] == vote:
                mask = cast[1] | bit
                votes[command] = (vote, mask)
            else:
                mask = self._other_vote(command, vote, bit)
            if is_fast[mask]:
                del votes[command]
                if self._split:
                    self._split.pop(command, None)
                done.add(command)
                learned[0].append(command)
                learned[1].append(digest)

    def _other_vote(self, command: str, vote: Vote, bit: int) -> int:
        """Count a vote that differs from the command's first; returns the mask of those that voted so."""
        self.split_count += 1
        self.conflicts.add(command)
        cast = self._split.setdefault(command, {})
        mask = cast[vote] = cast.get(vote, 0) | bit
        return mask

    def on_adopted(self, acceptor: int, ballot: Ballot, index: int) -> None:
        """Rule (ii): note that the acceptor has adopted V[1..index] in ``ballot``."""
        if ballot == self.ballot and index > self.adopted[acceptor]:
            self.adopted[acceptor] = index
            self._agreed = None

    def advance(self, accepted: Ballot) -> bool:
        """Raise the history's commit index to what a classic quorum has adopted; says whether it rose.

        The acceptor beside this learner must be in the ballot watched: its V is then the one that was adopted.
        """
        history = self._history
        if accepted != self.ballot:
            return False
        if self._agreed is None:
            self._agreed = self._classic.agreed_index(self.adopted)
        return self.commit(min(self._agreed, history.length))

    def commit_to(self, index: int) -> bool:
        """Take V[1..index], as far as it is here, as committed; says whether that is news."""
        return self.commit(min(index, self._history.length))

    def commit(self, index: int) -> bool:
        """Take V[1..index] as committed; says whether that is news."""
        history = self._history
        if index <= history.committed:
            return False
        history.commit(index)
        while self._uncounted and self._uncounted[0][0] <= index:
            self._uncounted.popleft()
        return True

    def forget(self, ids: list[str]) -> None:
        """Drop the counts of commands that are committed."""
        fast = self._learned.intersection(ids)
        self._learned.difference_update(fast)
        self.classic_count += len(ids) - len(fast)
        if self._votes and len(fast) < len(ids):  # what was learned fast is counted no more
            for command in ids:
                self._votes.pop(command, None)
                self._split.pop(command, None)
        if self.conflicts:
            self.conflicts.difference_update(ids)
        self._recent.append((ids, fast))
        self._recent_count += len(ids)
        while self._recent_count - len(self._recent[0][0]) >= RECENT_COMMANDS_MAX:
            self._recent_count -= len(self._recent.popleft()[0])

    def forget_settled(self) -> None:
        """Drop the counts of commands that a snapshot has settled: nothing more will be heard of them."""
        settled = [command for command in {**self._votes, **dict.fromkeys(self._learned)} if self._settled(command)]
        for command in settled:
            self._votes.pop(command, None)
            self._split.pop(command, None)
        self._learned.difference_update(settled)
        self.conflicts.difference_update(settled)
