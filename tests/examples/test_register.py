"""The registers, and the table of the article that follows from them."""

from __future__ import annotations

from commutativity import CommutativityTable
from commutativity.check import check
from commutativity.explain import table_of_commands
from genpaxos.examples.register import Registers


def test_registers_pass_their_own_check_with_no_cell_to_spare() -> None:
    report = check(Registers, examples=50)
    assert report.ok, str(report)
    assert report.complete
    assert report.warnings() == []


def test_what_is_written_is_read() -> None:
    registers = Registers()
    assert registers.read("A") is None
    registers.write("A", "1")
    assert registers.read("A") == "1"
    assert registers.read("B") is None


def test_the_articles_table_follows_from_the_modes() -> None:
    """Article "Paxos (computer science)", Generalized Paxos: reads commute with all but the write on their
    register."""
    derived = table_of_commands(
        Registers,
        {
            "ReadA": Registers.read("A"),
            "WriteA": Registers.write("A", "1"),
            "ReadB": Registers.read("B"),
            "WriteB": Registers.write("B", "1"),
        },
    )
    assert derived == CommutativityTable("""
                 ReadA  WriteA  ReadB  WriteB
        ReadA      .      x       .      .
        WriteA     x      x       .      .
        ReadB      .      .       .      x
        WriteB     .      .       x      x
    """)
