"""Deliberate errors that the explorer must find, each in a scope small enough for that; put in by monkeypatching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from genpaxos.core import recovery
from genpaxos.core.acceptor import Acceptor, _Offer
from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.history import History
from genpaxos.core.learner import Learned as News
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Nack, Phase1a, Phase1b
from genpaxos.core.quorum import QuorumSystem, mask_of, members_of
from genpaxos.core.records import Promised, Record
from genpaxos.explore import Mutation
from tests.simulation import mutations as chance

Patch = Callable[[pytest.MonkeyPatch], None]


def votes_keep_their_digests_when_decrees_are_taken_over(patch: pytest.MonkeyPatch) -> None:
    """Committed decrees move V; what was voted for before, in the same step, leaves with the digests of before."""
    chance.votes_keep_their_digests_when_decrees_are_taken_over(patch)


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


def learners_count_one_vote_too_few(patch: pytest.MonkeyPatch) -> None:
    """The fast threshold is off by one; recovery counts right."""
    honest = Learner.start

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        honest(self, ballot, kind)
        if ballot == self.ballot and kind.is_fast:
            right = self._classic.for_ballot(kind, ballot.coordinator)
            less = {quorum & ~(1 << a) for quorum in right.fast for a in members_of(quorum) if a != ballot.coordinator}
            self._is_fast = bytes(any(mask & q == q for q in less) for mask in range(1 << right.replicas))

    patch.setattr(Learner, "start", start)


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


def the_coordinator_is_left_out_of_the_fast_quorum(patch: pytest.MonkeyPatch) -> None:
    """Any majority but the coordinator's own is pinned, or any f acceptors will do."""

    def for_ballot(self: QuorumSystem, kind: BallotKind, coordinator: int) -> QuorumSystem:
        if not kind.is_fast:
            return QuorumSystem(self.replicas, self.classic)
        if kind.pinned:
            others = [a for a in range(self.replicas) if a != coordinator]
            return self.with_pinned(others[: self.replicas // 2 + 1])
        size = -(-3 * self.replicas // 4)
        some = {mask for mask in range(1 << self.replicas) if mask.bit_count() == size}
        return QuorumSystem(self.replicas, self.classic, tuple(sorted(some)))

    patch.setattr(QuorumSystem, "for_ballot", for_ballot)
    patch.setattr(Acceptor, "votes_fast", property(lambda self: self.current and self.kind.is_fast))


def recovery_does_not_project(patch: pytest.MonkeyPatch) -> None:
    """Reports are compared as each acceptor digested them, on its own decrees, not on the longest."""

    def decree(history: History, reports: Mapping[int, Phase1b], classic: QuorumSystem) -> None:
        k = max(report.accepted for report in reports.values())
        at_k = {a: report for a, report in sorted(reports.items()) if report.accepted == k}
        kind = next(iter(at_k.values())).kind
        votes: dict[tuple[str, int], int] = {}
        for acceptor, report in at_k.items():
            own = [c for c in [*report.ids, *report.tail] if c not in history.positions]
            for vote in zip(own, history.project(own), strict=True):
                votes[vote] = votes.get(vote, 0) | 1 << acceptor
        history.decree(recovery._longest_decrees(history, at_k))
        if kind.is_fast:
            system = classic.for_ballot(kind, k.coordinator)
            labels = {
                command: digest
                for (command, digest), reported in votes.items()
                if command not in history.positions and system.may_be_chosen_fast(reported, mask_of(reports))
            }
            recovery._place(history, labels, {a: recovery._rest(history, report) for a, report in at_k.items()})
        history.decree(recovery._others(history, reports))

    patch.setattr("genpaxos.core.coordinator.decree_proved_safe", decree)


def recovery_takes_all_for_unchosen(patch: pytest.MonkeyPatch) -> None:
    """What may have been chosen fast keeps no order: it comes with everything else, by acceptor."""
    patch.setattr(recovery, "_chosen_fast", lambda *_: {})


def votes_are_added_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """A new ballot does not clear the votes, nor is a vote's ballot looked at."""
    honest = Learner.on_votes

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        if ballot > self.ballot:
            self.ballot, self.kind = ballot, kind
            self._is_fast = self._classic.for_ballot(kind, ballot.coordinator).fast_table
            self.adopted, self._agreed = [0] * self._classic.replicas, 0

    def on_votes(
        self: Learner, acceptor: int, _: Ballot, ids: Sequence[str], digests: Sequence[int], *step: int
    ) -> News:
        return honest(self, acceptor, self.ballot, ids, digests, *step)

    patch.setattr(Learner, "start", start)
    patch.setattr(Learner, "on_votes", on_votes)


def recovery_adds_reports_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """Reports of every ballot count together, as though all were at the highest."""
    honest = recovery.decree_proved_safe

    def decree(history: History, reports: Mapping[int, Phase1b], classic: QuorumSystem) -> None:
        k = max(report.accepted for report in reports.values())
        honest(history, {a: replace(report, accepted=k) for a, report in reports.items()}, classic)

    patch.setattr("genpaxos.core.coordinator.decree_proved_safe", decree)


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
    patch.setattr(_Offer, "reaches_recovered", lambda _: True)


def the_longest_decree_prefix_is_not_the_base(patch: pytest.MonkeyPatch) -> None:
    """Phase 1 projects the reports onto nothing: decrees that were adopted count as tail."""
    patch.setattr(recovery, "_longest_decrees", lambda *_: [])
