"""No machine that is right is refuted, and the scope of each is finished."""

from __future__ import annotations

import pytest

from commutativity import Machine
from commutativity.check import Conclusion, check
from commutativity.seeds import SEEDS
from tests.commutativity.sound import CASES


@pytest.mark.parametrize("machine_type", CASES, ids=lambda made: made.__name__)
def test_a_right_machine_is_proved_within_its_scope(machine_type: type[Machine]) -> None:
    report = check(machine_type, examples=60)
    assert report.conclusion is Conclusion.PROVED, str(report)
    assert report.beyond.hash_seeds == len(SEEDS), str(report)
