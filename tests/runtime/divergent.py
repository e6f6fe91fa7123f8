"""Machines whose replicas come to differ, each for a reason that users' programs have had."""

from __future__ import annotations

import random
import sys

from commutativity import CommutativityTable, Machine, operation


class Guests(Machine):
    """Keeps a set as a list: in the order in which commuting commands happened to run."""

    table = CommutativityTable("""
               add  read
        add     .    x
        read    x    .
    """)

    def __init__(self) -> None:
        self.names: list[str] = []

    @operation(name="add")
    def add(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)

    @operation(everything="read")
    def everybody(self) -> list[str]:
        return self.names


class Mails(Machine):
    """Folds case: addresses that differ for the table are one to the machine."""

    table = CommutativityTable("""
               put  read
        put     x    x
        read    x    .
    """)

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    @operation(address="put")
    def register(self, address: str, name: str) -> None:
        self.names[address.lower()] = name

    @operation(everything="read")
    def everybody(self) -> dict[str, str]:
        return self.names


class Dice(Machine):
    """Draws random numbers."""

    table = CommutativityTable("""
               roll
        roll    x
    """)

    @operation(die="roll")
    def roll(self, die: str) -> int:  # noqa: ARG002
        return random.randint(1, 10**12)


class Versions(Machine):
    """Other code on replica 1: it counts by two."""

    table = CommutativityTable("""
               add  read
        add     .    x
        read    x    .
    """)

    step = 2 if sys.argv[1:2] == ["serve"] and sys.argv[3:4] == ["1"] else 1

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + self.step

    @operation(name="read")
    def count(self, name: str) -> int:
        return self.counts.get(name, 0)
