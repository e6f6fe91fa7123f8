from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import ROOT, answer, complaint, environment, genpaxos, on_a_terminal

BANK = (ROOT / "genpaxos" / "examples" / "bank.py").read_text()
WRONG_TABLE = BANK.replace("update    x     x     x", "update    x     x     .")
RETURNING = BANK.replace(
    "def deposit(self, account: str, cents: int) -> None:", "def deposit(self, account: str, cents: int) -> int:"
).replace(
    "        _check_amount(cents)\n        self._change(account, cents)\n",
    "        _check_amount(cents)\n        self._change(account, cents)\n        return self.cents.get(account, 0)\n",
)


def test_the_bank_passes() -> None:
    found = answer("check", "genpaxos.examples.bank:Bank", "--examples", 20)
    assert found["ok"] is True
    assert found["counterexample"] is None


def test_the_report_is_for_people_too() -> None:
    done = genpaxos("check", "genpaxos.examples.register:Registers", "--examples", 20)
    assert (done.returncode, done.stderr) == (0, "")
    assert "what the table calls commuting commutes" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("source", "cell", "operation"),
    [(WRONG_TABLE, ["update", "update"], "withdraw"), (RETURNING, ["add", "add"], "deposit")],
)
def test_a_wrong_bank_fails_with_a_small_counterexample(
    tmp_path: Path, source: str, cell: list[str], operation: str
) -> None:
    assert source != BANK
    (tmp_path / "wrong.py").write_text(source)
    found = answer("check", "wrong:Bank", cwd=tmp_path, status=1)
    example = found["counterexample"]
    assert found["ok"] is False
    assert found["counterexample_cells"] == [cell]
    assert example["first"].startswith(operation)
    assert example["second"].startswith(operation)
    assert len(example["state"]["cents"]) <= 1, "one small state"
    assert len(example["path"]) <= 1
    assert example["differing"]

    done = genpaxos("check", "wrong.py:Bank", cwd=tmp_path)
    assert done.returncode == 1
    assert "the table is wrong" in done.stdout
    assert "Counterexample" in done.stdout
    assert done.stderr == ""


COUNTERS = """
from commutativity import CommutativityTable, Machine, operation


class Counters(Machine):
    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str, amount: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + amount
"""


def test_what_is_not_finished_is_not_called_proved(tmp_path: Path) -> None:
    (tmp_path / "counters.py").write_text(COUNTERS)
    bounds = ("--depth", 3, "--states", 10, "--examples", 7, "--seed", 3, "--seconds", 50, "--one-process")
    found = answer("check", "counters:Counters", *bounds, cwd=tmp_path, status=3)
    assert (found["conclusion"], found["ok"], found["complete"]) == ("undecided", True, False)
    assert found["unfinished"] == ["there are more than 10 states"]
    asked = {"depth": 3, "states": 10, "commands": 40, "trials": 300_000, "seconds": 50.0, "examples": 7, "seed": 3}
    assert found["bounds"] == asked | {"beyond": True, "hash_seeds": False}
    done = genpaxos("check", "counters:Counters", *bounds, cwd=tmp_path)
    assert done.returncode == 3
    assert "no counterexample found in" in done.stdout
    assert "proved in the scope" not in done.stdout

    found = answer("check", "counters:Counters", "--examples", 0, cwd=tmp_path)
    assert (found["conclusion"], found["complete"], found["unfinished"]) == ("proved", True, [])
    assert found["beyond"]["hash_seeds"] == 3
    assert found["values"]["add.name"] == ["a", "b"]


def test_time_is_a_bound(tmp_path: Path) -> None:
    (tmp_path / "counters.py").write_text(COUNTERS)
    found = answer("check", "counters:Counters", "--seconds", "0.001", cwd=tmp_path, status=3)
    assert found["unfinished"][0].startswith("time: ")


