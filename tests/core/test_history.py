"""``V[1..j] • tail``: the history of an acceptor stays what the protocol says, and its index what it would be anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import Command, InterferenceIndex, interferes
from genpaxos.core.commands import Proposals
from genpaxos.core.history import DivergenceError, History
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of, known

bank_commands = st.one_of(
    st.builds(Bank.deposit, st.sampled_from("ab"), st.just(1)),
    st.builds(Bank.withdraw, st.sampled_from("ab"), st.just(1)),
    st.builds(Bank.balance, st.sampled_from("ab")),
    st.builds(Bank.transfer, st.sampled_from("ab"), st.sampled_from("ab"), st.just(1)),
    st.just(Bank.total()),
)
IDS = [f"c:{n}" for n in range(1, 9)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Proposals, list[str], list[str]]:
    """Eight commands; a coordinator's order of some of them; an acceptor's order of some of them."""
    commands: dict[str, Command[Any]] = {name: draw(bank_commands) for name in IDS}
    decrees = draw(st.permutations(IDS))[: draw(st.integers(0, 8))]
    tail = draw(st.permutations(IDS))[: draw(st.integers(0, 8))]
    return known(commands), list(decrees), list(tail)


def digests_of(proposals: Proposals, order: list[str]) -> list[int]:
    """The digests of a sequence of commands, from scratch."""
    return history_of(proposals).accept(order)


def index_of(proposals: Proposals, order: list[str], labels: list[int]) -> InterferenceIndex:
    index = InterferenceIndex(Bank.table)
    for command, label in zip(order, labels, strict=True):
        index.add(proposals.known[command][1], label)
    return index


def contents(history: History) -> tuple[list[str], list[int]]:
    return [*history.ids, *history.tail], [*history.digests, *history.tail.values()]


def assert_sound(proposals: Proposals, history: History) -> None:
    """No command twice, positions right, and the index is the sum of the labels held: nothing else."""
    ids, labels = contents(history)
    assert len(set(ids)) == len(ids)
    assert history.positions == {command: at for at, command in enumerate(history.ids, 1)}
    assert history._index == index_of(proposals, ids, labels)


@given(worlds(), st.data())
def test_adopting_puts_the_decrees_first_and_keeps_the_order_of_the_rest(
    world: tuple[Proposals, list[str], list[str]], data: st.DataObject
) -> None:
    """``history := V[1..j'] • (history without V[1..j'])`` (protocol §3, Phase 2a)."""
    proposals, decrees, tail = world
    history = history_of(proposals)
    labels = digests_of(proposals, decrees)
    history.accept(tail)
    at = 0
    while at < len(decrees):
        until = data.draw(st.integers(at + 1, len(decrees)))
        held = history.adopt(decrees[at:until], labels[at:until])
        assert held == [command in tail for command in decrees[at:until]]
        at = until
        assert history.decrees(1) == (decrees[:at], labels[:at])
        assert list(history.tail) == [command for command in tail if command not in decrees[:at]]
        assert_sound(proposals, history)


@given(worlds())
def test_a_label_that_equals_the_coordinators_is_exact(world: tuple[Proposals, list[str], list[str]]) -> None:
    """Tail labels go stale when a decree overtakes them; one that equals the decree's never does (DESIGN, lazy labels):
    so a vote counts only where both put the command behind the same history.
    """
    proposals, decrees, tail = world
    right = dict(zip(decrees, digests_of(proposals, decrees), strict=True))
    history = history_of(proposals)
    history.accept(tail)
    for at, command in enumerate(decrees):
        for held, label in history.tail.items():
            if right.get(held) == label:
                ids, _ = contents(history)
                footprints = {other: proposals.known[other][1] for other in ids + decrees}
                before = [c for c in ids[: ids.index(held)] if interferes(Bank.table, footprints[c], footprints[held])]
                decreed = decrees[: decrees.index(held)]
                follows = [c for c in decreed if interferes(Bank.table, footprints[c], footprints[held])]
                assert set(before) == set(follows)
        history.adopt([command], [right[command]])
        assert at + 1 == history.length


@given(worlds(), st.integers(0, 8))
def test_replacing_digests_everything_behind_it_afresh(
    world: tuple[Proposals, list[str], list[str]], keep: int
) -> None:
    """Across ballots a stale label would not be safe: after ``replace`` each label is what the whole history gives."""
    proposals, decrees, tail = world
    history = history_of(proposals)
    keep = min(keep, len(tail))
    history.accept(tail)
    first = tail[:keep]
    history.adopt(first, digests_of(proposals, first))
    news = [command for command in decrees if command not in first]
    expected = digests_of(proposals, [*first, *news])[keep:]
    history.replace(keep + 1, news, expected)
    rest = [command for command in tail[keep:] if command not in news]
    assert contents(history) == ([*first, *news, *rest], digests_of(proposals, [*first, *news, *rest]))
    assert list(history.tail) == rest
    assert_sound(proposals, history)


@given(worlds(), st.integers(0, 8))
def test_replacing_makes_stale_labels_right(world: tuple[Proposals, list[str], list[str]], overtaken: int) -> None:
    """The same when decrees of the ballot before had overtaken the tail, and so left stale labels behind."""
    proposals, decrees, tail = world
    history = history_of(proposals)
    history.accept(tail)
    lost = list(reversed(decrees))[:overtaken]
    history.adopt(lost, digests_of(proposals, lost))
    history.replace(1, decrees, digests_of(proposals, decrees))
    ids, labels = contents(history)
    assert labels == digests_of(proposals, ids)
    assert set(ids) == set(tail) | set(decrees)


@given(worlds(), st.integers(0, 8))
def test_truncating_leaves_the_prefix_and_tells_what_was_behind_it(
    world: tuple[Proposals, list[str], list[str]], length: int
) -> None:
    proposals, decrees, tail = world
    history = history_of(proposals)
    history.accept(tail)
    history.adopt(decrees, digests_of(proposals, decrees))
    length = min(length, len(decrees))
    rest = history.truncate(length)
    assert rest == [*decrees[length:], *(command for command in tail if command not in decrees)]
    assert history.decrees(1) == (decrees[:length], digests_of(proposals, decrees[:length]))
    assert not history.tail
    assert_sound(proposals, history)


@given(worlds())
def test_projecting_says_the_digests_and_leaves_the_history_as_it_is(
    world: tuple[Proposals, list[str], list[str]],
) -> None:
    proposals, decrees, tail = world
    history = history_of(proposals)
    history.decree(decrees)
    rest = [command for command in tail if command not in decrees]
    before = (contents(history), history._index.copy())
    assert history.project(rest) == digests_of(proposals, [*decrees, *rest])[len(decrees) :]
    assert (contents(history), history._index) == before
    for command in rest:
        assert history.digest(command) == digests_of(proposals, [*decrees, command])[-1]


def test_decrees_that_do_not_follow_as_their_digests_say_are_divergence() -> None:
    proposals = known({"c:1": Bank.deposit("alice", 1), "c:2": Bank.withdraw("alice", 1)})
    history = history_of(proposals)
    with pytest.raises(DivergenceError, match="the decrees from index 1 on do not follow"):
        history.replace(1, ["c:2", "c:1"], digests_of(proposals, ["c:1", "c:2"]))


def test_a_stale_label_is_replaced_when_its_decree_comes() -> None:
    proposals = known({"c:1": Bank.deposit("alice", 1), "c:2": Bank.withdraw("alice", 1)})
    history = history_of(proposals)
    history.accept(["c:2"])
    right = digests_of(proposals, ["c:1", "c:2"])
    assert history.adopt(["c:1"], right[:1]) == [False]
    assert history.tail["c:2"] != right[1], "lazy: not yet"
    assert history.adopt(["c:2"], right[1:]) == [True]
    assert_sound(proposals, history)


def test_a_history_knows_what_it_holds() -> None:
    proposals = known({"c:1": Bank.deposit("alice", 1), "c:2": Bank.withdraw("alice", 1), "c:3": Bank.total()})
    history = history_of(proposals)
    history.decree(["c:1"])
    history.accept(["c:2"])
    assert [history.holds(command) for command in ("c:1", "c:2", "c:3")] == [True, True, False]
    assert history.length == 1
