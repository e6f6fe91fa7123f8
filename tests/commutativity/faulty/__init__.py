"""Machines that are wrong, each in one way: ``check`` must find every one, for the reason given."""

from tests.commutativity.faulty import answers, chance, limits, names, state, typed
from tests.commutativity.faulty.cases import CASES

__all__ = ["CASES", "answers", "chance", "limits", "names", "state", "typed"]
