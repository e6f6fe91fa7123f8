"""Machines whose arguments, results and state are more than JSON: commands, footprints, results, snapshots, checks."""

from __future__ import annotations

import collections
import datetime
import enum
import math
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
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
from commutativity.codec import canonical
from commutativity.explain import explain
from commutativity.open_form import OpenForm
from commutativity.unfit import Unfit
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
    Point,
    Positive,
    Right,
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
    report = check(Wrong, scope=Scope(depth=1), examples=0)
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


# State ----------------------------------------------------------------------------------------------------------------


def test_state_of_no_declared_type_comes_back_as_it_was() -> None:
    ledger = Ledger()
    ledger.apply(*_call(recorded()))
    state = orjson.dumps(ledger.snapshot())
    again = Ledger()
    again.restore(orjson.loads(state))
    assert vars(again) == vars(ledger)
    assert type(again.entries["rome"][0].amount) is Decimal
    assert orjson.dumps(again.snapshot()) == state
    again.entries["rome"].clear()
    assert ledger.entries["rome"]


def _call(command: Command[Any]) -> tuple[str, tuple[JSON, ...]]:
    return command.operation, command.arguments


class Mode(enum.Enum):
    ON = "on"


@dataclass
class Box:
    content: Any
    extra: list[Any] = field(default_factory=list)


FORM = OpenForm(__name__)
VALUES: list[tuple[Any, JSON]] = [
    ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
    (2**63, {"$int": "0x8000000000000000"}),
    (-math.inf, {"$float": "-inf"}),
    ((1, "a"), {"$tuple": [1, "a"]}),
    ({10, 9}, {"$set": [10, 9]}),
    (frozenset({"b", "a"}), {"$frozenset": ["a", "b"]}),
    (b"a", {"$bytes": "YQ=="}),
    (Decimal("1.50"), {"$Decimal": "1.50"}),
    (MOMENT, {"$datetime": "2026-01-31T08:30:00.000005+01:00"}),
    (MOMENT.date(), {"$date": "2026-01-31"}),
    (MOMENT.time(), {"$time": "08:30:00.000005"}),
    (datetime.timedelta(seconds=1), {"$timedelta": 1_000_000}),
    (UUID, {"$UUID": "12345678-1234-5678-1234-567812345678"}),
    (Mode.ON, {"$enum :Mode": "ON"}),
    (Level.HIGH, {"$enum tests.commutativity.valuables:Level": "HIGH"}),
    (Right.READ | Right.WRITE, {"$enum tests.commutativity.valuables:Right": 3}),
    (Box((1,)), {"$record :Box": {"content": {"$tuple": [1]}, "extra": []}}),
    (Key("a", 1), {"$record tests.commutativity.valuables:Key": {"shop": "a", "number": 1}}),
    (Positive(1), {"$record tests.commutativity.valuables:Positive": {"amount": 1, "double": 2}}),
    (Point(1, 2.0), {"$record tests.commutativity.valuables:Point": {"x": 1, "y": 2.0}}),
    ({1: "a", "b": 2}, {"$dict": {"1": "a", '"b"': 2}}),
    ({("a", 1): {2}}, {"$dict": {'{"$tuple":["a",1]}': {"$set": [2]}}}),
    ({"$set": [1]}, {"$dict": {'"$set"': [1]}}),
    ({"$a": 1, "b": 2}, {"$a": 1, "b": 2}),
    (defaultdict(list, {"a": [1]}), {"$defaultdict": ["list", {'"a"': [1]}]}),
    (Counter("aab"), {"$Counter": {'"a"': 2, '"b"': 1}}),
    (OrderedDict(b=1, a=2), {"$OrderedDict": [['"b"', 1], ['"a"', 2]]}),
    (deque([1, 2], 5), {"$deque": [5, [1, 2]]}),
]


@pytest.mark.parametrize(("value", "form"), VALUES, ids=lambda value: type(value).__name__)
def test_the_open_form_names_types_and_does_not_change(value: Any, form: JSON) -> None:
    """These lines are never changed: later versions read what is written."""
    assert FORM.write(value) == form
    again = FORM.read(orjson.loads(orjson.dumps(form)))
    assert again == value
    assert type(again) is type(value)
    assert canonical(FORM.write(again)) == canonical(form)


class _Keep(Machine):
    table = TABLE

    def __init__(self) -> None:
        self.kept: Any = None

    @operation(everything="add")
    def put(self) -> None: ...


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["$set", "$", "$dict"])
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes()
    | st.timedeltas()
    | st.sampled_from([Colour.RED, Level.LOW, Key("a", 1)])
)
hashables = st.recursive(scalars, lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=4)
states = st.recursive(
    hashables,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.sets(hashables, max_size=3)
        | st.builds(Box, inner)
    ),
    max_leaves=8,
)


