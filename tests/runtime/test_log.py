"""The log is written at a bounded rate and never falls silent for good."""

from genpaxos.runtime.log import BURST_LINES, KNOWN_LINES_MAX, LINE_CHARACTERS_MAX, REPEAT_S, RateLimitedLog


def log() -> tuple[RateLimitedLog, list[str]]:
    written: list[str] = []
    return RateLimitedLog(written.append), written


def test_a_line_that_comes_again_is_counted_and_summed_up_later() -> None:
    made, written = log()
    for at_s in range(10):
        made.say("refused", float(at_s))
    assert written == ["refused"]
    made.catch_up(REPEAT_S - 1)
    assert written == ["refused"]
    made.catch_up(REPEAT_S + 1)
    assert written == ["refused", "refused (9 more times within 61 s)"]


def test_a_line_that_came_once_is_not_summed_up_and_is_written_again_after_a_while() -> None:
    made, written = log()
    made.say("dialling anew", 0.0)
    made.say("dialling anew", REPEAT_S + 1)
    assert written == ["dialling anew", "dialling anew"]


def test_different_lines_have_a_budget_and_what_was_left_out_is_said() -> None:
    made, written = log()
    for number in range(10_000):
        made.say(f"stranger {number}", 0.0)
    assert len(written) == BURST_LINES
    made.say("stranger again", 2.0)
    assert written[BURST_LINES:] == [
        f"{10_000 - BURST_LINES:,} more lines of the log were left out: there were too many at once",
        "stranger again",
    ]


def test_a_flood_that_lasts_for_hours_never_silences_the_log_and_never_fills_it() -> None:
    made, written = log()
    for number in range(36_000):
        made.say(f"stranger {number}", number / 10)
    hour_s = 3_600
    assert hour_s / 2 < len(written) <= BURST_LINES + hour_s
    assert all(f"stranger {number}" in written for number in range(BURST_LINES))
    made.say("the disk is full", 4_000.0)
    assert written[-1] == "the disk is full"


def test_what_is_remembered_is_bounded() -> None:
    made, _ = log()
    for number in range(3 * KNOWN_LINES_MAX):
        made.say(f"stranger {number}", 2.0 * number)
    assert len(made._known) <= KNOWN_LINES_MAX


def test_a_very_long_line_is_cut_and_says_so() -> None:
    made, written = log()
    made.say("x" * 10_000, 0.0)
    assert written == ["x" * LINE_CHARACTERS_MAX + "… (10,000 characters)"]


def test_why_a_replica_has_stopped_is_written_in_full_also_under_a_flood() -> None:
    made, written = log()
    for number in range(10_000):
        made.say(f"stranger {number}", 0.0)
    why = "the disk is on fire " * 1_000
    made.say_whole(why)
    assert written[-1] == why