@pytest.mark.parametrize("bound", [("--depth", "-1"), ("--states", "0"), ("--seconds", "0"), ("--examples", "-3")])
def test_a_bound_that_cannot_be_meant_is_wrong_usage(bound: tuple[str, str]) -> None:
    assert "argument --" in complaint("check", "genpaxos.examples.bank:Bank", *bound, status=2)


def test_explain_says_why_two_commands_interfere() -> None:
    found = answer("explain", "genpaxos.examples.bank:Bank", "deposit alice 5", "withdraw alice 3")
    assert found["interferes"] is True
    assert found["meetings"] == [{"resource": "alice", "modes": ["add", "update"], "interferes": True}]
    assert answer("explain", "genpaxos.examples.bank:Bank", "deposit alice 5", "deposit alice 3")["interferes"] is False
    done = genpaxos("explain", "genpaxos.examples.bank:Bank", "deposit alice 5", "withdraw alice 3")
    assert done.returncode == 0
    assert "interfere" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("check", "genpaxos.examples.bank"), "expected 'module:Class' or 'file.py:Class'"),
        (("check", "genpaxos.examples.bank:Bnak"), "it has Bank"),
        (("check", "nothing.of.this:Name"), "cannot import 'nothing.of.this'"),
        (("check", "nothing.py:Name"), "there is no file"),
        (
            ("explain", "genpaxos.examples.bank:Bank", "deposit alice", "total"),
            "expected deposit(account: str, cents: int)",
        ),
        (("explain", "genpaxos.examples.bank:Bank", "depsit alice 5", "total"), "did you mean 'deposit'"),
        (("explain", "genpaxos.examples.bank:Bank", "", "total"), "expected an operation and its arguments"),
        (("explain", "genpaxos.examples.bank:Bank", "deposit 'alice 5", "total"), "No closing quotation"),
    ],
)
def test_what_cannot_be_read_is_one_line(arguments: tuple[str, ...], hint: str) -> None:
    said = complaint(*arguments)
    assert said.startswith("genpaxos: ")
    assert hint in said


def test_a_machine_that_does_not_import_is_reported_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    assert re.search(r"broken.py, line 2: ZeroDivisionError", complaint("check", "broken:M", cwd=tmp_path))
    (tmp_path / "table.py").write_text(BANK.replace("add       x     .     x", "add       .     .     x"))
    assert "the table is not symmetric" in complaint("check", "table.py:Bank", cwd=tmp_path)


def test_colours_are_for_terminals_that_want_them() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    arguments = ("check", "genpaxos.examples.register:Registers", "--examples", "5", "--one-process")
    assert colour.search(on_a_terminal(*arguments))
    assert not colour.search(on_a_terminal(*arguments, NO_COLOR="1"))
    assert "\x1b" not in genpaxos(*arguments).stdout


@pytest.fixture
def without_hypothesis(tmp_path: Path) -> dict[str, str]:
    """An environment in which Hypothesis cannot be imported, as where the extra is not installed."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['hypothesis'] = None\n")
    return {"PYTHONPATH": f"{tmp_path}:{ROOT}"}


def test_without_hypothesis_check_says_what_it_did_not_try_and_what_to_install(
    without_hypothesis: dict[str, str], tmp_path: Path
) -> None:
    done = genpaxos("check", "genpaxos.examples.register:Registers", **without_hypothesis)
    said = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert "the 200 larger examples were not tried" in said
    assert "pip install 'genpaxos[check]'" in said

    (tmp_path / "wrong.py").write_text(WRONG_TABLE)
    assert genpaxos("check", "wrong:Bank", cwd=tmp_path, **without_hypothesis).returncode == 1

    quiet = genpaxos("check", "genpaxos.examples.register:Registers", "--examples", 0, **without_hypothesis)
    assert "larger examples were not tried" not in quiet.stdout


def test_all_else_works_without_hypothesis(without_hypothesis: dict[str, str]) -> None:
    program = (
        "import commutativity, commutativity.check, genpaxos; from genpaxos import *; from genpaxos.cli import main"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(**without_hypothesis),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert genpaxos("--help", **without_hypothesis).returncode == 0
