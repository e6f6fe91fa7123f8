"""Deliberate errors, each put into the real code by monkeypatching: what the simulator must be able to find.

The list is that of bug patterns in docs/bugs.md as far as it concerns the core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from genpaxos.core import recovery, serving
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.commands import Proposals
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.effects import Effects
from genpaxos.core.endings import End
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.learner import Learned as News
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Nack, Phase1a, Phase1b, Phase2a, Phase2b
from genpaxos.core.offer import Offer
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem, mask_of, members_of
from genpaxos.core.records import Entered, Learned, Promised
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import Sessions
from genpaxos.core.telling import Telling

Mutation = Callable[[pytest.MonkeyPatch], None]


def one_variable_for_promised_and_accepted(patch: pytest.MonkeyPatch) -> None:
    """A report names the last ballot promised as the one its votes were cast in."""
    honest = Acceptor.on_phase1a
    reported: dict[int, tuple[Ballot, Ballot]] = {}

    def on_phase1a(self: Acceptor, message: Phase1a) -> Phase1b | Nack:
        before = self.promised
        answer = honest(self, message)
        if isinstance(answer, Nack):
            return answer
        if before < message.ballot:
            reported[id(self)] = (message.ballot, before)
        ballot, voted = reported.get(id(self), (ZERO, ZERO))
        return replace(answer, accepted=max(voted, answer.accepted)) if ballot == message.ballot else answer

    patch.setattr(Acceptor, "on_phase1a", on_phase1a)


def phase2a_does_not_raise_promised(patch: pytest.MonkeyPatch) -> None:
    """Taking part in a ballot leaves ``promised`` where it was."""
    honest = Acceptor.on_phase2a

    def on_phase2a(self: Acceptor, message: Phase2a) -> Nack | None:
        before = self.promised
        answer = honest(self, message)
        self.promised = before
        return answer

    def entered(
        self: Acceptor, ballot: Ballot, kind: BallotKind, first: int, ids: list[str], labels: list[int]
    ) -> None:
        self.accepted, self.kind = ballot, kind
        self.records.append(Entered(ballot, kind, first, ids, labels, self.proposals.bodies(ids)))

    patch.setattr(Acceptor, "on_phase2a", on_phase2a)
    patch.setattr(Acceptor, "_entered", entered)
    patch.setattr(Acceptor, "current", property(lambda self: self.accepted >= self.promised != ZERO))


def phase2a_is_accepted_below_the_promise(patch: pytest.MonkeyPatch) -> None:
    """An acceptor goes on adopting the decrees of a ballot after it has promised a higher one."""
    honest = Acceptor.on_phase2a

    def on_phase2a(self: Acceptor, message: Phase2a) -> Nack | None:
        promised = self.promised
        if self.accepted == message.ballot < promised:
            self.promised = message.ballot
            answer = honest(self, message)
            self.queued = []
            self.promised = promised
            return answer
        return honest(self, message)

    def votes(self: Telling, _now_ms: float, effects: Effects) -> Iterator[tuple[News, int]]:
        acceptor, history = self._acceptor, self._acceptor.history
        (ids, digests), acceptor.queued = history.labels(acceptor.queued), []
        if acceptor.accepted != ZERO and (ids or self.watermark._told != (acceptor.accepted, history.length)):
            self.watermark.sent(acceptor.accepted, history.length)
            self._learner.on_adopted(self._node, acceptor.accepted, history.length)
            effects.broadcast(Phase2b(acceptor.accepted, ids, digests, history.length))
            yield self._learner.on_votes(self._node, acceptor.accepted, ids, digests), 0

    patch.setattr(Acceptor, "on_phase2a", on_phase2a)
    patch.setattr(Telling, "_votes", votes)


def late_phase1b_of_an_old_ballot_counts(patch: pytest.MonkeyPatch) -> None:
    """A report counts in phase 1 of whatever ballot is under way."""

    def on_phase1b(self: Coordinator, acceptor: int, message: Phase1b) -> None:
        if self.phase is Phase.PHASE1:
            self.promises.reports.setdefault(acceptor, message)

    patch.setattr(Coordinator, "on_phase1b", on_phase1b)


def votes_are_added_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """A new ballot does not clear the votes, nor is a vote's ballot looked at."""
    honest = Learner.on_votes

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        if ballot > self.ballot:
            self.ballot, self.kind = ballot, kind
            self._counts_votes = rules_of(kind).acceptors_vote
            self.quorums = self._classic.for_ballot(kind, ballot.coordinator)
            self._is_fast = self.quorums.fast_table
            self.adopted, self._agreed = [0] * self._classic.replicas, 0

    def on_votes(
        self: Learner, acceptor: int, _: Ballot, ids: Sequence[str], digests: Sequence[int], __: int = 0
    ) -> News:
        return honest(self, acceptor, self.ballot, ids, digests)

    patch.setattr(Learner, "start", start)
    patch.setattr(Learner, "on_votes", on_votes)


