"""A bank: deposits commute with one another, whatever changes an account by looking at it does not.

Two design points that the commutativity check insists on: ``deposit`` returns nothing (the new balance would depend on
the order of deposits), and an account with nothing in it leaves no trace (so that no order can tell).
"""

from __future__ import annotations

from typing import Final

from commutativity import CommutativityTable, Machine, OperationError, operation

CENTS_MAX: Final = 10**9
"""Most cents one command may move, which keeps balances far inside 64 bits. A limit on the balance itself
would make deposits interfere: the last one to fit depends on the order."""


class InvalidAmount(OperationError):  # noqa: N818  # the client sees this name
    """The amount is not between 1 and ``CENTS_MAX`` cents."""


class Bank(Machine):
    """Accounts by name, in cents; none is ever overdrawn."""

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
        """Put money in. Raises :class:`InvalidAmount`."""
        _check_amount(cents)
        self._change(account, cents)

    @operation(account="update")
    def withdraw(self, account: str, cents: int) -> bool:
        """Take money out, if it is there; whether it was. Raises :class:`InvalidAmount`."""
        _check_amount(cents)
        if self.cents.get(account, 0) < cents:
            return False
        self._change(account, -cents)
        return True

    @operation(source="update", target="add")
    def transfer(self, source: str, target: str, cents: int) -> bool:
        """Move money, if it is there; whether it was. Raises :class:`InvalidAmount`."""
        _check_amount(cents)
        if self.cents.get(source, 0) < cents:
            return False
        self._change(source, -cents)
        self._change(target, cents)
        return True

    @operation(account="read")
    def balance(self, account: str) -> int:
        """The cents in one account."""
        return self.cents.get(account, 0)

    @operation(everything="read")
    def total(self) -> int:
        """The cents in all accounts together."""
        return sum(self.cents.values())

    def _change(self, account: str, cents: int) -> None:
        left = self.cents.get(account, 0) + cents
        if left:
            self.cents[account] = left
        else:
            self.cents.pop(account, None)


def _check_amount(cents: int) -> None:
    if not 1 <= cents <= CENTS_MAX:
        raise InvalidAmount(f"an amount is between 1 and {CENTS_MAX} cents, not {cents}")
