"""Commands whose results tell the order they ran in: what the checker has to explain is then hard to get wrong unseen.

The demo's bank is rich, so that nearly every withdrawal succeeds whatever came before it. Here the accounts are few and
poor: a balance tells which deposits and withdrawals came before it, and so does whether a withdrawal succeeds.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

from commutativity import Command
from genpaxos.demo.workload import BankWorkload, RegisterWorkload, Workload
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers

ACCOUNTS = ("alice", "bob", "carol")
CENTS_MAX = 20


class PoorBank(BankWorkload):
    """Deposits commute; withdrawals, transfers and balances of an account interfere with them and one another."""

    resources: ClassVar[tuple[str, ...]] = ACCOUNTS

    def opening(self) -> list[Command[Any]]:
        return [Bank.deposit(account, CENTS_MAX) for account in ACCOUNTS]

    def interfering(self, draw: random.Random) -> Command[Any]:
        account, cents = draw.choice(ACCOUNTS), draw.randint(1, CENTS_MAX)
        kind = draw.random()
        if kind < 0.4:
            return Bank.balance(account)
        if kind < 0.8:
            return Bank.withdraw(account, 3 * cents)
        return Bank.transfer(account, draw.choice([other for other in ACCOUNTS if other != account]), cents)

    def commuting(self, client: int, draw: random.Random) -> Command[Any]:  # noqa: ARG002
        return Bank.deposit(draw.choice(ACCOUNTS), draw.randint(1, CENTS_MAX))


class ReadRegisters(RegisterWorkload):
    """Half of what interferes are reads, which tell the last write."""

    def interfering(self, draw: random.Random) -> Command[Any]:
        return Registers.read("A") if draw.random() < 0.5 else super().interfering(draw)


WORKLOADS: dict[str, type[Workload]] = {"bank": PoorBank, "register": ReadRegisters}