def watermarks_are_added_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """A new ballot does not clear who has adopted what."""

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        if ballot > self.ballot:
            self.ballot, self.kind = ballot, kind
            self._counts_votes = rules_of(kind).acceptors_vote
            self.quorums = self._classic.for_ballot(kind, ballot.coordinator)
            self._is_fast = self.quorums.fast_table
            self._votes.clear()
            self.conflicts.clear()

    patch.setattr(Learner, "start", start)


def an_acceptor_counts_before_it_votes(patch: pytest.MonkeyPatch) -> None:
    """A learner takes its own vote for cast as soon as the command stands in its tail. The vote leaves later,
    after the sync; the reply that rests on it leaves before. Found in a review of the oracles."""
    honest, made = Learner._count, Replica.__init__
    owners: WeakKeyDictionary[Learner, int] = WeakKeyDictionary()

    def make(self: Replica, node: int, *arguments: Any) -> None:
        made(self, node, *arguments)
        owners[self.learner] = node

    def count(
        self: Learner, acceptor: int, ids: Sequence[str], digests: Sequence[int], step: int, learned: News
    ) -> None:
        honest(self, acceptor, ids, digests, step, learned)
        own, tail = owners.get(self, -1), self._history.tail
        for command in ids if own in self.kind.pinned else ():
            vote, mask = self._votes.get(command, (None, 0))
            if vote is not None and tail.get(command) == vote and self._is_fast[mask | 1 << own]:
                del self._votes[command]
                self._learned.add(command)
                learned[0].append(command)
                learned[1].append(tail[command])

    patch.setattr(Replica, "__init__", make)
    patch.setattr(Learner, "_count", count)


def an_acceptor_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """A vote that arrives again counts for the next acceptor."""
    honest = Learner.on_votes

    def on_votes(
        self: Learner, acceptor: int, ballot: Ballot, ids: Sequence[str], digests: Sequence[int], _: int = 0
    ) -> News:
        learned: News = ([], [])
        for command, digest in zip(ids, digests, strict=True):
            voter = acceptor
            vote, mask = self._votes.get(command, (0, 0))
            if vote == digest and mask >> acceptor & 1:
                voter = (acceptor + 1) % self._classic.replicas
            one = honest(self, voter, ballot, [command], [digest])
            learned[0].extend(one[0])
            learned[1].extend(one[1])
        return learned

    patch.setattr(Learner, "on_votes", on_votes)


def queued_votes_outlive_a_promise(patch: pytest.MonkeyPatch, *, at_rest: bool = False) -> None:
    """Votes queued in one ballot leave in the next, as they were; with ``at_rest``, also of one that has ended."""
    copies = _Copies()
    copies.leave(patch)
    enter, take = Acceptor._entered, Acceptor.take_votes

    def promise(self: Acceptor, ballot: Ballot) -> None:
        if ballot > self.promised:
            copies.keep(self)
            self.promised = ballot
            self.records.append(Promised(ballot))

    def entered(self: Acceptor, *arguments: Any) -> None:
        queued = self.queued
        enter(self, *arguments)
        self.queued = queued

    def take_votes(self: Acceptor) -> tuple[list[str], list[int], int]:
        queued, kept = self.queued, copies.labels.get(self, {})
        votes = take(self)
        if at_rest and not self.current:
            self.queued, copies.labels[self] = queued, kept
        return votes

    patch.setattr(Acceptor, "promise", promise)
    patch.setattr(Acceptor, "_entered", entered)
    patch.setattr(Acceptor, "take_votes", take_votes)


