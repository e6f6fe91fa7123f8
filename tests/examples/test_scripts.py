"""The scripts of the top-level folder run, and a program may have an ``examples`` package of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["bank", "register"])
def test_a_script_shows_what_was_agreed_on(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py"],
        capture_output=True, text=True, encoding="utf-8", check=False, env=environment, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "levels" in done.stdout


def test_a_program_with_an_examples_package_of_its_own_is_served_by_it(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "__init__.py").write_text("")
    (tmp_path / "examples" / "bank.py").write_text("from genpaxos.examples.register import Registers as Bank\n")
    own = "examples"
    program = (
        f"from {own}.bank import Bank; from genpaxos.simulation.workload import WORKLOADS; "
        "print(Bank.__name__, WORKLOADS['bank'].machine.__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == ["Registers", "genpaxos.examples.bank"]
