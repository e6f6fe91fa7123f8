"""Scenarios for the errors that chance finds too seldom: each needs several coincidences, and is written out here.

All of them hold for the real code: the bench checks after every step that what was committed or learned fast keeps its
index and its digest. Five replicas; any four that include the coordinator are a fast quorum, so that two acceptors can
stay outside a ballot for a while. Numbers below are replicas; ballots are 1, 2, 3.
"""

from __future__ import annotations

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Committed, Fetch, Phase1a, Phase1b, Phase2a, Phase2b, Propose
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies

X = Bank.deposit("alice", 5)
C = Bank.transfer("alice", "bob", 3)
E = Bank.balance("bob")
"""X and C interfere, C and E do, X and E do not."""


def _five(policy: Policy = Policy.LEADER_ORDERED) -> Bench:
    bench = Bench(5, policy, FastQuorums.ANY).led_by(0)
    bench.flights.clear()
    return bench


def _elect(bench: Bench, node: int, voters: list[int], *, told: list[int]) -> None:
    """A new ballot with the promises of these; nothing else is said, but these are told what was recovered."""
    bench.flights.clear()
    bench[node].election.saw_ballot(max(bench[other].acceptor.promised for other in bench.up), bench.now_ms)
    bench.campaign(node)
    for voter in voters:
        bench.deliver(node, voter, Phase1a)
        bench.deliver(voter, node, Phase1b)
    for _ in range(5):
        if bench[node].coordinator.leading:
            break
        for voter in voters:  # bodies that the coordinator lacks
            bench.deliver(node, voter)
            bench.deliver(voter, node)
    assert bench[node].coordinator.leading
    bench.flights.clear()
    for other in told:
        _tell(bench, node, other)


def _tell(bench: Bench, node: int, other: int) -> None:
    """Bring another replica up to the coordinator's decrees."""
    whole = bench[node].coordinator.phase2a(bench[other].history.committed + 1)
    bench.step(other, peers=[(node, whole)])
    bench.drop(other)


def _settle(bench: Bench) -> None:
    bench.stabilize()
    bench.run_for(150)


def lower_ballot_after_a_higher_one() -> None:
    """0 takes part in ballot 1.4 without having been asked to promise it, and then hears of ballot 1.1, which it had
    promised.

    What 1.4 has committed with the help of 0 must not be overwritten there.
    """
    bench = Bench(5, Policy.CLASSIC)
    bench.campaign(1)
    for voter in (0, 2):
        bench.deliver(1, voter, Phase1a)
        bench.deliver(voter, 1, Phase1b)
    bench.campaign(4)
    for voter in (2, 3):
        bench.deliver(4, voter, Phase1a)
        bench.deliver(voter, 4, Phase1b)
    assert bench[1].coordinator.leading
    assert bench[4].coordinator.leading
    bench.flights.clear()
    bench.propose(X, to=[4])
    for acceptor in (0, 3):
        bench.deliver(4, acceptor, Phase2a)
        bench.deliver(acceptor, 4, Phase2b)
    assert bench[4].history.committed == 1
    bench.flights.clear()
    bench.propose(C, to=[1])
    bench.deliver(1, 0, Phase2a)
    bench.crash(3)
    bench.crash(4)
    _elect(bench, 1, [0, 2], told=[0, 2])
    _settle(bench)


def votes_of_two_ballots() -> None:
    """1 votes for C in ballot 1; 0, 3 and 4 vote for it alike in ballot 3: that is no quorum of either.

    Between them lies ballot 2 of 1 and 2, which puts X before C. A learner that adds the votes learns C without X.
    """
    bench = _five()
    bench.propose(C, to=[1], name="c:1")
    late = bench.take(1, 0, Phase2b)
    bench.propose(X, to=[2], name="x:1")
    _elect(bench, 2, [3, 4], told=[])
    bench.propose(C, to=[2], name="c:1")
    _tell(bench, 2, 1)
    assert bench[1].history.ids == ["x:1", "c:1"]
    _elect(bench, 0, [3, 4], told=[3, 4])
    bench.propose(C, to=[0, 3, 4], name="c:1")
    bench.deliver(3, 0, Phase2b)
    bench.deliver(4, 0, Phase2b)
    bench.hand_over(late)
    bench.crash(0)
    bench.crash(4)
    _elect(bench, 1, [2, 3], told=[2, 3])
    _settle(bench)


