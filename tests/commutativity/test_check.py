"""The check finds what is wrong, says so briefly, and leaves right tables alone."""

from __future__ import annotations

import io
import itertools
from typing import Any, ClassVar, Literal

import orjson
import pytest
from rich.console import Console

from commutativity import Command, CommutativityTable, Machine, OperationError, operation
from commutativity.check import CheckReport, Scope, Verdict, check
from commutativity.checking.scope import SmallValues, scoped_commands
from genpaxos.examples.bank import Bank

RULES = Bank.table
SMALL = Scope(depth=2, states_max=30)


def quick(machine_type: type[Machine], *, examples: int = 0, seed: int = 0) -> CheckReport:
    return check(machine_type, scope=SMALL, examples=examples, seed=seed, beyond=False)


def rendered(report: CheckReport) -> str:
    console = Console(file=io.StringIO(), width=110, color_system=None)
    with console.capture() as capture:
        console.print(report)
    return capture.get()


class WithdrawalsCommute(Bank):
    table = CommutativityTable({"read": ["add", "update"], "add": ["read", "update"], "update": ["read", "add"]})


class TellingDeposit(Bank):
    @operation(account="add")
    def deposit(self, account: str, cents: int) -> int:  # type: ignore[override]
        super().deposit(account, cents)
        return self.balance(account)


def test_withdrawals_that_commute_are_caught_in_one_small_state() -> None:
    report = quick(WithdrawalsCommute)
    assert not report.ok
    found = report.counterexample
    assert found is not None
    assert found.state == {"cents": {"a": 1}}
    assert found.path == (Bank.deposit("a", 1),)
    assert (found.first, found.second) == (Bank.withdraw("a", 1), Bank.withdraw("a", 1))
    assert report.counterexample_cells == (("update", "update"),)
    assert report.verdicts["update", "update"] is Verdict.WRONG
    # Transfers in one direction meet in add with add too, but that cell is not to blame.
    assert report.verdicts["add", "add"] is Verdict.COMMUTES
    assert report.counterexample_lines() == [
        "from {'cents': {'a': 1}}, reached by deposit('a', 1):",
        "  withdraw('a', 1) #1 (returns True) then withdraw('a', 1) #2 (returns False) leaves {'cents': {}}",
        "  withdraw('a', 1) #2 (returns True) then withdraw('a', 1) #1 (returns False) leaves {'cents': {}}",
        "withdraw('a', 1) #1 returns True in one order, but returns False in the other",
        "withdraw('a', 1) #2 returns False in one order, but returns True in the other",
        "They meet in update with update, which the table calls commuting: "
        "mark it x, or give one of them another mode, or let the operation show less.",
    ]


def test_a_deposit_that_tells_the_balance_is_caught_in_the_initial_state() -> None:
    report = quick(TellingDeposit)
    found = report.counterexample
    assert found is not None
    assert found.state == {"cents": {}}
    assert found.path == ()
    assert found.first == found.second == Bank.deposit("a", 1)
    assert report.counterexample_cells == (("add", "add"),)
    assert "TellingDeposit: refuted: the table is wrong" in str(report)


@pytest.mark.parametrize("machine_type", [WithdrawalsCommute, TellingDeposit])
def test_a_counterexample_is_drawn_and_is_json(machine_type: type[Machine]) -> None:
    report = quick(machine_type)
    drawn = rendered(report)
    for text in ("Counterexample", "in one order", "in the other", "✗", "leaves {'cents':"):
        assert text in drawn
    data = orjson.loads(orjson.dumps(report.to_json()))
    assert data["ok"] is False
    assert data["counterexample"]["runs"][0]["steps"][1]["command"].endswith("#2")


class MissingFootprint(Bank):
    @operation(source="update")
    def transfer(self, source: str, target: str, cents: int) -> bool:
        return super().transfer(source, target, cents)


def test_a_footprint_that_leaves_a_resource_out_is_caught() -> None:
    report = quick(MissingFootprint)
    assert report.counterexample_cells == ()
    assert "a footprint leaves something out" in str(report)
    assert set(report.verdicts.values()) == {Verdict.COMMUTES, Verdict.INTERFERES}