@given(states)
def test_any_state_comes_back_and_equal_states_have_equal_snapshots(value: Any) -> None:
    one, two = _Keep(), _Keep()
    one.kept = value
    state = orjson.dumps(one.snapshot())
    two.restore(orjson.loads(state))
    assert two.kept == value
    assert type(two.kept) is type(value)
    assert orjson.dumps(two.snapshot()) == state, "the order of dicts is part of the state"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "is a value of type object, which cannot be kept in a snapshot"),
        ([{"a": (1, len)}], r"kept\[0\]\['a'\]\[1\] is a value of type builtin_function"),
        (Box(object()), r"kept\.content is a value of type object"),
        (defaultdict(lambda: 5), "whose factory is no built-in type"),
        (MOMENT.replace(tzinfo=datetime.timezone(datetime.timedelta(0), "X")), "more than an offset"),
    ],
)
def test_state_that_cannot_be_kept_names_the_place(value: Any, message: str) -> None:
    machine = _Keep()
    machine.kept = value
    with pytest.raises(TypeError, match=message):
        machine.snapshot()


def test_state_of_a_class_inside_a_function_cannot_be_kept() -> None:
    @dataclass
    class Inner:
        x: int

    machine = _Keep()
    machine.kept = Inner(1)
    with pytest.raises(TypeError, match="define it at the top of a module"):
        machine.snapshot()


@pytest.mark.parametrize(
    "form",
    [
        {"$set": 5},
        {"$set": [[1]]},
        {"$nothing": 1},
        {"$record :Nowhere": {}},
        {"$record :Machine": {}},
        {"$record os:system": {}},
        {"$record :Box": {"nothing": 1}},
        {"$record :Box": [1]},
        {"$enum :Mode": "OFF"},
        {"$enum :Box": "OFF"},
        {"$dict": {"not json": 1}},
        {"$dict": {"[1]": 1}},
        {"$float": "5"},
        {"$deque": 1},
        {"$int": "7"},
        {"$Decimal": "x"},
    ],
    ids=str,
)
def test_what_no_snapshot_holds_is_refused(form: JSON) -> None:
    with pytest.raises(Unfit):
        FORM.read(form)
    with pytest.raises(TypeError, match=r"_Keep\.kept"):
        _Keep().restore({"kept": form})


def test_state_nested_too_deeply_is_refused_both_ways() -> None:
    value: Any = 1
    for _ in range(100):
        value = (value,)
    assert FORM.read(orjson.loads(orjson.dumps([FORM.write(value)]))[0]) == value
    for _ in range(100_000):
        value = (value,)
    with pytest.raises(Unfit, match="nested deeper than 100 levels"):
        FORM.write(value)
    while type(value) is tuple:  # taken apart by hand: freeing it at once would recurse too deep for C
        (value,) = value


def test_the_machines_own_module_may_be_called_otherwise_elsewhere() -> None:
    """A replica that loads the machine from a file knows its module under a name that has the file's path in it."""
    here, there = types.ModuleType("here_"), types.ModuleType("there_")
    for module in (here, there):
        sys.modules[module.__name__] = module
        source = "import dataclasses\n@dataclasses.dataclass\nclass Item:\n    x: int\n"
        exec(source, module.__dict__)
    try:
        form = OpenForm("here_").write(here.Item(1))  # type: ignore[attr-defined]
        assert OpenForm("there_").read(form) == there.Item(1)  # type: ignore[attr-defined]
    finally:
        del sys.modules["here_"], sys.modules["there_"]


class Declared(Machine):
    """Attributes annotated in the class body."""

    table = TABLE
    entries: dict[Key, list[Deposit | Withdrawal]]
    seen: set[str]
    best: float
    anything: Any
    LIMIT: ClassVar[int] = 5

    def __init__(self) -> None:
        self.entries = {}
        self.seen = set()
        self.best = 0.0
        self.anything = {1: (2,)}
        self.other = (1,)

    @operation(everything="add")
    def put(self, key: Key) -> None:
        self.entries.setdefault(key, []).append(Deposit(key.number))
        self.seen.add(key.shop)


