"""From a type of value to the two functions that write its values as JSON and read them."""

from __future__ import annotations

from typing import Any, Final

from commutativity.unfit import Unfit, shown, unfit
from commutativity.value.json_text import canonical_text, parsed
from commutativity.value.plain_json import check_depth, each_entry, each_item, read_json, write_json
from commutativity.value.records import record_converters
from commutativity.value.scalars import (
    TEXTS,
    Both,
    Convert,
    enum_converters,
    read_int,
    read_timedelta,
    text_converters,
    write_bool,
    write_float,
    write_int,
    write_none,
    write_text,
    write_timedelta,
)
from commutativity.value.unions import KINDS, json_kinds, plain_union, union
from commutativity.value.value_types import (
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

_WRITERS: Final[dict[type, Convert]] = {
    str: write_text,
    bool: write_bool,
    int: write_int,
    float: write_float,
    type(None): write_none,
}


class Compiler:
    """Compiles types; a record's converters once, so that it may hold itself.

    ``undeclared`` converts values of no declared type, which are plain JSON unless it is given.
    """

    def __init__(self, undeclared: Both | None = None) -> None:
        self._json = undeclared or (write_json, read_json)
        self._open = undeclared is not None
        self._records: dict[Record, list[Convert]] = {}

    def converters(self, kind: ValueType) -> Both:  # noqa: C901  # one case for each type
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
                members = {option: self.converters(option) for option in options}
                return plain_union(kind, members) if is_plain(kind) and not self._open else union(kind, members)

    def _sequence(self, name: str, of: type, item: ValueType) -> Both:
        write, read = self.converters(item)

        def written(value: Any, depth: int) -> list[Any]:
            if type(value) is not of:
                unfit(name, value)
            return each_item(write, value, depth + 1)

        def read_back(value: Any, depth: int) -> Any:
            if type(value) is not list:
                unfit(name, value)
            made = each_item(read, value, depth + 1)
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
            return canonical_text(write(key, depth))

        def read_back(text: Any, depth: int) -> Any:
            try:
                form = parsed(text)
            except (ValueError, TypeError):
                unfit(f"{kind} as JSON text", text)
            return read(form, depth)

        return written, read_back

    def _record(self, kind: Record) -> Both:
        if (known := self._records.get(kind)) is None:
            known = self._records[kind] = []
            fields = [(each.name, each.required, *self.converters(each.kind)) for each in kind.fields]
            known.extend(record_converters(kind, fields))

        # Through the list, which is empty as yet when the record is met inside itself.
        return (
            known[0] if known else lambda value, depth: known[0](value, depth),  # noqa: PLW0108
            known[1] if known else lambda value, depth: known[1](value, depth),  # noqa: PLW0108
        )


def _set(name: str, of: type, write: Convert, read: Convert) -> Both:
    def written(value: Any, depth: int) -> list[Any]:
        if type(value) is not of:
            unfit(name, value)
        # Sorted by their text, which any mixture of types has.
        return sorted(each_item(write, value, depth + 1), key=canonical_text)

    def read_back(value: Any, depth: int) -> Any:
        if type(value) is not list:
            unfit(name, value)
        made = of(each_item(read, value, depth + 1))
        if len(made) != len(value):
            raise Unfit("two items of one set are equal")
        return made

    return written, read_back


def _object(name: str, write: Convert, read: Convert) -> Both:
    """A dict with text keys."""

    def converter(convert: Convert) -> Convert:
        def converted(value: Any, depth: int) -> dict[str, Any]:
            if type(value) is not dict:
                unfit(name, value)
            return each_entry(convert, value, depth + 1)

        return converted

    return converter(write), converter(read)


def _member_of(kind: Members, values: tuple[Any, ...]) -> Convert:
    known = {(type(value), value) for value in values}

    def checked(value: Any, _: int) -> Any:
        if type(value) not in KINDS or type(value) in (list, dict) or (type(value), value) not in known:
            unfit(kind, value)
        return value

    return checked
