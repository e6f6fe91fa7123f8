"""Every type that can travel comes back equal and of its type, in bytes that do not change between versions."""

from __future__ import annotations

import datetime
import os
import pickle
import threading
import uuid
import zoneinfo
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from decimal import Context, Decimal, localcontext
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commutativity.checking.scope import small_values, value_strategy
from commutativity.codec import Codec, canonical
from commutativity.value.resources import check_resource, resource_name
from commutativity.value.value_types import Record, walk
from commutativity.value.values import value_type
from tests.commutativity.valuables import (
    MOMENT,
    UUID,
    Account,
    Colour,
    Deposit,
    Entry,
    Folding,
    Key,
    Level,
    Node,
    Options,
    Page,
    Point,
    Positive,
    Right,
    Withdrawal,
)

EXAMPLES = 200 if "WHOLE_CORPUS" in os.environ else 12
"""Of each annotation; ``make check-corpus`` tries more."""
ANNOTATIONS: list[Any] = [
    bool,
    int,
    float,
    str,
    None,
    bytes,
    Decimal,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    Colour,
    Level,
    Right,
    Account,
    Entry,
    Key,
    Positive,
    Node,
    Page[Key],
    Page[Page[int]],
    Point,
    Options,
    list[Entry],
    tuple[int, ...],
    tuple[()],
    tuple[str, Decimal, list[int]],
    set[int],
    set[Key],
    frozenset[tuple[str, int]],
    set[frozenset[bytes]],
    dict[str, Decimal],
    dict[int, str],
    dict[float, int],
    dict[Decimal, int],
    dict[Colour, int],
    dict[Level, int],
    dict[bytes, int],
    dict[Key, list[Key]],
    dict[tuple[str, int], bool],
    dict[int | str | None, int],
    dict[datetime.date, set[str]],
    Decimal | None,
    int | bytes | None,
    int | str | list[Key],
    Deposit | Withdrawal,
    Deposit | Withdrawal | int | None,
    str | bytes | Decimal | datetime.datetime,
    list[Deposit | int],
    set[int] | list[int] | tuple[int, ...],
    Literal["a", 1, None, True],
    Literal["a"] | Decimal,
    Any,
    list[Any] | None,
]


def strictly_equal(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down; floats and decimals to the bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(strictly_equal, a, b))
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(map(strictly_equal, a.values(), b.values()))
    if isinstance(a, (float, Decimal)):
        return str(a) == str(b)
    return bool(a == b)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_every_value_comes_back_equal_and_of_its_type(annotation: Any, data: st.DataObject) -> None:
    codec = Codec(annotation)
    value = data.draw(value_strategy(codec.kind))
    form = codec.encode(value)
    assert codec.problem(value) is None
    assert orjson.loads(orjson.dumps(form)) == form, "it is JSON"
    again = codec.decode(orjson.loads(orjson.dumps(form)))
    assert strictly_equal(again, value)
    assert canonical(codec.encode(again)) == canonical(form), "one form for one value"


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_every_type_has_small_values_of_its_own(annotation: Any) -> None:
    kind = value_type(annotation)
    assert small_values(kind)
    assert [Codec(annotation).problem(value) for value in small_values(kind)] == [None] * len(small_values(kind))


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_any_json_is_a_value_with_that_form_or_is_refused(annotation: Any, data: st.DataObject) -> None:
    """Whatever arrives, decoding raises nothing but ValueError."""
    codec = Codec(annotation)
    near = value_strategy(codec.kind).map(codec.encode)
    form = data.draw(near | value_strategy(value_type(Any)) | near.map(lambda made: {"int": made}))
    try:
        value = codec.decode(form)
    except ValueError:
        assert codec.refusal(form)
        return
    assert codec.refusal(form) is None
    assert codec.problem(value) is None


@given(value=st.integers() | st.integers(2**60, 2**70) | st.integers(-(2**70), -(2**60)))
def test_integers_of_any_size_travel(value: int) -> None:
    form = Codec(int).encode(value)
    assert (type(form) is int) == (-(2**63) <= value < 2**63)
    assert Codec(int).decode(orjson.loads(orjson.dumps(form))) == value


