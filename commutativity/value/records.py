"""Dataclasses, named tuples and typed dicts as JSON objects, and made of their fields again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from commutativity.unfit import Unfit, shown, unfit
from commutativity.value.plain_json import check_depth
from commutativity.value.scalars import Both, Convert
from commutativity.value.value_types import Record

_MISSING: Final = object()


FieldConverters: TypeAlias = tuple[str, bool, Convert, Convert]
"""A field's name, whether it must be there, and how it is written and read."""


def record_converters(kind: Record, fields: list[FieldConverters]) -> Both:
    """How a dataclass or a ``TypedDict`` is written and read."""
    if kind.is_dict:
        return _dict_converter(kind, fields, 2), _dict_converter(kind, fields, 3)
    return _dataclass_writer(kind, fields), _dataclass_reader(kind, fields)


def _dict_converter(kind: Record, fields: list[FieldConverters], which: int) -> Convert:
    """Entries in their own order, as those of any dict."""
    converts: dict[Any, Any] = {each[0]: each[which] for each in fields}
    needed = [name for name, required, *_ in fields if required]

    def converted(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not dict:
            unfit(kind, value)
        check_depth(depth + 1)
        made: dict[str, Any] = {}
        for name, item in value.items():
            convert = converts.get(name)
            if convert is None:
                raise Unfit(f"{kind} has no {shown(name)}")
            made[name] = _converted(convert, item, depth + 1, name)
        for name in needed:
            if name not in made:
                raise Unfit(f"{kind} lacks {name}")
        return made

    return converted


def _dataclass_writer(kind: Record, fields: list[FieldConverters]) -> Convert:
    of = kind.kind

    def written(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not of:
            unfit(kind, value)
        check_depth(depth + 1)
        made: dict[str, Any] = {}
        for name, _, write, _ in fields:
            held = getattr(value, name, _MISSING)
            if held is _MISSING:
                raise Unfit(f"{kind} lacks {name}")
            made[name] = _converted(write, held, depth + 1, name)
        return made

    return written


def _dataclass_reader(kind: Record, fields: list[FieldConverters]) -> Convert:
    names, make = {name for name, *_ in fields}, constructor(kind.kind)

    def read(value: Any, depth: int) -> Any:
        if type(value) is not dict:
            unfit(kind, value)
        check_depth(depth + 1)
        made: dict[str, Any] = {}
        for name, required, _, read_field in fields:
            if name in value:
                made[name] = _converted(read_field, value[name], depth + 1, name)
            elif required:
                raise Unfit(f"{kind} lacks {name}")
        if not value.keys() <= names:
            raise Unfit(f"{kind} has no {shown(next(key for key in value if key not in names))}")
        return make(made)

    return read


def _converted(convert: Convert, value: Any, depth: int, name: str) -> Any:
    try:
        return convert(value, depth)
    except Unfit as error:
        error.path.append(f".{name}")
        raise


def _check_kept(made: Any, kind: str, fields: dict[str, Any]) -> None:
    """Refuse a value that is another one when it is made again of its own fields: each replica would go on changing it.

    A class may check and complete its fields, and give them a form that stays as it is (``name.lower()``).
    """
    for name, value in fields.items():
        held = getattr(made, name, _MISSING)
        if held is not value and not (type(held) is type(value) and (held == value or held != held)):
            raise Unfit(
                f"{kind} changes its field {name} from {shown(value)} to {shown(held)} when it is made of its fields; "
                "let __post_init__ and __init__ leave as it is what they have made once"
            )


def _has_generated_init(kind: type[Any]) -> bool:
    """Whether the ``__init__`` is the one that ``@dataclass`` writes, which keeps what it is given."""
    code = getattr(kind.__init__, "__code__", None)
    return code is not None and code.co_filename == "<string>"


@lru_cache(maxsize=1024)
def constructor(kind: type[Any]) -> Callable[[dict[str, Any]], Any]:
    """Makes an instance of a dataclass or named tuple from its fields, by its own ``__init__``, which may refuse them.

    Fields that ``__init__`` does not take are set afterwards.
    """
    declared = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    own = getattr(getattr(kind, "__dataclass_params__", None), "init", True)
    checks = hasattr(kind, "__post_init__") or (bool(declared) and not _has_generated_init(kind))
    derived = [each.name for each in declared if not (each.init and own)]

    def make(fields: dict[str, Any]) -> Any:
        late = {name: fields.pop(name) for name in derived if name in fields}
        try:
            made = kind(**fields) if own else object.__new__(kind)
        except (MemoryError, RecursionError, OSError):
            raise  # of this process, not of the value
        except Exception as error:
            raise Unfit(f"{kind.__name__} refuses these fields: {type(error).__name__}: {error}") from error
        for name, value in late.items():
            object.__setattr__(made, name, value)
        if checks:
            _check_kept(made, kind.__name__, fields)
        return made

    return make
