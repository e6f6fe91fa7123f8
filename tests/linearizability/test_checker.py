"""Histories a person can read: which have an explanation, which have none, and what the verdict says."""

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from commutativity import CommutativityTable, Machine, OperationError, operation
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.linearizability import Call, Failed, Verdict, check_linearizable


class InsufficientError(OperationError):
    pass


class Bank(Machine):
    table = CommutativityTable("""
                 read  add  update
        read      .     x     x
        add       x     .     x
        update    x     x     x
    """)

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}

    @operation(account="add")
    def deposit(self, account: str, cents: int) -> None:
        self.cents[account] = self.cents.get(account, 0) + cents

    @operation(account="update")
    def withdraw(self, account: str, cents: int) -> int:
        if self.cents.get(account, 0) < cents:
            raise InsufficientError(f"{account} has less than {cents}")
        self.cents[account] -= cents
        return self.cents[account]

    @operation(account="read")
    def balance(self, account: str) -> int:
        return self.cents.get(account, 0)

    @operation(everything="read")
    def total(self) -> int:
        return sum(self.cents.values())


class Store:
    """A stand-in that is no Machine: registers by name."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def apply(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        name = arguments[0]
        if operation == "put":
            self.values[name] = arguments[1]
            return None
        if operation == "pop":
            return self.values.pop(name)  # KeyError when empty: a fault
        if operation == "tear":
            self.values[name] = arguments[1]
            raise RuntimeError("half done")
        if operation == "append":
            self.values.setdefault(name, []).append(arguments[1])
            arguments[1].append("kept")
            return None
        return self.values.get(name)

    def snapshot(self) -> Any:
        return self.values

    def restore(self, snapshot: Any) -> None:
        self.values = snapshot

    def admit(self, operation: str, arguments: tuple[Any, ...]) -> tuple[tuple[str | None, int], ...]:  # noqa: ARG002
        return ((arguments[0], 0),)


def put(client: str, name: str, value: Any, start: float, end: float | None) -> Call:
    return Call(client, "put", (name, value), start, end, None)


def get(client: str, name: str, value: Any, start: float, end: float) -> Call:
    return Call(client, "get", (name,), start, end, value)


def deposit(client: str, account: str, cents: int, start: float, end: float | None) -> Call:
    return Call(client, "deposit", (account, cents), start, end, None)


def balance(client: str, account: str, cents: int, start: float, end: float) -> Call:
    return Call(client, "balance", (account,), start, end, cents)


def total(client: str, cents: int, start: float, end: float) -> Call:
    return Call(client, "total", (), start, end, cents)


def store(*calls: Call, **options: Any) -> Verdict:
    return check_linearizable(Store, calls, **options)


def bank(*calls: Call, **options: Any) -> Verdict:
    return check_linearizable(Bank, calls, **options)


# ---- histories with an explanation


def test_an_empty_history_is_linearizable() -> None:
    assert store().linearizable is True


def test_a_read_that_overlaps_a_write_may_return_the_old_or_the_new_value() -> None:
    for seen in (1, 2):
        verdict = store(put("a", "x", 1, 0, 1), put("a", "x", 2, 2, 5), get("b", "x", seen, 3, 4))
        assert verdict, str(verdict)
        assert verdict.order == ((0, 2, 1) if seen == 1 else (0, 1, 2))


def test_a_later_return_may_have_taken_effect_first() -> None:
    verdict = store(put("a", "x", 1, 0, 2), put("b", "x", 2, 1, 3), get("c", "x", 1, 4, 5))
    assert verdict.order == (1, 0, 2)


def test_a_declared_error_is_a_result_like_any_other() -> None:
    refused = Call("a", "withdraw", ("alice", 5), 0, 1, Failed("InsufficientError", "alice has less than 5"))
    assert bank(refused, deposit("b", "alice", 5, 2, 3), Call("a", "withdraw", ("alice", 5), 4, 5, 0))


def test_the_initial_snapshot_is_where_the_history_starts() -> None:
    assert bank(balance("a", "alice", 7, 0, 1), initial={"cents": {"alice": 7}})
    assert not bank(balance("a", "alice", 7, 0, 1))


def test_an_unknown_write_may_take_effect_much_later() -> None:
    verdict = store(put("a", "x", 1, 0, None), get("b", "x", None, 10, 11), get("b", "x", 1, 90, 91))
    assert verdict.order == (1, 0, 2)


def test_an_unknown_write_may_never_take_effect() -> None:
    verdict = store(put("a", "x", 1, 0, None), get("b", "x", None, 90, 91))
    assert verdict.order == (1,)


def test_only_the_unknown_deposits_that_are_needed_are_used() -> None:
    unknown = [deposit("a", "alice", cents, 0, None) for cents in (1, 2, 4, 8, 16)]
    verdict = bank(*unknown, balance("b", "alice", 10, 5, 6), balance("b", "alice", 26, 7, 8))
    assert set(verdict.order) == {1, 3, 5, 4, 6}


def test_a_history_of_unknown_calls_alone_is_linearizable() -> None:
    assert store(put("a", "x", 1, 0, None), put("b", "x", 2, 0, None))


def test_times_may_be_pairs_of_time_and_sequence_number() -> None:
    call = Call("b", "get", ("x",), (1.0, 2), (1.0, 3), None)
    assert not store(Call("a", "put", ("x", 1), (1.0, 0), (1.0, 1), None), call)


# ---- histories without one


def refuted(verdict: Verdict, culprit: int, *would_return: Any) -> None:
    assert verdict.linearizable is False, str(verdict)
    assert verdict.culprit is not None
    assert verdict.culprit.index == culprit
    assert sorted(verdict.culprit.would_return, key=str) == sorted(would_return, key=str)


def test_a_stale_read_is_refuted() -> None:
    refuted(store(put("a", "x", 1, 0, 1), put("a", "x", 2, 2, 3), get("b", "x", 1, 4, 5)), 2, 2)


def test_a_lost_update_is_refuted() -> None:
    refuted(bank(deposit("a", "alice", 5, 0, 3), deposit("b", "alice", 7, 1, 2), balance("c", "alice", 7, 4, 5)), 2, 12)


def test_a_failed_withdrawal_that_still_took_the_money_is_refuted() -> None:
    refused = Call("b", "withdraw", ("alice", 9), 2, 3, Failed("InsufficientError", "alice has less than 9"))
    refuted(bank(deposit("a", "alice", 5, 0, 1), refused, balance("a", "alice", -4, 4, 5)), 2, 5)


def test_an_error_without_cause_is_refuted() -> None:
    refused = Call("b", "withdraw", ("alice", 5), 2, 3, Failed("InsufficientError", "alice has less than 5"))
    refuted(bank(deposit("a", "alice", 5, 0, 1), refused), 1, 0)


def test_two_readers_may_not_see_one_write_appear_and_disappear() -> None:
    refuted(store(put("a", "x", 1, 0, 9), get("b", "x", 1, 1, 2), get("c", "x", None, 3, 4)), 2, 1)


def test_two_readers_may_not_see_two_writes_in_opposite_orders() -> None:
    writes = [put("a", "x", 1, 0, 10), put("b", "x", 2, 0, 10)]
    reads = [get("c", "x", 1, 1, 2), get("c", "x", 2, 3, 4), get("d", "x", 1, 5, 6)]
    refuted(store(*writes, *reads), 4, 2)


def test_a_retried_deposit_executed_twice_is_refuted() -> None:
    refuted(bank(deposit("a", "alice", 5, 0, 9), balance("b", "alice", 10, 10, 11)), 1, 5)


def test_an_unknown_deposit_counted_twice_is_refuted() -> None:
    refuted(bank(deposit("a", "alice", 5, 0, None), balance("b", "alice", 10, 10, 11)), 1, 0, 5)


def test_an_unknown_write_once_read_cannot_be_unread() -> None:
    refuted(store(put("a", "x", 1, 0, None), get("b", "x", 1, 1, 2), get("b", "x", None, 3, 4)), 2, 1)


def test_an_unknown_write_cannot_take_effect_before_it_is_invoked() -> None:
    refuted(store(get("b", "x", 1, 0, 1), put("a", "x", 1, 2, None)), 0, None)


def test_a_whole_machine_read_must_respect_real_time_across_accounts() -> None:
    """Each account alone is fine; the total has seen the second deposit and missed the first, which was earlier."""
    calls = [deposit("a", "alice", 1, 0, 1), deposit("b", "bob", 10, 2, 3), total("c", 10, 4, 5)]
    refuted(bank(*calls), 2, 11)
    assert bank(*calls[:2], total("c", 11, 4, 5))


def test_two_totals_may_not_disagree_about_which_deposit_came_first() -> None:
    deposits = [deposit("a", "alice", 1, 0, 9), deposit("b", "bob", 10, 0, 9)]
    refuted(bank(*deposits, total("c", 1, 1, 2), total("d", 10, 3, 4)), 3, 1, 11)
    assert bank(*deposits, total("c", 1, 1, 3), total("d", 11, 2, 4))


def test_one_and_true_are_different_results() -> None:
    assert not store(put("a", "x", 1, 0, 1), get("a", "x", True, 2, 3))


def test_a_failure_that_no_client_saw_explains_nothing_but_other_orders_are_tried() -> None:
    pop = Call("a", "pop", ("x",), 0, 3, 1)
    assert store(pop, put("b", "x", 1, 1, 4)).order == (1, 0)
    refuted(store(pop), 0, Failed(OPERATION_FAILED, "KeyError: 'x'"))


def test_a_call_that_failed_has_no_effect_and_the_hint_may_explain_it() -> None:
    torn = Call("b", "tear", ("x", 7), 2, 3, Failed(OPERATION_FAILED, "RuntimeError: half done"))
    calls = [put("a", "x", 1, 0, 1), torn, torn, get("c", "x", 1, 6, 7)]
    for hint in ((), (0, 1, 2, 3)):
        assert store(*calls, hint=hint), hint
    refuted(store(*calls[:3], get("c", "x", 7, 6, 7)), 3, 1)
    assert store(*calls, hint=(0, 1, 2, 3)).note == "the hint explains it"


def test_an_unknown_call_that_would_fail_has_no_effect() -> None:
    torn = Call("b", "tear", ("x", 7), 0, None)
    refuted(store(put("a", "x", 1, 0, 1), torn, get("c", "x", 7, 6, 7)), 2, 1)
    assert store(put("a", "x", 1, 0, 1), torn, get("c", "x", 1, 6, 7))


# ---- equal times


def test_calls_of_two_clients_that_touch_in_time_overlap() -> None:
    assert store(put("a", "x", 1, 0, 1), get("b", "x", None, 1, 2))


def test_calls_of_one_client_that_touch_in_time_follow_each_other() -> None:
    refuted(store(put("a", "x", 1, 0, 1), get("a", "x", None, 1, 2)), 1, 1)
    refuted(store(get("a", "x", 1, 0, 1), put("a", "x", 1, 1, None)), 0, None)


def test_one_client_s_order_at_equal_times_holds_across_resources() -> None:
    """x alone and y alone are fine; together each client's read would have to precede the other's write."""
    calls = [put("a", "x", 1, 0, 5), get("a", "y", None, 5, 9), put("b", "y", 1, 0, 5), get("b", "x", None, 5, 9)]
    assert store(*calls).linearizable is False


# ---- parts


def test_resources_that_no_call_joins_are_parts_and_their_orders_merge_in_real_time() -> None:
    calls = [put("a", "y", 1, 6, 7), put("a", "x", 1, 0, 1), get("b", "y", None, 2, 3), get("b", "x", 1, 4, 5)]
    verdict = store(*calls)
    assert verdict.parts == 2
    assert verdict.order == (1, 2, 3, 0)


def test_a_whole_machine_call_joins_the_parts() -> None:
    calls = [deposit("a", "alice", 1, 0, 1), deposit("a", "bob", 1, 2, 3)]
    assert bank(*calls).parts == 2
    assert bank(*calls, total("a", 2, 4, 5)).parts == 1


class Leaky(Store):
    """Its `put` to any register is seen by all, which its footprint hides."""

    def apply(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        return super().apply(operation, ("shared", *arguments[1:]))


def test_a_wrong_footprint_does_not_make_a_history_linearizable() -> None:
    calls = [put("a", "x", 1, 0, 1), get("a", "x", 1, 2, 3), put("b", "y", 2, 4, 5), get("b", "y", 2, 6, 7)]
    assert check_linearizable(Leaky, calls)
    interleaved = [put("a", "x", 1, 0, 1), put("b", "y", 2, 2, 3), get("a", "x", 1, 4, 5), get("b", "y", 2, 6, 7)]
    verdict = check_linearizable(Leaky, interleaved)
    assert verdict.linearizable is False
    assert "a footprint is wrong" in str(verdict)


def test_a_machine_that_keeps_and_changes_an_argument_is_checked_as_if_it_did_not() -> None:
    append = Call("a", "append", ("x", ["v"]), 0, 5, None)
    assert store(append, get("b", "x", [["v", "kept"]], 1, 6), get("b", "x", [["v", "kept"]], 7, 8))
    assert append.arguments == ("x", ["v"])


# ---- what is said


def test_a_refutation_names_the_culprit_the_state_and_the_calls_that_could_come_next() -> None:
    calls = (put("a", "x", 1, 0, 1), put("b", "x", 2, 2, 9), get("c", "x", 7, 3, 4))
    verdict = store(*calls)
    assert str(verdict).splitlines() == [
        f"NOT LINEARIZABLE: 3 calls, 1 independent parts, {verdict.steps} steps",
        'no order explains #2 c: get("x") = 7 [3, 4]',
        "  in the orders tried it returns 1 or 2",
        "  one order before it (1 calls), the end of it:",
        '    #0 a: put("x", 1) = null [0, 1]',
        '  state then: {"x":1}',
        "  overlapping it and free to come next:",
        '    #1 b: put("x", 2) = null [2, 9], would return null',
    ]
    written = StringIO()
    Console(width=200, file=written).print(verdict)
    assert written.getvalue().rstrip() == str(verdict)


def test_a_verdict_is_json() -> None:
    refused = Call("b", "withdraw", ("alice", 5), 2, 3, Failed("InsufficientError", "no"))
    answer = json.loads(json.dumps(bank(deposit("a", "alice", 5, 0, 1), refused).to_json()))
    assert answer["linearizable"] is False
    assert answer["culprit"]["call"]["result"] == {"failed": ["InsufficientError", "no"]}
    assert answer["culprit"]["would_return"] == [0]
    assert answer["culprit"]["before"] == [0]
    assert json.loads(json.dumps(bank().to_json()))["culprit"] is None


def test_a_call_that_returns_before_it_is_invoked_is_no_history() -> None:
    with pytest.raises(ValueError, match="returned before it was invoked"):
        store(put("a", "x", 1, 2, 1))


class Forgetful(Store):
    """Its results depend on what its snapshot leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def apply(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        super().apply(operation, arguments)
        self.runs += 1
        return self.runs


def test_a_machine_with_hidden_state_is_reported_and_gets_no_verdict() -> None:
    calls = [Call("a", "get", ("x",), 0, 1, 1), Call("a", "get", ("x",), 2, 3, 1)]
    with pytest.raises(RuntimeError, match="snapshot leaves out"):
        check_linearizable(Forgetful, calls)
