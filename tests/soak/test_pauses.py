from __future__ import annotations

from genpaxos.demo import run as demo
from genpaxos.demo.run import Options, Record
from genpaxos.linearizability import Call
from tests.soak.faults import Fault, Kind
from tests.soak.injector import Episode
from tests.soak.pauses import PAUSED_S, REJOINED_S, RESUMED_S, measure
from tests.soak.watch import Sample


def episode(began_s: float, healed_s: float, kind: Kind = Kind.KILL, victim: int = 0) -> Episode:
    return Episode(Fault(kind, victim, 1, 0.0, healed_s - began_s, False, 0.0, 0.0), began_s, healed_s)


def record(*calls: tuple[float, float | None]) -> Record:
    made = demo.make(Options())
    made.calls = [Call("c", "total", (), invoked_at, returned_at, 0) for invoked_at, returned_at in calls]
    return made


def failing(*arguments: object) -> list[str]:
    checks = measure(*arguments).checks()  # type: ignore[arg-type]
    return [name for name, (answer, _) in checks.items() if not answer]


def test_a_steady_run_has_no_pause_to_speak_of() -> None:
    steady = record(*((second, second + 0.5) for second in range(20)))
    samples = [Sample(float(second), {0: second, 1: second}) for second in range(20)]
    found = measure(steady, [episode(3.0, 5.0)], samples)
    assert (found.paused_s, found.blackout_s, found.healings) == (1.0, 0.0, 1)
    assert found.resumed_s == 0.5
    assert found.rejoined_s == 0.0
    assert all(answer for answer, _ in found.checks().values())


def test_a_pause_counts_against_the_bound_unless_a_blackout_explains_it() -> None:
    calls = record((0.0, 1.0), (1.0, 2.0 + PAUSED_S), (2.0 + PAUSED_S, 2.1 + PAUSED_S))
    assert failing(calls, [], []) == ["went on"]
    assert failing(calls, [episode(0.5, 1.5)], [Sample(1.6, {0: 0})]) == ["went on", "resumed"]
    dark = [episode(0.5, 1.5 + PAUSED_S, Kind.BLACKOUT)]
    assert failing(calls, dark, []) == []
    assert measure(calls, dark, []).blackout_s == 1.0 + PAUSED_S


def test_an_answer_to_a_command_from_before_the_healing_is_no_resumption() -> None:
    late = 3.0 + RESUMED_S
    calls = record((0.0, 2.5), (2.6, late))
    assert failing(calls, [episode(1.0, 2.4)], [Sample(2.5, {0: 0})]) == ["resumed"]
    assert failing(record((0.0, 2.5), (2.6, 2.7)), [episode(1.0, 2.4)], [Sample(2.5, {0: 0})]) == []


def test_when_nothing_was_asked_after_a_healing_it_did_not_resume() -> None:
    assert failing(record((0.0, 1.0)), [episode(0.5, 2.0)], [Sample(2.5, {0: 0})]) == ["resumed"]


def test_a_victim_that_never_catches_up_has_not_rejoined_unless_it_was_hit_again() -> None:
    steady = record(*((float(second), second + 0.5) for second in range(40)))
    samples = [Sample(float(second), {0: 10, 1: 10 + second}) for second in range(40)]
    assert failing(steady, [episode(5.0, 8.0)], samples) == ["rejoined"]
    assert failing(steady, [episode(5.0, 8.0), episode(9.5, 39.0 - REJOINED_S / 2)], samples) == []
    assert failing(steady, [episode(5.0, 8.0), episode(9.5, 12.0, Kind.BLACKOUT, 4)], samples) == ["rejoined"]


def test_after_a_blackout_all_must_catch_up() -> None:
    steady = record(*((float(second), second + 0.5) for second in range(40)))
    samples = [Sample(float(second), {0: 10, 1: 10, 2: 10 if second < 5 else 0}) for second in range(40)]
    assert failing(steady, [episode(5.0, 8.0, Kind.BLACKOUT)], samples) == ["rejoined"]
    samples[20] = Sample(20.0, {0: 10, 1: 10, 2: 10})
    assert measure(steady, [episode(5.0, 8.0, Kind.BLACKOUT)], samples).rejoined_s == 12.0
