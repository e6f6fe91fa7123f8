"""What clients submit: seeded commands of the example machines, of which a given share interferes."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from commutativity import Command, Machine
from examples.bank import Bank
from examples.register import Registers

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


@dataclass(frozen=True, slots=True)
class Workload:
    """A machine, and how commands for it are drawn."""

    machine: type[Machine]
    draw: Draw


WORKLOADS: dict[str, Workload] = {"bank": Workload(Bank, _bank), "register": Workload(Registers, _register)}