def test_an_integer_beyond_the_limit_of_decimal_text_travels() -> None:
    value = 7**20_000  # 16,902 decimal digits, where str() stops at 4,300
    assert Codec(int).decode(Codec(int).encode(value)) == value


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 2**63 - 1, b"9223372036854775807"),
        (int, 2**63, b'{"int":"0x8000000000000000"}'),
        (int, -(2**63) - 1, b'{"int":"-0x8000000000000001"}'),
        (float, 1, b"1.0"),
        (float, -0.0, b"-0.0"),
        (bytes, b"\x00\xff", b'"AP8="'),
        (Decimal, Decimal("1.0"), b'"1.0"'),
        (Decimal, Decimal("1.00"), b'"1.00"'),
        (Decimal, Decimal("-1e+40"), b'"-1E+40"'),
        (datetime.datetime, MOMENT, b'"2026-01-31T08:30:00.000005+01:00"'),
        (datetime.datetime, MOMENT.replace(tzinfo=None, microsecond=0), b'"2026-01-31T08:30:00"'),
        (datetime.date, MOMENT.date(), b'"2026-01-31"'),
        (datetime.time, MOMENT.timetz(), b'"08:30:00.000005+01:00"'),
        (datetime.timedelta, datetime.timedelta(days=-1, microseconds=3), b"-86399999997"),
        (uuid.UUID, UUID, b'"12345678-1234-5678-1234-567812345678"'),
        (Colour, Colour.ROUGE, b'"RED"'),
        (Level, Level.HIGH, b'"HIGH"'),
        (Right, Right.READ | Right.WRITE, b"3"),
        (Key, Key("a", 1), b'{"number":1,"shop":"a"}'),
        (Point, Point(1), b"[1,0.0]"),
        (Positive, Positive(2), b'{"amount":2,"double":4}'),
        (Options, Options(name="a"), b'{"name":"a"}'),
        (tuple[int, str], (1, "a"), b'[1,"a"]'),
        (set[int], {10, 9, 1}, b"[1,10,9]"),
        (set[str], {"b", "a"}, b'["a","b"]'),
        (dict[int, str], {10: "b", 2: "a"}, b'{"10":"b","2":"a"}'),
        (dict[Colour, int], {Colour.RED: 1}, b'{"RED":1}'),
        (dict[tuple[str, int], int], {("a", 1): 1}, b'{"[\\"a\\",1]":1}'),
        (dict[Key, int], {Key("a", 1): 1}, b'{"{\\"number\\":1,\\"shop\\":\\"a\\"}":1}'),
        (int | None, 2**64, b'{"int":"0x10000000000000000"}'),
        (Decimal | None, None, b"null"),
        (int | bytes, b"a", b'"YQ=="'),
        (str | bytes, b"a", b'{"bytes":"YQ=="}'),
        (str | bytes | None, None, b"null"),
        (Deposit | Withdrawal, Withdrawal(1), b'{"Withdrawal":{"amount":1,"reason":"food"}}'),
    ],
)
def test_the_bytes_of_a_value_do_not_change(annotation: Any, value: Any, expected: bytes) -> None:
    """What is in a log or a snapshot is read by later versions: these lines are never changed."""
    codec = Codec(annotation)
    assert canonical(codec.encode(value)) == expected
    assert codec.decode(orjson.loads(expected)) == value


def test_sets_are_equal_in_bytes_however_they_were_filled() -> None:
    one, two = {f"name{i}" for i in range(50)}, set()
    for i in reversed(range(50)):
        two.add(f"name{i}")
    codec = Codec(set[str])
    assert orjson.dumps(codec.encode(one)) == orjson.dumps(codec.encode(two))


def test_decimals_travel_alike_whatever_the_context() -> None:
    with localcontext(Context(prec=2, capitals=0)):
        assert Codec(Decimal).encode(Decimal("1.23456E+50")) == "1.23456E+50"
        assert Codec(Decimal).decode("1.23456E+50") == Decimal("1.23456E+50")


def test_what_was_decoded_shares_nothing_with_its_json() -> None:
    form: Any = {"a": [[1], [2]]}
    value = Codec(dict[str, list[Any]]).decode(form)
    value["a"][0].append(5)
    assert form == {"a": [[1], [2]]}


