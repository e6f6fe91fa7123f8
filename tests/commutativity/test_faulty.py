"""Every machine of the corpus is refuted, for the reason that the corpus gives."""

from __future__ import annotations

import os

import orjson
import pytest

from commutativity import Machine
from commutativity.check import Conclusion, check
from commutativity.checking import clock
from commutativity.checking.fault import Kind
from tests.commutativity.faulty import CASES

IN_TWO_PROCESSES = (Kind.HASH_SEED, Kind.SHARED, Kind.FOOTPRINT)


@pytest.mark.parametrize("machine_type", CASES, ids=lambda made: made.__name__)
def test_a_wrong_machine_is_refuted_for_what_is_wrong(
    machine_type: type[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "OPERATION_SECONDS_MAX", 0.3)
    kind = CASES[machine_type]
    whole = "WHOLE_CORPUS" in os.environ
    report = check(machine_type, examples=200 if whole else 0, hash_seeds=whole or kind in IN_TWO_PROCESSES)
    assert report.conclusion is Conclusion.REFUTED, str(report)
    data = orjson.loads(orjson.dumps(report.to_json()))
    assert data["conclusion"] == "refuted"
    if kind is None:
        assert report.counterexample is not None, str(report)
        assert report.counterexample.differing()
    else:
        assert kind in {fault.kind for fault in report.faults}, str(report)
        for fault in report.faults:
            assert fault.kind.advice in fault.to_json()["advice"]  # type: ignore[index,call-overload,operator]
