"""Command ids, admission, and sizes."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import Footprint, InvalidCommand
from commutativity.footprint import undeclared
from genpaxos.core.commands import Origin, Proposals, size_bytes
from genpaxos.core.ids import SEQUENCE_MAX, command_id, sealed_id, split_id
from genpaxos.core.runs import RUN_OPERATIONS_MAX
from genpaxos.core.sessions import Sessions
from genpaxos.examples.bank import Bank
from tests.core.bench import bodies, body

names = st.text(st.characters(exclude_characters="/"), min_size=1)


counts = st.integers(1, RUN_OPERATIONS_MAX)


@given(names, st.integers(1, SEQUENCE_MAX - RUN_OPERATIONS_MAX), counts)
def test_an_id_comes_apart_as_it_was_put_together(client: str, first: int, count: int) -> None:
    assert split_id(command_id(client, first, count)) == (client, first, first + count - 1)


@pytest.mark.parametrize(
    "command",
    ["", ":", "c", "c:", ":1", "c:0", "c:-1", "c:+1", "c:01", "c:1 ", "c: 1", "c:1.0", "c:1_0", "c:x", "c:१", "c:²",
     f"c:{2**63}", "c:99999999999999999999",
     "c:5+1", "c:5+0", "c:5+", "c:5+02", "c:5+2+2", "c:5#5", f"c:{2**63 - 1}+2", "c:" + "1" * 5000],
)  # fmt: skip
def test_anything_else_is_no_id(command: str) -> None:
    with pytest.raises(InvalidCommand, match="is not a command id"):
        split_id(command)


def test_the_largest_sequence_number_is_one() -> None:
    assert split_id(f"c:{2**63 - 1}") == ("c", 2**63 - 1, 2**63 - 1)


@given(st.text())
def test_an_id_that_is_accepted_has_one_spelling_only(text: str) -> None:
    try:
        client, first, last = split_id(text)
    except InvalidCommand:
        return
    name = command_id(client, first, last - first + 1)
    assert text.endswith(name)
    assert text == name or text.removesuffix(name).endswith("/")


@given(names, st.integers(1, SEQUENCE_MAX - RUN_OPERATIONS_MAX), st.binary(max_size=9), st.binary(max_size=9), counts)
def test_a_sealed_id_names_one_body(client: str, first: int, encoded: bytes, other: bytes, count: int) -> None:
    command = sealed_id(client, first, encoded, count)
    assert split_id(command) == (client, first, first + count - 1)
    assert (sealed_id(client, first, other, count) == command) == (encoded == other)
    assert command != command_id(client, first, count)


def test_a_client_may_have_colons_in_its_name() -> None:
    assert split_id("a:b:3") == ("a:b", 3, 3)


def test_a_command_is_admitted_once() -> None:
    proposals = Proposals(Bank, Sessions())
    assert proposals.add(["c:1"], [body(Bank.deposit("alice", 5))]) == (["c:1"], [])
    assert proposals.add(["c:1"], [body(Bank.deposit("alice", 5))]) == ([], [])


def test_the_first_body_of_an_id_stays() -> None:
    proposals = Proposals(Bank, Sessions())
    proposals.add(["c:1"], [body(Bank.deposit("alice", 5))])
    proposals.add(["c:1"], [body(Bank.deposit("bob", 7))])
    assert proposals.bodies(["c:1"]) == bodies(Bank.deposit("alice", 5))


@pytest.mark.parametrize(
    ("command", "given_body", "why"),
    [
        ("c:1", ["nonesuch", [], 0], "unknown operation"),
        ("c:1", ["deposit", ["alice"], 0], "1 arguments given"),
        ("c:1", ["deposit", ["alice", "much"], 0], "cents"),
        ("c:1", ["deposit", ["alice", 5], 1], "command 1 acknowledges 1"),
        ("c:5", ["deposit", ["alice", 5], -1], "acknowledges -1"),
        ("c", ["deposit", ["alice", 5], 0], "not a command id"),
    ],
)
def test_a_command_that_can_never_run_is_refused_with_the_reason(command: str, given_body: list[Any], why: str) -> None:
    proposals = Proposals(Bank, Sessions())
    fresh, [(refused, reason)] = proposals.add([command, "d:1"], [given_body, body(Bank.balance("alice"))])
    assert fresh == ["d:1"], "one bad command does not take the others with it"
    assert refused == command
    assert why in reason
    assert command not in proposals.known


def test_a_command_may_acknowledge_all_results_before_its_own() -> None:
    assert Proposals(Bank, Sessions()).add(["c:5"], [["deposit", ["alice", 5], 4]]) == (["c:5"], [])


def test_what_is_missing_is_told_in_the_order_asked() -> None:
    proposals = Proposals(Bank, Sessions())
    proposals.add(["c:2"], [body(Bank.balance("alice"))])
    assert proposals.missing(["c:3", "c:2", "c:1"]) == ["c:3", "c:1"]


@given(st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=4)))
def test_the_size_of_a_value_grows_with_what_is_in_it(value: Any) -> None:
    assert 0 < size_bytes(value) < size_bytes([value])
    assert size_bytes({"key": value}) > size_bytes(value)


@pytest.mark.parametrize("origin", [None, ("c", [1, 2, 3, 4])], ids=["ids taken apart", "origin given"])
def test_what_has_run_is_passed_over_whoever_says_whose_it_is(origin: Origin | None) -> None:
    """Also where numbers in between have not run."""
    sessions = Sessions()
    for sequence in (1, 3):
        sessions.record(f"c:{sequence}", "c", sequence, [None, None], 0)
    proposals = Proposals(Bank, sessions)
    listed = bodies(*[Bank.deposit("alice", 1)] * 4)
    fresh, refused = proposals.add(["c:1", "c:2", "c:3", "c:4"], listed, origin)
    assert (fresh, refused) == (["c:2", "c:4"], [])
    assert list(proposals.known) == fresh


# A program that has replaced Machine.admit --------------------------------------------------------------------------


class Careful(Bank):
    """No single deposit of more than 100 cents; withdrawals commute with nothing."""

    @classmethod
    def admit(cls, operation: str, arguments: Sequence[Any]) -> Footprint:
        footprint = super().admit(operation, arguments)
        if operation == "deposit" and arguments[1] > 100:
            raise InvalidCommand("more than 100 cents at once")
        return undeclared(cls.table) if operation == "withdraw" else footprint


class MoreCareful(Careful):
    """Inherits it."""


FIRST_AND_LATER = pytest.mark.parametrize("sequence", [1, 2], ids=["first of its client", "later one"])
CAREFUL = pytest.mark.parametrize("machine", [Careful, MoreCareful])


@FIRST_AND_LATER
@CAREFUL
def test_what_the_programs_own_admit_refuses_is_refused(machine: type[Bank], sequence: int) -> None:
    proposals, command = Proposals(machine, Sessions()), f"c:{sequence}"
    listed = bodies(Bank.deposit("alice", 101), Bank.deposit("alice", 100))
    fresh, refused = proposals.add([command, f"d:{sequence}"], listed)
    assert (fresh, refused) == ([f"d:{sequence}"], [(command, "more than 100 cents at once")])
    assert command not in proposals.known


@FIRST_AND_LATER
@CAREFUL
def test_a_command_touches_what_the_programs_own_admit_says(machine: type[Bank], sequence: int) -> None:
    proposals = Proposals(machine, Sessions())
    ids = [f"c:{sequence}", f"d:{sequence}"]
    proposals.add(ids, bodies(Bank.withdraw("alice", 1), Bank.deposit("alice", 1)))
    touched = [proposals.known[command][1] for command in ids]
    assert touched == [undeclared(Bank.table), Bank.admit("deposit", ["alice", 1])]


def test_a_command_that_is_taken_in_again_touches_what_the_programs_own_admit_says() -> None:
    proposals = Proposals(Careful, Sessions())
    proposals.readmit(["c:2"], bodies(Bank.withdraw("alice", 1)))
    assert proposals.known["c:2"][1] == undeclared(Bank.table)
