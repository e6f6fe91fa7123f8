"""Commands, and the two ways one can fail: refused before it is ordered, or by a declared, deterministic error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from commutativity.codec import Codec

    JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
else:
    # A recursive alias cannot be resolved from a user's module by typing.get_type_hints; at run time JSON is
    # Any, which a parameter's check reads as "any JSON value".
    JSON = Any

R_co = TypeVar("R_co", covariant=True)


class InvalidCommand(ValueError):  # noqa: N818  # the name users catch: it is the command that is invalid
    """The command can never be run: unknown operation, wrong arguments, or values JSON cannot carry.

    Raised where the command is made and again wherever it enters a replica, so that no replica runs it.
    """


class OperationError(Exception):
    """Base class of the errors an operation declares. Raising one is a *result*, sent to the client.

    It must be deterministic: a function of the machine's state and the arguments. ``code`` is the name of the subclass,
    ``message`` its text; the client gets the class, the text and the attributes back (:mod:`commutativity.declared`),
    whatever the constructor looks like. Anything else an operation raises is undone on every replica, and its client
    gets ``genpaxos.OperationFailed``.
    """

    message: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles without calling the constructor, whose signature is the subclass's own."""
        return _restored, (type(self), self.args, object.__getstate__(self))

    @property
    def code(self) -> str:
        """The subclass's name, for people; what travels to the client names its module too."""
        return type(self).__name__


def _restored(kind: type[OperationError], args: tuple[Any, ...], state: Any) -> OperationError:
    error: OperationError = kind.__new__(kind)
    error.args = args
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    error.__dict__.update(attributes or {})
    for name, value in (slots or {}).items():
        setattr(error, name, value)
    return error


class UnrepresentableResult(OperationError):  # noqa: N818  # the name clients see
    """An operation returned what is not of its return annotation, or cannot travel. What it did to the state stays."""


@dataclass(frozen=True, slots=True)
class Command(Generic[R_co]):
    """An operation's name with its arguments as they travel: JSON, positional, defaults applied (docs/values.md).

    ``R_co`` is the type of the operation's result, so that ``await client.submit(Bank.balance("alice"))`` is an int.
    """

    operation: str
    arguments: tuple[JSON, ...]
    returns: Codec | None = field(default=None, compare=False, repr=False)
    """What makes the result of its JSON; ``None`` leaves it as it is."""

    def __repr__(self) -> str:
        return f"{self.operation}({', '.join(map(repr, self.arguments))})"
