"""Values to JSON and back, by annotation (docs/values.md): compiled once, the identity for plain JSON types.

A value has one form, and the form has one value, so that replicas that hold equal things hold equal bytes. What a
program can tell apart keeps its own form: ``Decimal("1.0")`` and ``Decimal("1.00")``, ``-0.0`` and ``0.0``, the order
of a dict's keys. Sets are sorted, as their order tells nothing. ::

    codec = Codec(list[Entry])
    codec.decode(codec.encode(value)) == value  # and of the same types
    canonical(codec.encode(value))  # bytes, the keys of objects sorted

Decoding gives fresh lists, dicts and sets: nothing is shared with the JSON.
"""

from __future__ import annotations

from typing import Any

from commutativity.command import JSON
from commutativity.unfit import Unfit
from commutativity.value.annotations import value_type
from commutativity.value.converters import Compiler
from commutativity.value.json_text import canonical
from commutativity.value.scalars import Both
from commutativity.value.value_types import ValueType, is_plain

__all__ = ["Codec", "canonical"]


class Codec:
    """How the values of one annotation travel.

    Raises ``TypeError`` for an annotation whose values cannot. ``kind`` is the annotation as read, and may be given in
    its place; ``undeclared`` converts what is annotated ``Any`` or ``JSON``, which is plain JSON by default. ``plain``:
    every value is its own JSON, except that integers beyond 64 bits are not.
    """

    __slots__ = ("_annotation", "_read", "kind", "plain", "write")

    def __init__(self, annotation: object, *, kind: ValueType | None = None, undeclared: Both | None = None) -> None:
        self._annotation = annotation
        self.kind: ValueType = value_type(annotation) if kind is None else kind
        self.write, self._read = Compiler(undeclared).converters(self.kind)
        self.plain = is_plain(self.kind)

    def encode(self, value: object) -> JSON:
        """The value's JSON, which shares nothing with it. Raises ``ValueError`` saying where it is not of its type."""
        made: JSON = self.write(value, 0)
        return made

    def decode(self, value: JSON) -> Any:
        """The value of this JSON. Raises ``ValueError`` saying where it is none."""
        return self._read(value, 0)

    def problem(self, value: object) -> str | None:
        """What keeps a value from travelling, in words; ``None`` when nothing does."""
        try:
            self.write(value, 0)
        except Unfit as error:
            return str(error)
        return None

    def refusal(self, value: JSON) -> str | None:
        """What keeps JSON from being a value, in words; ``None`` when nothing does."""
        try:
            self._read(value, 0)
        except Unfit as error:
            return str(error)
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        return _codec_again, (self.kind,)

    def __repr__(self) -> str:
        return f"Codec({self.kind})"


def _codec_again(kind: ValueType) -> Codec:
    return Codec(None, kind=kind)
