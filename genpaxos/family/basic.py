"""Basic Paxos: one value, classic ballots, and phase 1 before every phase 2.

The machine's commands all interfere, so a history is a sequence, and the value chosen is the first of it. The client
sends to every proposer, and the one that succeeds answers. Ballots are written `number.proposer`.
"""

from collections.abc import Callable

from genpaxos.core.ballot import Policy
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow
from genpaxos.family.lockstep import LockStep
from genpaxos.family.machines import Value

V = Value.choose("V")


def _begin(run: LockStep, title: str) -> None:
    """The request arrives, and the first proposer begins."""
    run.step(title)
    run.request({"V": V}, run.cast.leaders)
    run.delays(1)
    run.campaign(run.cast.leaders[0])


def _success(run: LockStep) -> None:
    _begin(run, "phase 1, then phase 2")


def _acceptor_fails(run: LockStep) -> None:
    _begin(run, "an acceptor fails; a majority is left")
    run.delays(1)
    run.crash(run.cast.acceptors[-1])


def _learner_fails(run: LockStep) -> None:
    _begin(run, "a redundant learner fails; the other one learns")
    run.delays(3)
    run.crash(run.cast.learners[-1])


def _proposer_fails(run: LockStep) -> None:
    first, second = run.cast.leaders
    _begin(run, "the proposer fails in the middle of phase 2, and another one takes over")
    run.delays(2)
    run.lose(first, [second, *run.cast.acceptors[1:], *run.cast.learners])
    run.crash(first, "fails: of its Accept! only one arrives")
    run.delays(2)
    run.note(f"{run.name(second)} is elected", second)
    run.campaign(second)


def _duel(run: LockStep) -> None:
    first, second = run.cast.leaders
    _begin(run, "two proposers, each in the way of the other")
    run.delays(1)
    run.note(f"{run.name(second)} is impatient and begins a ballot", second)
    run.campaign(second)
    for proposer in (first, second):
        run.delays(1)
        run.note(f"{run.name(proposer)} hears of it and begins a higher one", proposer)
        run.campaign(proposer)
    run.delays(2)
    run.note(f"{run.name(first)} gives way", first)


def _flow(name: str, title: str, script: Callable[[LockStep], None], proposers: int = 1) -> Flow:
    return Flow(
        name=name,
        protocol="Basic Paxos",
        title=title,
        structure="value",
        machine=Value,
        policies=(Policy.CLASSIC,),
        cast=Cast.separate(leaders=proposers, leader="Proposer"),
        script=script,
    )


FLOWS = (
    _flow("basic-success", "no failures", _success),
    _flow("basic-acceptor-fails", "an acceptor fails", _acceptor_fails),
    _flow("basic-learner-fails", "a redundant learner fails", _learner_fails),
    _flow("basic-proposer-fails", "the proposer fails", _proposer_fails, proposers=2),
    _flow("basic-duel", "duelling proposers, with Nack", _duel, proposers=2),
)
