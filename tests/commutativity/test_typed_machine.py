"""Machines whose arguments, results and state are more than JSON: commands, footprints, results, snapshots, checks."""

from __future__ import annotations

import collections
import datetime
from decimal import Decimal
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import (
    JSON,
    Command,
    CommutativityTable,
    InvalidCommand,
    Machine,
    UnrepresentableResult,
    operation,
)
from commutativity.check import Scope, check
from commutativity.explain import explain
from tests.commutativity.valuables import (
    MOMENT,
    Account,
    Colour,
    Deposit,
    Entry,
    Folding,
    Key,
    Withdrawal,
)

TABLE = CommutativityTable("""
          read  add
    read   .     x
    add    x     x
""")


class Ledger(Machine):
    table = TABLE

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}
        self.seen: set[Key] = set()
        self.total = Decimal(0)

    @operation(entry="add")
    def record(self, entry: Key, amount: Decimal, when: datetime.datetime, tags: set[str]) -> bool:
        self.seen.add(entry)
        self.entries.setdefault(entry.shop, []).append(Entry(Account(entry.shop), amount, when, tags))
        self.total += amount
        return True

    @operation(everything="read")
    def history(self, shop: str) -> list[Entry]:
        return self.entries.get(shop, [])

    @operation(everything="read")
    def power(self, base: int, exponent: int) -> int:
        return base**exponent

    @operation(everything="read")
    def last(self) -> tuple[Key, Decimal] | None:
        return (max(self.seen), self.total) if self.seen else None

    @operation(price="add")
    def bid(self, price: Decimal, note: Deposit | Withdrawal) -> Deposit | Withdrawal:
        self.total += price
        return note


def recorded() -> Command[bool]:
    return Ledger.record(Key("rome", 1), Decimal("1.50"), MOMENT, {"b", "a"})


def test_a_command_holds_its_arguments_as_they_travel() -> None:
    command = recorded()
    assert command.arguments == (
        {"shop": "rome", "number": 1},
        "1.50",
        "2026-01-31T08:30:00.000005+01:00",
        ["a", "b"],
    )
    assert orjson.loads(orjson.dumps(command.arguments)) == list(command.arguments)
    assert command == Command("record", command.arguments)
    assert Ledger.admit(command.operation, command.arguments) == (('["rome",1]', 1),)


def test_arguments_change_with_nothing_the_caller_does_later() -> None:
    tags = {"a"}
    command = Ledger.record(Key("rome", 1), Decimal(1), MOMENT, tags)
    tags.add("b")
    assert command.arguments[3] == ["a"]


def test_operations_get_values_and_results_travel_and_come_back() -> None:
    ledger, command = Ledger(), recorded()
    assert ledger.apply(command.operation, command.arguments) is True
    (entry,) = ledger.entries["rome"]
    assert entry == Entry(Account("rome"), Decimal("1.50"), MOMENT, {"a", "b"})
    entry.tags.add("c")
    assert command.arguments[3] == ["a", "b"], "the machine may change what it was given"
    asked = Ledger.history("rome")
    result = ledger.apply(asked.operation, asked.arguments)
    assert orjson.loads(orjson.dumps(result)) == result
    assert asked.returns is not None
    assert asked.returns.decode(result) == [entry]
    assert Ledger.last().returns.decode(ledger.apply("last", [])) == (Key("rome", 1), Decimal("1.50"))  # type: ignore[union-attr]


def test_integers_of_any_size_go_in_and_out() -> None:
    command = Ledger.power(10**30, 200)
    assert command.returns is not None
    assert command.returns.decode(Ledger().apply("power", command.arguments)) == 10**6000
    assert Ledger().apply("power", [2, 3]) == 8


def test_results_of_plain_types_need_no_reading() -> None:
    assert recorded().returns is None


def test_equal_arguments_name_one_resource_whatever_their_form() -> None:
    one, two = (Ledger.bid(price, Deposit(1)) for price in (Decimal("1.0"), Decimal("1.00")))
    assert one.arguments != two.arguments
    assert Ledger.admit("bid", one.arguments) == Ledger.admit("bid", two.arguments) == (("1", 1),)
    assert explain(Ledger, one, two).interferes


@pytest.mark.parametrize(
    ("operation_name", "arguments", "message"),
    [
        ("record", [{"shop": "a"}, "1", "x", []], "the argument 'entry': Key lacks number"),
        ("record", [{"shop": "a", "number": 1}, 1.5, "x", []], "the argument 'amount': expected Decimal as text"),
        ("record", [{"shop": "a", "number": 1}, "1", "x", []], "the argument 'when': expected datetime, such as"),
        ("bid", ["1", {"Withdrawal": {"amount": 1, "reason": "fun"}}], r"'note': \.reason: expected Literal"),
        ("power", [1, {"int": 5}], "the argument 'exponent': expected int"),
        ("power", [1], "1 arguments given, 2 expected"),
    ],
)
def test_what_is_no_argument_is_refused_by_every_replica_alike(
    operation_name: str, arguments: list[Any], message: str
) -> None:
    with pytest.raises(InvalidCommand, match=message):
        Ledger.admit(operation_name, arguments)


