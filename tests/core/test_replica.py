"""The replica as a whole: its contract with its owner, and agreement under any order of events."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commutativity import Command
from genpaxos.core import outbox
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot, BallotKind, FastQuorums, Policy
from genpaxos.core.commands import Proposals
from genpaxos.core.effects import Effects
from genpaxos.core.history import DivergenceError
from genpaxos.core.ids import sealed_id
from genpaxos.core.messages import (
    Bodies,
    Fetch,
    Heartbeat,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
)
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.records import Accepted, Adopted, Promised
from genpaxos.core.sessions import Sessions
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body, history_of


def step(bench: Bench, node: int, *, peers: Any = (), clients: Any = ()) -> Effects:
    return bench[node].step(bench.now_ms, peers, clients)


def sent(effects: Effects, receiver: int) -> list[PeerMessage]:
    """What one replica is sent."""
    return [message for peer, message in effects.letters(range(3)) if peer == receiver]


def propose(*ids: str, command: Command[Any] | None = None, asked: int = EVERYBODY) -> Propose:
    return Propose(list(ids), [body(command or Bank.deposit("alice", 1)) for _ in ids], asked)


# The contract -------------------------------------------------------------------------------------------------------


def test_a_vote_leaves_together_with_its_record() -> None:
    """The owner syncs the records first: so what leaves in a step must rest on records of that step or earlier ones."""
    effects = step(Bench().led_by(0), 1, clients=[("x", propose("c:1"))])
    assert [type(record) for record in effects.records] == [Accepted]
    [vote] = effects.broadcasts
    assert isinstance(vote, Phase2b)
    assert vote.ids == ["c:1"]


def test_a_promise_leaves_together_with_its_record() -> None:
    bench = Bench()
    effects = step(bench, 1, peers=[(2, Phase1a(Ballot(1, 2), 0))])
    assert effects.records == [Promised(Ballot(1, 2))]
    assert isinstance(effects.sends[0][1], Phase1b)


def test_a_decree_leaves_together_with_its_record() -> None:
    effects = step(Bench().led_by(0), 0, clients=[("x", propose("c:1"))])
    assert [type(record) for record in effects.records] == [Adopted]
    assert isinstance(effects.messages[0], Phase2a)


def test_a_step_that_sends_nothing_writes_nothing_and_the_next_that_does_writes_all() -> None:
    bench = Bench().led_by(0)
    bench.run_for(210)
    decrees = sent(step(bench, 0, clients=[("x", propose("c:1"))]), 2)
    effects = step(bench, 2, clients=[("x", propose("c:1", asked=0))], peers=[(0, decrees[0])])
    assert not effects.leaves
    assert effects.records == []
    effects = bench[2].step(bench[2].due_ms)
    assert effects.leaves
    assert Adopted in [type(record) for record in effects.records]


def test_records_that_nothing_waits_for_are_written_all_the_same_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "UNWRITTEN_RECORDS_MAX", 0)
    bench = Bench().led_by(0)
    bench.run_for(210)
    decrees = sent(step(bench, 0, clients=[("x", propose("c:1"))]), 2)
    effects = step(bench, 2, clients=[("x", propose("c:1", asked=0))], peers=[(0, decrees[0])])
    assert not effects.leaves
    assert effects.records


def test_votes_of_a_ballot_never_leave_after_the_promise_of_a_higher_one() -> None:
    """Bug pattern 6: proposal and phase 1a in one batch. The vote stays behind, and is in the report."""
    effects = step(Bench().led_by(0), 1, clients=[("x", propose("c:1"))], peers=[(2, Phase1a(Ballot(9, 2), 0))])
    assert not [message for message in effects.broadcasts if isinstance(message, Phase2b)]
    [(to, report)] = effects.sends
    assert isinstance(report, Phase1b)
    assert (to, report.tail) == (2, ["c:1"])


def test_votes_of_a_ballot_are_not_taken_along_into_the_next() -> None:
    """Proposal and phase 2a of a higher ballot in one batch: what leaves is no vote of the new ballot."""
    bench = Bench().led_by(0)
    enter = Phase2a(Ballot(9, 2), BallotKind(Policy.LEADER_ORDERED, (1, 2)), 0, 0, 1, [], [])
    effects = step(bench, 1, clients=[("x", propose("c:1"))], peers=[(2, enter)])
    [told] = [message for message in effects.broadcasts if isinstance(message, Phase2b)]
    assert (told.ballot, told.ids) == (Ballot(9, 2), [])


def test_a_vote_that_meets_its_decree_in_one_batch_is_still_a_fast_vote() -> None:
    bench = Bench().led_by(0)
    decrees = sent(step(bench, 0, clients=[("x", propose("c:1"))]), 1)
    effects = step(bench, 1, clients=[("x", propose("c:1"))], peers=[(0, decrees[0])])
    assert effects.broadcasts[0].ids == ["c:1"]  # type: ignore[union-attr]
    assert bench[1].learner.fast_count == 1


def test_after_an_unsynced_step_the_disk_gives_back_what_was_before() -> None:
    bench = Bench().led_by(0)
    bench.unsynced.add(1)
    bench.propose(Bank.deposit("alice", 5), to=[1])
    bench.restart(1)
    assert not bench[1].history.tail
    assert bench[1].acceptor.accepted == bench[0].coordinator.ballot


# Clients ------------------------------------------------------------------------------------------------------------


def test_the_home_replica_answers_when_the_command_has_run() -> None:
    bench = Bench().led_by(0)
    bench.propose(Bank.deposit("alice", 5))
    bench.propose(Bank.balance("alice"))
    bench.stabilize()
    assert bench.replies == {"c:1": [None, None], "c:2": [None, 5]}


def test_a_retry_gets_the_first_result_and_runs_nothing() -> None:
    bench = Bench().led_by(0)
    bench.propose(Bank.withdraw("alice", 5))
    bench.propose(Bank.deposit("alice", 5))
    bench.stabilize()
    bench.replies.clear()
    bench.propose(Bank.withdraw("alice", 5), name="c:1")
    bench.stabilize()
    assert bench.replies == {"c:1": [None, False]}
    assert bench[0].executor.applied == 2


def test_a_retry_while_the_command_is_under_way_moves_its_reply() -> None:
    bench = Bench().led_by(0)
    step(bench, 0, clients=[("old", propose("c:1"))])
    step(bench, 0, clients=[("new", propose("c:1"))])
    assert bench[0].answers.routes == {"c:1": "new"}


def test_who_did_not_ask_for_replies_gets_none() -> None:
    bench = Bench().led_by(0)
    step(bench, 0, clients=[("x", propose("c:1", asked=0))])
    assert bench[0].answers.routes == {}


def test_a_bad_command_is_refused_and_its_neighbour_is_not() -> None:
    bench = Bench().led_by(0)
    message = Propose(["c:1", "c:2"], [["nonesuch", [], 0], body(Bank.deposit("alice", 5))], EVERYBODY)
    effects = step(bench, 0, clients=[("x", message)])
    assert effects.refusals["x"].ids == ["c:1"]
    assert bench[0].history.ids == ["c:2"]


@pytest.mark.parametrize("where", ["client", "peer", "bodies"])
def test_a_command_that_occurs_twice_in_one_message_is_decreed_once(where: str) -> None:
    bench = Bench().led_by(0)
    twice = propose("c:1", "c:1")
    match where:
        case "client":
            step(bench, 0, clients=[("x", twice)])
        case "peer":
            step(bench, 0, peers=[(1, twice)])
        case _:
            step(bench, 0, peers=[(1, Bodies(twice.ids, twice.bodies))])
    assert bench[0].history.ids == ["c:1"]


def test_one_number_for_two_commands_is_two_commands() -> None:
    """A client that numbers from 1 again after a restart: its ids carry a hash of the body, so nobody mistakes them."""
    bench = Bench().led_by(0)
    names = [sealed_id("c", 1, str(cents).encode()) for cents in (1, 2)]
    bench.propose(Bank.deposit("alice", 1), to=[0, 1], name=names[0])
    bench.propose(Bank.deposit("alice", 2), to=[1, 0], name=names[1])
    bench.stabilize()
    assert sorted(bench[0].history.ids) == sorted(names)
    assert bench.cents(0) == bench.cents(1) == {"alice": 3}
    assert bench[0].executor.sessions.to_json() == bench[1].executor.sessions.to_json()


def test_a_peer_that_sends_what_this_machine_refuses_stops_the_replica() -> None:
    """Replicas of one cluster run one machine: anything else is divergence, not a client's mistake."""
    with pytest.raises(DivergenceError, match="this one's machine refuses"):
        step(Bench(), 0, peers=[(1, Propose(["c:1"], [["nonesuch", [], 0]]))])


