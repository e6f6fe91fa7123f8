"""What was told is remembered: a watermark is told once, and gives no reason for haste any more."""

from __future__ import annotations

from math import inf

from genpaxos.core.ballot import Policy
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.voting import SATURATED_MS
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies
from tests.core.test_awaited_votes import ask, running

X, Y = Bank.deposit("alice", 1), Bank.deposit("bob", 2)


def told(bench: Bench, sender: int = 1) -> list[tuple[list[str], int, set[int]]]:
    """The votes and watermarks that this replica has told: commands, index, to whom."""
    found: list[tuple[list[str], int, set[int]]] = []
    for _, receiver, message in bench.take(sender, kind=Phase2b):
        assert isinstance(message, Phase2b)
        if not found or found[-1][:2] != (message.ids, message.adopted):
            found.append((message.ids, message.adopted, set()))
        found[-1][2].add(receiver)
    return found


def adopts(bench: Bench, name: str) -> None:
    """1 votes for a command, and then adopts its decree in a step of its own."""
    bench.propose(X, [0, 1], name)
    bench.drop(1, kind=Phase2b)
    bench.deliver(0, 1, Phase2a)


def adopts_without_votes(bench: Bench) -> None:
    """1 is saturated, and adopts two commands it has not voted for."""
    for node in (0, 1):
        bench.step(node, clients=[("client", Propose(["c:1", "c:2"], bodies(X, Y), EVERYBODY))])
    assert told(bench) == []
    bench.deliver(0, 1, Phase2a)


def test_once_told_what_was_adopted_without_votes_hurries_no_later_watermark() -> None:
    bench = running(3, saturated_commands=2)
    adopts_without_votes(bench)
    assert told(bench) == [([], 2, {0, 2})]
    bench.run_for(SATURATED_MS + 1)
    bench.flights.clear()
    adopts(bench, "d:1")
    assert bench[1].history.length == 3
    assert told(bench) == [], "kept back: it was voted for"
    assert bench[1].telling.watermark.due_ms == bench.now_ms + bench.settings.timing.watermark_ms


def test_a_watermark_is_told_once() -> None:
    bench = running(3)
    adopts(bench, "c:1")
    assert told(bench) == [], "kept back"
    bench.pass_time(bench.settings.timing.watermark_ms)
    assert told(bench) == [([], 1, {0, 2})]
    assert bench[1].telling.watermark.due_ms == inf
    bench.pass_time(10 * bench.settings.timing.watermark_ms)
    assert told(bench) == []


def test_a_watermark_that_is_not_kept_back_is_told_once_too() -> None:
    bench = Bench(policy=Policy.CLASSIC).led_by(0)
    bench.propose(X, [0], "c:1")
    bench.deliver(0, 1, Phase2a)
    assert told(bench) == [([], 1, {0, 2})]
    for _ in range(3):
        bench.step(1)
    assert told(bench) == []


def test_a_vote_that_spares_a_replica_does_not_pass_for_the_watermark_there() -> None:
    bench = running(3)
    for node in (0, 1):
        ask(bench, node, 1 << 0)
    assert told(bench) == [(["c:1"], 0, {0})]
    bench.deliver(0, 1, Phase2a)
    ask(bench, 1, 1 << 0, "c:2")
    assert told(bench) == [(["c:2"], 1, {0})]
    bench.pass_time(bench.settings.timing.watermark_ms)
    assert told(bench) == [([], 1, {0, 2})]