def votes_keep_their_digests_when_decrees_are_taken_over(patch: pytest.MonkeyPatch) -> None:
    """Committed decrees move V; what was voted for before, in the same step, leaves with the digests of before and the
    place of after."""
    copies = _Copies()
    copies.leave(patch)
    learn = Acceptor._learn

    def keep_and_learn(self: Acceptor, first: int, ids: list[str], digests: list[int]) -> None:
        copies.keep(self)
        learn(self, first, ids, digests)

    patch.setattr(Acceptor, "_learn", keep_and_learn)


class _Copies:
    """The labels that queued votes had, per acceptor."""

    def __init__(self) -> None:
        self.labels: WeakKeyDictionary[Acceptor, dict[str, int]] = WeakKeyDictionary()

    def keep(self, acceptor: Acceptor) -> None:
        held, labels = acceptor.history.labels(acceptor.queued)
        self.labels.setdefault(acceptor, {}).update(zip(held, labels, strict=True))

    def leave(self, patch: pytest.MonkeyPatch) -> None:
        """Votes leave with the labels that were kept for them."""
        honest = Acceptor.take_votes

        def take_votes(acceptor: Acceptor) -> tuple[list[str], list[int], int]:
            kept = self.labels.pop(acceptor, {})
            ids, digests, start = honest(acceptor)
            return ids, [kept.get(c, digest) for c, digest in zip(ids, digests, strict=True)], start

        patch.setattr(Acceptor, "take_votes", take_votes)


def the_fast_threshold_is_one_less(patch: pytest.MonkeyPatch) -> None:
    """Learners count one vote too few; recovery counts right."""
    honest = Learner.start

    def start(self: Learner, ballot: Ballot, kind: BallotKind) -> None:
        honest(self, ballot, kind)
        if ballot == self.ballot and rules_of(kind).acceptors_vote:
            right = self._classic.for_ballot(kind, ballot.coordinator)
            less = {quorum & ~(1 << a) for quorum in right.fast for a in members_of(quorum) if a != ballot.coordinator}
            self._is_fast = bytes(any(mask & q == q for q in less) for mask in range(1 << right.replicas))

    patch.setattr(Learner, "start", start)


