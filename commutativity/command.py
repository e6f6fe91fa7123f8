"""Commands, and the two ways one can fail: refused before it is ordered, or by a declared, deterministic
error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
else:
    # A recursive alias cannot be resolved from a user's module by typing.get_type_hints; at run time JSON is
    # Any, which a parameter's check reads as "any JSON value".
    JSON = Any

R_co = TypeVar("R_co", covariant=True)


class InvalidCommand(ValueError):  # noqa: N818  # the name users catch: it is the command that is invalid
    """The command can never be run: unknown operation, wrong arguments, or values JSON cannot carry.

    Raised where the command is made and again wherever it enters a replica, so that none is poisoned by it.
    """


class OperationError(Exception):
    """Base class of the errors an operation declares. Raising one is a *result*, sent to the client.

    It must be deterministic: a function of the machine's state and the arguments. ``code`` is the name of the
    subclass, ``message`` its text. Anything else an operation raises
    is undone, on every replica, and its client gets ``genpaxos.OperationFailed``.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        """The subclass's name: what travels to the client."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class Command(Generic[R_co]):
    """An operation's name with its arguments, positional and with defaults applied.

    ``R_co`` is the type of the operation's result, so that ``await client.submit(Bank.balance("alice"))`` is
    an int.
    """

    operation: str
    arguments: tuple[JSON, ...]

    def __repr__(self) -> str:
        return f"{self.operation}({', '.join(map(repr, self.arguments))})"