class Cautious(Machine):
    table = CommutativityTable({"read": ["add"], "add": ["read", "add"], "spare": []})

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str, amount: int) -> None:
        self.sums[name] = self.sums.get(name, 0) + amount

    @operation("name")
    def read(self, name: str) -> int:
        return self.sums.get(name, 0)


def test_an_over_cautious_cell_is_a_warning() -> None:
    report = quick(Cautious)
    assert report.ok
    assert report.over_cautious == [("add", "add")]
    assert report.unexercised == [("read", "spare"), ("add", "spare"), ("spare", "spare")]
    assert report.witnesses.keys() == {("read", "add")}
    assert "add and add are marked x, but no order of commands that met there showed" in str(report)
    assert "spare and spare: no two commands met there" in rendered(report)


def test_commands_that_meet_in_several_cells_excuse_none_that_has_a_case_of_its_own() -> None:
    class CautiousBank(Bank):
        table = CommutativityTable(
            {"read": ["add", "update"], "add": ["read", "add", "update"], "update": ["read", "add", "update"]}
        )

    assert quick(CautiousBank).over_cautious == [("add", "add")]


def test_a_cell_met_only_beside_an_interfering_one_is_not_called_proved() -> None:
    class Both(Machine):
        table = CommutativityTable({"look": [], "set": ["set"]})

        def __init__(self) -> None:
            self.value = ""

        @operation(footprint=lambda name: {(name, "look"), (name, "set"), ("value", "set")})
        def put(self, name: str) -> None:
            self.value = name

    report = quick(Both)
    assert report.verdicts == {
        ("look", "look"): Verdict.UNEXERCISED,
        ("look", "set"): Verdict.UNEXERCISED,
        ("set", "set"): Verdict.INTERFERES,
    }


def test_the_commands_of_a_scope_begin_with_the_smallest_arguments() -> None:
    scoped = scoped_commands(SmallValues(Bank, 100), Scope(commands_max=3))
    assert not scoped.complete
    deposits = [command for command in scoped.commands if command.operation == "deposit"]
    assert deposits == [Bank.deposit("a", 0), Bank.deposit("a", 1), Bank.deposit("b", 0)]
    assert scoped.commands[0].arguments == ("a", 0)


class Late(Machine):
    """Goes wrong only between numbers that no small scope reaches, and that are no constants of the code."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.sum = 0

    @operation
    def add(self, amount: int) -> bool:
        self.sum += amount
        return int("200000") < self.sum < int("9000000")


def test_hypothesis_finds_and_shrinks_what_the_scope_does_not_reach() -> None:
    assert quick(Late).ok
    report = quick(Late, examples=300)
    found = report.counterexample
    assert found is not None
    assert report.verdicts["add", "add"] is Verdict.WRONG
    assert len(found.path) <= 1
    assert sum(abs(int(str(c.arguments[0]))) for c in (*found.path, found.first, found.second)) <= 400_003
    again = quick(Late, examples=300).counterexample
    assert again == found


def test_equal_seeds_give_equal_reports() -> None:
    assert quick(Bank, examples=20, seed=5).to_json() == quick(Bank, examples=20, seed=5).to_json()


class Keys(Machine):
    """Shows the order of a dict's keys, which is that of the commands that commute."""

    table = CommutativityTable({"add": [], "read": ["add"], "list": []} | {"add": ["read"]})

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    @operation("name")
    def add(self, name: str) -> None:
        self.names[name] = 1

    @operation(everything="read")
    def keys(self) -> list[str]:
        return list(self.names)


def test_the_order_of_a_dict_is_told_apart_only_where_an_operation_shows_it() -> None:
    report = quick(Keys)
    found = report.counterexample
    assert found is not None
    assert found.observer == Keys.keys()
    assert found.path == ()
    assert "depends on the order of a dict's keys" in str(report)
    assert len(found.runs[0].commands) == 3

    class Sorted(Keys):
        @operation(everything="read")
        def keys(self) -> list[str]:
            return sorted(self.names)

    assert quick(Sorted).ok


