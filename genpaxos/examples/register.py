"""Registers that are read and written: the machine of the article's example ("Paxos (computer science)", Generalized
Paxos), where reads commute with everything but a write of the same register.
"""

from __future__ import annotations

from commutativity import CommutativityTable, Machine, operation


class Registers(Machine):
    """Text values by register name. A register never written holds ``None``."""

    table = CommutativityTable("""
                read  write
        read     .      x
        write    x      x
    """)

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation("register")
    def read(self, register: str) -> str | None:
        """The register's value."""
        return self.values.get(register)

    @operation("register")
    def write(self, register: str, value: str) -> None:
        """Set the register's value."""
        self.values[register] = value
