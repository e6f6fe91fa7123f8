"""A machine's state as JSON: its attributes, or what its own ``snapshot`` gives, by annotation where there is one.

Attributes that the class body annotates travel by that annotation. All others say themselves what they are
(:mod:`commutativity.value.open_form`), as their annotations, in ``__init__``, are not kept by Python.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from commutativity.codec import Codec
from commutativity.command import JSON
from commutativity.unfit import Unfit, shown
from commutativity.value.annotations import value_type
from commutativity.value.open_form import OpenForm


def attribute_codecs(cls: type, root: type) -> dict[str, Codec]:
    """The codecs of the attributes annotated in the class body, of ``cls`` and its bases below ``root``.

    Raises ``TypeError`` for one that cannot be kept.
    """
    bases = [base for base in cls.__mro__ if base not in (root, object)]
    try:
        names = {name for base in bases for name in inspect.get_annotations(base)}
    except NameError:  # from Python 3.14 on they are evaluated here; what follows says which name is missing
        names = {"?"}
    if not names:
        return {}
    codecs = {}
    for name, hint in _hints(cls, cls.__name__).items():
        if name in names and typing.get_origin(hint) is not typing.ClassVar and hint is not typing.ClassVar:
            codecs[name] = _codec(hint, f"{cls.__name__}.{name}", OpenForm(cls.__module__))
    return codecs


def captured(attributes: Mapping[str, Any], codecs: Mapping[str, Codec], owner: type) -> dict[str, JSON]:
    """A machine's attributes as JSON. Raises ``TypeError`` naming the one that cannot be kept."""
    made: dict[str, JSON] = {}
    write = OpenForm(owner.__module__).write
    for name, value in sorted(attributes.items()):
        codec = codecs.get(name)
        try:
            made[name] = write(value) if codec is None else codec.encode(value)
        except Unfit as error:
            error.path.append(name)
            raise TypeError(_advice(error, owner.__name__)) from None
    return made


def restored(snapshot: object, codecs: Mapping[str, Codec], owner: type) -> dict[str, Any]:
    """The attributes again. Raises ``TypeError`` for anything that :func:`captured` does not give."""
    if type(snapshot) is not dict:
        raise TypeError(f"a snapshot of {owner.__name__} is a dict, not {type(snapshot).__name__}")
    made = {}
    read = OpenForm(owner.__module__).read
    for name, value in snapshot.items():
        codec = codecs.get(name)
        try:
            made[name] = read(value) if codec is None else codec.decode(value)
        except Unfit as error:
            error.path.append(name)
            raise TypeError(f"{owner.__name__}.{error}") from None
    return made


def _advice(error: Unfit, owner: str) -> str:
    where = "".join(reversed(error.path))
    what = error.what if error.what.startswith("is ") else f"is not what it must be: {error.what}"
    return (
        f"{owner}.{where} {what}: keep values that can travel (docs/values.md), or override snapshot() and restore() "
        f"in {owner}"
    )


def wrap_own(cls: type, root: type) -> None:
    """Let the class's own ``snapshot`` and ``restore`` deal in values: what they give and take is converted.

    By the return annotation of ``snapshot``, else as values of no declared type. Where a class defines one of the two,
    both are wrapped, so that each conversion is undone.
    """
    if all(_is_settled(cls, name, root) for name in ("snapshot", "restore")):
        return
    snapshot, restore = cls.snapshot, cls.restore  # type: ignore[attr-defined]
    codec = _snapshot_codec(cls, snapshot, OpenForm(cls.__module__), _is_settled(cls, "snapshot", root))
    cls.snapshot = _wrapped_snapshot(snapshot, codec)  # type: ignore[attr-defined]
    cls.restore = _wrapped_restore(restore, codec)  # type: ignore[attr-defined]


def _is_settled(cls: type, name: str, root: type) -> bool:
    """Whether a method is inherited from a machine, which has wrapped it if need be."""
    definer = next(base for base in cls.__mro__ if name in vars(base))
    return definer is not cls and issubclass(definer, root)


def _snapshot_codec(cls: type, snapshot: Callable[..., Any], form: OpenForm, inherited: bool) -> Codec:
    hint: Any = Any
    if not inherited and "return" in getattr(snapshot, "__annotations__", {}):
        hint = _hints(snapshot, cls.__name__, {cls.__name__: cls})["return"]
    return _codec(hint, f"{cls.__name__}.snapshot()", form)


def _wrapped_snapshot(snapshot: Callable[[Any], Any], codec: Codec) -> Callable[[Any], JSON]:
    @functools.wraps(snapshot)
    def wrapped(self: Any) -> JSON:
        value = snapshot(self)
        try:
            return codec.encode(value)
        except Unfit as error:
            raise TypeError(f"{type(self).__name__}.snapshot() gave {shown(value)}: {error}") from None

    return wrapped


def _wrapped_restore(restore: Callable[[Any, Any], None], codec: Codec) -> Callable[[Any, JSON], None]:
    @functools.wraps(restore)
    def wrapped(self: Any, snapshot: JSON) -> None:
        try:
            value = codec.decode(snapshot)
        except Unfit as error:
            raise TypeError(f"not a snapshot of {type(self).__name__}: {error}") from None
        restore(self, value)

    return wrapped


def _hints(of: Any, name: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return typing.get_type_hints(of, localns={name: of, **(names or {})}, include_extras=True)
    except Exception as error:
        raise TypeError(
            f"the annotations of {name} cannot be resolved ({error}); they say how a snapshot keeps its attributes, "
            "so import what they name at run time"
        ) from error


def _codec(annotation: Any, where: str, form: OpenForm) -> Codec:
    try:
        return Codec(annotation, kind=value_type(annotation), undeclared=(form.write, form.read))
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None
