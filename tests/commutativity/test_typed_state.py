"""Machines whose state is more than JSON: snapshots, restoring them, and what is refused when the class is made."""

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
    Machine,
    operation,
)
from commutativity.codec import canonical
from commutativity.unfit import Unfit
from commutativity.value.open_form import OpenForm
from tests.commutativity.test_typed_machine import TABLE, Ledger, Local, call, recorded
from tests.commutativity.valuables import (
    MOMENT,
    UUID,
    Colour,
    Deposit,
    Entry,
    Key,
    Level,
    Point,
    Positive,
    Right,
    Withdrawal,
)


def test_state_of_no_declared_type_comes_back_as_it_was() -> None:
    ledger = Ledger()
    ledger.apply(*call(recorded()))
    state = orjson.dumps(ledger.snapshot())
    again = Ledger()
    again.restore(orjson.loads(state))
    assert vars(again) == vars(ledger)
    assert type(again.entries["rome"][0].amount) is Decimal
    assert orjson.dumps(again.snapshot()) == state
    again.entries["rome"].clear()
    assert ledger.entries["rome"]


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
    machine.apply(*call(recorded()))
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
