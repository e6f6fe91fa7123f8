"""The bug patterns of consensus implementations, each put back into the real code: the simulator must find every one.

The patterns are those that other implementations had (design notes, "Bug patterns"); most are also told in Ongaro's
*Raft* thesis §10 and in the change logs of the well-known implementations. A bug is a switch that only tests can set:
it replaces methods for as long as a test's monkeypatch lives. ``make bugs`` counts the seeds that each one takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from commutativity import Machine
from genpaxos.core import sessions, snapshot
from genpaxos.core.ballot import BallotKind, Policy
from genpaxos.core.effects import Effects, Route
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.ids import command_id, split_id
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.messages import Phase2a, Propose, Refusal, Reply, SnapshotChunk
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import EVERYBODY, QuorumSystem
from genpaxos.core.replica import Replica
from genpaxos.core.runs import pairs_of
from genpaxos.core.sessions import Result, Sessions
from genpaxos.core.transfer import Transfer
from genpaxos.core.voting import Voting
from genpaxos.simulation.clients import Client, Pending
from genpaxos.simulation.disk import START, Disk
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.process import Process
from genpaxos.simulation.run import run
from genpaxos.simulation.snapshots import SnapshotTaker
from genpaxos.simulation.violations import Invariant, ViolationError
from genpaxos.simulation.workload import WORKLOADS
from tests.simulation import mutations
from tests.simulation.mutations import Mutation

_UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Bug:
    """One pattern, or one of two forms of it."""

    label: str
    """Its number in the list, with a letter if it comes in two forms."""
    pattern: str
    put_in: Mutation
    live: bool = False
    """Whether it counts as found when the replicas merely stand still: only where that is all that it does."""


def caught(bug: Bug, plan: Plan) -> ViolationError | None:
    """What a run of the plan finds while the bug is in the code.

    A search for a linearization that was given up is no pass of the simulator's, and it is no proof of a bug either.
    """
    with pytest.MonkeyPatch.context() as patch:
        bug.put_in(patch)
        violation = run(plan, live=bug.live).violation
    undecided = violation is not None and violation.invariant is Invariant.LINEARIZABLE and _UNDECIDED in violation.what
    return None if undecided else violation


# What leaves, and when ------------------------------------------------------------------------------------------------


def messages_leave_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    """Sending first and writing afterwards hides the disk's latency."""
    honest = Process.carry_out

    def carry_out(self: Process, effects: Effects) -> None:
        self._send(effects, 1.0)
        honest(self, Effects(records=effects.records, capture=effects.capture))

    patch.setattr(Process, "carry_out", carry_out)


def queued_votes_survive_a_promise(patch: pytest.MonkeyPatch) -> None:
    """The queue of votes is not emptied by a promise, and what is in it leaves when the acceptor next votes."""
    mutations.queued_votes_outlive_a_promise(patch, at_rest=True)


def commands_run_when_they_are_decreed(patch: pytest.MonkeyPatch) -> None:
    """A coordinator runs and answers what it decrees without waiting for anybody: its own disk alone has it."""
    honest = Voting.tell

    def tell(self: Voting, effects: Effects) -> None:
        before = len(effects.broadcasts)
        honest(self, effects)
        if self._coordinator.decrees_proposals:
            for message in effects.broadcasts[before:]:
                if isinstance(message, Phase2a):
                    self._executor.run_learned(message.ids, message.digests)

    patch.setattr(Voting, "tell", tell)


# Quorums --------------------------------------------------------------------------------------------------------------


def fast_quorums_are_rounded_down(patch: pytest.MonkeyPatch) -> None:
    """⌊3N/4⌋ instead of ⌈3N/4⌉. The check that would refuse such a system when it is made is left out as well."""

    def for_ballot(self: QuorumSystem, kind: BallotKind, coordinator: int) -> QuorumSystem:
        if not rules_of(kind).acceptors_vote:
            return QuorumSystem(self.replicas, self.classic)
        if kind.pinned:
            return self.with_pinned(kind.pinned)
        size = 3 * len(self.acceptors) // 4
        return self.with_any(size, including=None if rules_of(kind).reports_tails else coordinator)

    patch.setattr(QuorumSystem, "for_ballot", for_ballot)
    patch.setattr(QuorumSystem, "check", lambda _: None)


def incarnations_are_mixed(patch: pytest.MonkeyPatch) -> None:
    """Messages and reports of a replica that was, and of the one that took its place, count alike."""
    patch.setattr(Incarnations, "admits", lambda *_: True)
    patch.setattr("genpaxos.core.promises.outdated", lambda _: [])


def a_wiped_disk_is_taken_for_a_new_one(patch: pytest.MonkeyPatch) -> None:
    """Nothing outside the journal says that there was one: a replica that lost it all starts as the one it was."""
    honest = Disk.wipe

    def wipe(self: Disk) -> None:
        honest(self)
        self.place, self.synced, self.used = START, START, False

    patch.setattr(Disk, "wipe", wipe)


