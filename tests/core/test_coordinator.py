"""The coordinator: phase 1, what it waits for, and its decrees."""

from __future__ import annotations

from typing import Any

import orjson

from commutativity import Command
from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind, FastQuorums, Policy
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.messages import Phase1a, Phase1b, Phase2a
from genpaxos.core.quorum import QuorumSystem
from genpaxos.core.records import Entered
from genpaxos.core.serving import CHUNK_BYTES_MAX
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, acceptor_of, known
from tests.core.machines import Ledger

COMMANDS: dict[str, Command[Any]] = {f"c:{n}": Bank.deposit("alice", n) for n in range(1, 5)}
B1, B2 = Ballot(1, 0), Ballot(2, 0)


def coordinator(
    replicas: int = 3,
    policy: Policy = Policy.LEADER_ORDERED,
    fast: FastQuorums = FastQuorums.PINNED,
    commands: dict[str, Command[Any]] = COMMANDS,
) -> Coordinator:
    proposals = known(commands)
    acceptor, quorums = acceptor_of(0, proposals), QuorumSystem.majority(replicas)
    return Coordinator(acceptor, proposals, Incarnations(0, quorums, acceptor), quorums, policy, fast)


def promise(ballot: Ballot = B1, tail: list[str] | None = None, committed: int = 0) -> Phase1b:
    return Phase1b(ballot, ZERO, CLASSIC, committed, committed + 1, [], [], tail or [])


def leading(made: Coordinator, *answers: int) -> Coordinator:
    made.campaign(B1)
    for acceptor in answers or (1,):
        made.on_phase1b(acceptor, promise())
    assert made.try_start()
    return made


def test_a_campaign_asks_all_and_answers_itself() -> None:
    made = coordinator()
    assert made.campaign(B1) == Phase1a(B1, 0)
    assert made.phase is Phase.PHASE1
    assert made.promises.unanswered(3) == [1, 2]


def test_phase_2_begins_with_a_classic_quorum_of_promises() -> None:
    made = coordinator(5)
    made.campaign(B1)
    made.on_phase1b(3, promise())
    made.on_phase1b(3, promise())
    assert not made.try_start(), "an acceptor counts once"
    made.on_phase1b(1, promise())
    assert made.try_start()
    assert made.leading
    assert not made.try_start(), "once"


def test_promises_of_other_ballots_do_not_count() -> None:
    """Bug pattern 4: a late phase 1b of an old ballot is no promise for the new one."""
    made = coordinator()
    made.campaign(B1)
    made.campaign(B2)
    made.on_phase1b(1, promise(B1))
    assert not made.try_start()
    made.on_phase1b(1, promise(B2))
    assert made.try_start()


def test_phase_2_waits_for_the_bodies_of_what_was_reported() -> None:
    made = coordinator()
    made.campaign(B1)
    made.on_phase1b(1, promise(tail=["c:1", "d:1"]))
    assert made.promises.missing_bodies() == {1: ["d:1"]}
    assert not made.try_start()
    made._proposals.add(["d:1"], [["deposit", ["bob", 1], 0]])
    assert made.try_start()


def test_phase_2_waits_until_this_replica_has_what_is_committed() -> None:
    made = coordinator()
    made.campaign(B1)
    made.on_phase1b(1, promise(committed=2))
    assert made.promises.behind() == 1
    assert not made.try_start()
    made._acceptor.history.decree(["c:1", "c:2"])
    made._acceptor.history.committed = 2
    assert made.promises.behind() is None
    assert made.try_start()
    assert made.recovered == 2


def test_what_was_reported_is_decreed_and_written_down() -> None:
    made = coordinator()
    made.campaign(B1)
    made.on_phase1b(1, promise(tail=["c:2", "c:1"]))
    assert made.try_start()
    assert made.recovered == 2
    assert made._acceptor.history.ids == ["c:2", "c:1"]
    entered = made._acceptor.records[-1]
    assert isinstance(entered, Entered)
    assert (entered.ballot, entered.first, entered.ids) == (B1, 1, ["c:2", "c:1"])
    assert made.promises.openings() == {1: 1}