def votes_taken_along() -> None:
    """1 votes for C, and hears in the same step of a decree X that overtakes it, and of ballot 2, which lacks X.

    Its history in ballot 2 is X • C. Its vote for C alone is not one of ballot 2; with those of 2, 3 and 4 it would
    make
    a quorum.
    """
    bench = _five()
    bench.propose(X, to=[0], name="x:1")
    _elect(bench, 2, [3, 4], told=[3, 4])
    decree, opening = bench[0].coordinator.phase2a(1), bench[2].coordinator.phase2a(1)
    bench.step(1, clients=[("client", Propose(["c:1"], bodies(C)))], peers=[(0, decree), (2, opening)])
    assert list(bench[1].history.tail) == ["x:1", "c:1"]
    bench.deliver(1, 2, Phase2b)
    bench.propose(C, to=[2, 3, 4], name="c:1")
    bench.deliver(3, 2, Phase2b)
    bench.deliver(4, 2, Phase2b)
    bench.crash(2)
    bench.crash(4)
    _elect(bench, 1, [0, 3], told=[0, 3])
    _settle(bench)
    assert bench[1].history.ids == ["x:1", "c:1"]


def labels_taken_along() -> None:
    """1 has C, and a decree X overtakes it; in ballot 2, which lacks X, its history is X • C, whatever C's label said.

    A vote for E, digested on the old label of C, looks like those of 2, 3 and 4, who have C without X before it.
    """
    bench = _five()
    bench.propose(X, to=[0], name="x:1")
    bench.propose(C, to=[1], name="c:1")
    bench.step(1, peers=[(0, bench[0].coordinator.phase2a(1))])
    assert (bench[1].history.ids, list(bench[1].history.tail)) == (["x:1"], ["c:1"])
    _elect(bench, 2, [3, 4], told=[3, 4, 1])
    assert list(bench[1].history.tail) == ["x:1", "c:1"]
    bench.propose(C, to=[2, 3, 4], name="c:1")
    bench.propose(E, to=[1, 2, 3, 4], name="e:1")
    for voter in (1, 3, 4):
        bench.deliver(voter, 2, Phase2b)
    bench.crash(2)
    bench.crash(4)
    _elect(bench, 1, [0, 3], told=[0, 3])
    _settle(bench)
    assert bench[1].history.ids == ["x:1", "c:1", "e:1"]


def a_lost_ballot_in_between() -> None:
    """1 promises its own ballot 2, which comes to nothing; what ballot 1 has chosen must still be found in ballot 3.

    An acceptor that reports the ballot it promised last as the one it voted in hides it behind what it holds itself: X.
    """
    bench = _four_with_a_choice(0, others=[2, 3], outsider=1)
    bench.campaign(1)
    bench.crash(0)
    _elect(bench, 1, [2, 3], told=[2, 3])
    _settle(bench)
    assert bench[1].history.ids == ["c:1", "x:1"]


def a_part_of_what_was_recovered() -> None:
    """Ballot 2 recovers C. 0, which has X, hears of the next decree of ballot 2 before it hears of that.

    Had it entered ballot 2 without C, its report would be the highest, and X would come before C in ballot 3.
    """
    bench = _four_with_a_choice(3, others=[1, 2], outsider=0)
    _elect(bench, 2, [1, 3], told=[])
    bench.propose(E, to=[2], name="e:1")
    bench.deliver(2, 0, Phase2a)
    bench.crash(2)
    _elect(bench, 0, [1, 3], told=[1, 3])
    _settle(bench)
    assert bench[0].history.ids[:2] == ["c:1", "x:1"]


