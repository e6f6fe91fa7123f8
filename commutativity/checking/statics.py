"""State that sits on classes, modules and functions: shared by all machines of a process and held by no snapshot."""

from __future__ import annotations

import types
from typing import Any, Final

from commutativity.checking.harvest import Harvest
from commutativity.operation import Operation
from commutativity.table import CommutativityTable

LEVELS_MAX: Final = 6
ITEMS_MAX: Final = 2_000


class Statics:
    """What is outside the machines, and how it has changed since this was made."""

    def __init__(self, harvested: Harvest) -> None:
        self._harvest = harvested
        self._before = self._read()

    def changed(self) -> list[str]:
        """What differs from before, such as ``"'count' of the class Bank"``."""
        now = self._read()
        return sorted(place for place in self._before.keys() | now.keys() if self._before.get(place) != now.get(place))

    def _read(self) -> dict[str, str]:
        return {
            f"{name!r} of {label}": _written(value, 0)
            for label, read in self._harvest.owners.items()
            for name, value in read().items()
        }


def written(value: Any) -> str:
    """A text that changes when the value does."""
    return _written(value, 0)


def _written(value: Any, level: int) -> str:
    """A text that changes when the value does; addresses and code are left out."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return repr(value)
    if level > LEVELS_MAX:
        return "…"
    if isinstance(value, dict):
        items = list(value.items())[:ITEMS_MAX]
        return f"{{{','.join(f'{_written(k, level + 1)}:{_written(v, level + 1)}' for k, v in items)}}}"
    if isinstance(value, (list, tuple)) or type(value).__name__ == "deque":
        return f"[{','.join(_written(item, level + 1) for item in list(value)[:ITEMS_MAX])}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{','.join(sorted(_written(item, level + 1) for item in list(value)[:ITEMS_MAX]))}}}"
    if isinstance(value, (type, types.FunctionType, types.ModuleType, Operation, CommutativityTable)):
        return type(value).__name__
    attributes = getattr(value, "__dict__", None)
    return f"{type(value).__name__}{_written(attributes, level + 1) if attributes else ''}"
