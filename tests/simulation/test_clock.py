from __future__ import annotations

import pytest

from genpaxos.simulation.clock import EndlessRunError, LocalClock, Scheduler


def test_events_happen_in_the_order_of_their_times_and_equal_times_as_planned() -> None:
    scheduler, seen = Scheduler(), []
    for name, at_ms in (("late", 5.0), ("first", 1.0), ("second", 1.0), ("beyond", 9.0)):
        scheduler.at(at_ms, seen.append, name)
    scheduler.run_until(5.0)
    assert seen == ["first", "second", "late"]
    assert scheduler.now_ms == 5.0


def test_what_is_planned_for_the_past_happens_now() -> None:
    scheduler, seen = Scheduler(), []
    scheduler.run_until(10.0)
    scheduler.at(3.0, lambda: seen.append(scheduler.now_ms))
    scheduler.run_until(10.0)
    assert seen == [10.0]


def test_a_run_that_never_rests_is_ended() -> None:
    scheduler = Scheduler(events_max=100)

    def again() -> None:
        scheduler.at(scheduler.now_ms, again)

    again()
    with pytest.raises(EndlessRunError, match="101 events"):
        scheduler.run_until(1.0)


def test_a_local_clock_drifts_and_jumps_but_knows_when_it_will_show_what() -> None:
    scheduler = Scheduler()
    clock = LocalClock(scheduler, offset_ms=1000.0, rate=2.0)
    scheduler.run_until(10.0)
    assert clock.now_ms == 1020.0
    assert clock.world_ms(1040.0) == 20.0
    clock.jump(500.0)
    assert clock.now_ms == 1520.0
    scheduler.run_until(20.0)
    assert clock.now_ms == 1540.0
    assert clock.world_ms(1540.0) == 20.0
