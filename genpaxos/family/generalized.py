"""Generalized Paxos: command histories, fast ballots, collisions recovered by the coordinator.

The article's whole example. What commutes is learned in two delays, in whatever order acceptors got it; only what
interferes and was received in different orders costs more.
"""

from genpaxos.core.ballot import Policy
from genpaxos.examples.register import Registers
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow
from genpaxos.family.lockstep import LockStep

READ_A, READ_B = Registers.read("A"), Registers.read("B")
WRITE_A, WRITE_B = Registers.write("A", "1"), Registers.write("B", "2")


def _example(run: LockStep) -> None:
    leader = run.cast.leaders[0]
    everyone = range(len(run.cast.names)) if run.replicas[0].settings.policy is not Policy.CLASSIC else [leader]
    others = run.cast.acceptors[1:]
    run.step("the leader begins a ballot")
    run.campaign(leader)
    run.settle()
    run.note("heartbeats: whoever missed it joins")
    run.beat()
    run.step("ReadA ∥ ReadB: they commute")
    run.request({"ReadA": READ_A, "ReadB": READ_B}, everyone, swapped=others)
    run.step("⟨WriteB, ReadA⟩ ∥ ReadB: WriteB and ReadB interfere")
    run.request({"WriteB": WRITE_B, "ReadA": READ_A, "ReadB": READ_B}, everyone, swapped=others)
    run.step("WriteA ∥ ReadA: they interfere")
    run.request({"WriteA": WRITE_A, "ReadA": READ_A}, everyone, swapped=others)


FLOWS = (
    Flow(
        name="generalized",
        protocol="Generalized Paxos",
        title="the article's example: reads, then writes against them",
        structure="history",
        machine=Registers,
        policies=(Policy.COORDINATED, Policy.LEADER_ORDERED, Policy.UNCOORDINATED, Policy.CLASSIC),
        cast=Cast.separate(),
        script=_example,
    ),
)