def a_vote_that_is_not_synced(*, sync_first: bool = True) -> None:
    """1 votes for C and crashes in that step. If the vote has left all the same, 0 learns what nobody else
    remembers.
    """
    bench = Bench(3, sync_first=sync_first).led_by(0)
    bench.propose(C, to=[0], name="c:1")
    bench.flights.clear()
    bench.unsynced.add(1)
    bench.propose(C, to=[1], name="c:1")
    bench.deliver(1, 0, Phase2b)
    bench.crash(0)
    bench.restart(1)
    bench.propose(X, to=[2], name="x:1")
    _elect(bench, 2, [1], told=[1])
    bench.propose(C, to=[2], name="c:1")
    _settle(bench)
    assert bench[1].history.ids == ["x:1", "c:1"]


def a_late_report() -> None:
    """1 promised ballot 1.0, then 2.2, and took part in it. Its promise of 1.0 comes late, when 0 asks for ballot 3.0.

    Counted as a promise of 3.0 it says nothing of what 2.2 has committed since.
    """
    bench = Bench(3, Policy.CLASSIC)
    bench.campaign(0)
    bench.deliver(0, 1, Phase1a)
    late = bench.take(1, 0, Phase1b)
    bench.flights.clear()
    _elect(bench, 2, [1], told=[1])
    bench.propose(X, to=[2])
    bench.deliver(2, 1, Phase2a)
    bench.deliver(1, 2, Phase2b)
    assert bench[2].history.committed == 1
    bench.flights.clear()
    bench.campaign(0)
    bench.campaign(0)
    bench.hand_over(late)
    bench.propose(C, to=[0])
    _settle(bench)


def watermarks_of_two_ballots() -> None:
    """0 and 1 have adopted X at index 1 of ballot 1; 1 and 2 C at index 1 of ballot 2. That is no quorum of either."""
    bench = _five(Policy.CLASSIC)
    bench.propose(X, to=[0], name="x:1")
    bench.deliver(0, 1, Phase2a)
    bench.deliver(1, 0, Phase2b)
    _elect(bench, 2, [3, 4], told=[3, 4])
    bench.propose(C, to=[2], name="c:1")
    bench.deliver(2, 1, Phase2a)
    bench.crash(1)
    bench.crash(2)
    _elect(bench, 0, [3, 4], told=[3, 4])
    _settle(bench)
    assert bench[0].history.ids == ["x:1"]


def a_decree_after_the_promise() -> None:
    """1 has promised 2's ballot and reported that it adopted nothing; then comes the decree X of 0's lower ballot."""
    bench = Bench(3, Policy.CLASSIC).led_by(0)
    bench.campaign(2)
    bench.deliver(2, 1, Phase1a)
    bench.propose(X, to=[0])
    bench.deliver(0, 1, Phase2a)
    bench.deliver(1, 0, Phase2b)
    bench.deliver(1, 2, Phase1b)
    assert bench[2].coordinator.leading
    bench.propose(C, to=[2])
    _settle(bench)


def a_lagging_report() -> None:
    """1 holds C in its tail and lacks the decree X, which 3 has. Behind X, C has another digest than 1 gave it: no
    order
    gives C that digest any more, and a recovery that looks for one finds that the reports contradict each other.
    """
    bench = Bench(5).led_by(0)
    assert bench[0].acceptor.kind.pinned == (0, 1, 2)
    bench.propose(X, to=[0], name="x:1")
    bench.step(3, peers=[(0, bench[0].coordinator.phase2a(1))])
    bench.propose(C, to=[1], name="c:1")
    bench.crash(0)
    bench.crash(2)
    _elect(bench, 3, [1, 4], told=[1, 4])
    _settle(bench)
    assert bench[1].history.ids == ["x:1", "c:1"]


def a_longer_report_of_a_lower_ballot() -> None:
    """0 and 1 adopted X and C in ballot 1, 2 to 4 only E in ballot 2: which is chosen, although it is shorter."""
    bench = _five(Policy.CLASSIC)
    bench.propose(X, to=[0], name="x:1")
    bench.propose(C, to=[0], name="c:1")
    bench.deliver(0, 1, Phase2a)
    _elect(bench, 2, [3, 4], told=[3, 4])
    bench.propose(E, to=[2], name="e:1")
    for acceptor in (3, 4):
        bench.deliver(2, acceptor, Phase2a)
        bench.deliver(acceptor, 2, Phase2b)
    assert bench[2].history.committed == 1
    bench.crash(2)
    bench.crash(0)
    _elect(bench, 1, [3, 4], told=[3, 4])
    _settle(bench)
    assert bench[1].history.ids == ["e:1", "x:1", "c:1"]


