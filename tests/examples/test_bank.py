"""The bank: what it does, and that its table says the truth about it."""

from __future__ import annotations

import pytest

from commutativity import InvalidCommand
from commutativity.check import Verdict, check
from genpaxos.examples.bank import CENTS_MAX, Bank, InvalidAmount


def test_the_bank_passes_its_own_check_with_no_cell_to_spare() -> None:
    report = check(Bank, examples=100)
    assert report.ok, str(report)
    assert report.complete
    assert report.warnings() == []
    assert set(report.verdicts.values()) == {Verdict.COMMUTES, Verdict.INTERFERES}


def test_money_moves() -> None:
    bank = Bank()
    bank.deposit("alice", 500)
    assert bank.transfer("alice", "bob", 200)
    assert bank.withdraw("alice", 100)
    assert (bank.balance("alice"), bank.balance("bob"), bank.balance("carol")) == (200, 200, 0)
    assert bank.total() == 400


def test_nothing_is_overdrawn() -> None:
    bank = Bank()
    bank.deposit("alice", 5)
    assert not bank.withdraw("alice", 6)
    assert not bank.transfer("alice", "bob", 6)
    assert bank.snapshot() == {"cents": {"alice": 5}}


def test_a_transfer_to_oneself_changes_nothing() -> None:
    bank = Bank()
    bank.deposit("alice", 5)
    assert bank.transfer("alice", "alice", 5)
    assert not bank.transfer("alice", "alice", 6)
    assert bank.total() == 5
    assert Bank.admit("transfer", ["alice", "alice", 5]) == (("alice", 1), ("alice", 2))


def test_an_empty_account_leaves_no_trace() -> None:
    bank = Bank()
    bank.deposit("alice", 5)
    bank.withdraw("alice", 5)
    assert bank.snapshot() == Bank().snapshot()


@pytest.mark.parametrize("cents", [0, -1, CENTS_MAX + 1])
@pytest.mark.parametrize("operation", ["deposit", "withdraw", "transfer"])
def test_amounts_out_of_bounds_are_declared_errors(operation: str, cents: int) -> None:
    arguments = ["alice", "bob", cents] if operation == "transfer" else ["alice", cents]
    bank = Bank()
    with pytest.raises(InvalidAmount, match=f"between 1 and {CENTS_MAX} cents, not {cents}"):
        bank.apply(operation, arguments)
    assert bank.snapshot() == Bank().snapshot()


def test_amounts_are_integers() -> None:
    with pytest.raises(InvalidCommand):
        Bank.deposit("alice", 1.5)  # type: ignore[arg-type]
