"""What follows from the axioms (Lamport, *Generalized Consensus and Paxos* §3.3), beyond the small scopes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genpaxos.textbook.algebra import CStruct, IncompatibleError, are_compatible, glb, lub
from genpaxos.textbook.commandset import CommandSet
from genpaxos.textbook.history import CommandHistory, InterferingFootprints, InterferingPairs
from genpaxos.textbook.sequence import CommandSequence
from genpaxos.textbook.value import SingleValue
from tests.textbook.worlds import digest_algebra, relations, sequences

COMMANDS = "abcdefg"
PAIRS = list(combinations(COMMANDS, 2))

bottoms: st.SearchStrategy[CStruct] = st.one_of(
    st.sampled_from([SingleValue(), CommandSequence(), CommandSet()]),
    st.sets(st.sampled_from(PAIRS), max_size=12).map(lambda pairs: CommandHistory.empty(InterferingPairs.of(*pairs))),
)
some_commands = st.lists(st.sampled_from(COMMANDS), max_size=7)


@st.composite
def c_structs(draw: st.DrawFn, count: int) -> Sequence[Any]:
    """C-structs of one set; half of the time all are prefixes of one, hence compatible."""
    bottom = draw(bottoms)
    if draw(st.booleans()):
        return [bottom.extend(draw(some_commands)) for _ in range(count)]
    whole = bottom.extend(draw(st.permutations(COMMANDS)))
    return [whole & bottom.extend(draw(some_commands)) for _ in range(count)]


@settings(max_examples=100, deadline=None)
@given(c_structs(3))
def test_prefix_is_a_partial_order_with_bottom_below_all(values: Sequence[Any]) -> None:
    u, v, w = values
    assert u.bottom() <= u <= u
    assert not (u <= v <= u) or u == v
    assert not (u <= v <= w) or u <= w
    assert (u < v) == (u <= v and u != v)


@settings(max_examples=100, deadline=None)
@given(c_structs(1), some_commands, some_commands)
def test_appending_extends_and_nothing_is_appended_twice(values: Sequence[Any], one: list[str], two: list[str]) -> None:
    [v] = values
    assert v <= v.extend(one) <= v.extend(one + two)
    assert v.extend(one).extend(one) == v.extend(one)
    assert all(v.extend(one).contains(command) for command in one)


@settings(max_examples=100, deadline=None)
@given(c_structs(3))
def test_the_glb_is_the_greatest_lower_bound(values: Sequence[Any]) -> None:
    u, v, w = values
    assert v & w <= v
    assert v & w <= w
    assert not (u <= v and u <= w) or u <= v & w
    assert (v & w == v) == (v <= w)
    assert (u & v) & w == u & (v & w) == glb([w, u, v])


@settings(max_examples=100, deadline=None)
@given(c_structs(3))
def test_the_lub_is_the_least_upper_bound_of_what_is_compatible(values: Sequence[Any]) -> None:
    u, v, w = values
    if not v.compatible(w):
        with pytest.raises(IncompatibleError):
            lub([v, w])
        return
    assert v <= v | w
    assert w <= v | w
    assert not (v <= u and w <= u) or v | w <= u
    assert (v | w == w) == (v <= w)
    assert set((v | w).commands) <= {*v.commands, *w.commands}


@settings(max_examples=100, deadline=None)
@given(c_structs(4))
def test_a_compatible_set_has_a_lub_whatever_the_order_and_stays_compatible(values: Sequence[Any]) -> None:
    """By CS3: u, v, w pairwise compatible make u and v ⊔ w compatible; by induction any finite set has ⊔."""
    if are_compatible(values):
        assert lub(values) == lub(values[::-1])
        assert all(value <= lub(values) for value in values)
        u, v, w, x = values
        assert (u | v) & w == (u & w) | (v & w)
        assert lub([u, v, w]) & x == lub([u & x, v & x, w & x])


@settings(max_examples=100, deadline=None)
@given(c_structs(3))
def test_lower_bounds_of_compatible_c_structs_are_compatible(values: Sequence[Any]) -> None:
    """Hence any two γ(R) are, when some acceptor of Q is in both R: its vote is an upper bound."""
    u, v, w = values
    assert (u & v).compatible(u & w)
    assert (u & v) | (u & w) <= u
    assert not v.compatible(w) or (u & v).compatible(w)


@settings(max_examples=100, deadline=None)
@given(c_structs(4))
def test_more_c_structs_have_a_lower_glb_and_a_higher_lub(values: Sequence[Any]) -> None:
    assert glb(values) <= glb(values[:2])
    if are_compatible(values):
        assert lub(values[:2]) <= lub(values)


@settings(max_examples=100, deadline=None)
@given(c_structs(2), st.sampled_from(COMMANDS))
def test_a_command_once_contained_stays_and_compatible_c_structs_agree_on_it(values: Sequence[Any], c: str) -> None:
    """The second half is CS4: what two learners both have learned of C is in their common prefix."""
    v, w = values
    assert not (v <= w and v.contains(c)) or w.contains(c)
    if v.compatible(w) and v.contains(c) and w.contains(c):
        assert (v & w).contains(c)


@settings(max_examples=100, deadline=None)
@given(c_structs(2))
def test_equal_c_structs_hash_alike_and_their_commands_make_them_again(values: Sequence[Any]) -> None:
    for value in values:
        again = value.bottom().extend(value.commands)
        assert (again, hash(again), repr(again)) == (value, hash(value), repr(value))
    assert (repr(values[0]) == repr(values[1])) == (values[0] == values[1])


def test_a_downset_is_the_least_prefix_that_contains_the_command() -> None:
    for relation in relations("abc"):
        made = [CommandHistory.empty(relation).extend(sequence) for sequence in sequences("abc")]
        for history in made:
            for command in history.commands:
                prefixes = [p for p in made if p <= history and p.contains(command)]
                assert history.down(command) == glb(prefixes)


def test_footprints_make_the_same_histories_as_the_pairs_they_stand_for() -> None:
    for relation in relations("abc"):
        for encoding in ("modes", "resources", "whole machine"):
            algebra = digest_algebra("abc", relation, encoding)
            interferes = InterferingFootprints(algebra.table, algebra.footprints)
            assert [interferes(*pair) for pair in combinations("abc", 2)] == [
                relation(*pair) for pair in combinations("abc", 2)
            ]


def test_c_structs_are_immutable_and_say_what_they_are() -> None:
    history = CommandHistory.empty(InterferingPairs.of("ab", "bc", "ac")).extend("bca")
    assert repr(history) == "CommandHistory(b, c, a | b<c, c<a)"
    assert repr(history.bottom()) == "CommandHistory(⊥)"
    assert repr(CommandHistory.empty(InterferingPairs.of("ab")).extend("cab")) == "CommandHistory(a, b, c | a<b)"
    assert repr(CommandSequence().extend("ba")) == "CommandSequence(b, a)"
    assert repr(CommandSet().extend("ba")) == "CommandSet(a, b)"
    assert [repr(bottom) for bottom in (SingleValue(), CommandSequence(), CommandSet())] == [
        "SingleValue(⊥)", "CommandSequence(⊥)", "CommandSet(⊥)"
    ]  # fmt: skip
    assert repr(SingleValue().extend("ab")) == "SingleValue(a)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        history.order = history.bottom().order  # type: ignore[misc]
    with pytest.raises(Exception, match="Frozen graph"):
        history.order.add_edge("a", "b")
    before = repr(history)
    history.append("z")
    assert repr(history) == before


def test_networkx_is_loaded_only_when_a_history_is_made() -> None:
    named = "import sys; from genpaxos.textbook import algebra, counting, history, provedsafe; "
    made = "history.CommandHistory.empty(history.InterferingPairs.of()); "
    for script, loaded in ((named, "False"), (named + made, "True")):
        command = [sys.executable, "-c", script + "print('networkx' in sys.modules)"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == loaded
