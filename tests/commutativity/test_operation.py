"""@operation in every form, what it refuses, and the commands it makes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Literal

import pytest

from commutativity import (
    WHOLE,
    Command,
    CommutativityTable,
    Footprint,
    InvalidCommand,
    Machine,
    Operation,
    TableError,
    operation,
)

TABLE = CommutativityTable({"read": ["add", "update"], "add": ["read", "update"], "update": ["read", "add", "update"]})
READ, ADD, UPDATE, ANY = 0, 1, 2, 3


def _touched(accounts: list[str], all_of_them: bool) -> set[tuple[object, str]]:
    return {(WHOLE, "read")} if all_of_them else {(account, "add") for account in accounts}


class Forms(Machine):
    table = TABLE

    @operation(account="add")
    def one(self, account: str, cents: int) -> None: ...
    @operation(source="update", target="add")
    def two(self, source: str, target: str, cents: int = 1) -> bool:
        return bool(source or target or cents)

    @operation(a="update", b="update")
    def swap(self, a: str, b: str) -> None: ...
    @operation("account")
    def add(self, account: str) -> None: ...
    @operation("first", second="read")
    def update(self, first: int, second: list[int]) -> None: ...
    @operation
    def read(self) -> int:
        return 1

    @operation()
    def undeclared(self, a: str) -> None: ...
    @operation(everything="read")
    def total(self) -> int:
        return 0

    @operation(account="add", everything="read")
    def mixed(self, account: str) -> None: ...
    @operation(footprint=_touched)
    def function(self, accounts: list[str], all_of_them: bool = False) -> None: ...
    @operation(a="update", b="update", c="read")
    def three(self, a: str, b: str, c: str) -> None: ...


@pytest.mark.parametrize(
    ("name", "arguments", "footprint"),
    [
        ("one", ["alice", 5], (("alice", ADD),)),
        ("two", ["b", "a", 1], (("a", ADD), ("b", UPDATE))),
        ("two", ["a", "b", 1], (("a", UPDATE), ("b", ADD))),
        ("two", ["a", "a", 1], (("a", ADD), ("a", UPDATE))),
        ("swap", ["b", "a"], (("a", UPDATE), ("b", UPDATE))),
        ("swap", ["a", "a"], (("a", UPDATE),)),
        ("add", ["a"], (("a", ADD),)),
        ("update", [7, [1, 2]], (("7", UPDATE), ("[1,2]", READ))),
        ("read", [], ((None, READ),)),
        ("undeclared", ["a"], ((None, ANY),)),
        ("total", [], ((None, READ),)),
        ("mixed", ["a"], ((None, READ), ("a", ADD))),
        ("function", [["b", "a", "b"], False], (("a", ADD), ("b", ADD))),
        ("function", [[], False], ()),
        ("function", [["a"], True], ((None, READ),)),
        ("three", ["a", "a", "a"], (("a", READ), ("a", UPDATE))),
        ("three", ["c", "b", "a"], (("a", READ), ("b", UPDATE), ("c", UPDATE))),
    ],
)
def test_every_form_gives_its_footprint(name: str, arguments: list[Any], footprint: Footprint) -> None:
    assert Forms.admit(name, arguments) == footprint
    assert Forms.operations[name].footprint(tuple(arguments)) == footprint


def test_the_class_makes_commands_and_an_instance_runs() -> None:
    command = Forms.two("a", target="b")
    assert command == Command("two", ("a", "b", 1))
    assert repr(command) == "two('a', 'b', 1)"
    assert hash(command) == hash(Forms.two("a", "b", 1))
    assert pickle.loads(pickle.dumps(command)) == command
    assert Forms().two("a", "b") is True
    assert isinstance(Forms.two, Operation)
    assert Forms.two.name == "two"
    assert Forms.two.parameters == ("source", "target", "cents")
    assert repr(Forms.two) == "<operation two>"


def test_a_default_is_not_shared_between_commands() -> None:
    class Listing(Machine):
        table = TABLE

        @operation
        def put(self, values: list[int] = [1]) -> None:  # noqa: B006
            ...

    first, second = Listing.put(), Listing.put()
    assert first == second
    assert first.arguments[0] is not second.arguments[0]


UNTYPED: Any = Forms


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: UNTYPED.one("a"), "missing a required argument: 'cents'"),
        (lambda: UNTYPED.one("a", 1, 2), "too many positional arguments"),
        (lambda: UNTYPED.one("a", cent=1), "one(account: str, cents: int)"),
        (lambda: UNTYPED.one("a", "1"), "'cents': expected int, got '1'"),
        (lambda: UNTYPED.one("a", True), "'cents': expected int, got True"),
        (lambda: UNTYPED.one("a", 1e400), "'cents': expected int, got inf"),
        (lambda: UNTYPED.one(1, 1), "'account': expected str, got 1"),
        (lambda: UNTYPED.one("\ud800", 1), "lone surrogate"),
        (lambda: UNTYPED.update(1, [1, "a"]), "'second': [1]: expected int, got 'a'"),
        (lambda: UNTYPED.update(1, (1,)), "expected list[int], got a value of type tuple"),
    ],
)
def test_a_wrong_call_is_refused_with_the_usage(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        call()
    assert message in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("arguments", ["ab", {"account": "a", "cents": 1}, None, 3, ["a"], ["a", 1, 1]])
def test_validate_takes_nothing_but_all_arguments_in_a_list(arguments: Any) -> None:
    with pytest.raises(InvalidCommand, match="one\\(account: str, cents: int\\)"):
        Forms.one.validate(arguments)
    Forms.one.validate(["a", 1])
    Forms.one.validate(("a", 1))


def machine_with(made: object, name: str = "op") -> type[Machine]:
    return type("Made", (Machine,), {"table": TABLE, name: made})


def declared(**keywords: Any) -> Any:
    def op(self: Any, account: str) -> None:
        del self, account

    return operation(**keywords)(op)


def test_operations_of_a_mixin_work_through_the_machine_only() -> None:
    class Mixin:
        @operation(account="add")
        def touch(self, account: str) -> None: ...

    with pytest.raises(TypeError, match="'touch' belongs to no machine yet"):
        Mixin.touch("a")
    with pytest.raises(TypeError, match="'touch' belongs to no machine yet"):
        Mixin.touch.admit(["a"])

    class First(Mixin, Machine):
        table = TABLE

    class Second(Mixin, Machine):
        table = CommutativityTable({"add": []})

    assert First.touch("a") == Second.touch("a")
    assert First.admit("touch", ["a"]) == (("a", 1),)
    assert Second.admit("touch", ["a"]) == (("a", 0),)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match=r"gives a mode to 'acount', which is not a parameter.*are account"):
        machine_with(declared(acount="add"))


@pytest.mark.parametrize("keywords", [{"account": "ad"}, {"everything": "ad"}])
def test_an_unknown_mode_is_refused(keywords: dict[str, str]) -> None:
    with pytest.raises(TableError, match=r"'op' uses the mode 'ad'.*modes are read, add, update"):
        machine_with(declared(**keywords))


def test_a_parameter_alone_needs_an_operation_named_like_a_mode() -> None:
    def op(self: Any, account: str) -> None:
        del self, account

    with pytest.raises(TableError, match="uses the mode 'op', which the table does not have"):
        machine_with(operation("account")(op))


def test_the_words_of_the_decorator_are_no_parameter_names() -> None:
    def op(self: Any, everything: str) -> None: ...
    def other(self: Any, footprint: str) -> None: ...

    with pytest.raises(TypeError, match="no parameter can be named 'everything'"):
        machine_with(operation(op))
    with pytest.raises(TypeError, match="no parameter can be named 'footprint'"):
        machine_with(operation(other), "other")


def _no_annotation(self: Any, a) -> None: ...  # type: ignore[no-untyped-def]
def _no_return(self: Any, a: str): ...  # type: ignore[no-untyped-def]
def _bare_no_return(self: Any): ...  # type: ignore[no-untyped-def]
def _starred(self: Any, *rest: str) -> None: ...
def _keywords(self: Any, **rest: str) -> None: ...
def _keyword_only(self: Any, *, a: str) -> None: ...
def _no_self() -> None: ...
async def _coroutine(self: Any) -> None: ...
def _generator(self: Any) -> Any:
    yield self


def _bytes(self: Any, a: bytearray) -> None: ...
def _keys(self: Any, a: dict[list[int], str]) -> None: ...
def _pair(self: Any, a: tuple[int, complex]) -> None: ...
def _result(self: Any) -> complex: ...
def _unresolved(self: Any, a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def _bad_default(self: Any, a: int = "1") -> None: ...  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_no_annotation, "the parameter 'a' has no annotation"),
        (_no_return, "no return annotation"),
        (_starred, "the variadic positional parameter 'rest' is not supported"),
        (_keywords, "the variadic keyword parameter 'rest' is not supported"),
        (_keyword_only, "the keyword-only parameter 'a' is not supported"),
        (_bare_no_return, "no return annotation"),
        (_no_self, "has no self"),
        (_coroutine, "is a coroutine or a generator"),
        (_generator, "is a coroutine or a generator"),
        (_bytes, "'a': bytearray cannot travel; use"),
        (_keys, r"'a': a key of dict\[list\[int\], str\] must be hashable, and list\[int\] is not: use tuple"),
        (_pair, "'a': complex cannot travel; use"),
        (_result, "_result: its result: complex cannot travel; use"),
        (_unresolved, "cannot be resolved .*Nowhere"),
        (_bad_default, "the default of 'a': expected int, got '1'"),
    ],
)
def test_a_function_that_is_no_operation_is_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        machine_with(operation(function), function.__name__)


@pytest.mark.parametrize(
    ("decorate", "message"),
    [
        (lambda: operation(3), "was applied to 3"),  # type: ignore[call-overload]
        (lambda: operation(staticmethod(len)), "no classmethod, staticmethod or property"),
        (lambda: operation(account=3), "parameter names and modes, both text; got 3"),  # type: ignore[call-overload]
        (lambda: operation(account=lambda a: a), "goes in footprint="),  # type: ignore[call-overload]
        (lambda: operation("a", 3), "got 3"),  # type: ignore[call-overload]
        (lambda: operation("a", footprint=lambda a: {a}), "remove the other arguments"),
        (lambda: operation(everything="read", footprint=lambda a: {a}), "remove the other arguments"),
        (lambda: operation(footprint="a"), "expected a function"),  # type: ignore[call-overload]
    ],
)
def test_a_decorator_that_cannot_be_meant_is_refused(decorate: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        decorate()


def test_a_footprint_function_takes_the_arguments() -> None:
    with pytest.raises(TypeError, match=r"called with the operation's arguments \(account\) and cannot take them"):
        machine_with(declared(footprint=lambda first, second: {first, second}))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda account: {account: "add"}[account + "!"], "KeyError"),
        (lambda account: {(account, "ad")}, "the table has no 'ad'"),
        (lambda account: [(account, [])], "it has read, add, update"),
        (lambda account: account, "must return (resource, mode) pairs"),
        (lambda account: account and None, "must return (resource, mode) pairs"),
        (lambda account: [(object(), account and "add")], "a value of type object is not JSON"),
        (lambda account: [("\ud800", account and "add")], "is not UTF-8"),
        (lambda account: ((i, account and "add") for i in range(10**9)), "more than 1024 pairs"),
    ],
)
def test_a_footprint_function_that_fails_refuses_the_command(function: Callable[[str], Any], message: str) -> None:
    made = machine_with(declared(footprint=function))
    with pytest.raises(InvalidCommand) as caught:
        made.admit("op", ["alice"])
    assert message in str(caught.value)


def test_literals_unions_and_json_are_parameters() -> None:
    class Typed(Machine):
        table = TABLE

        @operation(value="add")
        def put(self, kind: Literal["up", "down"], value: int | str | None, rate: float) -> None: ...

    assert Typed.put.usage() == "put(kind: Literal['up', 'down'], value: int | str | None, rate: float)"
    assert Typed.admit("put", ["up", None, 1]) == (("null", ADD),)
    assert Typed.admit("put", ["down", 3, 1.5]) == (("3", ADD),)
    for wrong in (["left", 1, 1.0], ["up", 1.0, 1.0], ["up", 1, float("nan")], ["up", 1, float("inf")]):
        with pytest.raises(InvalidCommand):
            Typed.admit("put", wrong)


@pytest.mark.parametrize("large", [2**70, -(2**63) - 1])
def test_an_integer_beyond_64_bits_reaches_the_method_as_an_integer(large: int) -> None:
    class Sums(Machine):
        table = CommutativityTable({"add": ["add"]})

        @operation(everything="add")
        def one(self, number: int) -> int:
            return number + 1

        @operation(everything="add")
        def two(self, left: int, right: int) -> int:
            return left + right

    machine = Sums()
    for command, expected in (
        (Sums.one(large), large + 1),
        (Sums.two(1, large), large + 1),
        (Sums.two(large, 1), large + 1),
    ):
        assert large not in command.arguments, "it travels in another form"
        result = machine.apply(command.operation, command.arguments)
        assert Sums.operations[command.operation].result.decode(result) == expected
