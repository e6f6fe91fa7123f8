"""A command that raises what it has not declared has no effect, whatever it is undone from."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import Command, Machine, OperationError
from genpaxos.core.executor import Executor, MachineFaultError
from genpaxos.core.failures import OPERATION_FAILED, TEXT_MAX
from genpaxos.core.history import History
from genpaxos.core.snapshot import base_of, capture
from genpaxos.core.trials import TRIAL_MS, Trials, failure_of
from tests.core.bench import history_of, known
from tests.core.machines import Ledger, Secretive

FINE = [Ledger.add("a", 1), Ledger.note("n", {"x": [1]}), Ledger.refuse("n"), Ledger.divide("n", 7)]
POISON = [Ledger.lose("a"), Ledger.divide("n", 0), Ledger.fail("arithmetic"), Ledger.unsound_error()]


class Rig:
    """An executor whose commands are committed one by one, or run ahead, and a snapshot of it."""

    def __init__(self, commands: Sequence[Command[Any]], machine: type[Machine] = Ledger) -> None:
        self.commands = {f"c:{number}": command for number, command in enumerate(commands, 1)}
        proposals = known(self.commands, machine)
        self.history: History = history_of(proposals, machine)
        self.executor = Executor(machine(), self.history, proposals.known, proposals.sessions)

    def commit(self, *ids: str) -> list[Any]:
        self.history.decree(ids)
        self.history.committed = self.history.length
        self.executor.run_committed()
        return self.executor.take_done()[1]

    def store(self) -> None:
        """A snapshot is stored, and the log is cut as far as it may be."""
        data = capture(self.executor, self.history)
        self.executor.undo.read_stored = lambda: base_of(data)
        self.executor.undo.stored(self.history.committed)
        self.history.cut(self.history.committed)

    @property
    def state(self) -> Any:
        return self.executor.machine.snapshot()


def expected(commands: Sequence[Command[Any]]) -> Any:
    """The state that these make, each tried in a copy first."""
    machine = Ledger()
    for command in commands:
        trial = deepcopy(machine)
        try:
            trial.apply(command.operation, deepcopy(command.arguments))
        except OperationError as error:
            if not hasattr(error, "message"):
                continue
        except BaseException:
            continue
        machine = trial
    return machine.snapshot()


def test_it_has_no_effect_and_its_failure_is_its_result() -> None:
    rig = Rig([*FINE, Ledger.divide("n", 0), Ledger.note("n", "last")])
    results = rig.commit(*rig.commands)
    assert results[4] == [OPERATION_FAILED, "ZeroDivisionError: integer division or modulo by zero"]
    assert results[5] == [None, [{"x": [1]}, "refused", 7, "last"]]
    assert rig.state == {"sums": {"a": 1}, "notes": {"n": [{"x": [1]}, "refused", 7, "last"]}}
    executor = rig.executor
    assert executor.applied == executor.executed == 6, "it counts as applied: once, like every command"
    assert executor.sessions.result("c:5", "c", 5, 5) == results[4]
    assert executor.failures.count == 1
    assert executor.failures.last is not None
    assert executor.failures.last.place.endswith("in Ledger.divide")


@given(st.lists(st.tuples(st.sampled_from(FINE + POISON), st.sampled_from(["", "", "store"])), max_size=24))
def test_the_state_is_that_of_the_others_wherever_snapshots_are_taken(
    steps: list[tuple[Command[Any], str]],
) -> None:
    commands = [command for command, _ in steps]
    rig = Rig(commands)
    for name, (_, then) in zip(rig.commands, steps, strict=True):
        rig.commit(name)
        if then:
            rig.store()
    assert rig.state == expected(commands)


@given(st.data())
def test_what_ran_ahead_is_kept_too(data: st.DataObject) -> None:
    """Commands learned fast run before their index; those of a snapshot are not run again behind it."""
    pool = [Ledger.add("a", 1), Ledger.add("b", 2), Ledger.lose("a"), Ledger.note("b", 5), Ledger.divide("b", 0)]
    commands = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=14))
    rig = Rig(commands)
    order = list(rig.commands)
    labels = dict(zip(order, history_of(known(rig.commands, Ledger), Ledger).accept(order), strict=True))
    at = 0
    while at < len(order):
        ahead = data.draw(st.lists(st.sampled_from(order[at:]), unique=True))
        rig.executor.run_learned(ahead, [labels[name] for name in ahead])
        rig.executor.take_done()
        if data.draw(st.booleans()):
            rig.store()
        count = data.draw(st.integers(1, 3))
        rig.commit(*order[at : at + count])
        at += count
    assert rig.state == expected(commands)


@pytest.mark.parametrize("how", ["exit", "generator", "group"])
def test_what_follows_from_state_and_command_is_a_result(how: str) -> None:
    rig = Rig([Ledger.fail(how)])
    [[code, _]] = rig.commit("c:1")
    assert code == OPERATION_FAILED
    assert rig.state == {"sums": {}, "notes": {}}


@pytest.mark.parametrize("how", ["memory", "recursion", "system", "group with memory"])
def test_what_need_not_happen_elsewhere_stops_the_replica(how: str) -> None:
    rig = Rig([Ledger.fail(how)])
    with pytest.raises(MachineFaultError, match=r"Ledger.fail\('.*'\) \(command c:1\) raised .* stops; start it again"):
        rig.commit("c:1")


def test_an_interrupt_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the process in a terminal wants it to end."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger.operations["add"], "function", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Rig([Ledger.add("a", 1)]).commit("c:1")


def test_where_signals_are_handled_otherwise_an_interrupt_is_the_programs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt("really")

    rig = Rig([Ledger.add("a", 1), Ledger.fail("memory"), Ledger.add("b", 2)])
    rig.executor.undo.interruptible = False
    monkeypatch.setattr(Ledger.operations["fail"], "function", interrupted)
    assert rig.commit("c:1", "c:2", "c:3")[1] == [OPERATION_FAILED, "KeyboardInterrupt: really"]
    assert rig.state["sums"] == {"a": 1, "b": 2}


def test_the_text_is_bounded_can_be_encoded_and_holds_no_address() -> None:
    rig = Rig([Ledger.speechless(), Ledger.say("odd"), Ledger.say("x" * 10_000), Ledger.itself()])
    texts = [text for _, text in rig.commit(*rig.commands)]
    assert texts[0] == "tests.core.machines.SpeechlessError: (its text cannot be had: RuntimeError)"
    assert texts[1] == "ValueError: odd\\ud800"
    assert len(texts[2]) == TEXT_MAX + len("ValueError: ")
    assert texts[2].endswith("x...")
    assert texts[3] == "ValueError: <object object at 0x...> of <tests.core.machines.Ledger object at 0x...>"


def test_the_text_of_a_fault_that_stops_the_replica_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("y" * 10_000)

    monkeypatch.setattr(Ledger.operations["add"], "function", full)
    with pytest.raises(MachineFaultError, match=r"y{10000}"):
        Rig([Ledger.add("a", 1)]).commit("c:1")


def test_without_a_snapshot_every_undoing_starts_at_the_beginning() -> None:
    commands = [*FINE, POISON[0], *FINE, POISON[1], *FINE, POISON[2]]
    rig = Rig(commands, Secretive)
    rig.commit(*rig.commands)
    assert vars(rig.executor.machine) == expected(commands)


def test_a_checkpoint_makes_the_next_undoing_short(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[str] = []
    honest = Ledger.apply

    def counting(self: Ledger, operation: str, arguments: Any) -> Any:
        applied.append(operation)
        return honest(self, operation, arguments)

    monkeypatch.setattr(Ledger, "apply", counting)
    rig = Rig([*[Ledger.add("a", 1)] * 200, POISON[0], Ledger.add("a", 1), POISON[0]])
    rig.commit(*list(rig.commands)[:201])
    applied.clear()
    rig.commit("c:202", "c:203")
    assert applied == ["add", "lose", "add"]
    assert rig.state["sums"] == {"a": 201}


def test_a_stored_snapshot_takes_the_place_of_the_checkpoint() -> None:
    rig = Rig([Ledger.add("a", 1), POISON[0], Ledger.add("a", 1), POISON[0], Ledger.add("a", 1)])
    rig.commit("c:1", "c:2", "c:3")
    assert rig.executor.undo._checkpoint is not None
    rig.store()
    assert rig.executor.undo._checkpoint is None, "it would only take memory"
    rig.commit("c:4", "c:5")
    assert rig.state["sums"] == {"a": 3}


def test_what_failed_between_a_capture_and_a_checkpoint_at_one_index_is_not_run_again() -> None:
    """The snapshot was captured first, and counts last."""
    rig = Rig([Ledger.add("a", 1), Ledger.lose("b"), Ledger.lose("a"), Ledger.fail("arithmetic")])
    rig.commit("c:1")
    data = capture(rig.executor, rig.history)
    label = history_of(known(rig.commands, Ledger), Ledger).accept(["c:2"])
    rig.executor.run_learned(["c:2"], label)  # it runs ahead of index 2, and fails
    rig.executor.undo.read_stored = lambda: base_of(data)
    rig.executor.undo.stored(1)
    rig.commit("c:2", "c:3", "c:4")
    assert rig.state["sums"] == {"a": 1}


def test_a_program_that_does_otherwise_the_second_time_stops_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig([Ledger.add("a", 1), POISON[0]])
    rig.commit("c:1")

    def moody(*_: Any) -> None:
        raise ValueError("not again")

    monkeypatch.setattr(Ledger.operations["add"], "function", moody)
    with pytest.raises(MachineFaultError, match="had not done so the first time"):
        rig.commit("c:2")


def test_a_machine_that_does_not_take_its_state_back_stops_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig([Ledger.add("a", 1), POISON[0]])
    rig.commit("c:1")
    rig.store()

    def stubborn(*_: Any) -> None:
        raise ValueError("never seen")

    monkeypatch.setattr(Ledger, "restore", stubborn)
    with pytest.raises(MachineFaultError, match=r"cannot be undone.*ValueError: never seen"):
        rig.commit("c:2")


def test_an_operation_that_failed_is_tried_while_that_saves_something() -> None:
    """As long as trying costs less than undoing, times the chance of a failure."""
    made = Trials()
    failing = True
    made.run = lambda *_: ("ValueError: no", "here") if failing else None
    made.undone("fail", TRIAL_MS)
    assert not made.saves_ms, "undoing is as cheap"
    made.undone("fail", 10 * TRIAL_MS)
    assert [made.outcome(Ledger(), "fail", []) for _ in range(50)] == [("ValueError: no", "here")] * 50
    failing = False
    tried = 0
    while "fail" in made.saves_ms:
        assert made.outcome(Ledger(), "fail", []) is None
        tried += 1
    assert tried == 11


@given(st.lists(st.tuples(st.sampled_from(FINE + POISON), st.sampled_from(["", "", "store", "tried"])), max_size=24))
def test_a_command_that_fails_in_a_copy_is_as_though_it_had_been_undone(steps: list[tuple[Command[Any], str]]) -> None:
    commands = [command for command, _ in steps]
    plain, rig = Rig(commands), Rig(commands)
    rig.executor.trials.run = lambda machine, *command: failure_of(deepcopy(machine), *command)
    for name, (command, then) in zip(rig.commands, steps, strict=True):
        if then == "tried":
            rig.executor.trials.saves_ms[command.operation] = 1_000.0
        assert rig.commit(name) == plain.commit(name)
        if then == "store":
            rig.store()
    assert rig.state == plain.state == expected(commands)
    assert rig.executor.failures.count == plain.executor.failures.count


def test_what_failed_is_not_remembered_for_ever() -> None:
    rig = Rig([Ledger.fail("arithmetic")] * 40)
    rig.executor.trials.run = lambda machine, *command: failure_of(deepcopy(machine), *command)
    for name in rig.commands:
        rig.executor.trials.saves_ms["fail"] = 1_000.0
        rig.commit(name)
        rig.store()
    assert len(rig.executor.undo._failed) <= 1


class Lenient(Ledger):
    """Its own way of running commands: divides by 1 instead of 0, and adds nothing to what is closed."""

    def apply(self, operation: str, arguments: Sequence[Any]) -> Any:
        if operation == "divide" and not arguments[1]:
            arguments = [arguments[0], 1]
        if operation == "add" and arguments[0] == "closed":
            raise ValueError("closed")
        return super().apply(operation, arguments)


def test_a_command_is_tried_by_the_programs_own_apply() -> None:
    """Else one replica would hold for failed what the others, which made no copy, have run."""
    assert failure_of(Ledger(), "divide", ["n", 0]) is not None
    assert failure_of(Lenient(), "divide", ["n", 0]) is None
    assert failure_of(Ledger(), "add", ["closed", 1]) is None
    found = failure_of(Lenient(), "add", ["closed", 1])
    assert found is not None
    assert found[0] == "ValueError: closed"


def test_what_ran_before_a_command_that_failed_is_run_again_by_the_programs_own_apply() -> None:
    rig = Rig([Ledger.divide("n", 0), Ledger.add("closed", 1), Ledger.add("a", 1)], Lenient)
    assert rig.commit(*rig.commands) == [[None, 100], [OPERATION_FAILED, "ValueError: closed"], [None, None]]
    assert rig.state == {"sums": {"a": 1}, "notes": {"n": [1]}}
