"""What the faulty machines share: the list of them, tables, errors."""

from __future__ import annotations

from typing import Any

from commutativity import CommutativityTable, Machine, OperationError
from commutativity.checking.fault import Kind

CASES: dict[type[Machine], Kind | None] = {}
"""Every machine with the kind of fault it has; ``None``: two commands do not commute."""


def wrong(kind: Kind | None = None) -> Any:
    def register(machine_type: type[Machine]) -> type[Machine]:
        CASES[machine_type] = kind
        return machine_type

    return register


PUT = CommutativityTable({"put": ["put"]})
FREE = CommutativityTable({"add": [], "read": []})
COUNT = CommutativityTable({"read": ["add"], "add": ["read"]})


class Full(OperationError):  # noqa: N818
    pass


class Refused(OperationError):  # noqa: N818
    pass
