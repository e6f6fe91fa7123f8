"""How large the results of a machine's operations are, as far as it was seen: the estimate for the next one."""

from typing import Any, Final

from commutativity import Machine

LARGE_BYTES: Final = 16 * 1024
"""Smaller results are not counted here: even 65,536 of them, which one client may have outstanding, are few hundreds of
megabytes at the worst, and their clients acknowledge them with the next command."""
_SMALL: Final = frozenset({None, bool, int, float, type(None), "None", "bool", "int", "float"})
"""Annotations of results that are never large."""


class Sizes:
    """How large the results of a machine's operations are, as far as it was seen."""

    def __init__(self, machine: type[Machine]) -> None:
        made = machine.operations.items()
        self.unknown = {name for name, one in made if _returned(one.function) not in _SMALL}
        """Operations that have returned nothing yet, and may return something large."""
        self.large: dict[str, int] = {}
        """The estimate for operations that have returned something large lately."""
        self.watches = bool(self.unknown)
        """Whether small results are to be noted too."""

    def note(self, operation: str, size: int) -> None:
        """An operation has returned so many bytes. Need not be called for small ones while nothing is large or unknown.

        What was returned once counts less each time.
        """
        self.unknown.discard(operation)
        before = self.large.pop(operation, 0)
        if (reckoned := max(size, before - before // 8)) > LARGE_BYTES:
            self.large[operation] = reckoned
        self.watches = bool(self.unknown or self.large)


def _returned(function: Any) -> Any:
    annotation = getattr(function, "__annotations__", {}).get("return", "unknown")
    return annotation if isinstance(annotation, (str, type)) or annotation is None else "unknown"
