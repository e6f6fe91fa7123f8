"""Dataclasses and named tuples made of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from commutativity.unfit import Unfit


_DATACLASS = "__dataclass_fields__"


def constructor(kind: type[Any]) -> Callable[[dict[str, Any]], Any]:
    """Makes an instance of a dataclass or named tuple from its fields, by its own ``__init__``, which may refuse them.

    Fields that ``__init__`` does not take are set afterwards.
    """
    derived = [each.name for each in dataclasses.fields(kind) if not each.init] if hasattr(kind, _DATACLASS) else []

    def make(fields: dict[str, Any]) -> Any:
        late = {name: fields.pop(name) for name in derived if name in fields}
        try:
            made = kind(**fields)
        except (MemoryError, RecursionError, OSError):
            raise  # of this process, not of the value
        except Exception as error:
            raise Unfit(f"{kind.__name__} refuses these fields: {type(error).__name__}: {error}") from error
        for name, value in late.items():
            object.__setattr__(made, name, value)
        return made

    return make
