"""What mypy infers for the user: the type of a command's result, and wrong calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SNIPPET = """
from commutativity import CommutativityTable, Machine, WHOLE, operation
from genpaxos.examples.bank import Bank

class Typed(Machine):
    table = CommutativityTable({"a": {"a": True}})
    @operation
    def a(self, x: int = 3) -> list[int]: return [x]
    @operation()
    def b(self, x: int) -> str: return "s"
    @operation(footprint=lambda x: {(WHOLE, "a"), (x, "a")})
    def c(self, x: int) -> None: ...

reveal_type(Bank.balance("a"))
reveal_type(Bank().balance("a"))
reveal_type(Typed.a())
reveal_type(Typed.b(3))
reveal_type(Typed().b)
reveal_type(Typed.c(x=1))
Bank.deposit(1, 2)
Bank.deposit("a")
"""
EXPECTED = [
    ("note", 'Revealed type is "commutativity.command.Command[int]"'),
    ("note", 'Revealed type is "int"'),
    ("note", 'Revealed type is "commutativity.command.Command[list[int]]"'),
    ("note", 'Revealed type is "commutativity.command.Command[str]"'),
    ("note", 'Revealed type is "def (x: int) -> str"'),
    ("note", 'Revealed type is "commutativity.command.Command[None]"'),
    ("error", "incompatible type"),
    ("error", "Missing positional argument"),
]
ROOT = Path(__file__).parents[2]


def test_mypy_infers_results_and_refuses_wrong_calls(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(snippet)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ran.stdout.splitlines()
    assert len(lines) == len(EXPECTED), ran.stdout + ran.stderr
    for line, (kind, message) in zip(lines, EXPECTED, strict=True):
        assert f": {kind}: " in line
        assert message in line
