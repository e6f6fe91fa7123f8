"""Just enough of Protocol Buffers for flat requests and their answers: bytes fields, integers, and reading both.

The encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of type bytes, string or message."""
    return varint(number << 3 | _BYTES) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """An integer without sign, seven bits a byte, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def fields(message: bytes) -> dict[int, int | bytes]:
    """The fields of a message by number; the last of each number counts. Raises :class:`ValueError`."""
    return dict(_fields(message))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _read_varint(message, at)
        elif kind in _WIDTHS:
            size = _WIDTHS[kind]
        else:
            raise ValueError(f"field {number} has wire type {kind}; expected 0, 1, 2 or 5")
        if at + size > len(message):
            raise ValueError(f"field {number} ends beyond its message")
        content = message[at : at + size]
        yield number, content if kind == _BYTES else int.from_bytes(content, "little")
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("the message ends within an integer")
