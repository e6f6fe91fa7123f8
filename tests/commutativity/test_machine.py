"""Machines: admission, running, snapshots, inheritance, the fingerprint."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import (
    JSON,
    CommutativityTable,
    InvalidCommand,
    Machine,
    OperationError,
    TableError,
    operation,
)
from genpaxos.examples.bank import Bank, InvalidAmount

TABLE = CommutativityTable({"read": ["add"], "add": ["read"]})


class Refused(OperationError):  # noqa: N818
    pass


class Shelf(Machine):
    """Takes every kind of argument, for the fuzzers."""

    table = TABLE

    def __init__(self) -> None:
        self.items: dict[str, JSON] = {}

    @operation(name="add")
    def put(self, name: str, item: JSON, tags: list[str] | None = None) -> None:
        self.items[name] = [item, list(tags or [])]

    @operation("where")
    def read(self, where: dict[str, int]) -> JSON:
        return self.items.get(str(where))

    @operation(footprint=lambda names, item: {(name["n"], "add") for name in names} if item else set())
    def many(self, names: list[dict[str, str]], item: float) -> int:
        if item < 0:
            raise Refused("negative")
        return len(names)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(["put", "read", "many"]) | json_values, st.lists(json_values, max_size=4) | json_values)
def test_any_json_is_admitted_or_is_an_invalid_command(name: Any, arguments: Any) -> None:
    try:
        footprint = Shelf.admit(name, arguments)
    except InvalidCommand:
        return
    assert list(footprint) == sorted(set(footprint), key=lambda touch: (touch[0] is not None, touch))
    Shelf().apply(name, orjson.loads(orjson.dumps(arguments)))


@given(st.data())
def test_well_typed_arguments_are_admitted(data: st.DataObject) -> None:
    name = data.draw(st.text(st.characters(codec="utf-8")))
    assert Shelf.admit("put", [name, 1, None]) == ((name, 1),)


def test_nesting_to_any_depth_is_refused_not_fatal() -> None:
    value: JSON = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidCommand, match="nested deeper than 32 levels"):
        Shelf.admit("put", ["a", value, None])
    while isinstance(value, list):  # taken apart by hand: freeing it at once would recurse too deep for C
        value = value.pop()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deposi", "did you mean 'deposit'? Bank has balance, deposit, total, transfer, withdraw"),
        ("zzz", "unknown operation 'zzz'; Bank has balance"),
        ("apply", "unknown operation 'apply'"),
        (["deposit"], "unknown operation a value of type list"),
        (None, "unknown operation None"),
    ],
)
def test_an_unknown_operation_is_refused_with_the_known_ones(name: Any, message: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        Bank.admit(name, [])
    assert message in str(caught.value)


def test_apply_runs_and_lets_declared_errors_through() -> None:
    bank = Bank()
    assert bank.apply("deposit", ["a", 5]) is None
    assert bank.apply("balance", ("a",)) == 5
    with pytest.raises(InvalidAmount) as caught:
        bank.apply("deposit", ["a", 0])
    assert caught.value.code == "InvalidAmount"
    assert caught.value.message == "an amount is between 1 and 1000000000 cents, not 0"
    assert Refused().message == ""


def test_a_snapshot_shares_nothing_and_restores() -> None:
    shelf = Shelf()
    shelf.put("a", {"k": [1, 2.5, None]}, ["t"])
    snapshot = shelf.snapshot()
    assert snapshot == {"items": {"a": [{"k": [1, 2.5, None]}, ["t"]]}}
    other = Shelf()
    other.restore(snapshot)
    other.put("a", 1)
    other.put("b", 2)
    assert shelf.snapshot() == snapshot
    assert other.snapshot() == {"items": {"a": [1, []], "b": [2, []]}}
    other.restore(snapshot)
    assert other.snapshot() == snapshot


@pytest.mark.parametrize("value", ["\ud800", object(), len, 1j, bytearray()])
def test_state_that_cannot_be_kept_says_what_to_do(value: Any) -> None:
    shelf = Shelf()
    shelf.items["a"] = [value]
    with pytest.raises(TypeError, match=r"Shelf\.items\['a'\]\[0\] is .*override snapshot\(\) and restore\(\)"):
        shelf.snapshot()


@pytest.mark.parametrize("snapshot", [None, [], "state"])
def test_restoring_anything_but_a_snapshot_is_refused(snapshot: JSON) -> None:
    with pytest.raises(TypeError, match="a snapshot of Shelf is a dict"):
        Shelf().restore(snapshot)


def test_operations_are_inherited_overridden_and_recompiled() -> None:
    class More(Bank):
        table = CommutativityTable(
            {"other": [], "update": ["update", "add", "read"], "add": ["update", "read"], "read": ["update", "add"]}
        )

        @operation(account="update")
        def deposit(self, account: str, cents: int) -> None:
            super().deposit(account, 2 * cents)

        @operation(everything="other")
        def ping(self) -> str:
            return "pong"

    assert list(More.operations) == ["deposit", "withdraw", "transfer", "balance", "total", "ping"]
    assert More.admit("deposit", ["a", 1]) == (("a", 1),)
    assert More.admit("transfer", ["a", "b", 1]) == (("a", 1), ("b", 2))
    assert More.transfer.footprint(["a", "b", 1]) == (("a", 1), ("b", 2))
    assert Bank.admit("transfer", ["a", "b", 1]) == (("a", 2), ("b", 1))
    assert Bank.admit("deposit", ["a", 1]) == (("a", 1),)
    more = More()
    more.apply("deposit", ["a", 1])
    assert more.apply("balance", ["a"]) == 2
    with pytest.raises(InvalidCommand):
        Bank.admit("ping", [])


def test_a_subclass_with_the_same_table_shares_the_compiled_operations() -> None:
    class Same(Bank):
        pass

    assert Same.operations["deposit"] is Bank.operations["deposit"]


def test_a_machine_without_operations_needs_no_table() -> None:
    class Abstract(Machine):
        pass

    assert Abstract.operations == {}
    assert Abstract.fingerprint_text() == ""


def test_operations_without_a_table_are_refused() -> None:
    with pytest.raises(TypeError, match="Lost has operations but no table"):

        class Lost(Machine):
            @operation
            def go(self) -> None: ...


def test_a_machine_that_needs_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Needy\(\) must work without arguments .*'size'"):

        class Needy(Machine):
            table = TABLE

            def __init__(self, size: int) -> None:
                self.size = size

            @operation
            def go(self) -> None: ...


@pytest.mark.parametrize("name", ["apply", "admit", "snapshot", "restore", "table", "operations"])
def test_members_of_machine_are_no_operation_names(name: str) -> None:
    def function(self: Machine) -> None:
        del self

    function.__name__ = name
    with pytest.raises(TypeError, match=f"no operation can be named '{name}'"):
        type("Made", (Machine,), {"table": TABLE, name: operation(function)})


def test_an_operation_under_two_names_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Twice\.alias is the operation 'go' under another name"):

        class Twice(Machine):
            table = TABLE

            @operation
            def go(self) -> None: ...

            alias = go


def test_hiding_an_operation_by_a_plain_method_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Hiding\.total hides an inherited operation"):

        class Hiding(Bank):
            def total(self) -> int:
                return 0


def test_a_bare_operation_in_a_table_of_operations_touches_the_whole_machine() -> None:
    class Article(Machine):
        table = CommutativityTable("""
                   ReadA  WriteA  ReadB  WriteB
            ReadA    .      x       .      .
            WriteA   x      x       .      .
            ReadB    .      .       .      x
            WriteB   .      .       x      x
        """)

        @operation
        def ReadA(self) -> None: ...  # noqa: N802
        @operation
        def WriteB(self, value: int) -> None: ...  # noqa: N802

    assert Article.admit("ReadA", []) == ((None, 0),)
    assert Article.admit("WriteB", [1]) == ((None, 3),)


def test_the_fingerprint_is_the_rules_in_canonical_lines() -> None:
    assert Bank.fingerprint_text() == (
        "        read  add  update\n"
        "read       .    x       x\n"
        "add        x    .       x\n"
        "update     x    x       x\n"
        "balance(account: str) touches account: read\n"
        "deposit(account: str, cents: int) touches account: add\n"
        "total() touches whole machine: read\n"
        "transfer(source: str, target: str, cents: int) touches source: update, target: add\n"
        "withdraw(account: str, cents: int) touches account: update"
    )
    assert "many(names: list[dict[str, str]], item: float) touches function Shelf.<lambda>" in (
        Shelf.fingerprint_text()
    )


def test_the_fingerprint_changes_with_a_footprint() -> None:
    class Changed(Bank):
        @operation(account="update")
        def balance(self, account: str) -> int:
            return super().balance(account)

    class Undeclared(Bank):
        @operation
        def total(self) -> int:
            return super().total()

    assert Changed.fingerprint_text() != Bank.fingerprint_text()
    assert "total() touches undeclared: interferes with everything" in Undeclared.fingerprint_text()


def test_a_table_in_the_wrong_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no table"):
        type("Made", (Machine,), {"table": "read", "_go": operation(_go)})
    with pytest.raises(TableError):
        CommutativityTable("read")


def _go(self: Machine) -> None:
    del self