class Colours(Machine):
    table = CommutativityTable({"paint": ["paint"]})
    check_values: ClassVar[dict[str, list[int]]] = {"size": [10, 20]}

    def __init__(self) -> None:
        self.seen: list[str] = []

    @operation
    def paint(self, colour: Literal["red", "blue"], size: int, extra: dict[str, int] | None) -> None:
        self.seen = [f"{colour} {size} {extra}"]


def test_check_values_and_literals_make_the_scope() -> None:
    report = check(Colours, scope=Scope(depth=1), examples=0)
    assert report.ok
    assert report.states == 1 + 2 * 2 * 5
    assert report.verdicts["paint", "paint"] is Verdict.INTERFERES
    assert report.complete


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"siz": [1]}, "names 'siz', a parameter of no operation"),
        ({"size": ["1"]}, r"check_values\['size'\], for paint\(.*expected int, got '1'"),
        ({"size": []}, "is empty"),
    ],
)
def test_check_values_that_fit_nothing_are_refused(
    values: dict[str, list[Any]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Colours, "check_values", values)
    with pytest.raises(TypeError, match=message):
        quick(Colours)


def test_a_bounded_scope_says_that_it_is_not_complete() -> None:
    report = check(Bank, scope=Scope(depth=2, states_max=3), examples=0, beyond=False)
    assert report.states == 3
    assert check(Bank, scope=Scope(depth=2, trials_max=2000), examples=0, beyond=False).pairs == 3 * 630
    assert not report.complete
    assert "not all of the scope" in report.summary()
    assert any("raise them to try it all" in line for line in report.warnings())


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    report = check(Bank, scope=SMALL, examples=5, hash_seeds=False, progress=lambda *progress: told.append(progress))
    assert [phase for phase, _ in itertools.groupby(told, key=lambda t: t[0])] == [
        "machines that live on",
        "states",
        "scope",
        "names",
        "constants",
        "capacities",
        "examples",
    ]
    assert ("scope", report.states, report.states) in told
    assert told[-1] == ("examples", 5, 5)


def test_undeclared_operations_are_named_and_interfere_with_all() -> None:
    class Bare(Bank):
        @operation
        def reset(self) -> None:
            self.cents.clear()

    report = quick(Bare)
    assert report.ok
    assert report.undeclared == ("reset",)
    assert "reset declares no footprint" in str(report)


def test_declared_errors_are_results() -> None:
    class Full(OperationError):  # noqa: N818
        pass

    class Limited(Machine):
        table = CommutativityTable({"add": []})

        def __init__(self) -> None:
            self.sum = 0

        @operation
        def add(self, amount: Literal[1, 2]) -> None:
            if self.sum + amount > 2:
                raise Full("no room")
            self.sum += amount

    report = quick(Limited)
    assert report.counterexample is not None
    assert "raises Full: no room" in str(report)


def test_a_machine_without_operations_cannot_be_checked() -> None:
    class Abstract(Machine):
        pass

    with pytest.raises(TypeError, match="Abstract has no operations to check"):
        check(Abstract)


def test_commands_refused_by_their_footprint_function_are_left_out() -> None:
    class Partial(Machine):
        table = CommutativityTable({"read": []})

        @operation(footprint=lambda name: {({"a": "a"}[name], "read")})
        def read(self, name: str) -> None:
            assert name == "a"

    report = quick(Partial, examples=20)
    assert report.ok
    assert report.pairs == 1


def test_operations_may_keep_and_change_their_arguments() -> None:
    class Keeping(Machine):
        table = CommutativityTable({"keep": ["keep"]})

        def __init__(self) -> None:
            self.kept: list[list[str]] = []

        @operation
        def keep(self, values: list[str]) -> None:
            values.append("x")
            self.kept = [values]

    assert quick(Keeping).ok


def test_commands_compare_true_and_one_as_different_results() -> None:
    class Mixed(Machine):
        table = CommutativityTable({"set": []})

        def __init__(self) -> None:
            self.first = True

        @operation
        def set(self) -> bool | int:
            first, self.first = self.first, False
            return True if first else 1

    report = quick(Mixed)
    assert report.counterexample is not None
    assert report.counterexample.first == Command("set", ())