def test_fields_that_were_added_with_a_default_may_be_missing() -> None:
    assert Codec(Withdrawal).decode({"amount": 1}) == Withdrawal(1)
    assert Codec(Withdrawal).refusal({"reason": "rent"}) == "Withdrawal lacks amount"
    assert Codec(Withdrawal).refusal({"amount": 1, "more": 2}) == "Withdrawal has no 'more'"


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (list[Key], [Key("a", 1), Key("a", 1.5)], r"\[1\]\.number: expected int, got 1.5"),
        (dict[str, list[int]], {"k": [1, "x"]}, r"\['k'\]\[1\]: expected int, got 'x'"),
        (tuple[int, str], (1,), r"expected tuple\[int, str\], got 1 items"),
        (tuple[int, ...], [1], "expected tuple"),
        (Key, Deposit(1), "expected Key, got a value of type Deposit"),
        (Colour, Level.LOW, "expected Colour"),
        (Decimal, Decimal("NaN"), "not a finite number"),
        (Decimal, Decimal("Infinity"), "not a finite number"),
        (float, 2**53 + 1, "expected float"),
        (datetime.date, MOMENT, "expected date"),
        (datetime.datetime, MOMENT.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Rome")), r"astimezone\(datetime"),
        (
            datetime.datetime,
            MOMENT.replace(tzinfo=datetime.timezone(datetime.timedelta(0), "Z")),
            "more than an offset",
        ),
        (str | bytes, 1, r"expected str \| bytes, got 1"),
        (Options, {"name": "a", "colour": "RED"}, r"\.colour: expected Colour"),
        (Options, {"name": "a", "size": 1}, "Options has no 'size'"),
        (Options, {}, "Options lacks name"),
        (Any, {"a": b"x"}, r"\['a'\]: a value of type bytes is not JSON; annotate it with its type"),
        (Any, 2**63, "under the annotation int, any size travels"),
        (set[str], {"\ud800"}, "lone surrogate"),
    ],
)
def test_a_value_that_is_not_of_its_type_says_where(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Codec(annotation).encode(value)


@pytest.mark.parametrize(
    ("annotation", "form", "message"),
    [
        (int, {"int": "0x1"}, "integer beyond 64 bits"),
        (int, {"int": "0X8000000000000000"}, "integer beyond 64 bits"),
        (int, {"int": "9" * 30}, "integer beyond 64 bits"),
        (bytes, "YQ", "bytes in base64"),
        (bytes, "YR==", "bytes in base64"),
        (Decimal, "1e5", "Decimal as text"),
        (Decimal, "sNaN", "Decimal as text|finite"),
        (Decimal, "９", "Decimal as text"),
        (datetime.datetime, "2026-01-31 08:30:00", "datetime, such as"),
        (datetime.datetime, "2026-01-31T08:30:00Z", "datetime, such as"),
        (datetime.date, "20260131", "date, such as"),
        (datetime.timedelta, {"int": hex(2**80)}, "more than one can hold"),
        (uuid.UUID, UUID.hex, "UUID, such as"),
        (Colour, "ROUGE", r"expected Colour \(RED, GREEN, ROUGE\), got 'ROUGE'"),
        (Right, 8, "expected Right"),
        (set[int], [1, 1], "two items of one set are equal"),
        (dict[Decimal, int], {"1.0": 1, "1.00": 2}, "two keys of one object are equal"),
        (dict[int, int], {"1": 1, " 1": 2}, "two keys of one object are equal"),
        (dict[int, int], {"x": 1}, "int as JSON text"),
        (Positive, {"amount": -1, "double": 2}, "Positive refuses these fields: ValueError: -1 is not positive"),
        (Deposit | Withdrawal, {"amount": 1}, "an object with one key, of Deposit, Withdrawal, got 'amount'"),
        (Deposit | Withdrawal, [], "an object with one key, of Deposit, Withdrawal"),
    ],
)
def test_json_that_is_no_form_of_the_type_is_refused(annotation: Any, form: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Codec(annotation).decode(form)


def test_nesting_is_bounded_both_ways() -> None:
    codec, node = Codec(Node), Node("leaf")
    for i in range(20):
        node = Node(str(i), [node])
    assert codec.decode(codec.encode(node)) == node
    for i in range(10_000):
        node = Node(str(i), [node])
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        codec.encode(node)
    form: Any = {"name": "leaf"}
    for _ in range(200):
        form = {"name": "n", "children": [form]}
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        codec.decode(form)
    while node.children:  # taken apart by hand: freeing it at once would recurse too deep for C
        (node,) = node.children
    loop = Node("loop")
    loop.children.append(loop)
    assert "nested deeper" in str(codec.problem(loop))


def test_the_deepest_values_are_json_all_the_same() -> None:
    codec, deep = Codec(Chain), Chain(None)
    while codec.problem(Chain(deep)) is None:
        deep = Chain(deep)
    form = orjson.dumps([[[codec.encode(deep)]]])
    assert codec.decode(orjson.loads(form)[0][0][0]) == deep
    assert form.count(b"{") > 100, "each is wrapped in the name of its type"


class Plain:
    pass


@dataclass
class Chain:
    rest: Chain | Deposit | None


@dataclass
class WithInitVar:
    size: int
    scale: InitVar[int]


@dataclass
class Holder:
    lock: Any
    inner: Plain


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Plain, "Plain cannot travel; make it a dataclass; or use None, bool, int"),
        (list[Plain], "Plain cannot travel"),
        (Holder, "Holder.inner: Plain cannot travel"),
        (Callable[[], int], "cannot travel"),
        (type(threading.Lock()), "lock cannot travel"),
        (complex, "complex cannot travel; use"),
        (set, r"say of what: set\[str\]"),
        (set[list[int]], r"an element of set\[list\[int\]\] must be hashable"),
        (set[Entry], "Entry is not: make it @dataclass"),
        (dict[set[int], int], r"set\[int\] is not: use frozenset"),
        (dict[tuple[str, list[int]], int], r"a key of .* must be hashable"),
        (list[Decimal] | list[bytes], r"list\[Decimal\] and list\[bytes\] cannot be told apart, as both are list"),
        (Page[int] | Page[str], r"Page\[int\] and Page\[str\] cannot be told apart"),
        (Options | dict[str, Decimal], "cannot be told apart, as both are dict"),
        (Any | Decimal, "JSON takes what the other members take too"),
        (Page, "the type variable ~T stands for no type here"),
        (WithInitVar, "WithInitVar.scale is an InitVar"),
        (Literal[b"a"], "cannot travel"),
        (type[int], "cannot travel"),
    ],
)
def test_a_type_that_cannot_travel_is_refused_when_it_is_read(annotation: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Codec(annotation)


def test_unions_of_plain_json_stay_as_they_are() -> None:
    codec = Codec(int | str | float | list[int] | dict[str, int] | None)
    for value in (1, "a", 1.5, [1], {"int": 1}, None, {"int": 5}):
        assert codec.encode(value) == value
        assert strictly_equal(codec.decode(value), value)
    assert codec.problem(2**63) is not None, "an object is not to be taken for a large integer"
    assert strictly_equal(Codec(float | int).decode(1), 1)


def test_a_literal_keeps_true_and_one_apart() -> None:
    assert Codec(Literal[1]).refusal(True) is not None
    assert Codec(Literal[True]).refusal(1) is not None
    assert Codec(Literal[1] | Literal[True] | Decimal).decode(True) is True


def test_a_codec_can_be_pickled() -> None:
    codec = pickle.loads(pickle.dumps(Codec(list[Page[Key]])))
    assert codec.decode([{"items": [{"shop": "a", "number": 1}]}]) == [Page([Key("a", 1)])]


def test_a_record_that_holds_itself_is_one_type() -> None:
    assert [found for found in walk(value_type(Node)) if isinstance(found, Record)] == [value_type(Node)]


# Resources ------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_equal_numbers_of_any_type_name_one_resource(data: st.DataObject) -> None:
    numbers = st.one_of(
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.sampled_from(
            [0, 0.1, Decimal("0.1"), Decimal.from_float(0.1), 10**20, 1e20, Decimal("1e20"), True, Level.LOW]
        ),
    )
    one = data.draw(numbers)
    two = data.draw(numbers | st.sampled_from([Decimal(one), one]))
    if one == two:
        assert resource_name(one) == resource_name(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("1.50"), 1.5),
        (Decimal(0), -0.0),
        (MOMENT, MOMENT.astimezone(datetime.UTC)),
        (MOMENT.timetz(), (MOMENT - datetime.timedelta(hours=1)).timetz().replace(tzinfo=datetime.UTC)),
        (Level.LOW, 1),
        (Point(1), (1, 0)),
        (Point(1), (True, Decimal("0.0"))),
        ({1, 2}, frozenset({2, 1.0})),
        (Key("a", 1), Key("a", True)),
        ({1: "a"}, {1.0: "a"}),
        (datetime.timedelta(days=1), datetime.timedelta(hours=24)),
        ([10**5000], [Decimal("1e5000")]),
    ],
)
def test_equal_values_name_one_resource(one: Any, two: Any) -> None:
    assert one == two
    assert resource_name(one) == resource_name(two)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_every_value_can_name_a_resource(annotation: Any, data: st.DataObject) -> None:
    kind = value_type(annotation)
    check_resource(kind)
    one, two = data.draw(value_strategy(kind)), data.draw(value_strategy(kind))
    assert type(resource_name(one)) is str
    if one == two:
        assert resource_name(one) == resource_name(two)


def test_a_class_with_an_equality_of_its_own_names_no_resource() -> None:
    with pytest.raises(TypeError, match="Folding has an __eq__ of its own"):
        check_resource(value_type(tuple[Folding, int]))
    with pytest.raises(ValueError, match="not of a type that can travel"):
        resource_name(Folding("a"))
