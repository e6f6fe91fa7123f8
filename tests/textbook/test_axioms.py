"""The axioms CS0 to CS4 (Lamport, *Generalized Consensus and Paxos* §3.3) for the four c-struct sets, exhaustively."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any, Self

import pytest

from genpaxos.textbook.algebra import AXIOMS, CStruct, IncompatibleError, Scope, cs0, cs1, cs2, cs3, cs4
from genpaxos.textbook.commandset import CommandSet
from tests.textbook.worlds import history_scope, relations, scopes, told

THREE = scopes("abc")
FOUR_BY_SHAPE = scopes("abcd", by_shape=True)


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.__name__)
@pytest.mark.parametrize("name", THREE)
def test_every_c_struct_set_satisfies_the_axioms(name: str, axiom: Any) -> None:
    assert axiom(THREE[name])


@pytest.mark.parametrize("name", [name for name in FOUR_BY_SHAPE if not name.startswith("history")])
def test_they_do_with_four_commands_too(name: str) -> None:
    assert all(axiom(FOUR_BY_SHAPE[name]) for axiom in AXIOMS)


@pytest.mark.parametrize("relation", relations("abcd"), ids=told)
def test_histories_of_four_commands_satisfy_the_axioms_under_each_of_the_64_relations(relation: Any) -> None:
    scope: Any = history_scope("abcd", relation)
    assert all(axiom(scope) for axiom in AXIOMS)


@pytest.mark.parametrize("scope", [*THREE.values(), *FOUR_BY_SHAPE.values()], ids=[*THREE, *FOUR_BY_SHAPE])
def test_every_operation_gives_what_its_definition_says(scope: Scope[CStruct]) -> None:
    """⊑, ⊓, ⊔ and *compatible* as each set computes them, against the search through Str(Cmd)."""
    for v, w in scope.pairs():
        assert ((v <= w), (w <= v)) == (scope.is_prefix(v, w), scope.is_prefix(w, v))
        assert v & w == w & v == scope.glb(v, w)
        assert v.compatible(w) == w.compatible(v) == scope.compatible(v, w)
        if v.compatible(w):
            assert v | w == w | v == scope.lub(v, w)
        else:
            with pytest.raises(IncompatibleError, match="not compatible"):
                v | w


@pytest.mark.parametrize("scope", [*THREE.values(), *FOUR_BY_SHAPE.values()], ids=[*THREE, *FOUR_BY_SHAPE])
def test_what_a_c_struct_contains_and_is_constructible_from_is_what_the_definitions_say(scope: Scope[CStruct]) -> None:
    for v in scope.values:
        assert [v.contains(c) for c in scope.commands] == [scope.contains(v, c) for c in scope.commands]
        assert v.bottom().extend(v.commands) == v
    for size in range(len(scope.commands) + 1):
        for subset in combinations(scope.commands, size):
            assert {v for v in scope.values if v.is_constructible_from(subset)} == scope.constructible(subset)


def test_a_history_is_a_class_of_sequences_modulo_swapping_neighbours_that_do_not_interfere() -> None:
    """Two sequences give one history exactly when such swaps lead from one to the other (protocol §2)."""
    for relation in relations("abcd"):
        bottom = history_scope("", relation).bottom
        classes: dict[Any, set[tuple[str, ...]]] = {}
        for sequence in permutations("abcd"):
            classes.setdefault(bottom.extend(sequence), set()).add(sequence)
        for members in classes.values():
            reached, todo = set(), [min(members)]
            while todo:
                sequence = todo.pop()
                reached.add(sequence)
                for at in range(3):
                    if not relation(sequence[at], sequence[at + 1]):
                        swapped = (*sequence[:at], sequence[at + 1], sequence[at], *sequence[at + 2 :])
                        todo += [swapped] if swapped not in reached else []
            assert reached == members


def test_histories_are_sequences_when_all_interfere_and_sets_when_nothing_does() -> None:
    everything = relations("abc")[-1]
    for history, other in ((everything, "sequence"), (relations("abc")[0], "set")):
        known, twin = history_scope("abc", history), THREE[other]
        pair = {v: twin.bottom.extend(v.commands) for v in known.values}
        assert set(pair.values()) == set(twin.values)
        for v, w in known.pairs():
            assert (v <= w, v.compatible(w)) == (pair[v] <= pair[w], pair[v].compatible(pair[w]))
            assert pair[v & w] == pair[v] & pair[w]


# The predicates can fail ---------------------------------------------------------------------------------------------


def test_a_set_that_lacks_a_c_struct_fails_cs0_and_one_with_a_stranger_cs1() -> None:
    sets = [CommandSet(frozenset(c)) for size in range(3) for c in combinations("ab", size)]
    assert not cs0(Scope(CommandSet(), "ab", sets[:-1]))
    assert not cs1(Scope(CommandSet(), "ab", [*sets, CommandSet(frozenset("z"))]))
    assert cs0(Scope(CommandSet(), "ab", sets))
    assert cs1(Scope(CommandSet(), "ab", sets))


@dataclass(frozen=True)
class Odd(CStruct):
    """A made-up c-struct set; only ⊥ and • matter to the axioms."""

    items: tuple[str, ...] = ()

    def bottom(self) -> Self:
        return type(self)()

    append = None  # type: ignore[assignment]
    commands = __le__ = __and__ = compatible = _join = None  # type: ignore[assignment]


class Register(Odd):
    """The last command appended wins: a destructive write."""

    def append(self, command: str) -> Self:
        return type(self)((command,))


class AtMostTwo(Odd):
    """A set that takes no third command."""

    def append(self, command: str) -> Self:
        return (
            self if command in self.items or len(self.items) == 2 else type(self)(tuple(sorted((*self.items, command))))
        )


class Amnesiac(Odd):
    """A sequence that forgets its order when it has three commands."""

    def append(self, command: str) -> Self:
        if command in self.items:
            return self
        longer = (*self.items, command)
        return type(self)(tuple(sorted(longer)) if len(longer) == 3 else longer)


def scope_of(bottom: Odd) -> Scope[Odd]:
    values = [bottom]
    for value in values:
        values += [v for v in map(value.append, "abc") if v not in values]
    return Scope(bottom, "abc", values)


def test_values_that_overwrite_each_other_fail_cs2() -> None:
    assert not cs2(scope_of(Register()))


def test_three_c_structs_of_which_any_two_but_not_all_fit_fail_cs3() -> None:
    """{a}, {b} and {c} are pairwise compatible; {c} and {a} ⊔ {b} are not."""
    scope = scope_of(AtMostTwo())
    assert cs0(scope)
    assert cs1(scope)
    assert cs2(scope)
    assert not cs3(scope)
    assert cs4(scope)


def test_compatible_c_structs_that_disagree_on_a_command_fail_cs4() -> None:
    """ac and bc have the upper bound abc, and contain c; their ⊓ is ⊥."""
    scope = scope_of(Amnesiac())
    assert cs2(scope)
    assert not cs4(scope)
