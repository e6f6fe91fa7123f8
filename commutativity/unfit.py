"""What is raised inside the codec where a value or its JSON is not of its type, and short forms for messages."""

from __future__ import annotations

from typing import Final, NoReturn

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1


class Unfit(ValueError):  # noqa: N818  # it never leaves this package
    """A value, or its JSON, is not of its type. ``path`` leads to it: ``["[0]", "['a']"]``."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str] = []

    def __str__(self) -> str:
        where = "".join(reversed(self.path))
        return f"{where}: {self.what}" if where else self.what


def unfit(expected: object, value: object) -> NoReturn:
    """Raise :class:`Unfit` for a value that is not of the expected type."""
    raise Unfit(f"expected {expected}, got {shown(value)}")


def encodable(text: str) -> bool:
    """Whether ``text`` is valid UTF-8 once encoded, that is, free of lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object, length_max: int = 60) -> str:
    """A short form of any value for a message: never fails, never huge."""
    if type(value) not in (str, int, bool, float, type(None)):
        return f"a value of type {type(value).__name__}"
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        return "an integer beyond 64 bits"
    text = ascii(value[:length_max] if isinstance(value, str) else value)
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"