def test_attributes_annotated_in_the_class_travel_by_annotation() -> None:
    machine = Declared()
    machine.put(Key("b", 2))
    machine.put(Key("a", 1))
    snapshot = machine.snapshot()
    assert snapshot == {
        "anything": {"$dict": {"1": {"$tuple": [2]}}},
        "best": 0.0,
        "entries": {
            '{"number":2,"shop":"b"}': [{"Deposit": {"amount": 2}}],
            '{"number":1,"shop":"a"}': [{"Deposit": {"amount": 1}}],
        },
        "other": {"$tuple": [1]},
        "seen": ["a", "b"],
    }
    again = Declared()
    again.restore(orjson.loads(orjson.dumps(snapshot)))
    assert vars(again) == vars(machine)
    machine.best = "much"  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"Declared\.best is not what it must be: expected float, got 'much'"):
        machine.snapshot()
    with pytest.raises(TypeError, match=r"Declared\.seen: two items of one set are equal"):
        again.restore({"seen": ["a", "a"]})


def test_an_attribute_that_cannot_be_kept_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Made\.how: .* cannot travel; .*use None"):
        type("Made", (Machine,), {"__annotations__": {"how": collections.abc.Callable[[], int]}})


def test_an_annotation_in_init_that_no_snapshot_can_keep_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Worse\.boxes: values of Local cannot be kept in a snapshot; use None"):

        class Worse(Machine):
            def __init__(self) -> None:
                self.boxes: dict[str, list[Local]] = {}

    with pytest.raises(TypeError, match=r"Hooks\.hook: values of Callable cannot be kept"):

        class Hooks(Machine):
            def __init__(self) -> None:
                self.hook: collections.abc.Callable[[], int] | None = None

    class Fine(Machine):
        def __init__(self) -> None:
            self.a: dict[Key, deque[Entry]] = {}
            self.b: defaultdict[str, Counter[str]] = defaultdict(Counter)
            self.c: Nowhere = None  # type: ignore[name-defined]  # noqa: F821
            self.d: collections.abc.Sequence[Any] = ()

    class Overriding(Machine):
        def __init__(self) -> None:
            self.lock: Local = Local()

        def snapshot(self) -> Any:
            return None


class Own(Machine):
    """A snapshot of its own, of values."""

    table = TABLE

    def __init__(self) -> None:
        self.sums: dict[Key, Decimal] = {}
        self.cache: Any = object()

    def snapshot(self) -> dict[Key, Decimal]:
        return dict(self.sums)

    def restore(self, snapshot: dict[Key, Decimal]) -> None:
        self.sums = snapshot

    @operation(everything="add")
    def put(self, key: Key, amount: Decimal) -> None:
        self.sums[key] = amount


class Untyped(Own):
    def snapshot(self):  # type: ignore[no-untyped-def]
        return (super().snapshot(), {"more"})

    def restore(self, snapshot):  # type: ignore[no-untyped-def]
        inner, more = snapshot
        assert more == {"more"}
        super().restore(inner)


class OnlySnapshot(Ledger):
    def snapshot(self) -> Any:
        return super().snapshot()


@pytest.mark.parametrize("kind", [Own, Untyped])
def test_a_snapshot_of_ones_own_may_be_of_values(kind: type[Own]) -> None:
    machine, again = kind(), kind()
    machine.put(Key("a", 1), Decimal("1.0"))
    state = orjson.dumps(machine.snapshot())
    again.restore(orjson.loads(state))
    assert again.sums == {Key("a", 1): Decimal("1.0")}
    assert orjson.dumps(again.snapshot()) == state


def test_overriding_one_of_the_two_undoes_what_it_does() -> None:
    machine, again = OnlySnapshot(), OnlySnapshot()
    machine.apply(*_call(recorded()))
    again.restore(orjson.loads(orjson.dumps(machine.snapshot())))
    assert vars(again) == vars(machine)


def test_a_snapshot_of_ones_own_is_checked_too() -> None:
    with pytest.raises(TypeError, match=r"Made\.snapshot\(\): Local cannot travel"):
        type("Made", (Machine,), {"snapshot": _snapshot_local})
    machine = Own()
    machine.sums = {"a": Decimal(1)}  # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"Own\.snapshot\(\) gave .*: \['a'\]: expected Key"):
        machine.snapshot()


def _snapshot_local(self: Any) -> Local: ...  # type: ignore[empty-body]


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
    found = check(Prices, scope=Scope(depth=1), examples=0)
    assert not found.ok
    assert found.counterexample is not None
    assert {found.counterexample.first.arguments[0], found.counterexample.second.arguments[0]} == {"1", "1.00"}
    assert orjson.dumps(found.to_json())
    assert check(Safe, scope=Scope(depth=1), examples=30).ok
