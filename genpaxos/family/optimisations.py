"""The article's optimisations, as the core has them.

A distinguished learner: acceptors tell it alone what they adopted, and it tells the others what is chosen. Messages to
a quorum only: one fast quorum is *pinned* when the ballot starts, and the others need not vote. Hashes instead of
values: a vote carries a 64-bit digest per command, which says what the command must follow as well. The leader tells
the acceptors what was chosen: each of its messages carries the index up to which everything is.
"""

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow
from genpaxos.family.lockstep import LockStep
from genpaxos.family.machines import Value

V, W = Value.choose("V"), Value.choose("W")


def _distinguished(run: LockStep) -> None:
    run.elect(run.cast.leaders[0])
    run.step("acceptors tell one learner, and it tells the others")
    run.request({"V": V}, run.cast.leaders)


def _quorum_only(run: LockStep) -> None:
    run.elect(0)
    run.step("three of five servers are pinned; the other two do not vote")
    run.request({"V": V}, run.cast.acceptors)


def _hashes(run: LockStep) -> None:
    run.elect(run.cast.leaders[0])
    run.step("a digest tells what its command follows: those of one order are equal, those of another differ")
    run.request({"V": V, "W": W}, range(len(run.cast.names)), swapped=run.cast.acceptors[3:])


def _told_chosen(run: LockStep) -> None:
    leader, missed = run.cast.leaders[0], run.cast.acceptors[-1]
    run.elect(leader)
    run.step("an acceptor misses the votes of the others")
    run.request({"V": V}, [leader])
    run.delays(2)
    run.note(f"the others' votes do not reach {run.name(missed)}")
    for acceptor in run.cast.acceptors[:-1]:
        run.lose(acceptor, [missed])
    run.settle()
    run.note(f"{run.name(missed)} knows of {run.replicas[missed].history.committed} chosen", missed)
    run.step("the next Accept! tells it")
    run.request({"W": W}, [leader])
    run.delays(2)
    run.note(f"{run.name(missed)} knows of {run.replicas[missed].history.committed} chosen", missed)


FLOWS = (
    Flow(
        name="distinguished-learner",
        protocol="Optimisations",
        title="acceptors tell one learner, for fewer messages and a delay more",
        structure="sequence",
        machine=Value,
        policies=(Policy.CLASSIC,),
        cast=Cast.separate(),
        script=_distinguished,
        distinguished=True,
    ),
    Flow(
        name="quorum-only",
        protocol="Optimisations",
        title="only the acceptors of one pinned quorum vote",
        structure="sequence",
        machine=Value,
        policies=(Policy.LEADER_ORDERED,),
        cast=Cast.servers(5),
        script=_quorum_only,
        fast=FastQuorums.PINNED,
    ),
    Flow(
        name="hashed-votes",
        protocol="Optimisations",
        title="Accepted carries hashes instead of values",
        structure="sequence",
        machine=Value,
        policies=(Policy.COORDINATED,),
        cast=Cast.separate(4),
        script=_hashes,
        digests=True,
    ),
    Flow(
        name="told-chosen",
        protocol="Optimisations",
        title="the leader tells the acceptors what was chosen",
        structure="sequence",
        machine=Value,
        policies=(Policy.CLASSIC,),
        cast=Cast.separate(),
        script=_told_chosen,
    ),
)
