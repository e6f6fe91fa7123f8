"""What clients submit: seeded commands of the example machines, of which a given share interferes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from commutativity import Command, Machine, operation
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers

Draw = Callable[[random.Random, str, str, float], Command[Any]]
"""A command on one of two resources; the share of those that interfere."""


def _bank(draw: random.Random, account: str, other: str, interference: float) -> Command[Any]:
    if draw.random() >= interference:
        return Bank.deposit(account, draw.randint(1, 9))
    chance = draw.random()
    if chance < 0.4:
        return Bank.withdraw(account, draw.randint(1, 9))
    if chance < 0.65:
        return Bank.transfer(account, other, draw.randint(1, 3))
    if chance < 0.9:
        return Bank.balance(account)
    return Bank.total() if chance < 0.96 else Bank.deposit(account, 0)  # an amount that the bank refuses


def _register(draw: random.Random, register: str, _: str, interference: float) -> Command[Any]:
    if draw.random() >= interference:
        return Registers.read(register)
    return Registers.write(register, str(draw.randint(1, 999)))


class FaultyBank(Bank):
    """A bank with operations that raise what they have not declared, after they have changed something."""

    @operation(account="update")
    def halve(self, account: str) -> int:
        """Leaves half of what is in the account; of an odd sum it cannot, and has taken it out by then."""
        cents = self.cents.pop(account, 0)
        if cents % 2:
            raise ArithmeticError(f"{cents} cents cannot be halved by {self!r}")
        if cents:
            self.cents[account] = cents // 2
        return cents // 2

    @operation(account="add")
    def drop(self, account: str) -> None:
        """Puts money in and loses it at once: commutes with deposits."""
        self._change(account, 7)
        raise KeyError(account)

    @operation
    def burn(self) -> None:
        """Whatever there is; interferes with everything."""
        self.cents.clear()
        raise SystemExit("the bank is closed")


def _faulty(draw: random.Random, account: str, other: str, interference: float) -> Command[Any]:
    chance = draw.random()
    if chance < 0.6:
        return _bank(draw, account, other, interference)
    if chance < 0.9:
        return FaultyBank.halve(account) if draw.random() < interference else FaultyBank.drop(account)
    return FaultyBank.burn() if chance < 0.93 else _bank(draw, account, other, interference)


@dataclass(frozen=True, slots=True)
class Workload:
    """A machine, and how commands for it are drawn."""

    machine: type[Machine]
    draw: Draw


WORKLOADS: dict[str, Workload] = {
    "bank": Workload(Bank, _bank),
    "register": Workload(Registers, _register),
    "faulty bank": Workload(FaultyBank, _faulty),
}
