"""Deliberate errors that the explorer must find, each in a scope small enough for that; put in by monkeypatching.

Those that are put in as for the simulator are in :mod:`tests.simulation.mutations`. Here are the explorer's own, and
three of which it has a form of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from genpaxos.core import recovery
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.history import History
from genpaxos.core.learner import Learned as News
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Nack, Phase1a, Phase1b
from genpaxos.core.offer import Offer
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem
from genpaxos.core.records import Promised, Record
from genpaxos.explore import Mutation

Patch = Callable[[pytest.MonkeyPatch], None]


def put_in(patch: Patch) -> Mutation:
    """The error, as the explorer takes it."""

    @contextmanager
    def entered() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkey:
            patch(monkey)
            yield

    def mutation() -> AbstractContextManager[None]:
        return entered()

    return mutation


def recovery_wants_one_report_more(patch: pytest.MonkeyPatch) -> None:
    """One report more than a fast quorum's part in Q: what just enough report is taken for unchosen."""

    def may_be_chosen_fast(self: QuorumSystem, reported: int, asked: int) -> bool:
        return any(reported.bit_count() > (quorum & asked).bit_count() for quorum in self.fast)

    patch.setattr(QuorumSystem, "may_be_chosen_fast", may_be_chosen_fast)


def decrees_drop_the_rest_of_the_history(patch: pytest.MonkeyPatch) -> None:
    """Adopting a decree forgets the tail behind it."""
    honest = History.adopt

    def adopt(self: History, ids: Sequence[str], digests: Sequence[int]) -> list[bool]:
        held = honest(self, ids, digests)
        for command, label in self.tail.items():
            self._index.remove(self._known[command][1], label)
        self.tail.clear()
        return held

    patch.setattr(History, "adopt", adopt)


def votes_are_added_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """A new ballot does not clear the votes, nor is a vote's ballot looked at."""
    honest = Learner.on_votes

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        if ballot > self.ballot:
            self.ballot, self.kind = ballot, kind
            self._counts_votes = rules_of(kind).acceptors_vote
            self._is_fast = self._classic.for_ballot(kind, ballot.coordinator).fast_table
            self.adopted, self._agreed = [0] * self._classic.replicas, 0

    def on_votes(
        self: Learner, acceptor: int, _: Ballot, ids: Sequence[str], digests: Sequence[int], *step: int
    ) -> News:
        return honest(self, acceptor, self.ballot, ids, digests, *step)

    patch.setattr(Learner, "start", start)
    patch.setattr(Learner, "on_votes", on_votes)


def one_variable_for_promised_and_accepted(patch: pytest.MonkeyPatch) -> None:
    """A report names the last ballot promised before it as the one its votes were cast in."""
    honest = Acceptor.on_phase1a

    def on_phase1a(self: Acceptor, message: Phase1a) -> Phase1b | Nack:
        before = self.promised
        answer = honest(self, message)
        return replace(answer, accepted=before) if isinstance(answer, Phase1b) and before < message.ballot else answer

    patch.setattr(Acceptor, "on_phase1a", on_phase1a)


def promises_are_not_persisted(patch: pytest.MonkeyPatch) -> None:
    """A promise is written down nowhere; only entering a ballot is."""
    honest = Acceptor.replay

    def replay(self: Acceptor, record: Record) -> None:
        if not isinstance(record, Promised):
            honest(self, record)

    patch.setattr(Acceptor, "replay", replay)


def a_ballot_is_entered_with_a_part_of_what_was_recovered(patch: pytest.MonkeyPatch) -> None:
    """An acceptor joins with whatever decrees it has got so far."""
    patch.setattr(Offer, "reaches_recovered", lambda _: True)


def the_longest_decree_prefix_is_not_the_base(patch: pytest.MonkeyPatch) -> None:
    """Phase 1 projects the reports onto nothing: decrees that were adopted count as tail."""
    patch.setattr(recovery, "_longest_decrees", lambda *_: [])
