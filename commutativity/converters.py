"""From a type of value to the two functions that write its values as JSON and read them."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import orjson

from commutativity.annotations import python_types, tag_of
from commutativity.records import constructor
from commutativity.scalars import (
    TEXTS,
    Convert,
    enum_converters,
    read_int,
    read_timedelta,
    text_converters,
    write_bool,
    write_float,
    write_int,
    write_none,
    write_small_int,
    write_text,
    write_timedelta,
)
from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown, unfit
from commutativity.value_types import (
    AnyJSON,
    DictOf,
    EnumOf,
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
)

DEPTH_MAX: Final = 32
"""Lists and dicts of plain JSON inside one another."""
TYPED_DEPTH_MAX: Final = 64
"""Records and what they hold inside one another. Where each is wrapped in the name of its type, this is still well below
what JSON decoders take (254 for the strictest met)."""
_WRITERS: Final[dict[type, Convert]] = {
    str: write_text,
    bool: write_bool,
    int: write_int,
    float: write_float,
    type(None): write_none,
}
Both: TypeAlias = tuple[Convert, Convert]


def check_depth(depth: int) -> None:
    """Raises :class:`Unfit` where values are nested too deeply."""
    if depth > TYPED_DEPTH_MAX:
        raise Unfit(f"nested deeper than {TYPED_DEPTH_MAX} levels")


def check_json_depth(outside: int) -> None:
    """The same for plain JSON inside so many others."""
    if outside >= DEPTH_MAX:
        raise Unfit(f"nested deeper than {DEPTH_MAX} levels")


class Compiler:
    """Compiles types; a record's converters once, so that it may hold itself.

    ``undeclared`` converts values of no declared type, which are plain JSON unless it is given.
    """

    def __init__(self, undeclared: Both | None = None) -> None:
        self._json = undeclared or (write_json, read_json)
        self._open = undeclared is not None
        self._records: dict[Record, list[Convert]] = {}

    def converters(self, kind: ValueType) -> Both:
        """How values of a type are written and read."""
        match kind:
            case Plain(of):
                return _WRITERS[of], (read_int if of is int else _WRITERS[of])
            case Scalar(of):
                return text_converters(of) if of in TEXTS else (write_timedelta, read_timedelta)
            case EnumOf(of):
                return enum_converters(of)
            case Members(values):
                return (_member_of(kind, values),) * 2
            case AnyJSON():
                return self._json
            case ListOf(item):
                return self._sequence(str(kind), list, item)
            case TupleOf(item):
                return self._sequence(str(kind), tuple, item)
            case FixedTuple():
                return self._fixed(kind)
            case SetOf(item, of):
                return _set(str(kind), of, *self.converters(item))
            case DictOf(value, key):
                entries = self.converters(value)
                return _object(str(kind), *entries) if key == Plain(str) else self._mapping(kind, *entries)
            case Record():
                return self._record(kind)
            case OneOf(options):
                return self._plain_union(kind) if is_plain(kind) and not self._open else self._union(kind, options)

    def _sequence(self, name: str, of: type, item: ValueType) -> Both:
        write, read = self.converters(item)

        def written(value: Any, depth: int) -> list[Any]:
            if type(value) is not of:
                unfit(name, value)
            return _each(write, value, depth + 1)

        def read_back(value: Any, depth: int) -> Any:
            if type(value) is not list:
                unfit(name, value)
            made = _each(read, value, depth + 1)
            return made if of is list else tuple(made)

        return written, read_back

    def _fixed(self, kind: FixedTuple) -> Both:
        both = [self.converters(item) for item in kind.items]
        writes, reads, count = [one for one, _ in both], [two for _, two in both], len(both)
        of, make = kind.kind, getattr(kind.kind, "_make", tuple)

        def converted(converts: list[Convert], values: Any, depth: int) -> list[Any]:
            check_depth(depth + 1)
            if len(values) != count:
                raise Unfit(f"expected {kind}, got {len(values)} items")
            made: list[Any] = []
            for place, (convert, value) in enumerate(zip(converts, values, strict=True)):
                try:
                    made.append(convert(value, depth + 1))
                except Unfit as error:
                    error.path.append(f"[{place}]")
                    raise
            return made

        def written(value: Any, depth: int) -> list[Any]:
            if type(value) is not of:
                unfit(kind, value)
            return converted(writes, value, depth)

        def read(value: Any, depth: int) -> Any:
            if type(value) is not list:
                unfit(kind, value)
            return make(converted(reads, value, depth))

        return written, read

    def _mapping(self, kind: DictOf, write: Convert, read: Convert) -> Both:
        """A dict whose keys are not text: they become text, so that all objects sort alike."""
        write_key, read_key = self._key(kind.key)
        name = str(kind)

        def converter(convert_key: Convert, convert: Convert) -> Convert:
            def converted(value: Any, depth: int) -> dict[Any, Any]:
                if type(value) is not dict:
                    unfit(name, value)
                check_depth(depth := depth + 1)
                made: dict[Any, Any] = {}
                for key, item in value.items():
                    try:
                        made[convert_key(key, depth)] = convert(item, depth)
                    except Unfit as error:
                        error.path.append(f"[{shown(key)}]")
                        raise
                if len(made) != len(value):
                    raise Unfit("two keys of one object are equal")
                return made

            return converted

        return converter(write_key, write), converter(read_key, read)

    def _key(self, kind: ValueType) -> Both:
        """The text of a key: its form where that is text in any case, else the form's JSON."""
        write, read = self.converters(kind)
        if json_kinds(kind) == {"str"}:
            return write, read

        def written(key: Any, depth: int) -> str:
            return orjson.dumps(write(key, depth), option=orjson.OPT_SORT_KEYS).decode()

        def read_back(text: Any, depth: int) -> Any:
            try:
                form = orjson.loads(text)
            except (orjson.JSONDecodeError, TypeError):
                unfit(f"{kind} as JSON text", text)
            return read(form, depth)

        return written, read_back

    def _record(self, kind: Record) -> Both:
        if (known := self._records.get(kind)) is None:
            known = self._records[kind] = []
            fields = [(each.name, each.required, *self.converters(each.kind)) for each in kind.fields]
            known.extend(_record_converters(kind, fields))

        # Through the list, which is empty as yet when the record is met inside itself.
        return (
            known[0] if known else lambda value, depth: known[0](value, depth),
            known[1] if known else lambda value, depth: known[1](value, depth),
        )

    def _plain_union(self, kind: OneOf) -> Both:
        """A union of plain JSON types: the first that takes a value, as any of them leaves it what it is."""
        ranked = sorted(kind.options, key=lambda option: option == Plain(float))  # a float takes integers too
        objects = any("dict" in json_kinds(option) for option in ranked if option != Plain(int))
        both = [self.converters(option) for option in ranked]
        if objects:  # an object is not to be taken for a large integer
            both = [
                (write_small_int, write_small_int) if option == Plain(int) else pair
                for option, pair in zip(ranked, both, strict=True)
            ]

        def first_of(converts: list[Convert]) -> Convert:
            def convert(value: Any, depth: int) -> Any:
                for one in converts:
                    try:
                        return one(value, depth)
                    except Unfit:
                        continue
                unfit(kind, value)

            return convert

        return first_of([one for one, _ in both]), first_of([two for _, two in both])

    def _union(self, kind: OneOf, options: tuple[ValueType, ...]) -> Both:
        """A union of types whose values differ in class: told apart by the kind of their JSON, else by name."""
        both = {option: self.converters(option) for option in options}
        writers = {of: both[option][0] for option in options for of in python_types(option)}
        readers: dict[str, Convert] = {}
        for option in options:
            for json_kind in json_kinds(option):
                if json_kind in readers:
                    return _tagged(kind, options, both)
                readers[json_kind] = both[option][1]
        if "float" in readers:
            readers.setdefault("int", readers["float"])
        if float in writers:
            writers.setdefault(int, writers[float])

        def written(value: Any, depth: int) -> Any:
            write = writers.get(type(value))
            return unfit(kind, value) if write is None else write(value, depth)

        def read(value: Any, depth: int) -> Any:
            found = readers.get(_KINDS.get(type(value), ""))
            return unfit(kind, value) if found is None else found(value, depth)

        return written, read


