"""The search against all permutations, against hints, and in steps."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commutativity import OperationError
from genpaxos.linearizability import Call, Failed, check_linearizable


class EmptyError(OperationError):
    pass


class Small:
    """Accounts and a little of everything: blind writes, conditional changes, reads of one and of all, errors."""

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}

    def apply(self, operation: str, arguments: Sequence[Any]) -> Any:
        if operation == "total":
            return sum(self.cents.values())
        name, value, had = arguments[0], arguments[-1], self.cents.get(arguments[0], 0)
        if operation == "balance":
            return had
        if operation == "withdraw":
            if had < value:
                raise EmptyError(name)
            value = -value
        self.cents[name] = value if operation == "set" else had + value
        return None if operation in ("deposit", "set") else had + value

    def snapshot(self) -> Any:
        return dict(self.cents)

    def restore(self, snapshot: Any) -> None:
        self.cents = dict(snapshot)

    def admit(self, operation: str, arguments: Sequence[Any]) -> tuple[tuple[str | None, int], ...]:  # noqa: ARG002
        return ((arguments[0] if arguments else None, 0),)


def run(machine: Small, call: Call) -> Any:
    try:
        return machine.apply(call.operation, call.arguments)
    except OperationError as error:
        return Failed(error.code, error.message)


def precedes(calls: Sequence[Call], one: int, other: int) -> bool:
    a, b = calls[one], calls[other]
    if a.returned_at is None:
        return False
    if a.returned_at != b.invoked_at or a.client != b.client:
        return bool(a.returned_at < b.invoked_at)
    return b.returned_at is None or (a.returned_at, a.invoked_at, one) < (b.returned_at, b.invoked_at, other)


def linearizes(calls: Sequence[Call], order: Sequence[int]) -> bool:
    """The definition, word for word."""
    if {index for index, call in enumerate(calls) if call.returned_at is not None} - set(order):
        return False
    if any(precedes(calls, later, earlier) for earlier, later in itertools.combinations(order, 2)):
        return False
    machine = Small()
    for index in order:
        result = run(machine, calls[index])
        if calls[index].returned_at is not None and result != calls[index].result:
            return False
    return True


def candidate_orders(calls: Sequence[Call]) -> Iterator[tuple[int, ...]]:
    known = [index for index, call in enumerate(calls) if call.returned_at is not None]
    unknown = [index for index, call in enumerate(calls) if call.returned_at is None]
    for count in range(len(unknown) + 1):
        for used in itertools.combinations(unknown, count):
            yield from itertools.permutations([*known, *used])


def brute_force(calls: Sequence[Call]) -> bool:
    return any(linearizes(calls, order) for order in candidate_orders(calls))


def commands(accounts: str) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    changes = st.tuples(st.sampled_from(["deposit", "withdraw", "set"]), st.sampled_from(accounts), st.integers(1, 2))
    reads = st.tuples(st.just("balance"), st.sampled_from(accounts))
    return st.one_of(changes, reads, st.just(("total",))).map(lambda drawn: (drawn[0], drawn[1:]))


@st.composite
def histories(draw: st.DrawFn) -> list[Call]:
    """Small histories with an explanation, or with the result of one call changed."""
    calls, machine = [], Small()
    for point, (operation, arguments) in enumerate(draw(st.lists(commands("xy"), min_size=1, max_size=5))):
        start, end = point - draw(st.integers(0, 3)), point + draw(st.integers(0, 3))
        call = Call(draw(st.sampled_from("abc")), operation, arguments, start, end)
        happened = draw(st.integers(0, 9))
        if happened:
            call = replace(call, result=run(machine, call))
        calls.append(call if happened > 1 else replace(call, returned_at=None, result=None))
    if draw(st.booleans()):
        index = draw(st.integers(0, len(calls) - 1))
        calls[index] = replace(
            calls[index], result=draw(st.sampled_from([0, 1, 2, 3, None, Failed("EmptyError", "x")]))
        )
    return draw(st.permutations(calls))


@settings(max_examples=400, deadline=None)
@given(histories(), st.lists(st.integers(-2, 6), max_size=6))
def test_the_verdict_is_that_of_all_permutations_whatever_the_hint(calls: list[Call], hint: list[int]) -> None:
    verdict, hinted = check_linearizable(Small, calls), check_linearizable(Small, calls, hint=hint)
    assert verdict.linearizable == hinted.linearizable == brute_force(calls)
    for found in (verdict, hinted):
        assert found.linearizable is False or linearizes(calls, found.order)


def random_calls(random_: random.Random, count: int) -> list[Call]:
    """Results drawn blindly, from few: about as many histories with an explanation as without."""
    calls = []
    for _ in range(count):
        operation = random_.choice(["deposit", "withdraw", "set", "balance", "balance", "total"])
        arguments: tuple[Any, ...] = () if operation == "total" else (random_.choice("xy"),)
        arguments += (1,) if operation in ("deposit", "withdraw", "set") else ()
        start = random_.randrange(6)
        end = None if random_.random() < 0.2 else start + random_.randrange(6)
        results: list[Any] = [None] if operation in ("deposit", "set") else [0, 1, 2]
        if operation == "withdraw":
            results = [0, 1, Failed("EmptyError", arguments[0])]
        result = random_.choice(results)
        calls.append(Call(random_.choice("abc"), operation, arguments, start, end, result))
    return calls


def test_both_verdicts_of_blind_histories_are_those_of_all_permutations() -> None:
    random_, verdicts = random.Random(11), Counter[bool | None]()
    for _ in range(1500):
        calls = random_calls(random_, random_.randint(2, 5))
        verdict = check_linearizable(Small, calls)
        assert verdict.linearizable == brute_force(calls), calls
        verdicts[verdict.linearizable] += 1
    assert verdicts[True] > 300
    assert verdicts[False] > 300


def test_the_culprit_is_the_first_return_that_has_no_explanation() -> None:
    """Leaving out what returned at it or later (their outcomes unknown) leaves a history that has one."""
    random_, seen = random.Random(12), 0
    for _ in range(600):
        calls = random_calls(random_, 5)
        verdict = check_linearizable(Small, calls)
        if verdict.culprit is None or verdict.parts > 1:
            continue
        seen += 1
        end = calls[verdict.culprit.index].returned_at
        before = [
            call if call.returned_at is not None and call.returned_at < end else replace(call, returned_at=None)
            for call in calls
            if call.invoked_at <= end
        ]
        assert check_linearizable(Small, before), str(verdict)
        assert calls[verdict.culprit.index].result not in verdict.culprit.would_return
    assert seen > 50


def test_of_two_equal_calls_with_different_results_the_later_return_may_come_first() -> None:
    first = Call("c", "withdraw", ("x", 1), -2, -1, 2)
    calls = [first, Call("a", "withdraw", ("x", 1), 0, 1, 0), Call("b", "withdraw", ("x", 1), 0, 2, 1)]
    assert check_linearizable(Small, calls, initial={"x": 3}).order == (0, 2, 1)


def test_of_two_equal_calls_one_that_its_client_followed_at_once_may_have_to_come_first() -> None:
    """The read overlaps the first deposit (equal times, two clients) and follows the second (its own client's)."""
    calls = [Call(client, "deposit", ("x", 1), start, start + 5) for client, start in (("c", -9), ("a", 0), ("b", 0))]
    assert check_linearizable(Small, [*calls, Call("b", "balance", ("x",), 5, 6, 2)]).order == (0, 2, 3, 1)


def test_two_unknown_ways_to_one_state_are_both_followed() -> None:
    """Either explains the first read; only the deposit can still explain the second."""
    unknown = [Call("a", "deposit", ("x", 1), 0, None), Call("b", "set", ("x", 1), 0, None)]
    reads = [Call("c", "balance", ("x",), 1, 2, 1), Call("c", "balance", ("x",), 3, 4, 2)]
    assert check_linearizable(Small, [*unknown, *reads]).order == (1, 2, 0, 3)


def bank_history(seed: int, count: int, clients: int, unknown: float = 0.0) -> tuple[list[Call], list[int]]:
    """Closed-loop clients of a correct bank, and the order in which their calls took effect."""
    random_ = random.Random(seed)
    free, drafts, points = [random_.random() for _ in range(clients)], [], []
    for index in range(count):
        client = min(range(clients), key=free.__getitem__)
        start, length = free[client], random_.expovariate(1) + 0.05
        free[client] = start + length + random_.expovariate(5)
        operation = random_.choices(["deposit", "withdraw", "balance", "total"], (45, 25, 25, 5))[0]
        arguments: tuple[Any, ...] = () if operation == "total" else (f"account {random_.randrange(5)}",)
        arguments += (random_.randint(1, 100),) if operation in ("deposit", "withdraw") else ()
        lost = random_.random() < unknown
        drafts.append(Call(str(client), operation, arguments, start, None if lost else start + length))
        if not lost or random_.random() < 0.5:
            points.append((start + length * random_.random(), index))
    machine, order = Small(), [index for _, index in sorted(points)]
    for index in order:
        drafts[index] = replace(drafts[index], result=run(machine, drafts[index]))
    return drafts, order


def test_a_right_hint_costs_one_step_a_call() -> None:
    calls, order = bank_history(1, 5000, clients=8, unknown=0.02)
    verdict = check_linearizable(Small, calls, hint=order)
    assert verdict
    assert verdict.steps == len(order)


def test_five_thousand_calls_of_eight_clients_take_few_steps_a_call_without_a_hint() -> None:
    calls, _ = bank_history(2, 5000, clients=8)
    verdict = check_linearizable(Small, calls)
    assert verdict
    assert verdict.steps < 40 * len(calls)


def test_a_hint_with_mistakes_still_leads_most_of_the_way() -> None:
    calls, order = bank_history(3, 2000, clients=8, unknown=0.02)
    random_ = random.Random(3)
    for _ in range(20):
        index = random_.randrange(len(order) - 1)
        order[index], order[index + 1] = order[index + 1], order[index]
    verdict = check_linearizable(Small, calls, hint=order)
    assert verdict
    assert verdict.steps < 20 * len(calls)


def test_one_changed_balance_among_hundreds_of_calls_is_found_with_and_without_a_hint() -> None:
    calls, order = bank_history(4, 400, clients=4)
    index = next(index for index in range(300, 400) if calls[index].operation == "balance")
    calls[index] = replace(calls[index], result=calls[index].result + 100_000)
    for hint in (None, order):
        verdict = check_linearizable(Small, calls, hint=hint)
        assert verdict.linearizable is False
        assert verdict.culprit is not None
        assert verdict.culprit.index == index


def rounds(width: int, count: int, cents: int | None) -> list[Call]:
    """Rounds of overlapping deposits on one account, each followed by a read of the balance."""
    calls, balance = [], 0
    for number in range(count):
        start = number * 1000
        for client in range(width):
            value = cents or client * client + 1
            balance += value
            calls.append(Call(str(client), "deposit", ("x", value), start + client, start + 500 - client, None))
        calls.append(Call("reader", "balance", ("x",), start + 600, start + 700, balance))
    return calls


@pytest.mark.parametrize("cents", [7, None])
def test_sixty_four_overlapping_deposits_do_not_blow_up(cents: int | None) -> None:
    calls = rounds(64, 5, cents)
    verdict = check_linearizable(Small, calls)
    assert verdict
    assert verdict.steps <= 8 * len(calls)


def test_a_lost_one_of_sixty_four_equal_overlapping_deposits_is_refuted() -> None:
    calls = rounds(64, 3, 7)
    calls[-1] = replace(calls[-1], result=calls[-1].result - 7)
    verdict = check_linearizable(Small, calls)
    assert verdict.linearizable is False
    assert verdict.steps < 100 * len(calls)


def test_running_out_of_steps_is_undecided_and_no_pass() -> None:
    """Of different deposits a black box may tell every subset apart: only 2^64 states would refute this."""
    calls = rounds(64, 1, None)
    calls[-1] = replace(calls[-1], result=-1)
    heard = []
    verdict = check_linearizable(Small, calls, steps_max=20_000, progress=lambda *told: heard.append(told))
    assert verdict.linearizable is None
    assert not verdict
    assert str(verdict).startswith("UNDECIDED, which is not a pass")
    assert verdict.culprit is not None
    assert verdict.culprit.index == len(calls) - 1
    assert heard[-1][1:] == (64, 65)
    assert verdict.to_json()["linearizable"] is None


def test_many_unknown_writes_to_a_register_do_not_blow_up_a_refutation() -> None:
    """Which of them happened before the last is forgotten by the register, so the smallest set stands for all."""
    calls = [Call("a", "set", ("x", value), 0, None) for value in range(1, 41)]
    calls.append(Call("b", "balance", ("x",), 5, 6, 99))
    verdict = check_linearizable(Small, calls)
    assert verdict.linearizable is False
    assert verdict.steps < 5000


def test_a_history_far_longer_than_the_recursion_limit_is_checked() -> None:
    calls = [Call("a", "deposit", ("x", 1), index, index, None) for index in range(20_000)]
    assert check_linearizable(Small, calls).order == tuple(range(20_000))
