"""From a resolved annotation to the type of value it stands for; refuses what cannot travel, and says what to use."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Final

from commutativity.value.value_types import (
    SCALARS,
    AnyJSON,
    DictOf,
    EnumOf,
    Field,
    FixedTuple,
    ListOf,
    Members,
    OneOf,
    Plain,
    Record,
    Scalar,
    SetOf,
    TupleOf,
    ValueType,
    is_plain,
    parts,
)

PLAIN: Final = (str, int, bool, float, type(None))
USE: Final = (
    "use None, bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID, an Enum, a dataclass, a "
    "NamedTuple, a TypedDict, list[...], tuple[...], set[...], frozenset[...], dict[..., ...], a union of these, a "
    "Literal, or JSON for plain JSON (docs/values.md)"
)


def value_type(annotation: object) -> ValueType:
    """The value type of a resolved annotation. Raises ``TypeError`` for what cannot travel."""
    return _Reader().read(annotation, {})


class _Reader:
    """Reads one annotation; remembers the records it is in the middle of, so that they may hold themselves."""

    def __init__(self) -> None:
        self._records: dict[Record, Record] = {}
        self._aliases: list[object] = []

    def read(self, annotation: Any, bound: Mapping[Any, Any]) -> ValueType:
        """``bound``: what stands for the type variables of a generic class."""
        if annotation is None:
            return Plain(type(None))
        if annotation is Any or annotation is object:
            return AnyJSON()
        if annotation in (typing.NoReturn, typing.Never):  # it always raises: no value ever travels
            return Plain(type(None))
        if isinstance(annotation, typing.TypeVar):
            if annotation not in bound:
                raise TypeError(f"the type variable {annotation} stands for no type here: give the class its arguments")
            return self.read(bound[annotation], {})
        if isinstance(annotation, typing.NewType):
            return self.read(annotation.__supertype__, bound)
        if type(annotation).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
            return self._alias(annotation, bound)
        origin = typing.get_origin(annotation)
        if origin is not None:
            return self._generic(annotation, origin, typing.get_args(annotation), bound)
        if isinstance(annotation, type):
            return self._class(annotation)
        raise _refused(annotation)

    def _alias(self, annotation: Any, bound: Mapping[Any, Any]) -> ValueType:
        if annotation in self._aliases:
            raise TypeError(
                f"the type alias {annotation} holds itself; use a dataclass that does, or JSON for any plain JSON"
            )
        self._aliases.append(annotation)
        try:
            return self.read(annotation.__value__, bound)
        finally:
            self._aliases.pop()

    def _class(self, kind: type) -> ValueType:
        if kind in PLAIN:
            return Plain(kind)
        if kind in SCALARS:
            return Scalar(kind)
        if kind is list:
            return ListOf(AnyJSON())
        if kind is dict:
            return DictOf(AnyJSON())
        if kind is tuple:
            return TupleOf(AnyJSON())
        if issubclass(kind, enum.Enum):
            if not kind.__members__:
                raise TypeError(f"{kind.__name__} has no members")
            return EnumOf(kind)
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind, ())
        if typing.is_typeddict(kind):
            return self._typed_dict(kind)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._named_tuple(kind)
        raise _refused(kind)

    def _generic(self, annotation: Any, origin: Any, given: tuple[Any, ...], bound: Mapping[Any, Any]) -> ValueType:
        if origin is typing.Annotated or origin in (typing.Final, typing.Required, typing.NotRequired):
            return self.read(given[0], bound)
        if origin is list:
            return ListOf(self.read(given[0], bound))
        if origin is tuple:
            if len(given) == 2 and given[1] is Ellipsis:
                return TupleOf(self.read(given[0], bound))
            if any(typing.get_origin(item) is typing.Unpack or getattr(item, "__unpacked__", False) for item in given):
                raise TypeError(f"{annotation}: a tuple has a fixed length, or one type of items: tuple[A, ...]")
            return FixedTuple(tuple(self.read(item, bound) for item in given))
        if origin in (set, frozenset):
            return SetOf(_hashable(self.read(given[0], bound), f"an element of {annotation}"), origin)
        if origin is dict:
            key = _hashable(self.read(given[0], bound), f"a key of {annotation}")
            return DictOf(self.read(given[1], bound), key)
        if origin is typing.Union or origin is types.UnionType:
            return _union([self.read(option, bound) for option in given], annotation)
        if origin is typing.Literal and all(type(v) in (str, int, bool, type(None)) for v in given):
            return Members(given)
        if isinstance(origin, type) and dataclasses.is_dataclass(origin):
            return self._dataclass(origin, tuple(_substituted(item, bound) for item in given))
        raise _refused(annotation)

    def _dataclass(self, kind: type, arguments: tuple[Any, ...]) -> Record:
        name = kind.__name__ + (f"[{', '.join(map(_name_of, arguments))}]" if arguments else "")
        made = Record(kind, name, arguments)
        if (known := self._records.get(made)) is not None:
            return known
        self._records[made] = made
        for pseudo in kind.__dataclass_fields__.values():  # type: ignore[attr-defined]
            if pseudo._field_type is dataclasses._FIELD_INITVAR:  # type: ignore[attr-defined]
                raise TypeError(
                    f"{kind.__name__}.{pseudo.name} is an InitVar: it is not kept, so a copy cannot be made elsewhere; "
                    "make it a field"
                )
        bindings, hints = _bindings(kind, arguments), _hints(kind)
        for each in dataclasses.fields(kind):
            required = each.init and each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            compared = each.compare
            bound = bindings.get(_declarer(kind, each), {})
            made.fields.append(
                Field(each.name, self._member(kind, each.name, hints[each.name], bound), required, compared)
            )
        return made

    def _typed_dict(self, kind: Any) -> Record:
        made = Record(kind, kind.__name__)
        if (known := self._records.get(made)) is not None:
            return known
        self._records[made] = made
        for name, hint in _hints(kind).items():
            # The class itself does not see NotRequired where annotations are text.
            required = name in kind.__required_keys__ and typing.get_origin(hint) is not typing.NotRequired
            made.fields.append(Field(name, self._member(kind, name, hint, {}), required))
        return made

    def _named_tuple(self, kind: Any) -> FixedTuple:
        hints = _hints(kind)
        for name in kind._fields:
            if name not in hints:
                raise TypeError(f"{kind.__name__}.{name} has no annotation: make it a typing.NamedTuple")
        if kind in self._aliases:
            raise TypeError(f"{kind.__name__} holds itself: make it a dataclass")
        self._aliases.append(kind)
        try:
            return FixedTuple(tuple(self._member(kind, name, hints[name], {}) for name in kind._fields), kind)
        finally:
            self._aliases.pop()

    def _member(self, kind: type, name: str, hint: Any, bound: Mapping[Any, Any]) -> ValueType:
        try:
            return self.read(hint, bound)
        except TypeError as error:
            raise TypeError(f"{kind.__name__}.{name}: {error}") from None


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
    except Exception as error:
        raise TypeError(
            f"the annotations of {kind.__name__} cannot be resolved ({error}); they are read when the machine's class "
            "is created, so define the class at the top of a module and import what it names at run time"
        ) from error


def _substituted(annotation: Any, bound: Mapping[Any, Any]) -> Any:
    """The annotation with its type variables replaced, also those inside it."""
    if isinstance(annotation, typing.TypeVar):
        return bound.get(annotation, annotation)
    inner = getattr(annotation, "__parameters__", ()) if typing.get_origin(annotation) is not None else ()
    return annotation[tuple(bound.get(variable, variable) for variable in inner)] if inner else annotation


def _bindings(kind: type, arguments: tuple[Any, ...]) -> dict[type, Mapping[Any, Any]]:
    """What stands for the type variables of a dataclass, and for those of the dataclasses that it inherits from."""
    bound = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
    made: dict[type, Mapping[Any, Any]] = {kind: bound}
    for base in (*vars(kind).get("__orig_bases__", ()), *kind.__bases__):
        origin = typing.get_origin(base) or base
        if dataclasses.is_dataclass(origin) and isinstance(origin, type):
            given = tuple(_substituted(item, bound) for item in typing.get_args(base))
            for each, known in _bindings(origin, given).items():
                made[each] = made.get(each) or known
    return made


def _declarer(kind: type, field: dataclasses.Field[Any]) -> type:
    """The class that declares a field: what it inherits is the very field."""
    return next(
        base for base in reversed(kind.__mro__) if vars(base).get("__dataclass_fields__", {}).get(field.name) is field
    )


def _name_of(annotation: Any) -> str:
    plain = isinstance(annotation, type) and typing.get_origin(annotation) is None
    return annotation.__name__ if plain else str(annotation)


def _refused(annotation: Any) -> TypeError:
    hint = ""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        if annotation in (set, frozenset):
            hint = f"say of what: {annotation.__name__}[str]; or "
        elif inspect.isclass(annotation) and annotation.__module__ not in ("builtins", "typing", "collections.abc"):
            hint = "make it a dataclass; or "
    return TypeError(f"{_name_of(annotation)} cannot travel; {hint}{USE}")


def _hashable(kind: ValueType, what: str) -> ValueType:
    """The type, unless its values have no hash."""
    waiting = [kind]
    while waiting:
        match waiting.pop():
            case ListOf() | DictOf() | AnyJSON() as found:
                raise TypeError(f"{what} must be hashable, and {found} is not: use tuple[...] or a frozen dataclass")
            case SetOf(_, of) as found if of is set:
                raise TypeError(f"{what} must be hashable, and {found} is not: use frozenset[...]")
            case Record() as found:
                if found.kind.__hash__ is None:
                    raise TypeError(f"{what} must be hashable, and {found} is not: make it @dataclass(frozen=True)")
            case FixedTuple() | TupleOf() | OneOf() as found:
                waiting.extend(parts(found))
    return kind


def _union(options: list[ValueType], annotation: Any) -> ValueType:
    flat: list[ValueType] = []
    for option in options:
        for each in option.options if isinstance(option, OneOf) else (option,):
            if each not in flat:
                flat.append(each)
    if len(flat) == 1:
        return flat[0]
    made = OneOf(tuple(flat))
    if not is_plain(made):
        _check_distinct(flat, annotation)
    return made


def _check_distinct(options: list[ValueType], annotation: Any) -> None:
    """Refuse members of a union that a value's class, or their names, do not tell apart."""
    seen: dict[object, ValueType] = {}
    for option in options:
        if isinstance(option, AnyJSON):
            raise TypeError(
                f"{annotation}: JSON takes what the other members take too; name plain types in its place, or wrap it "
                "in a dataclass"
            )
        for mark in (*python_types(option), tag_of(option)):
            other = seen.setdefault(mark, option)
            if other is not option and not (isinstance(option, Members) and isinstance(other, Members)):
                raise TypeError(
                    f"{annotation}: {other} and {option} cannot be told apart, as both are "
                    f"{mark if isinstance(mark, str) else getattr(mark, '__name__', mark)}; wrap each in a dataclass "
                    "of its own name"
                )


def python_types(kind: ValueType) -> tuple[type, ...]:
    """The exact classes of a type's values; of a union's members, those of each."""
    match kind:
        case Plain(of) | Scalar(of) | EnumOf(of) | SetOf(_, of) | FixedTuple(_, of):
            return (of,)
        case ListOf():
            return (list,)
        case TupleOf():
            return (tuple,)
        case DictOf():
            return (dict,)
        case Record():
            return (dict if kind.is_dict else kind.kind,)
        case Members(values):
            return tuple(dict.fromkeys(type(value) for value in values))
        case OneOf(options):
            return tuple(of for option in options for of in python_types(option))
        case AnyJSON():
            return (str, int, bool, float, type(None), list, dict)


def tag_of(kind: ValueType) -> str:
    """The name by which a union's members are told apart where their JSON does not do it."""
    match kind:
        case Record():
            return kind.kind.__name__
        case Members():
            return "Literal"
        case _:
            (of, *_) = python_types(kind)
            return of.__name__
