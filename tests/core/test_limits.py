"""However commands come in, a report of all that are undecided fits a message."""

from __future__ import annotations

import pytest

from genpaxos.core import limits
from genpaxos.core.ballot import Policy
from genpaxos.core.messages import Bodies, Phase1b, Phase2a, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.replica import Replica
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body

DEPOSIT = body(Bank.deposit("alice", 1))
CLUSTER = 30
"""Instead of tens of thousands."""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNDECIDED_MAX", CLUSTER)


def batch(name: str, count: int) -> Propose:
    return Propose(
        [f"{name}:{n}" for n in range(1, count + 1)], [DEPOSIT] * count, EVERYBODY, (name, range(1, count + 1))
    )


def undecided(replica: Replica) -> int:
    return replica.history.length - replica.history.committed + len(replica.history.tail)


@pytest.mark.parametrize("policy", list(Policy))
def test_clients_fill_a_replica_up_to_its_share_to_the_command(policy: Policy) -> None:
    bench = Bench(3, policy).led_by(0)
    for name in "abc":
        bench.step(1, clients=[("client", batch(name, 7))])
    assert len(bench[1].proposals.known) == CLUSTER // 3
    assert undecided(bench[1]) <= CLUSTER // 3


def test_what_others_relay_counts_as_well() -> None:
    bench = Bench(3, Policy.COORDINATED).led_by(0)
    for name in "abc":
        bench.step(0, peers=[(1, batch(name, 7))])
    assert undecided(bench[0]) == CLUSTER // 3


def test_a_full_replica_still_knows_what_it_took_up_before() -> None:
    """A retry asks for a result: it is not dropped with what is new."""
    bench = Bench(3).led_by(0)
    bench.step(1, clients=[("client", batch("a", 10))])
    late = batch("a", 12)
    bench.step(1, clients=[("retry", late)])
    assert set(bench[1].answers.routes) == {f"a:{n}" for n in range(1, 11)}
    assert set(bench[1].answers.routes.values()) == {"retry"}


def test_room_comes_back_when_commands_are_decided() -> None:
    bench = Bench(3).led_by(0)
    for node in bench.up:
        bench.step(node, clients=[("client", batch("a", 12))])
    bench.stabilize()
    bench.run_for(50)
    assert bench[0].history.committed == 10
    for node in bench.up:
        bench.step(node, clients=[("client", batch("a", 12))])
    bench.stabilize()
    bench.run_for(50)
    assert bench[0].history.committed == 12


@pytest.mark.parametrize("policy", list(Policy))
def test_no_report_is_longer_however_often_the_ballot_changes(policy: Policy) -> None:
    """Each acceptor is filled by clients that reach nobody else; nothing is committed, ballot follows ballot."""
    bench, longest = Bench(3, policy).led_by(0), 0
    bench.flights.clear()
    for turn in range(6):
        for node in bench.up:
            bench.step(node, clients=[("client", batch(f"t{turn}n{node}", 25))])
        leader = turn % 3
        bench.flights.clear()
        bench[leader].election.saw_ballot(max(bench[n].acceptor.promised for n in bench.up), bench.now_ms)
        bench.campaign(leader)
        for _ in range(8):
            for _, _, message in bench.flights:
                if isinstance(message, Phase1b):
                    longest = max(longest, len(message.ids) + len(message.tail))
            bench.drop(kind=Propose)
            bench.flights = [f for f in bench.flights if leader in f[:2]]
            bench.drop(kind=Phase2a)  # so that nothing is ever committed
            bench.deliver()
        bench.flights.clear()
    assert max(undecided(bench[node]) for node in bench.up) <= CLUSTER
    assert CLUSTER // 3 < longest <= CLUSTER


def test_bodies_that_decrees_need_are_taken_in_whatever_the_limit() -> None:
    bench = Bench(3).led_by(0)
    bench.step(0, clients=[("client", batch("a", 10))])
    bench.step(1, clients=[("client", batch("b", 10))])
    bench.deliver(0, 1)
    assert bench[1].acceptor.missing_bodies()
    asked = batch("a", 10)
    bench.step(1, peers=[(0, Bodies(asked.ids, asked.bodies))])
    assert bench[1].history.length == 10