def test_the_classic_quorum_that_answered_soonest_is_pinned() -> None:
    made = coordinator(5)
    made.campaign(B1)
    for acceptor in (4, 2, 1):
        made.on_phase1b(acceptor, promise())
    made.try_start()
    assert made.kind == BallotKind(Policy.LEADER_ORDERED, (0, 2, 4))


def test_nothing_is_pinned_where_any_quorum_will_do_or_there_is_none() -> None:
    assert leading(coordinator(fast=FastQuorums.ANY)).kind == BallotKind(Policy.LEADER_ORDERED)
    assert leading(coordinator(policy=Policy.CLASSIC)).kind == CLASSIC


def test_each_decree_is_sent_once_to_all() -> None:
    made = leading(coordinator())
    assert made.take_unsent() is None
    made.decree(["c:1", "c:2"])
    sent = made.take_unsent()
    assert sent == Phase2a(B1, made.kind, 0, 0, 1, ["c:1", "c:2"], made.carrying(1)[0].digests, None)
    assert made.take_unsent() is None
    made.decree(["c:3"])
    sent = made.take_unsent()
    assert sent is not None
    assert (sent.first, sent.ids) == (3, ["c:3"])


def test_decrees_are_given_with_their_bodies_from_any_index_on() -> None:
    made = leading(coordinator())
    made.decree(["c:1", "c:2"])
    [sent] = made.carrying(2)
    assert (sent.first, sent.ids, sent.bodies) == (2, ["c:2"], [["deposit", ["alice", 2], 0]])


def test_parts_of_many_decrees_name_no_more_committed_than_they_reach() -> None:
    """Who gets a part would ask for what follows it, which is under way."""
    commands = {f"c:{n}": Bank.deposit("alice", n) for n in range(1, 101)}
    made = leading(coordinator(commands=commands))
    made.decree(list(commands))
    made._acceptor.note_committed(70)
    parts = made.carrying(1, 1_000)
    assert [part.first for part in parts[1:]] == [part.first + len(part.ids) for part in parts[:-1]]
    assert all(part.committed == min(70, part.first + len(part.ids) - 1) for part in parts)
    assert [name for part in parts for name in part.ids] == list(commands)


def test_newly_pinned_are_members_that_were_none_in_the_pinned_ballot_before() -> None:
    made = leading(coordinator())
    assert (made.kind.pinned, made.newly_pinned) == ((0, 1), ()), "before the first ballot clients send to all"
    made.campaign(B2)
    made.on_phase1b(2, promise(B2))
    assert made.try_start()
    assert (made.kind.pinned, made.newly_pinned) == ((0, 2), (2,))


def test_what_waited_for_a_coordinator_fits_its_messages_however_long_it_is() -> None:
    bench = Bench(3, Policy.CLASSIC, machine=Ledger)
    names = [bench.propose(Ledger.note("n", "x" * 60_000)) for _ in range(150)]
    bench.campaign(0)
    bench.hand_over(bench.take(0, 1, Phase1a))
    bench.hand_over(bench.take(1, 0, Phase1b))
    sent = [message for _, receiver, message in bench.flights if isinstance(message, Phase2a) and receiver == 1]
    assert max(len(orjson.dumps(message.bodies)) for message in sent) < CHUNK_BYTES_MAX + 60_100
    assert [name for message in sent for name in message.ids] == names
    bench.stabilize()
    assert [bench[node].history.committed for node in range(3)] == [150] * 3


def test_a_higher_ballot_ends_it_and_a_lower_one_does_not() -> None:
    made = leading(coordinator())
    made.step_down(Ballot(0, 2))
    assert made.leading
    made.step_down(B2)
    assert made.phase is Phase.IDLE
    made.on_phase1b(1, promise())
    assert not made.try_start()


def test_an_answer_to_an_earlier_incarnation_that_asked_for_less_does_not_count() -> None:
    """It may have had more committed: its ballot of this number, its question, and a report that starts further on."""
    made = coordinator()
    made.campaign(B1)
    made.on_phase1b(1, Phase1b(B1, ZERO, CLASSIC, 2, 5, ["c:4"], [4], []))
    assert made.promises.unanswered(3) == [1, 2]
    made.on_phase1b(1, Phase1b(B1, ZERO, CLASSIC, 4, 5, ["c:4"], [4], []))
    assert made.promises.unanswered(3) == [2], "this one has committed all before: it is to be fetched"
