"""The commands: small deposits that all commute, and a given share that all update one account."""

import random
from collections.abc import Iterator
from typing import Any

from commutativity import Command
from genpaxos.demo.workload import BankWorkload
from genpaxos.examples.bank import Bank

ACCOUNTS = 10_000
MACHINE = Bank


def opening() -> list[Command[Any]]:
    """Fills the account that interfering commands take from."""
    return BankWorkload(0, 0.0).opening()


def commands(seed: int | str, interference: float = 0.0, accounts: int = ACCOUNTS) -> Iterator[Command[Any]]:
    """Commands without end, the same for the same seed.

    ``interference`` of them withdraw or transfer from one account, so that each interferes with all the others of this
    kind; the rest are deposits to so many ``accounts``.
    """
    draw = random.Random(seed)
    bank = BankWorkload(0, interference)
    while True:
        if draw.random() < interference:
            yield bank.interfering(draw)
        else:
            yield Bank.deposit(f"account-{draw.randrange(accounts)}", draw.randint(1, 100))
