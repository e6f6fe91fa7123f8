"""``Machine``: the user's program, one copy per replica (protocol.md §1), with its table and its operations."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from commutativity.codec import Codec
from commutativity.command import JSON, InvalidCommand
from commutativity.footprint import Footprint
from commutativity.initial import check_initial_attributes
from commutativity.operation import Operation
from commutativity.state import attribute_codecs, captured, restored, wrap_own
from commutativity.table import CommutativityTable
from commutativity.value.value_types import definitions
from commutativity.value.values import shown

RESERVED: Final = ("admit", "apply", "check_values", "fingerprint_text", "operations", "restore", "snapshot", "table")
"""Members of Machine that no operation may be named after."""


class Machine:
    """A deterministic state machine. Subclasses declare ``table`` and operations, and are made without arguments. ::

        class Counter(Machine):
            table = CommutativityTable('''
                       read  add
                read     .    x
                add      x    .
            ''')

            def __init__(self) -> None:
                self.counts: dict[str, int] = {}

            @operation(name="add")
            def add(self, name: str, amount: int) -> None:
                self.counts[name] = self.counts.get(name, 0) + amount

    An operation must depend on nothing but the state and its arguments, and may raise only subclasses of
    :class:`OperationError`. What arguments, results and state may be: docs/values.md.

    A class that is not valid raises ``TypeError`` or :class:`TableError` when it is created.
    """

    table: ClassVar[CommutativityTable]
    operations: ClassVar[dict[str, Operation[..., Any]]] = {}
    check_values: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Small values for :func:`commutativity.check.check` to try, by parameter name; else the types' own."""
    _state_codecs: ClassVar[Mapping[str, Codec]] = {}
    """How the attributes that a class body annotates are kept."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        declared = _declared_operations(cls)
        wrap_own(cls, Machine)
        if cls.snapshot is Machine.snapshot:
            cls._state_codecs = attribute_codecs(cls, Machine)
            if "__init__" in vars(cls):
                check_initial_attributes(cls)
        if not declared:
            cls.operations = {}
            return
        table = getattr(cls, "table", None)
        if not isinstance(table, CommutativityTable):
            raise TypeError(
                f"{cls.__name__} has operations but no table: set table = CommutativityTable('''...''') in the class"
            )
        _check_constructible(cls)
        cls.operations = {name: found.prepared(cls, table) for name, found in declared.items()}
        for name, made in cls.operations.items():
            if made is not declared[name]:
                setattr(cls, name, made)

    @classmethod
    def admit(cls, operation: str, arguments: Sequence[Any]) -> Footprint:
        """Check a command from outside and give its footprint. Raises :class:`InvalidCommand`, and nothing else."""
        try:
            found = cls.operations[operation]
        except (KeyError, TypeError):
            raise InvalidCommand(_unknown(cls, operation)) from None
        return found.admit(arguments)

    def apply(self, operation: str, arguments: Sequence[JSON]) -> JSON:
        """Run an admitted command and give its result, as it travels.

        Lets the :class:`OperationError` of an operation through: it is a result. So is :class:`UnrepresentableResult`,
        raised for a result that is not of the type the operation declares. Anything else raised is a fault: the machine
        may have changed in part, and is to be made anew.
        """
        return self.operations[operation].run(self, arguments)

    def snapshot(self) -> Any:
        """The state as JSON, sharing nothing with the machine. Equal states must give equal snapshots.

        By default the instance's attributes. An override may give any value that can travel, by its return annotation
        if it has one, and is given it again by :meth:`restore`. Raises ``TypeError`` for what cannot be kept.
        """
        return captured(vars(self), self._state_codecs, type(self))

    def restore(self, snapshot: Any) -> None:
        """Replace the state by one that :meth:`snapshot` gave. Raises ``TypeError`` for anything else."""
        state = restored(snapshot, self._state_codecs, type(self))
        vars(self).clear()
        vars(self).update(state)

    @classmethod
    def fingerprint_text(cls) -> str:
        """The rules in canonical lines: the table, then each operation's parameters, types and footprint.

        Replicas with different texts would disagree on what commutes, so they refuse one another and print the
        difference. A footprint function is named but not read: change its name with its meaning.
        """
        lines = sorted(made.described() for made in cls.operations.values())
        table = [line.rstrip() for line in cls.table.text().splitlines()] if lines else []
        kinds = (kind for made in cls.operations.values() for kind in (*made.types, made.result.kind))
        return "\n".join([*table, *lines, *definitions(kinds)])


def _declared_operations(cls: type[Machine]) -> dict[str, Operation[..., Any]]:
    """The operations of a class, inherited ones first; raises ``TypeError`` where one is hidden or misnamed."""
    found: dict[str, Operation[..., Any]] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            if isinstance(member, Operation):
                if name in RESERVED:
                    raise TypeError(
                        f"{cls.__name__}: no operation can be named {name!r}, a member of Machine; rename it"
                    )
                if name != member.name:
                    raise TypeError(
                        f"{cls.__name__}.{name} is the operation {member.name!r} under another name: "
                        "define it as a method of its own"
                    )
                found[name] = member
            elif name in found:
                raise TypeError(
                    f"{base.__name__}.{name} hides an inherited operation: put @operation on it, or rename it"
                )
    return found


def _check_constructible(cls: type[Machine]) -> None:
    try:
        inspect.signature(cls).bind()
    except TypeError as error:
        raise TypeError(
            f"{cls.__name__}() must work without arguments ({error}): every replica starts "
            "from the same empty machine; give the parameters defaults or set them by an operation"
        ) from None


def _unknown(cls: type[Machine], operation: object) -> str:
    known = sorted(cls.operations)
    close = difflib.get_close_matches(operation, known, 1) if isinstance(operation, str) else []
    hint = f"did you mean {close[0]!r}? " if close else ""
    has = ", ".join(known) or "no operations"
    return f"unknown operation {shown(operation)}; {hint}{cls.__name__} has {has}"
