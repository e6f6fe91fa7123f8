"""Declared errors as results, and back."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from commutativity import OperationError, UnknownOperationError
from commutativity.declared import UNREPRESENTABLE, as_result, qualified_code, read_fields, rebuilt, short_code, unknown


class Here:
    """Stands for a machine of this module."""


class Plain(OperationError):  # noqa: N818
    """As most are."""


class Insufficient(OperationError):  # noqa: N818
    """A constructor of its own."""

    def __init__(self, balance: int, *, needed: int) -> None:
        super().__init__(f"{balance} is less than {needed}")
        self.balance, self.needed = balance, needed


class Deeper(Insufficient):
    """A subclass with one more field."""

    def __init__(self) -> None:
        super().__init__(1, needed=2)
        self.why = ["a", {"b": None}]


@dataclass
class Data(OperationError):  # noqa: N818
    """A dataclass, which calls no other constructor."""

    account: str
    cents: int


class Slotted(OperationError):  # noqa: N818
    """A field in a slot."""

    __slots__ = ("extra",)

    def __init__(self, extra: int) -> None:
        super().__init__("slotted")
        self.extra = extra


class Silent(OperationError):  # noqa: N818
    """Its text is made when it is asked for."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def __str__(self) -> str:
        return f"only {self.count}"


class Careless(OperationError):  # noqa: N818
    """Calls no constructor at all, and its text fails."""

    def __init__(self, first: int, second: object) -> None:
        self.first, self.second = first, second

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Outer:
    """Two classes with one name in a module."""

    class Plain(OperationError):  # noqa: N818
        """Not the other one."""


ERRORS = [Plain("some words"), Plain(""), Insufficient(3, needed=5), Deeper(), Data("alice", 5), Slotted(7), Silent(2)]


def attributes(error: OperationError) -> dict[str, Any]:
    slots = {name: getattr(error, name) for name in ("extra",) if hasattr(error, name)}
    return {**vars(error), **slots, "args": error.args, "message": error.message or str(error)}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_with_its_class_text_and_fields(error: OperationError) -> None:
    code, message, *fields = orjson.loads(orjson.dumps(as_result(error, Here)))
    assert code == f".{type(error).__qualname__}"
    back = rebuilt(type(error), message, *fields)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert attributes(back) == {**attributes(error), "message": attributes(error)["message"]}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_can_be_copied_and_pickled_whatever_its_constructor(error: OperationError) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert (str(again), attributes(again)) == (str(error), attributes(error))


def test_an_error_without_fields_takes_two_items() -> None:
    assert as_result(Plain("some words"), Here) == [".Plain", "some words"]
    assert as_result(Insufficient(3, needed=5), Here) == [
        ".Insufficient", "3 is less than 5", {"balance": 3, "needed": 5},
    ]  # fmt: skip


def test_a_code_tells_classes_with_one_name_apart() -> None:
    assert as_result(Outer.Plain("x"), Here)[0] == ".Outer.Plain"
    elsewhere = type("Elsewhere", (), {"__module__": "shop"})
    assert qualified_code(Outer.Plain, elsewhere) == f"{__name__}.Outer.Plain"
    assert short_code("shop.Outer.Plain") == short_code(".Plain") == short_code("Plain") == "Plain"


def test_what_cannot_travel_is_left_behind_with_a_note() -> None:
    error = Plain("words")
    error.held = object()  # type: ignore[attr-defined]
    error.kept = 1  # type: ignore[attr-defined]
    code, message, fields = as_result(error, Here)
    back = rebuilt(Plain, message, fields)
    assert (code, back.kept, hasattr(back, "held")) == (".Plain", 1, False)  # type: ignore[attr-defined]
    assert back.__notes__ == ["the attribute 'held' (object) cannot travel and stayed on the replica"]
    assert "0x" not in str(fields), "an address would differ between replicas"


def test_fields_of_any_type_that_can_travel_come_back_as_they_were() -> None:
    error = Plain("words")
    kept = {
        "huge": 2**70,
        "price": Decimal("1.50"),
        "seen": {3, 1},
        "pair": (1, "a"),
        "raw": b"\x00",
        "day": date(2026, 1, 2),
    }
    vars(error).update(kept)
    _, message, fields = as_result(error, Here)
    travelled = orjson.loads(orjson.dumps(fields))
    back = rebuilt(Plain, message, read_fields(travelled, [__name__]))
    assert {name: getattr(back, name) for name in kept} == kept


def test_an_error_that_can_hardly_be_described_is_a_result_all_the_same() -> None:
    assert as_result(Careless(1, object()), Here)[:2] == [".Careless", ""]
    assert as_result(Plain("\ud800"), Here)[0] == UNREPRESENTABLE


def test_a_result_shares_nothing_with_the_error() -> None:
    error = Deeper()
    result = as_result(error, Here)
    error.why.append("later")
    assert result[2]["why"] == ["a", {"b": None}]


def test_an_error_of_an_unknown_class_keeps_code_text_and_fields() -> None:
    error = unknown("shop.Orders.NotFound", "no order", {"order": 7, "code": "kept apart", "args": [1, 2]})
    assert isinstance(error, UnknownOperationError)
    assert (error.code, error.qualified_code, str(error)) == ("NotFound", "shop.Orders.NotFound", "(1, 2)")
    assert (error.message, error.args, error.order) == ("no order", (1, 2), 7)  # type: ignore[attr-defined]
    assert error.fields == {"order": 7, "code": "kept apart"}
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.fields, again.message) == (error.code, error.fields, error.message)