def a_partial_take_over() -> None:
    """2 has adopted X and C, both of which are chosen; then it is told by 0 that X is committed. It must still report
    C as
    adopted at its index, or 0, which has E from a ballot that was lost, puts E there.
    """
    bench = _five(Policy.CLASSIC)
    bench.propose(E, to=[0], name="e:1")
    _elect(bench, 4, [2, 3], told=[2, 3, 0])
    assert list(bench[0].history.tail) == ["e:1"]
    bench.propose(X, to=[4], name="x:1")
    bench.propose(C, to=[4], name="c:1")
    decrees = bench.take(4, kind=Phase2a)
    bench.hand_over(flight for flight in decrees if flight[1] in (2, 3))
    bench.hand_over([flight for flight in decrees if flight[1] == 0][:1])
    bench.deliver(2, 0, Phase2b)
    bench.deliver(3, 0, Phase2b)
    assert bench[0].history.ids == ["x:1"]
    assert bench[0].history.committed == 1
    bench.deliver(2, 4, Phase2b)
    bench.deliver(3, 4, Phase2b)
    assert bench[4].history.committed == 2
    bench.crash(4)
    bench.crash(3)
    committed = bench[0].serving.on_fetch(Fetch(1))
    assert isinstance(committed, Committed)
    assert bench[2].history.committed == 0
    bench.step(2, peers=[(0, committed)])
    _elect(bench, 0, [1, 2], told=[1, 2])
    _settle(bench)
    assert bench[0].history.ids == ["x:1", "c:1", "e:1"]


def _four_with_a_choice(coordinator: int, *, others: list[int], outsider: int) -> Bench:
    """C is learned by the votes of three replicas; the fourth has X, which interferes, and nothing of C."""
    bench = Bench(4, Policy.LEADER_ORDERED, FastQuorums.ANY).led_by(coordinator)
    bench.propose(X, to=[outsider], name="x:1")
    bench.propose(C, to=[coordinator, *others], name="c:1")
    for voter in others:
        bench.deliver(voter, coordinator, Phase2b)
    assert "c:1" in bench.learned[coordinator]
    bench.flights.clear()
    return bench


def votes_before_a_take_over() -> None:
    """1 takes over the committed Y, and votes in the same step for C and Z, in this order, as 0 and 2 do; 3 not.

    Three votes for C behind Y choose it. If the report of 1 has digests from before Y and the place behind it, then 0
    sees no digest of C that can reach a fast quorum, and decrees Z first.
    """
    y, c, z = Bank.withdraw("alice", 1), Bank.withdraw("alice", 2), Bank.withdraw("alice", 3)
    bench = Bench(4, Policy.COORDINATED).led_by(0)
    bench.flights.clear()
    bench.cut = {(0, 1), (1, 0)}
    bench.propose(y, to=[0, 2, 3], name="y:1")
    bench.run_for(30)
    bench.cut = set()
    bench.flights.clear()
    bench.step(2, peers=[(1, Fetch(1))])
    ((_, _, committed),) = bench.take(2, 1, Committed)
    both = Propose(["c:1", "a:1"], bodies(c, z))
    bench.step(1, peers=[(2, committed)], clients=[("client", both)])
    for node in (0, 2):
        bench.step(node, clients=[("client", both)])
    bench.step(3, clients=[("client", Propose(["a:1", "c:1"], bodies(z, c)))])
    told = bench.take(0, 3, Phase2b) + bench.take(2, 3, Phase2b)
    bench.step(0, peers=[(flight[0], flight[2]) for flight in bench.take(receiver=0, kind=Phase2b)])
    bench[1].acceptor.restate()
    bench.step(1)
    bench.hand_over([*told, *bench.take(1, 3, Phase2b)[-1:]])
    _settle(bench)
