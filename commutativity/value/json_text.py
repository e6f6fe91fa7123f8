"""JSON as canonical bytes and text: compact, the keys of objects sorted.

The library is loaded at its first use: ``genpaxos --help`` needs none of it.
"""

from __future__ import annotations

from typing import Any


def canonical(value: Any) -> bytes:
    """JSON as bytes, equal for equal JSON."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical_text(value: Any) -> str:
    """The same as text: what keys become that are not text, and what the items of a set are sorted by."""
    return canonical(value).decode()


def parsed(text: str) -> Any:
    """JSON from its text. Raises ``ValueError``."""
    import orjson

    return orjson.loads(text)
