"""What survives JSON, and the names of resources."""

from __future__ import annotations

import decimal
import enum
from typing import Annotated, Any, Literal, Optional, Union

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity.checking.scope import small_values, value_strategy
from commutativity.value.values import (
    DEPTH_MAX,
    AnyJSON,
    DictOf,
    ListOf,
    Members,
    OneOf,
    Plain,
    ValueType,
    problem,
    resource_name,
    shown,
    value_type,
)

TYPES: list[ValueType] = [
    Plain(str),
    Plain(int),
    Plain(bool),
    Plain(float),
    Plain(type(None)),
    AnyJSON(),
    ListOf(Plain(int)),
    DictOf(ListOf(Plain(str))),
    OneOf((Plain(int), Plain(type(None)))),
    Members(("a", 1, None)),
]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, "str"),
        (None, "None"),
        (Any, "JSON"),
        (object, "JSON"),
        (list, "list[JSON]"),
        (dict, "dict[str, JSON]"),
        (list[dict[str, bool]], "list[dict[str, bool]]"),
        (Optional[int], "int | None"),  # noqa: UP045  # both spellings must work
        (Union[int, str], "int | str"),  # noqa: UP007
        (int | None, "int | None"),
        (Literal["a", 1, None], "Literal['a', 1, None]"),
        (Annotated[int, "cents"], "int"),
    ],
)
def test_annotations_become_value_types(annotation: object, expected: str) -> None:
    assert str(value_type(annotation)) == expected


@pytest.mark.parametrize("annotation", [complex, bytearray, set, range, Literal[b"a"]])
def test_other_annotations_are_refused(annotation: object) -> None:
    with pytest.raises(TypeError, match=r"cannot travel; .*use None, bool, int"):
        value_type(annotation)


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Plain(int), True),
        (Plain(int), Colour.RED),
        (Plain(int), 1.0),
        (AnyJSON(), 2**63),
        (AnyJSON(), -(2**63) - 1),
        (Plain(float), 2**63),
        (Plain(float), float("nan")),
        (Plain(float), -float("inf")),
        (Plain(str), Name("a")),
        (Plain(str), "\udfff"),
        (Plain(bool), 1),
        (Plain(type(None)), 0),
        (Members((1,)), True),
        (Members((True,)), 1),
        (ListOf(Plain(int)), (1,)),
        (ListOf(Plain(int)), [1, None]),
        (DictOf(Plain(int)), {1: 1}),
        (DictOf(Plain(int)), {"\ud800": 1}),
        (AnyJSON(), {1, 2}),
        (AnyJSON(), [b"a"]),
        (AnyJSON(), {"a": float("nan")}),
        (AnyJSON(), nested(DEPTH_MAX + 1)),
        (AnyJSON(), CYCLE),
        (OneOf((Plain(int), Plain(str))), None),
    ],
)
def test_what_does_not_survive_json_is_a_problem(kind: ValueType, value: object) -> None:
    assert problem(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Plain(float), 3),
        (Plain(int), 2**63 - 1),
        (Plain(int), -(2**63)),
        (AnyJSON(), nested(DEPTH_MAX)),
        (Plain(str), "κ𝄞"),
    ],
)
def test_the_limits_themselves_are_allowed(kind: ValueType, value: object) -> None:
    assert problem(kind, value) is None


@given(st.sampled_from(TYPES).flatmap(lambda kind: st.tuples(st.just(kind), value_strategy(kind))))
def test_what_is_accepted_comes_back_from_json_unchanged(drawn: tuple[ValueType, Any]) -> None:
    kind, value = drawn
    assert problem(kind, value) is None
    again = orjson.loads(orjson.dumps(value))
    assert again == value
    assert problem(kind, again) is None


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_small_values_are_of_their_type(kind: ValueType) -> None:
    assert small_values(kind)
    assert all(problem(kind, value) is None for value in small_values(kind))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("alice", "alice"),
        (5, "5"),
        (-5, "-5"),
        (5.0, "5"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (1e20, "1e20"),
        (10**20, "1e20"),
        (decimal.Decimal("1.0e20"), "1e20"),
        (decimal.Decimal("5.00"), "5"),
        (decimal.Decimal("1.50"), "1.5"),
        (True, "1"),
        (None, "null"),
        (["b", 1], '["b",1]'),
        ({"b": 1, "a": [2.0]}, '{"a":[2],"b":1}'),
        ("κ", "κ"),
        (["κ"], '["κ"]'),
    ],
)
def test_resource_names(value: object, name: str) -> None:
    assert resource_name(value) == name


@given(value_strategy(AnyJSON()), value_strategy(AnyJSON()))
def test_equal_values_name_one_resource(a: Any, b: Any) -> None:
    if a == b:
        assert resource_name(a) == resource_name(b)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.lists(st.integers())))
def test_any_value_can_be_shown_shortly(value: object) -> None:
    assert len(shown(value)) <= 60
    assert shown(value).isprintable()


def test_a_number_too_long_to_print_is_shown() -> None:
    assert shown(10**5000) == "an integer beyond 64 bits"