# Messages that mean nothing -----------------------------------------------------------------------------------------


def test_only_the_owner_of_a_ballot_may_speak_for_it() -> None:
    bench = Bench()
    step(
        bench,
        0,
        peers=[(1, Phase1a(Ballot(5, 2), 0)), (1, Phase2a(Ballot(5, 2), BallotKind(Policy.CLASSIC), 0, 0, 1, [], []))],
    )
    assert bench[0].acceptor.promised == ZERO


def test_a_nack_for_another_ballot_says_only_that_a_higher_one_exists() -> None:
    bench = Bench().led_by(0)
    step(bench, 0, peers=[(1, Nack(Ballot(0, 0), Ballot(7, 1)))])
    assert bench[0].coordinator.leading
    assert bench[0].election.highest == Ballot(7, 1)


def test_a_nack_for_the_ballot_led_ends_it_and_its_votes() -> None:
    bench = Bench().led_by(0)
    step(bench, 0, peers=[(1, Nack(bench[0].coordinator.ballot, Ballot(7, 1)))])
    assert not bench[0].coordinator.leading
    assert bench[0].acceptor.promised == Ballot(7, 1)
    step(bench, 0, clients=[("x", propose("c:1"))])
    assert not bench[0].history.tail
    assert list(bench[0].pool) == ["c:1"]


