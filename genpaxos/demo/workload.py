"""What the demo's clients do: seeded commands, a given share of which interferes."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from commutativity import Command, Machine
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers
from genpaxos.linearizability import Call, Failed


class Workload(ABC):
    """A machine and a stream of commands for it."""

    machine: ClassVar[type[Machine]]
    resources: ClassVar[tuple[str, ...]]
    """Shown first in the graph."""

    def __init__(self, seed: int, interference: float) -> None:
        self._seed = seed
        self._interference = interference

    @abstractmethod
    def opening(self) -> list[Command[Any]]:
        """Commands to run before the clients start."""

    @abstractmethod
    def interfering(self, draw: random.Random) -> Command[Any]:
        """A command that interferes with every other one of this kind."""

    @abstractmethod
    def commuting(self, client: int, draw: random.Random) -> Command[Any]:
        """A command that commutes with all that other clients do meanwhile."""

    def conserved(self, calls: Sequence[Call], executed: Sequence[bool], state: Any) -> tuple[bool | None, str]:  # noqa: ARG002
        """Whether what must be conserved is, given which calls were executed and the state they led to."""
        return None, "this machine has nothing to conserve"

    def stream(self, client: int) -> Iterator[Command[Any]]:
        """One client's commands, without end; the same for the same seed."""
        draw = random.Random(f"{self._seed}/{client}")
        while True:
            interferes = draw.random() < self._interference
            yield self.interfering(draw) if interferes else self.commuting(client, draw)

    def commands(self, client: int, count: int) -> list[Command[Any]]:
        """The first of them."""
        return list(islice(self.stream(client), count))


class BankWorkload(Workload):
    """Transfers and withdrawals of one hot account interfere; deposits, and what a client does to its own, do not."""

    machine = Bank
    resources = ("alice", "bob", "carol", "dave")

    def opening(self) -> list[Command[Any]]:
        return [Bank.deposit("alice", 1_000_000)]

    def interfering(self, draw: random.Random) -> Command[Any]:
        cents = draw.randint(1, 50)
        if draw.random() < 0.5:
            return Bank.withdraw("alice", cents)
        return Bank.transfer("alice", draw.choice(["bob", "carol", "dave"]), cents)

    def commuting(self, client: int, draw: random.Random) -> Command[Any]:
        own, cents = f"client-{client}", draw.randint(1, 100)
        kind = draw.random()
        if kind < 0.5:
            return Bank.deposit(draw.choice(["bob", "carol", "dave"]), cents)
        if kind < 0.75:
            return Bank.deposit(own, cents)
        return Bank.withdraw(own, cents) if kind < 0.9 else Bank.balance(own)

    def conserved(self, calls: Sequence[Call], executed: Sequence[bool], state: Any) -> tuple[bool | None, str]:
        """Deposits less withdrawals that succeeded are what the accounts hold."""
        put = taken = 0
        for call, ran in zip(calls, executed, strict=True):
            if not ran or isinstance(call.result, Failed):
                continue
            if call.operation == "deposit":
                put += call.arguments[1]
            elif call.operation == "withdraw":
                if call.returned_at is None:
                    return None, "a withdrawal with unknown outcome was executed"
                taken += call.arguments[1] if call.result else 0
        held = sum(state["cents"].values())
        return held == put - taken, f"{put:,} deposited − {taken:,} withdrawn = {put - taken:,}; accounts hold {held:,}"


class RegisterWorkload(Workload):
    """Writes of one register interfere; reads, and what a client does to its own register, do not."""

    machine = Registers
    resources = ("A", "B")

    def opening(self) -> list[Command[Any]]:
        return [Registers.write("A", "0"), Registers.write("B", "0")]

    def interfering(self, draw: random.Random) -> Command[Any]:
        return Registers.write("A", str(draw.randint(1, 999)))

    def commuting(self, client: int, draw: random.Random) -> Command[Any]:
        own, kind = f"client-{client}", draw.random()
        if kind < 0.4:
            return Registers.read("B")
        return Registers.write(own, str(draw.randint(1, 999))) if kind < 0.7 else Registers.read(own)


WORKLOADS: dict[str, type[Workload]] = {"bank": BankWorkload, "register": RegisterWorkload}