def _tagged(kind: OneOf, options: tuple[ValueType, ...], both: dict[ValueType, Both]) -> Both:
    """``{"name of the member": form}``, and null for None."""
    named = {option: tag_of(option) for option in options if option != Plain(type(None))}
    writers = {of: (tag, both[option][0]) for option, tag in named.items() for of in python_types(option)}
    readers = {tag: both[option][1] for option, tag in named.items()}
    optional = len(named) < len(options)
    names = ", ".join(named.values())

    def written(value: Any, depth: int) -> Any:
        if value is None and optional:
            return None
        found = writers.get(type(value))
        if found is None:
            unfit(kind, value)
        return {found[0]: found[1](value, depth)}

    def read(value: Any, depth: int) -> Any:
        if value is None and optional:
            return None
        if type(value) is not dict or len(value) != 1:
            unfit(f"{kind} as an object with one key, of {names}", value)
        ((tag, form),) = value.items()
        found = readers.get(tag)
        if found is None:
            raise Unfit(f"expected {kind} as an object with one key, of {names}, got {shown(tag)}")
        return found(form, depth)

    return written, read


def _set(name: str, of: type, write: Convert, read: Convert) -> Both:
    def written(value: Any, depth: int) -> list[Any]:
        if type(value) is not of:
            unfit(name, value)
        # Sorted by their bytes, which any mixture of types has.
        return sorted(_each(write, value, depth + 1), key=_bytes_of)

    def read_back(value: Any, depth: int) -> Any:
        if type(value) is not list:
            unfit(name, value)
        made = of(_each(read, value, depth + 1))
        if len(made) != len(value):
            raise Unfit("two items of one set are equal")
        return made

    return written, read_back


