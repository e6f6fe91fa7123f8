"""Fast Paxos: a value (here a sequence: every command interferes), fast ballots, any ⌈3N/4⌉ a fast quorum.

Clients send to the acceptors themselves. If these receive two values in different orders, the votes collide: the
coordinator picks (coordinated recovery), or each acceptor does by the same rule (uncoordinated recovery).
"""

from genpaxos.core.ballot import Policy
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow
from genpaxos.family.lockstep import LockStep
from genpaxos.family.machines import Value

V, W = Value.choose("V"), Value.choose("W")


def _success(run: LockStep) -> None:
    run.elect(run.cast.leaders[0])
    run.step("one value is proposed")
    run.request({"V": V}, range(len(run.cast.names)))


def _conflict(run: LockStep) -> None:
    run.elect(run.cast.leaders[0])
    run.step("two values are proposed, and acceptors receive them in different orders")
    run.request({"V": V, "W": W}, range(len(run.cast.names)), swapped=run.cast.acceptors[2:])


def _flow(name: str, title: str, policies: tuple[Policy, ...], cast: Cast, *, conflict: bool) -> Flow:
    return Flow(
        name=name,
        protocol="Fast Paxos",
        title=title,
        structure="value",
        machine=Value,
        policies=policies,
        cast=cast,
        script=_conflict if conflict else _success,
    )


BOTH = (Policy.COORDINATED, Policy.UNCOORDINATED)
FLOWS = (
    _flow("fast-success", "no conflict", BOTH, Cast.separate(4), conflict=False),
    _flow("fast-coordinated", "conflict, coordinated recovery", BOTH[:1], Cast.separate(4), conflict=True),
    _flow("fast-uncoordinated", "conflict, uncoordinated recovery", BOTH[1:], Cast.separate(4), conflict=True),
    _flow("fast-collapsed", "conflict, every role in every server", BOTH[::-1], Cast.servers(4), conflict=True),
)
