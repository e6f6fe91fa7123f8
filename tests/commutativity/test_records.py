"""Dataclasses that are made again of their fields, and generic ones that are inherited from."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any, Generic, TypeVar

import orjson
import pytest

from commutativity.codec import Codec, canonical


@dataclasses.dataclass
class Doubles:
    amount: int

    def __post_init__(self) -> None:
        self.amount *= 2


@dataclasses.dataclass
class Tidies:
    name: str

    def __post_init__(self) -> None:
        self.name = self.name.strip().lower()


@dataclasses.dataclass
class Counts:
    amount: int

    def __init__(self, amount: int) -> None:
        self.amount = amount + 1


def test_a_class_that_changes_its_fields_each_time_it_is_made_is_refused() -> None:
    for value in (Doubles(1), Counts(1)):
        codec = Codec(type(value))
        with pytest.raises(ValueError, match="changes its field amount from 2 to "):
            codec.decode(codec.encode(value))
    assert Codec(Doubles).decode({"amount": 0}) == Doubles(0)


def test_a_class_may_give_its_fields_a_form_that_stays() -> None:
    codec = Codec(Tidies)
    assert codec.decode(codec.encode(Tidies(" Ann"))) == Tidies("ann")


A = TypeVar("A")


@dataclasses.dataclass
class Chain(Generic[A]):
    value: A
    rest: list[Chain[A]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Middle(Chain[list[A]], Generic[A]):
    other: A | None = None


@dataclasses.dataclass
class Bottom(Middle[Decimal]):
    count: int = 0


@dataclasses.dataclass
class Wrapped(Generic[A]):
    inner: Chain[list[A]]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Middle[str], Middle(["a"], [Chain(["b"])], "c")),
        (Bottom, Bottom([Decimal("1.50")], [Chain([Decimal(2)])], Decimal(3), 4)),
        (Wrapped[int], Wrapped(Chain([1]))),
        (Wrapped[Wrapped[int]], Wrapped(Chain([Wrapped(Chain([1]))]))),
    ],
    ids=str,
)
def test_type_variables_stand_for_what_the_inheriting_class_says(annotation: Any, value: Any) -> None:
    codec = Codec(annotation)
    assert codec.decode(orjson.loads(canonical(codec.encode(value)))) == value


def test_a_tuple_of_mixed_length_is_refused() -> None:
    with pytest.raises(TypeError, match="a tuple has a fixed length, or one type of items"):
        Codec(tuple[int, *tuple[str, ...]])
