"""``@operation``: a method that is also a command, with a footprint (protocol.md §2).

On the class, ``Bank.deposit("alice", 5)`` makes a checked ``Command[None]``; on an instance,
``bank.deposit("alice", 5)`` runs the method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Final, Generic, NoReturn, ParamSpec, TypeVar, overload

from commutativity.codec import Codec
from commutativity.command import JSON, Command, InvalidCommand, UnrepresentableResult
from commutativity.footprint import Compiled, Footprint, FootprintDeclaration, FootprintFunction, compiled
from commutativity.signature import read_signature
from commutativity.table import CommutativityTable
from commutativity.unfit import Unfit
from commutativity.value.value_types import is_plain, walk
from commutativity.value.values import Plain, ValueType, codec_of, quick_check, quick_choice, shown

_NUMBERS: Final = (int, float)

P = ParamSpec("P")
R = TypeVar("R")


class Operation(Generic[P, R]):
    """One operation of a machine: what ``@operation`` makes of a method.

    ``name`` is the method's, ``parameters`` the names of its parameters after ``self``, ``types`` their value
    types, ``result`` the codec of what it returns. :meth:`footprint` exists once a machine class with a table has
    compiled it. "Arguments" are as they travel, JSON; :meth:`decoded` gives what the method is called with.
    """

    parameters: tuple[str, ...]
    types: tuple[ValueType, ...]
    result: Codec
    run: Callable[[Any, Sequence[Any]], JSON]
    """Calls the method on a machine with admitted arguments and gives the result as it travels. Raises what the method
    raises, and :class:`UnrepresentableResult`."""
    admit: Callable[[Sequence[Any]], Footprint]
    """Validates, then :meth:`footprint`: what every command entering a replica goes through."""
    _codecs: tuple[Codec, ...]
    _returns: Codec | None
    _signature: inspect.Signature
    _footprint: Compiled

    def __init__(self, function: Callable[Concatenate[Any, P], R], declaration: FootprintDeclaration) -> None:
        self.function: Callable[..., Any] = function
        self.declaration = declaration
        self.name = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.table: CommutativityTable | None = None
        self._accepts: Callable[[Any], bool] = self._refuse_unprepared
        self.admit = self._refuse_unprepared

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Operation[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Callable[P, R]: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        return self if instance is None else self.function.__get__(instance, owner)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Command[R]:
        """The command with these arguments, defaults applied. Raises :class:`InvalidCommand`."""
        given: Any = args
        if not kwargs and self._accepts(given):  # as nearly all are
            return Command(self.name, given, self._returns)
        return Command(self.name, self.bind(*args, **kwargs), self._returns)

    def bind(self, *args: Any, **kwargs: Any) -> tuple[JSON, ...]:
        """The positional arguments a call stands for, defaults applied, as they travel. Raises
        :class:`InvalidCommand`."""
        if self.table is None:
            self._refuse_unprepared(args)
        if kwargs or len(args) != len(self.parameters):
            try:
                bound = self._signature.bind(*args, **kwargs)
            except TypeError as error:
                raise InvalidCommand(f"{error}: expected {self.usage()}") from None
            bound.apply_defaults()
            args = tuple(bound.arguments.values())
        return args if self._accepts(args) else tuple(self._converted(args, [codec.encode for codec in self._codecs]))

    def validate(self, arguments: Sequence[object]) -> None:
        """Raises :class:`InvalidCommand` unless ``arguments`` are all of the parameters, each of its type."""
        if not self._accepts(arguments):
            self.decoded(arguments)

    def decoded(self, arguments: Sequence[Any]) -> list[Any]:
        """What the method is called with: values made anew, shared with nobody. Raises :class:`InvalidCommand`."""
        return self._converted(arguments, [codec.decode for codec in self._codecs])

    def footprint(self, arguments: Sequence[Any]) -> Footprint:
        """The footprint of validated arguments. Raises :class:`InvalidCommand` when a footprint function fails."""
        return self._footprint(arguments if self._accepts(arguments) else self.decoded(arguments))

    def usage(self) -> str:
        """The operation as it is called: ``deposit(account: str, cents: int)``."""
        pairs = zip(self.parameters, self.types, strict=True)
        return f"{self.name}({', '.join(f'{name}: {kind}' for name, kind in pairs)})"

    def described(self) -> str:
        """Parameters, types and footprint in one canonical line, for :meth:`Machine.fingerprint_text`."""
        assert self.table is not None, "only operations of a machine with a table are described"
        result = "" if self.result.plain else f" -> {self.result.kind}"
        return f"{self.usage()}{result} touches {self.declaration.described(self.name, self.table)}"

    def prepared(self, owner: type, table: CommutativityTable) -> Operation[P, R]:
        """This operation compiled for a machine class and its table; a copy when another class's has been compiled.

        Raises ``TypeError`` or :class:`TableError` for a declaration that is not valid.
        """
        if self.table == table:
            return self
        made: Operation[P, R] = self if self.table is None else Operation(self.function, self.declaration)
        made._signature, types, returns = read_signature(self.function, owner)
        made.parameters, made.types = tuple(types), tuple(types.values())
        made._codecs, made.result = tuple(map(codec_of, made.types)), Codec(None, kind=returns)
        made._returns = made.result if _needs_reading(returns) else None
        made.run = _runner(made)
        _check_function(self.declaration.function, self.name, made.parameters)
        made._accepts = quick_check(made.types)
        footprint = made._footprint = compiled(self.declaration, self.name, types, table)
        made.admit = quick_choice(made.types, footprint, lambda arguments: footprint(made.decoded(arguments)))
        made.table = table
        return made

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def _refuse_unprepared(self, _: object) -> NoReturn:
        raise TypeError(
            f"the operation {self.name!r} belongs to no machine yet: define it in a subclass of Machine, "
            "or in a class that such a subclass inherits from, and use it through the subclass"
        )

    def _converted(self, arguments: object, converts: Sequence[Callable[[Any], Any]]) -> list[Any]:
        """The arguments, each converted. Raises :class:`InvalidCommand` saying which is wrong, and how."""
        if type(arguments) not in (list, tuple):
            raise InvalidCommand(f"the arguments are {shown(arguments)}: expected a list for {self.usage()}")
        assert isinstance(arguments, (list, tuple))
        if len(arguments) != len(self.parameters):
            raise InvalidCommand(f"{len(arguments)} arguments given, {len(self.parameters)} expected: {self.usage()}")
        made = []
        for name, convert, value in zip(self.parameters, converts, arguments, strict=True):
            try:
                made.append(convert(value))
            except Unfit as error:
                raise InvalidCommand(
                    f"{self.name}: the argument {name!r}: {error}; expected {self.usage()}"
                ) from error.__cause__
        return made


def _needs_reading(returns: ValueType) -> bool:
    """Whether the JSON of a result may be another value than the result."""
    return not is_plain(returns) or any(kind == Plain(int) for kind in walk(returns))


def _runner(made: Operation[..., Any]) -> Callable[[Any, Sequence[Any]], JSON]:
    """Makes :attr:`Operation.run`. It makes few calls, because every command that is executed passes through it."""
    decoded, write, name = made.decoded, made.result.write, made.name
    nothing = made.result.kind == Plain(type(None))

    def written(value: Any) -> JSON:
        try:
            result: JSON = write(value, 0)
            return result
        except Unfit as error:
            raise UnrepresentableResult(f"{name} returned what its annotation does not say: {error}") from None

    if not all(isinstance(kind, Plain) for kind in made.types):
        return lambda machine, arguments: written(made.function(machine, *decoded(arguments)))
    # The JSON of text and of truth values is the value itself. That of a number may have another type.
    numbers = [(i, kind.kind) for i, kind in enumerate(made.types) if isinstance(kind, Plain) and kind.kind in _NUMBERS]
    place, of = numbers[0] if numbers else (0, str)

    def run(machine: Any, arguments: Sequence[Any]) -> JSON:
        if numbers and type(arguments[place]) is not of:
            arguments = decoded(arguments)
        value = made.function(machine, *arguments)
        return None if value is None and nothing else written(value)

    def run_several(machine: Any, arguments: Sequence[Any]) -> JSON:
        if not all(type(arguments[place]) is of for place, of in numbers):
            arguments = decoded(arguments)
        return written(made.function(machine, *arguments))

    return run if len(numbers) <= 1 else run_several


@dataclass(frozen=True, slots=True)
class _Decorator:
    """What ``@operation(...)`` returns: applied to a method, it makes the operation."""

    declaration: FootprintDeclaration

    def __call__(self, function: Callable[Concatenate[Any, P], R]) -> Operation[P, R]:
        return Operation(function, self.declaration)


@overload
def operation(function: Callable[Concatenate[Any, P], R], /) -> Operation[P, R]: ...
@overload
def operation(
    *parameters: str,
    everything: str | None = None,
    footprint: FootprintFunction | None = None,
    **modes: str,
) -> _Decorator: ...
def operation(
    *parameters: Any,
    everything: str | None = None,
    footprint: FootprintFunction | None = None,
    **modes: str,
) -> Any:
    """Declares an operation and its footprint. ::

        @operation(account="add")                  # parameter -> mode: touches (account, add)
        @operation(source="update", target="add")  # several: transfer("a", "a", 1) touches (a, update), (a, add)
        @operation("account")                      # in the mode that is named like the operation
        @operation(everything="read")              # the whole machine
        @operation(footprint=lambda account, cents: {(account, "add")})  # a function of the arguments
        @operation                                 # the whole machine in the mode that is named like the operation;
                                                   # if there is none, undeclared: interferes with everything

    A footprint function returns (resource, mode) pairs; :data:`WHOLE` as the resource is the whole machine,
    and an empty set touches nothing. Mistakes are reported when the machine class is created.
    """
    if len(parameters) == 1 and not isinstance(parameters[0], str):
        if not inspect.isfunction(parameters[0]):
            raise TypeError(
                f"@operation was applied to {parameters[0]!r}: expected a plain method (under @operation, "
                "no classmethod, staticmethod or property)"
            )
        return Operation(parameters[0], FootprintDeclaration())
    for given in (*parameters, *modes.values(), *([] if everything is None else [everything])):
        if not isinstance(given, str):
            raise TypeError(
                f"@operation takes parameter names and modes, both text; got {given!r}. "
                "A function of the arguments goes in footprint=..."
            )
    if footprint is not None and (parameters or modes or everything is not None):
        raise TypeError(
            "@operation(footprint=...) says all there is to say: remove the other arguments, "
            "or return those pairs from the function too"
        )
    if footprint is not None and not callable(footprint):
        raise TypeError(f"footprint={footprint!r}: expected a function of the operation's arguments")
    return _Decorator(FootprintDeclaration(parameters, tuple(sorted(modes.items())), everything, footprint))


def _check_function(function: FootprintFunction | None, name: str, parameters: tuple[str, ...]) -> None:
    if function is None:
        return
    try:
        inspect.signature(function).bind(*parameters)
    except TypeError as error:
        raise TypeError(
            f"the footprint function of {name!r} is called with the operation's arguments "
            f"({', '.join(parameters)}) and cannot take them: {error}"
        ) from None
    except ValueError:  # a builtin without a signature: it shows when it is called
        return
