"""Attributes that ``__init__`` annotates, read from its source: refused where no snapshot could keep them.

Python does not keep these annotations, so this is help, not a rule: where there is no source, or a name of an
annotation is not known at run time, nothing is said, and the snapshot says it.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import enum
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

from commutativity.value.annotations import USE
from commutativity.value.value_types import SCALARS

_KEPT: Final = (
    *(object, type(None), bool, int, float, str, list, dict, tuple, set, frozenset),
    *SCALARS,
    *(collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict),
)


def check_initial_attributes(cls: type) -> None:
    """Raises ``TypeError`` for an attribute annotated in ``__init__`` with a class whose values cannot be kept."""
    initial = cls.__init__  # type: ignore[misc]
    if not inspect.isfunction(initial):
        return
    for name, annotation in _annotated(initial):
        try:
            found = eval(annotation, {**vars(sys.modules[initial.__module__]), cls.__name__: cls})
        except Exception:  # known to type checkers only, or inside a function
            continue
        for part in _leaves(found):
            if not _can_be_kept(part):
                raise TypeError(
                    f"{cls.__name__}.{name}: values of {getattr(part, '__name__', part)} cannot be kept in a snapshot; "
                    f"{USE}; or override snapshot() and restore() in {cls.__name__}"
                )


def _annotated(initial: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """The attributes of ``self`` that a function annotates, with the annotations as code."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(initial)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            owner = node.target.value
            if isinstance(owner, ast.Name) and owner.id == "self":
                yield node.target.attr, compile(ast.Expression(node.annotation), "<annotation>", "eval")


def _leaves(annotation: Any) -> Iterator[Any]:
    """The classes of which an annotation is made."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return
    if origin is typing.Annotated:
        yield from _leaves(typing.get_args(annotation)[0])
        return
    if origin is None:
        yield annotation
        return
    if origin is not typing.Union and origin is not types.UnionType:
        yield origin
    if origin is collections.abc.Callable:
        return
    for part in typing.get_args(annotation):
        yield from _leaves(part)


def _can_be_kept(kind: Any) -> bool:
    if kind is collections.abc.Callable:
        return False
    if not isinstance(kind, type) or kind in _KEPT or kind.__module__ == "typing":
        return True  # a type variable, an alias, Any, text: nothing is known
    if inspect.isabstract(kind) or getattr(kind, "_is_protocol", False) or kind.__subclasses__():
        return True  # what is kept is of a class below
    return (
        issubclass(kind, enum.Enum)
        or dataclasses.is_dataclass(kind)
        or typing.is_typeddict(kind)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )
