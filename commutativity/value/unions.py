"""Unions as JSON: as the members are where their JSON tells them apart, else each under its name."""

from __future__ import annotations

from typing import Any, Final

from commutativity.unfit import Unfit, shown, unfit
from commutativity.value.annotations import python_types, tag_of
from commutativity.value.scalars import TEXTS, Both, Convert, enum_converters, write_small_int
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
)

KINDS: Final[dict[type, str]] = {
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
            return {"int", "dict"} if of is int else {KINDS[of]}
        case Scalar(of):
            return {"str"} if of in TEXTS else {"int", "dict"}
        case EnumOf(of):
            write, _ = enum_converters(of)
            return {"str"} if isinstance(write(next(iter(of.__members__.values())), 0), str) else {"int", "dict"}
        case Members(values):
            return {KINDS[type(value)] for value in values}
        case ListOf() | TupleOf() | FixedTuple() | SetOf():
            return {"list"}
        case DictOf() | Record():
            return {"dict"}
        case OneOf(options):
            return {found for option in options for found in json_kinds(option)}
        case AnyJSON():
            return set(KINDS.values())


def plain_union(kind: OneOf, both: dict[ValueType, Both]) -> Both:
    """A union of plain JSON types: the first that takes a value, as any of them leaves it what it is."""
    ranked = sorted(kind.options, key=lambda option: option == Plain(float))  # a float takes integers too
    objects = any("dict" in json_kinds(option) for option in ranked if option != Plain(int))
    small = objects  # an object is not to be taken for a large integer
    pairs = [(write_small_int,) * 2 if small and option == Plain(int) else both[option] for option in ranked]

    def first_of(converts: list[Convert]) -> Convert:
        def convert(value: Any, depth: int) -> Any:
            for one in converts:
                try:
                    return one(value, depth)
                except Unfit:
                    continue
            return unfit(kind, value)

        return convert

    return first_of([one for one, _ in pairs]), first_of([two for _, two in pairs])


def union(kind: OneOf, both: dict[ValueType, Both]) -> Both:
    """A union of types whose values differ in class: told apart by the kind of their JSON, else by name."""
    writers = {of: both[option][0] for option in both for of in python_types(option)}
    readers: dict[str, Convert] = {}
    for option in both:
        for json_kind in json_kinds(option):
            if json_kind in readers:
                return _tagged(kind, both)
            readers[json_kind] = both[option][1]
    if "float" in readers:
        readers.setdefault("int", readers["float"])
    if float in writers:
        writers.setdefault(int, writers[float])

    def written(value: Any, depth: int) -> Any:
        write = writers.get(type(value))
        return unfit(kind, value) if write is None else write(value, depth)

    def read(value: Any, depth: int) -> Any:
        found = readers.get(KINDS.get(type(value), ""))
        return unfit(kind, value) if found is None else found(value, depth)

    return written, read


def _tagged(kind: OneOf, both: dict[ValueType, Both]) -> Both:
    """``{"name of the member": form}``, and null for None."""
    named = {option: tag_of(option) for option in both if option != Plain(type(None))}
    writers = {of: (tag, both[option][0]) for option, tag in named.items() for of in python_types(option)}
    readers = {tag: both[option][1] for option, tag in named.items()}
    optional = len(named) < len(both)
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
