"""What leaves before the step's records are synced rests on none of them: results of commands that others' votes, and
this replica's own of an earlier step, made learned."""

from __future__ import annotations

import pytest

from commutativity import Command
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.records import Adopted
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body

DEPOSIT = Bank.deposit("alice", 5)


def asked(bench: Bench, node: int, name: str = "c:1", command: Command[None] = DEPOSIT) -> Effects:
    """What a replica does when a client asks it for a result."""
    return bench[node].step(bench.now_ms, clients=[("client", Propose([name], [body(command)], EVERYBODY))])


def results(replies: object) -> dict[str, list[object]]:
    """Results by command."""
    assert isinstance(replies, dict)
    return {name: result for reply in replies.values() for name, result in zip(reply.ids, reply.results, strict=True)}


def test_a_decree_that_completes_the_fast_quorum_brings_the_result_before_it_is_adopted_on_disk() -> None:
    """The home replica's own vote was synced in an earlier step; the adoption of the decree is yet to be."""
    bench = Bench().led_by(0)
    bench.propose(DEPOSIT, [0], "c:1")
    asked(bench, 1)
    ((_, _, decree),) = bench.take(0, 1, Phase2a)
    effects = bench[1].step(bench.now_ms, [(0, decree)])
    assert results(effects.early) == {"c:1": [None, None]}
    assert not effects.replies
    assert any(isinstance(record, Adopted) for record in [*effects.records, *bench[1].acceptor.records])


def test_a_vote_of_a_peer_brings_the_result_although_new_commands_came_with_it() -> None:
    bench = Bench().led_by(0)
    asked(bench, 0)
    bench.propose(DEPOSIT, [1], "c:1")
    ((_, _, votes),) = bench.take(1, 0, Phase2b)
    proposal = Propose(["c:2"], [body(DEPOSIT)], EVERYBODY)
    effects = bench[0].step(bench.now_ms, [(1, votes)], [("client", proposal)])
    assert results(effects.early) == {"c:1": [None, None]}
    assert effects.records


def test_a_result_that_rests_on_this_steps_own_vote_waits_for_its_sync() -> None:
    bench = Bench().led_by(0)
    bench.propose(DEPOSIT, [0], "c:1")
    bench.deliver(0, 1, Phase2a)
    effects = asked(bench, 1)
    assert not effects.early
    assert results(effects.replies) == {"c:1": [None, None]}
    assert effects.records


@pytest.mark.parametrize("policy", [Policy.CLASSIC, Policy.LEADER_ORDERED])
def test_a_result_that_rests_on_this_steps_own_adoption_waits_for_its_sync(policy: Policy) -> None:
    """Three of five have adopted the decree once this replica has: the classic rule, with its own watermark."""
    bench = Bench(5, policy, FastQuorums.ANY).led_by(0)
    bench.propose(DEPOSIT, [0, 1], "c:1")
    bench.deliver(0, 1, Phase2a)
    ((_, _, decree),) = bench.take(0, 2, Phase2a)
    watermark = Phase2b(bench[0].acceptor.accepted, [], [], 1)
    bench[2].step(bench.now_ms, [(1, watermark)])
    bench[2].answers.routes["c:1"] = "client"
    bodies = [body(DEPOSIT)]
    with_bodies = Phase2a(
        decree.ballot, decree.kind, decree.recovered, decree.committed, 1, decree.ids, decree.digests, bodies
    )
    effects = bench[2].step(bench.now_ms, [(0, with_bodies)])
    assert not effects.early
    assert results(effects.replies) == {"c:1": [None, None]}
    assert effects.records


def test_a_result_that_was_told_before_waits_for_what_is_not_written_yet() -> None:
    """What has run may rest on this replica's own adoption that nothing has asked to write down yet."""
    bench = Bench().led_by(0)
    bench.propose(DEPOSIT, name="c:1")
    bench.stabilize()
    effects = asked(bench, 0)
    assert not effects.early
    assert results(effects.replies) == {"c:1": [None, None]}


def test_a_crash_before_the_sync_takes_back_no_result_that_was_told() -> None:
    bench = Bench().led_by(0)
    bench.propose(DEPOSIT, [0, 1], "c:1")
    bench.replies.clear()
    bench.unsynced.add(1)
    bench.propose(Bank.deposit("bob", 1), [0], "c:2")
    bench.deliver(0, 1, Phase2a)
    assert bench[0].executor.applied == 0
    assert bench.replies == {"c:1": [None, None]}
    bench.restart(1)
    bench.crash(0)
    bench.run_for(2_000)
    bench.propose(DEPOSIT, name="c:1")
    bench.run_for(1_000)
    assert bench.replies["c:1"] == [None, None]
    assert bench.cents(1)["alice"] == 5