def the_coordinator_is_left_out_of_the_fast_quorum(patch: pytest.MonkeyPatch) -> None:
    """Any f acceptors are a fast quorum, or any majority is pinned, with the coordinator or without."""

    def for_ballot(self: QuorumSystem, kind: BallotKind, coordinator: int) -> QuorumSystem:
        if not rules_of(kind).acceptors_vote:
            return QuorumSystem(self.replicas, self.classic)
        if kind.pinned:
            others = [a for a in range(self.replicas) if a != coordinator]
            return self.with_pinned(others[: self.replicas // 2 + 1])
        size = -(-3 * self.replicas // 4)
        some = {mask for mask in range(1 << self.replicas) if mask.bit_count() == size}
        return QuorumSystem(self.replicas, self.classic, tuple(some))

    votes_fast = property(lambda self: self.current and self.rules.acceptors_vote)
    patch.setattr(QuorumSystem, "for_ballot", for_ballot)
    patch.setattr(Acceptor, "votes_fast", votes_fast)


def recovery_drops_what_only_tails_held(patch: pytest.MonkeyPatch) -> None:
    """Phase 1 looks at decrees alone."""
    honest = recovery.decree_proved_safe

    def decree(history: History, reports: Mapping[int, Phase1b], classic: QuorumSystem) -> None:
        honest(history, {a: replace(report, tail=[]) for a, report in reports.items()}, classic)

    patch.setattr("genpaxos.core.coordinator.decree_proved_safe", decree)


def recovery_takes_all_for_unchosen(patch: pytest.MonkeyPatch) -> None:
    """What may have been chosen fast keeps no order: it comes with everything else, by acceptor."""
    patch.setattr(recovery, "_chosen_fast", lambda *_: {})


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
        if rules_of(kind).acceptors_vote:
            system = classic.for_ballot(kind, k.coordinator)
            labels = {
                command: digest
                for (command, digest), reported in votes.items()
                if command not in history.positions and system.may_be_chosen_fast(reported, mask_of(reports))
            }
            recovery._place(history, labels, {a: recovery._rest(history, report) for a, report in at_k.items()})
        history.decree(recovery._others(history, reports))

    patch.setattr("genpaxos.core.coordinator.decree_proved_safe", decree)


def recovery_ignores_the_highest_ballot(patch: pytest.MonkeyPatch) -> None:
    """Reports of every ballot count together, as though all were at k."""
    honest = recovery.decree_proved_safe

    def decree(history: History, reports: Mapping[int, Phase1b], classic: QuorumSystem) -> None:
        k = max(report.accepted for report in reports.values())
        honest(history, {a: replace(report, accepted=k) for a, report in reports.items()}, classic)

    patch.setattr("genpaxos.core.coordinator.decree_proved_safe", decree)


def a_partial_take_over_drops_what_was_adopted_behind_it(patch: pytest.MonkeyPatch) -> None:
    """Learning V[..i] from others makes tail of what the acceptor had adopted beyond i in the ballot it accepted."""

    def learn(self: Acceptor, first: int, ids: list[str], digests: list[int]) -> None:
        self.history.take_over(first, ids, digests)
        self.records.append(Learned(first, ids, digests, self.proposals.bodies(ids)))

    patch.setattr(Acceptor, "_learn", learn)


def a_ballot_is_entered_with_a_part_of_what_was_recovered(patch: pytest.MonkeyPatch) -> None:
    """An acceptor joins with whatever decrees it has got so far; chunks are small, so that there are parts."""
    patch.setattr(Offer, "reaches_recovered", lambda _: True)
    patch.setattr(serving, "CHUNK_COMMANDS_MAX", 2)


def labels_are_carried_across_ballots(patch: pytest.MonkeyPatch) -> None:
    """``History.replace`` leaves the labels of the tail as they were in the ballot before."""

    def carried(self: History, first: int, ids: Sequence[str], digests: Sequence[int]) -> None:
        labels = dict(zip(*self.decrees(first), strict=True)) | self.tail
        rest = self.truncate(first - 1)
        assert self.decree(ids) == list(digests)
        for command in rest:
            if command not in self.positions:
                self.tail[command] = labels[command]
                self._index.add(self._known[command][1], labels[command])

    patch.setattr(History, "replace", carried)


def commands_run_before_their_predecessors(patch: pytest.MonkeyPatch) -> None:
    """The executor does not compare digests."""

    def run(self: Executor, command: str, digest: int) -> bool:
        body, footprint, client, sequence = self._known[command]
        self._index.add(footprint, digest)
        result = self._apply(command, body[0], body[1])
        self.applied += 1
        self.sessions.record(command, client, sequence, result, body[2])
        self.done[0].append(command)
        self.done[1].append(result)
        return True

    patch.setattr(Executor, "_run", run)


def commands_run_twice(patch: pytest.MonkeyPatch) -> None:
    """What ran ahead of its index runs again at it."""
    honest: Any = Executor.run_committed

    def run_committed(self: Executor) -> list[str]:
        self.ahead.clear()
        result: list[str] = honest(self)
        return result

    patch.setattr(Executor, "run_committed", run_committed)


def an_ended_session_leaves_no_trace(patch: pytest.MonkeyPatch) -> None:
    """A command that is asked for after its session has ended is taken for a new client's."""
    patch.setattr(Sessions, "over", lambda *_: False)


def names_of_ended_sessions_are_forgotten_too_soon(patch: pytest.MonkeyPatch) -> None:
    """The floor lets names be forgotten, and nobody asks it."""
    patch.setattr(Sessions, "over", lambda self, client: client not in self.open and client in self.ended)


def commands_follow_the_end_of_their_session(patch: pytest.MonkeyPatch) -> None:
    """An acceptor votes for what comes, whatever its history ends."""
    patch.setattr(History, "following", lambda _, ids, **__: list(ids))


def the_floor_ends_sessions_that_acceptors_do_not_know_of(patch: pytest.MonkeyPatch) -> None:
    """Only those are watched that an end lists."""
    patch.setattr(End, "ends", lambda self, client, _: client in self.clients)


def commands_of_ended_sessions_are_kept(patch: pytest.MonkeyPatch) -> None:
    """What waited in the pool when its session ended is proposed later."""
    patch.setattr(Proposals, "forget_over", lambda *_: None)
