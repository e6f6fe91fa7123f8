"""No machine that is right is refuted, and the scope of each is finished."""

from __future__ import annotations

import os

import pytest

from commutativity import Machine
from commutativity.check import Conclusion, check
from commutativity.checking.seeds import SEEDS
from tests.commutativity.sound import CASES

IN_PROCESSES = ("RealSet", "SortedSet", "Cached", "CachedInTheInstance", "Documents")
"""Of sets, caches and many types, where processes could tell a difference. ``make check-corpus`` tries all so."""
WHOLE = "WHOLE_CORPUS" in os.environ


@pytest.mark.parametrize("machine_type", CASES, ids=lambda made: made.__name__)
def test_a_right_machine_is_proved_within_its_scope(machine_type: type[Machine]) -> None:
    in_processes = WHOLE or machine_type.__name__ in IN_PROCESSES
    report = check(machine_type, examples=200 if WHOLE else 20, hash_seeds=in_processes)
    assert report.conclusion is Conclusion.PROVED, str(report)
    assert report.beyond.hash_seeds == (len(SEEDS) if in_processes else 0), str(report)