def test_votes_for_what_nobody_decrees_are_learned_by_nobody() -> None:
    bench = Bench().led_by(0)
    ballot = bench[0].coordinator.ballot
    for _ in range(3):
        step(bench, 2, peers=[(1, Phase2b(ballot, ["c:9"], [1], 0))])
    assert bench[2].executor.applied == 0


def test_a_heartbeat_of_one_that_lags_behind_its_promise_commits_nothing() -> None:
    """It may have taken over decrees of another ballot since."""
    bench = Bench().led_by(0)
    bench.propose(Bank.deposit("alice", 5))
    ballot = bench[0].coordinator.ballot
    beat = Heartbeat(Ballot(9, 2), ballot, 1, 1, False, True, 0b111, False)
    step(bench, 0, peers=[(2, beat)])
    assert bench[0].history.committed == 0
    step(bench, 0, peers=[(2, Heartbeat(ballot, ballot, 1, 1, False, True, 0b111, False))])
    assert bench[0].history.committed == 1


def test_one_replica_alone_is_a_cluster() -> None:
    bench = Bench(1)
    bench.run_for(300)
    bench.propose(Bank.deposit("alice", 5))
    bench.propose(Bank.balance("alice"))
    assert bench.replies == {"c:1": [None, None], "c:2": [None, 5]}
    bench.crash(0)
    bench.restart(0)
    bench.run_for(700)
    assert bench.cents(0) == {"alice": 5}


# Any order of events ------------------------------------------------------------------------------------------------

COMMANDS = [
    Bank.deposit("alice", 1), Bank.withdraw("alice", 1), Bank.balance("alice"), Bank.deposit("bob", 1),
    Bank.transfer("alice", "bob", 1), Bank.total(), Bank.withdraw("bob", 1), Bank.deposit("alice", 2),
]  # fmt: skip
NODES = 5
node = st.integers(0, NODES - 1)
events = st.lists(
    st.one_of(
        st.tuples(st.just("propose"), st.integers(0, len(COMMANDS) - 1), st.sets(node, min_size=1)),
        st.tuples(st.just("propose"), st.integers(0, len(COMMANDS) - 1), st.sets(node, min_size=1)),
        st.tuples(st.just("deliver"), node, node),
        st.tuples(st.just("deliver"), st.none(), node),
        st.tuples(st.just("deliver"), st.none(), st.none()),
        st.tuples(st.just("shuffle"), st.integers(0, 99), st.none()),
        st.tuples(st.just("drop"), node, node),
        st.tuples(st.just("campaign"), node, st.none()),
        st.tuples(st.just("crash"), node, st.booleans()),
        st.tuples(st.just("time"), st.sampled_from([25, 70]), st.none()),
    ),
    max_size=40,
)


