"""A machine class is found again in another process, without running the rest of a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from commutativity import CommutativityTable, Machine, operation
from commutativity.checking import definitions

SCRIPT = """
from commutativity import CommutativityTable, Machine, operation
from commutativity.check import check

PREFIX = "n"
print("running")


class Names(Machine):
    table = CommutativityTable({"add": ["add"]})

    def __init__(self) -> None:
        self.names: list[str] = []

    @operation
    def add(self, name: str) -> list[str]:
        self.names.append(PREFIX + name)
        return {ANSWER}


report = check(Names, examples=0)
print(report.conclusion.value, report.beyond.hash_seeds, [fault.kind.value for fault in report.faults])
"""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("sorted(set(self.names))", "proved 3 []"),
        ("list(set(self.names))", "refuted 3 ['depends-on-the-hash-seed']"),
    ],
)
def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path, answer: str, told: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.replace("{ANSWER}", answer))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["running", told]
    assert done.stderr == ""


def test_a_class_within_a_function_is_defined_again() -> None:
    limit = "ten"

    class Local(Machine):
        table = CommutativityTable({"read": []})

        @operation
        def read(self) -> str:
            return limit

    place = definitions.described(Local)
    made = definitions.found(place)
    assert made is not Local
    assert made.fingerprint_text() == Local.fingerprint_text()
    assert made().apply("read", []) == "ten"


def test_what_cannot_be_defined_again_says_why() -> None:
    place = {"module": "__main__", "file": __file__, "name": "nothing.<locals>.Here"}
    with pytest.raises(definitions.NotFound, match="there is no nothing"):
        definitions.found(place)