def silence_starts_elections(patch: pytest.MonkeyPatch) -> None:
    """Who has not heard the coordinator for an election time campaigns: neither its own connections count, nor what
    others say of the coordinator (Raft without PreVote and CheckQuorum)."""

    def should_campaign(self: Election, leading: bool, now_ms: float) -> bool:
        coordinator = self.highest.coordinator
        if leading or (coordinator >= 0 and coordinator != self._node and self.heard_mask(now_ms) >> coordinator & 1):
            self._followed_ms = now_ms
            return False
        patience_ms = self._timing.election_ms + self._rank[self._node] * self._timing.stagger_ms
        return now_ms - self._ballot_ms >= patience_ms and now_ms - self._followed_ms >= patience_ms

    patch.setattr(Election, "should_campaign", should_campaign)


# The table ------------------------------------------------------------------------------------------------------------

_ONE_WAY = {"bank": ("add", "read"), "register": ("write", "read")}
"""Of a writing and a reading mode: the reader follows the writer, the writer does not follow the reader."""


def the_table_is_asymmetric(patch: pytest.MonkeyPatch) -> None:
    """One cell says that two modes commute, its mirror image that they interfere; nothing checks that they agree."""
    for workload, (writes, reads) in _ONE_WAY.items():
        table = WORKLOADS[workload].machine.table
        row = table.index(reads)
        rows = list(table.interfering)
        rows[row] = tuple(mode for mode in rows[row] if mode != table.index(writes))
        patch.setattr(table, "interfering", tuple(rows))


# Snapshots ------------------------------------------------------------------------------------------------------------


def snapshots_have_no_sessions(patch: pytest.MonkeyPatch) -> None:
    """The machine is in the snapshot, what was executed for which client is not."""
    honest = Sessions.restore
    patch.setattr(Sessions, "restore", lambda self, _: honest(self, {}))


def an_old_snapshot_is_installed(patch: pytest.MonkeyPatch) -> None:
    """No snapshot is asked how old it is: a state that comes late is installed, and one of this replica's own that was
    still being written when a newer state arrived takes that one's place on the disk."""
    honest, honest_store = Transfer.on_chunk, SnapshotTaker.store_now

    def on_chunk(self: Transfer, sender: int, message: SnapshotChunk, effects: Effects) -> None:
        if message.index > self._acceptor.history.committed:
            honest(self, sender, message, effects)
            return
        state = self._assembly.take(sender, message)
        if state is not None:
            snapshot.restore(state, self._executor, self._proposals, self._acceptor)
            effects.executed.append(state)
            self._truncation.restart(state.index)
            effects.capture = True

    def store_now(self: SnapshotTaker, replica: Replica) -> bool:
        making = self._making
        stored = honest_store(self, replica)
        self._making = making
        return stored

    patch.setattr(Transfer, "on_chunk", on_chunk)
    patch.setattr(SnapshotTaker, "store_now", store_now)


def truncation_takes_the_sums_along(patch: pytest.MonkeyPatch) -> None:
    """Cutting the log subtracts what is cut from the accumulators, so later digests differ from those of others."""
    honest = History.cut

    def cut(self: History, index: int) -> list[str]:
        for command, digest in zip(*self.decrees(self.base + 1, index), strict=True):
            self._index.remove(self._known[command][1], digest)
        return honest(self, index)

    patch.setattr(History, "cut", cut)


def the_executed_index_is_ahead_of_the_state(patch: pytest.MonkeyPatch) -> None:
    """A snapshot names the index that was executed; the machine in it is what it was one command earlier."""
    honest_run, honest_capture = Executor._run, snapshot.capture
    behind: dict[Machine, Any] = {}

    def run_one(self: Executor, command: str, digest: int) -> bool:
        before = self.machine.snapshot()
        ran = honest_run(self, command, digest)
        if ran:
            behind[self.machine] = before
        return ran

    def capture(executor: Executor, history: History) -> bytes:
        machine: Any = executor.machine
        if machine in behind:
            executor.applier.machine = SimpleNamespace(snapshot=lambda: behind[machine])  # type: ignore[assignment]
        try:
            return honest_capture(executor, history)
        finally:
            executor.applier.machine = machine

    patch.setattr(Executor, "_run", run_one)
    patch.setattr("genpaxos.core.replica.capture", capture)


# Reads ----------------------------------------------------------------------------------------------------------------

_READS = ("balance", "total", "read")
_ORDERED = (Policy.CLASSIC, Policy.LEADER_ORDERED)
"""Policies in which the coordinator decrees what is proposed to it."""