def act(bench: Bench, what: str, one: Any, other: Any) -> None:
    size = bench.settings.replicas
    match what:
        case "propose":
            bench.propose(COMMANDS[one], [n for n in bench.up if n in other], f"c:{one + 1}")
        case "deliver":
            bench.deliver(one, other)
        case "shuffle":
            flights = bench.take()
            random.Random(one).shuffle(flights)
            bench.hand_over(flights[: len(flights) // 2])
            bench.flights += flights[len(flights) // 2 :]
        case "drop":
            bench.drop(one, other)
        case "campaign" if one in bench.up:
            bench.campaign(one)
        case "crash" if one < size and one in bench.up:
            bench.crash(one)
        case "crash" if one < size:
            bench.restart(one)
            if other:
                bench.unsynced.add(one)
        case "time":
            bench.pass_time(one)


def assert_replay_gives_the_same(bench: Bench, which: int) -> None:
    """The records so far, replayed, are the acceptor as it is."""
    live = bench[which].acceptor
    proposals = Proposals(Bank, Sessions())
    again = Acceptor(which, history_of(proposals), proposals)
    for record in [*bench.disks[which], *live.records]:
        again.replay(record)
    assert (again.promised, again.accepted, again.kind) == (live.promised, live.accepted, live.kind)
    assert (again.history.ids, again.history.digests) == (live.history.ids, live.history.digests)
    assert list(again.history.tail.items()) == list(live.history.tail.items())
    assert again.history.committed <= live.history.committed, "the commit index on disk is a hint"
    assert again.history._index == live.history._index


SETTINGS = [
    (3, Policy.LEADER_ORDERED, FastQuorums.PINNED),
    (4, Policy.LEADER_ORDERED, FastQuorums.ANY),
    (5, Policy.LEADER_ORDERED, FastQuorums.PINNED),
    (3, Policy.CLASSIC, FastQuorums.PINNED),
]


@pytest.mark.parametrize(("replicas", "policy", "fast"), SETTINGS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(events=events)
def test_whatever_happens_replicas_agree_and_their_disks_tell_all(
    replicas: int, policy: Policy, fast: FastQuorums, events: list[tuple[str, Any, Any]]
) -> None:
    """Agreement is checked in every step by the bench; in the end everything proposed has run everywhere alike."""
    bench = Bench(replicas, policy, fast)
    bench.led_by(0)
    for event in events:
        act(bench, *event)
        for which in bench.up:
            assert_replay_gives_the_same(bench, which)
    bench.unsynced.clear()
    for which in set(range(replicas)) - set(bench.up):
        bench.restart(which)
    bench.run_for(400)
    proposed = sorted({event[1] for event in events if event[0] == "propose"})
    for number in proposed:
        bench.propose(COMMANDS[number], name=f"c:{number + 1}")
    bench.run_for(2500)
    for which in range(replicas):
        assert bench[which].executor.applied == len(proposed)
        assert bench.cents(which) == bench.cents(0)
        assert bench[which].history.ids == bench[0].history.ids


def test_settings_are_the_leader_ordered_policy_with_a_pinned_quorum_by_default() -> None:
    assert (Settings(3).policy, Settings(3).fast) == (Policy.LEADER_ORDERED, FastQuorums.PINNED)


def test_an_acceptor_that_is_not_in_the_ballot_is_told_of_it_when_it_fetches() -> None:
    bench = Bench()
    bench.campaign(0)
    bench.stabilize()
    assert not bench[2].acceptor.current
    bench.step(0, peers=[(2, Fetch(1))])
    bench.stabilize()
    assert bench[2].acceptor.current
