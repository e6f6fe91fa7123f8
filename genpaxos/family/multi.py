"""Multi-Paxos: a sequence of commands, classic ballots; phase 1 once, then three delays per command."""

from genpaxos.core.ballot import Policy
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow
from genpaxos.family.lockstep import LockStep
from genpaxos.family.machines import Value

V, W = Value.choose("V"), Value.choose("W")


def _start(run: LockStep) -> None:
    run.step("a new leader, and a first request")
    run.request({"V": V}, run.cast.leaders[:1])
    run.delays(1)
    run.campaign(run.cast.leaders[0])


def _steady(run: LockStep) -> None:
    run.elect(run.cast.leaders[0])
    run.step("a request, with the leader in place")
    run.request({"W": W}, run.cast.leaders[:1])


def _flow(name: str, title: str, cast: Cast, *, steady: bool) -> Flow:
    return Flow(
        name=name,
        protocol="Multi-Paxos",
        title=title,
        structure="sequence",
        machine=Value,
        policies=(Policy.CLASSIC,),
        cast=cast,
        script=_steady if steady else _start,
    )


FLOWS = (
    _flow("multi-start", "phase 1 and the first request", Cast.separate(), steady=False),
    _flow("multi-steady", "the leader is in place: phase 2 only", Cast.separate(), steady=True),
    _flow("multi-start-collapsed", "the same, every role in every server", Cast.servers(3), steady=False),
    _flow("multi-steady-collapsed", "steady state, every role in every server", Cast.servers(3), steady=True),
)