def a_coordinator_answers_reads_by_itself(patch: pytest.MonkeyPatch) -> None:
    """Clients are answered by the coordinator alone, a read at once from its own state, once what it recovered has run.

    That is right for as long as there is no other coordinator; nothing tells it whether there is, neither a quorum nor
    a lease. A read is also agreed upon, so that every invariant but the clients' own view holds; a client keeps the
    first answer that it gets.
    """
    _reads_are_not_remembered(patch)
    honest_on_client, honest_finish = Voting.on_client, Replica.finish

    def on_client(self: Voting, route: Route, message: Propose, effects: Effects) -> None:
        if self._coordinator.policy not in _ORDERED or not message.asked >> self._node & 1:
            honest_on_client(self, route, message, effects)
            return
        leads, recovered = self._coordinator.leading, self._coordinator.recovered
        reads = all(operation in _READS for operation, _, _ in message.bodies)
        if leads and reads and self._executor.executed >= recovered:
            for command, (operation, arguments, _) in zip(message.ids, message.bodies, strict=True):
                effects.reply(
                    route, command, self._executor.applier.apply(self._executor.sessions, command, operation, arguments)
                )
        honest_on_client(self, route, replace(message, asked=EVERYBODY if leads and not reads else 0), effects)

    def finish(self: Replica, effects: Effects) -> None:
        if self.settings.policy in _ORDERED and not self.coordinator.leading:
            self.answers.reset()
        honest_finish(self, effects)

    patch.setattr(Voting, "on_client", on_client)
    patch.setattr(Replica, "finish", finish)


def _reads_are_not_remembered(patch: pytest.MonkeyPatch) -> None:
    honest: Callable[[Client, Pending, Result], None] = Client._answered

    def answered(self: Client, pending: Pending, result: Result) -> None:
        if pending.result is None or pending.command.operation not in _READS:
            honest(self, pending, result)

    patch.setattr(Client, "_answered", answered)


def a_run_is_sent_again_in_other_pieces(patch: pytest.MonkeyPatch) -> None:
    """A client that asks again sends the operations of a run one by one, each under an id of its own."""
    honest_ask, honest_message = Client._ask, Client.on_message

    def ask(self: Client, pending: Pending, replicas: Sequence[int], home: int | None) -> None:
        if not pending.more or pending.invoked_ms == self._scheduler.now_ms:
            honest_ask(self, pending, replicas, home)
            return
        client, first, _ = split_id(pending.id)
        bodies = [[operation, arguments, pending.body[2]] for operation, arguments in pairs_of(pending.body)]
        ids = [command_id(client, first + place) for place in range(len(bodies))]
        for replica in replicas:
            self._send(self._address, replica, Propose(ids, bodies, EVERYBODY))

    def on_message(self: Client, replica: int, message: Reply | Refusal) -> None:
        if isinstance(message, Reply):
            told = zip(message.ids, message.results, strict=True)
            known = [(name, result) for name, result in told if name in self._by_id]
            message = Reply([name for name, _ in known], [result for _, result in known])
        honest_message(self, replica, message)

    patch.setattr(Client, "_ask", ask)
    patch.setattr(Client, "on_message", on_message)


def an_acknowledgement_inside_a_run_drops_it(patch: pytest.MonkeyPatch) -> None:
    """The results of a run go with the first of its numbers that is acknowledged."""
    patch.setattr(sessions, "last_number", lambda first, _: first)
    patch.setattr(sessions, "DROP_RESULTS", 2)


BUGS = (
    Bug("1", "one ballot variable for promised and accepted", mutations.one_variable_for_promised_and_accepted),
    Bug("2", "a phase 2a accepted without raising `promised`", mutations.phase2a_does_not_raise_promised),
    Bug("3", "a vote or promise sent before it is synced", messages_leave_before_the_sync),
    Bug("4", "a late phase 1b of an old ballot counted", mutations.late_phase1b_of_an_old_ballot_counts),
    Bug("5a", "votes added across ballots", mutations.votes_are_added_across_ballots),
    Bug("5b", "votes added twice for one acceptor", mutations.an_acceptor_counts_twice),
    Bug("6", "queued old-ballot output sent after a promise", queued_votes_survive_a_promise),
    Bug("7", "wrong fast-quorum arithmetic", fast_quorums_are_rounded_down),
    Bug("8", "recovery drops what only the tail held", mutations.recovery_drops_what_only_tails_held),
    Bug("9", "reply before the command is recoverable", commands_run_when_they_are_decreed),
    Bug("10", "session table missing from a snapshot", snapshots_have_no_sessions),
    Bug("11", "an old snapshot overwrites a newer log", an_old_snapshot_is_installed),
    Bug("12", "an old and a new incarnation mixed in one quorum", incarnations_are_mixed),
    Bug("13", "a wiped node rejoins as itself", a_wiped_disk_is_taken_for_a_new_one),
    Bug("14", "a one-way link makes elections thrash", silence_starts_elections, live=True),
    Bug("15", "an asymmetric table", the_table_is_asymmetric),
    Bug("16", "truncation changes a digest", truncation_takes_the_sums_along),
    Bug("17", "executed index saved ahead of the executed state", the_executed_index_is_ahead_of_the_state),
    Bug("18", "a read answered by a deposed coordinator", a_coordinator_answers_reads_by_itself),
    Bug("19", "a run retried in other pieces", a_run_is_sent_again_in_other_pieces),
    Bug("20", "an acknowledgement inside a run drops its results", an_acknowledgement_inside_a_run_drops_it),
)