def _bytes_of(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _object(name: str, write: Convert, read: Convert) -> Both:
    """A dict with text keys."""

    def converter(convert: Convert) -> Convert:
        def converted(value: Any, depth: int) -> dict[str, Any]:
            if type(value) is not dict:
                unfit(name, value)
            return _entries(convert, value, depth + 1)

        return converted

    return converter(write), converter(read)


def check_key(key: object) -> None:
    """Raises :class:`Unfit` for a key of a JSON object that is not text."""
    if type(key) is not str or not (key.isascii() or encodable(key)):
        raise Unfit(f"the key {shown(key)} is not UTF-8 text")


def _each(convert: Convert, values: Any, depth: int) -> list[Any]:
    check_depth(depth)
    made: list[Any] = []
    try:
        for item in values:
            made.append(convert(item, depth))  # noqa: PERF401  # how many there are says which one did not fit
    except Unfit as error:
        error.path.append(f"[{len(made)}]")
        raise
    return made


def _entries(convert: Convert, values: dict[Any, Any], depth: int) -> dict[str, Any]:
    check_depth(depth)
    made: dict[str, Any] = {}
    for key, item in values.items():
        check_key(key)
        try:
            made[key] = convert(item, depth)
        except Unfit as error:
            error.path.append(f"[{shown(key)}]")
            raise
    return made


def _record_converters(kind: Record, fields: list[tuple[str, bool, Convert, Convert]]) -> Both:
    of = dict if kind.is_dict else kind.kind
    names = {name for name, *_ in fields}
    make = dict if kind.is_dict else constructor(kind.kind)

    def written(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not of:
            unfit(kind, value)
        check_depth(depth + 1)
        made: dict[str, Any] = {}
        for name, required, write, _ in fields:
            try:
                held = value[name] if of is dict else getattr(value, name)
            except (KeyError, AttributeError):
                if required or of is not dict:
                    raise Unfit(f"{kind} has no {name}") from None
                continue
            try:
                made[name] = write(held, depth + 1)
            except Unfit as error:
                error.path.append(f".{name}")
                raise
        if of is dict and len(made) != len(value):
            raise Unfit(f"{kind} has no {shown(next(key for key in value if key not in names))}")
        return made

    def read(value: Any, depth: int) -> Any:
        if type(value) is not dict:
            unfit(kind, value)
        check_depth(depth + 1)
        made: dict[str, Any] = {}
        for name, required, _, read_field in fields:
            if name in value:
                try:
                    made[name] = read_field(value[name], depth + 1)
                except Unfit as error:
                    error.path.append(f".{name}")
                    raise
            elif required:
                raise Unfit(f"{kind} lacks {name}")
        if value.keys() - names:
            raise Unfit(f"{kind} has no {shown(min(value.keys() - names))}")
        return make(made)

    return written, read


def _member_of(kind: Members, values: tuple[Any, ...]) -> Convert:
    known = {(type(value), value) for value in values}

    def checked(value: Any, _: int) -> Any:
        if type(value) not in _KINDS or type(value) in (list, dict) or (type(value), value) not in known:
            unfit(kind, value)
        return value

    return checked


_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
    dict: "dict",
}


def json_kinds(kind: ValueType) -> set[str]:
    """What the JSON of a type's values may be."""
    match kind:
        case Plain(of):
            return {"int", "dict"} if of is int else {_KINDS[of]}
        case Scalar(of):
            return {"str"} if of in TEXTS else {"int", "dict"}
        case EnumOf(of):
            write, _ = enum_converters(of)
            return {"str"} if isinstance(write(next(iter(of.__members__.values()))), str) else {"int", "dict"}
        case Members(values):
            return {_KINDS[type(value)] for value in values}
        case ListOf() | TupleOf() | FixedTuple() | SetOf():
            return {"list"}
        case DictOf() | Record():
            return {"dict"}
        case OneOf(options):
            return {found for option in options for found in json_kinds(option)}
        case AnyJSON():
            return set(_KINDS.values())


def write_json(value: Any, depth: int) -> Any:
    """Plain JSON, copied."""
    of = type(value)
    if of is str:
        return value if value.isascii() else write_text(value)
    if of is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        raise Unfit("the integer does not fit in signed 64 bits; under the annotation int, any size travels")
    if value is None or of is bool:
        return value
    if of is float:
        return value if math.isfinite(value) else write_float(value)
    if of is list:
        check_json_depth(depth)
        return _each(write_json, value, depth + 1)
    if of is dict:
        check_json_depth(depth)
        return _entries(write_json, value, depth + 1)
    raise Unfit(f"{shown(value)} is not JSON; annotate it with its type")


read_json = write_json
"""Plain JSON is its own form; copied as well, since a machine may keep and change what it is given."""