@given(st.sampled_from(sorted(Ledger.operations)), st.data())
def test_any_json_is_admitted_or_is_an_invalid_command(name: str, data: st.DataObject) -> None:
    forms = st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["1.5", "a", "2026-01-31T08:30:00"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["shop", "number", "int"]), inner),
        max_leaves=5,
    )
    arguments = data.draw(st.lists(forms, max_size=4))
    try:
        Ledger.admit(name, arguments)
    except InvalidCommand:
        return
    if name != "power":
        Ledger().apply(name, arguments)


def test_a_default_is_checked_and_travels_anew_each_time() -> None:
    class Kept(Machine):
        table = TABLE

        @operation(everything="add")
        def put(self, tags: set[str] = {"a"}, color: Colour = Colour.RED) -> None:  # noqa: B006
            ...

    assert Kept.put().arguments == (["a"], "RED")
    assert Kept.put().arguments[0] is not Kept.put().arguments[0]
    with pytest.raises(TypeError, match=r"Bad.put: the default of 'tags': expected set\[str\]"):

        class Bad(Machine):
            table = TABLE

            @operation(everything="add")
            def put(self, tags: set[str] = ()) -> None:  # type: ignore[assignment]
                ...


class Wrong(Machine):
    """Returns what it does not say."""

    table = TABLE
    gives: ClassVar[Any] = None

    @operation(everything="read")
    def names(self) -> list[str]:
        return self.gives  # type: ignore[no-any-return]


@pytest.mark.parametrize("gives", [{"a"}, None, ["a", 1], ("a",), ["\ud800"], object()])
def test_a_result_that_is_not_of_its_type_is_an_error_of_the_command(
    gives: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wrong, "gives", gives)
    with pytest.raises(UnrepresentableResult, match="names returned what its annotation does not say: ") as caught:
        Wrong().apply("names", [])
    assert "0x" not in caught.value.message, "no address: replicas say the same"
    assert caught.value.code == "UnrepresentableResult"
    report = check(Wrong, scope=Scope(depth=1), examples=0, beyond=False)
    assert "names returned what its annotation does not say" in str(report.fault)


def test_a_class_whose_values_cannot_travel_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError, match=r"Made\.go: the parameter 'how': .*Callable.* cannot travel; .*use None"):
        _made(lambda: _go_callable)
    with pytest.raises(TypeError, match=r"Made\.go: its result: Local cannot travel; make it a dataclass"):
        _made(lambda: _go_local)
    with pytest.raises(TypeError, match=r"go: 'name' cannot name a resource: Folding has an __eq__ of its own"):
        _made(lambda: _go_folding, name="add")


class Local:
    pass


def _go_callable(self: Any, how: collections.abc.Callable[[], int]) -> None: ...
def _go_local(self: Any) -> Local: ...  # type: ignore[empty-body]
def _go_folding(self: Any, name: Folding) -> None: ...


def _made(function: Any, **modes: str) -> type[Machine]:
    go = function()
    go.__name__ = "go"
    return type("Made", (Machine,), {"table": TABLE, "go": operation(**(modes or {"everything": "add"}))(go)})


def test_the_fingerprint_says_what_the_names_in_signatures_stand_for() -> None:
    lines = Ledger.fingerprint_text().splitlines()
    assert "history(shop: str) -> list[Entry] touches whole machine: read" in lines
    assert "power(base: int, exponent: int) touches whole machine: read" in lines
    assert "record Key: shop: str, number: int" in lines
    assert "record Entry: account: str, amount: Decimal, when: datetime, tags: set[str] = ..." in lines
    assert "record Withdrawal: amount: int, reason: Literal['rent', 'food'] = ..." in lines


def call(command: Command[Any]) -> tuple[str, tuple[JSON, ...]]:
    return command.operation, command.arguments


# Checks ---------------------------------------------------------------------------------------------------------------


class Prices(Machine):
    """Commutes but for prices that are equal and look different: the first one is kept."""

    table = CommutativityTable("""
             bid
        bid   .
    """)

    def __init__(self) -> None:
        self.bids: dict[Decimal, int] = {}

    @operation(everything="bid")
    def bid(self, price: Decimal, colour: Colour, who: Deposit | Withdrawal | None) -> None:
        if colour is Colour.RED or who is None:
            self.bids[price] = self.bids.get(price, 0) + 1


class Safe(Prices):
    @operation(everything="bid")
    def bid(self, price: Decimal, colour: Colour, who: Deposit | Withdrawal | None) -> None:
        super().bid(price.normalize() + 0, colour, who)  # also -0 becomes 0


def test_check_draws_values_and_finds_equal_ones_that_look_different() -> None:
    found = check(Prices, scope=Scope(depth=1), examples=0, beyond=False)
    assert not found.ok
    assert found.counterexample is not None
    assert {found.counterexample.first.arguments[0], found.counterexample.second.arguments[0]} == {"1", "1.00"}
    assert orjson.dumps(found.to_json())
    assert check(Safe, scope=Scope(depth=1), examples=30, beyond=False).ok
