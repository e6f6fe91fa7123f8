"""The format of stable storage: batches of records as bytes, each sealed and chained to the one before it.

The seal of a batch is a hash of its number, its bytes and the seal before it. So a flipped bit, a missing batch and one
that is out of place are all seen when the journal is read. What may be missing is its end: a crash loses what was not
synced, and nothing left the machine that rests on it (protocol §3).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.records import (
    Accepted,
    Adopted,
    CommitIndex,
    Entered,
    Learned,
    Promised,
    Readmitted,
    Record,
    Rejoining,
    Resolved,
)

SEAL_BYTES = 8


class DamageError(RuntimeError):
    """What is stored is not what was written: the replica may have forgotten a promise and must not vote as itself."""


class Place(NamedTuple):
    """A point in the journal: the number of the last batch before it, and that batch's seal."""

    batch: int
    seal: int


START = Place(0, 0)


def seal(before: Place, records: Sequence[Record]) -> tuple[bytes, Place]:
    """The next batch as bytes, and the place behind it."""
    payload = orjson.dumps([encode(record) for record in records])
    after = Place(before.batch + 1, _seal(before, payload))
    return after.seal.to_bytes(SEAL_BYTES, "little") + payload, after


def unseal(before: Place, batch: int, data: bytes) -> tuple[list[Record], Place]:
    """The records of the batch that follows ``before``. Raises :class:`DamageError` if it is not that batch."""
    if batch != before.batch + 1:
        raise DamageError(f"batch {before.batch + 1} is missing: the next one is {batch}")
    payload = data[SEAL_BYTES:]
    after = Place(batch, int.from_bytes(data[:SEAL_BYTES], "little"))
    if len(data) < SEAL_BYTES or after.seal != _seal(before, payload):
        raise DamageError(f"batch {batch} is not what was written: its seal does not fit")
    try:
        return [decode(item) for item in orjson.loads(payload)], after
    except (ValueError, LookupError, TypeError) as error:
        raise DamageError(f"batch {batch} is not of this format: {error!r}") from error


def read(before: Place, rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[list[Record], Place]]:
    """The batches behind a place, one by one. Raises :class:`DamageError`."""
    for batch, data in rows:
        records, before = unseal(before, batch, data)
        yield records, before


def _seal(before: Place, payload: bytes) -> int:
    return int(xxh3_64_intdigest(payload, seed=(before.seal ^ (before.batch + 1)) & (2**64 - 1)))


def encode(record: Record) -> list[Any]:
    """A record as a JSON array."""
    match record:
        case Adopted(ids, digests, bodies):
            return ["adopted", ids, digests, bodies]
        case Accepted(ids, bodies):
            return ["accepted", ids, bodies]
        case CommitIndex(index):
            return ["commit", index]
        case Promised(ballot):
            return ["promised", list(ballot)]
        case Entered(ballot, kind, first, ids, digests, bodies):
            return ["entered", list(ballot), kind.policy, kind.pinned, first, ids, digests, bodies]
        case Resolved(step, ids):
            return ["resolved", step, ids]
        case Learned(first, ids, digests, bodies):
            return ["learned", first, ids, digests, bodies]
        case Rejoining(incarnation):
            return ["rejoining", incarnation]
        case Readmitted(node, incarnation):
            return ["readmitted", node, incarnation]


def decode(item: list[Any]) -> Record:
    """A record from its JSON array, as :func:`encode` made it."""
    return _DECODERS[item[0]](*item[1:])


_DECODERS: dict[str, Callable[..., Record]] = {
    "adopted": Adopted,
    "accepted": Accepted,
    "commit": CommitIndex,
    "promised": lambda ballot: Promised(Ballot(*ballot)),
    "entered": lambda ballot, policy, pinned, first, ids, digests, bodies: Entered(
        Ballot(*ballot), BallotKind(Policy(policy), tuple(pinned)), first, ids, digests, bodies
    ),
    "learned": Learned,
    "resolved": Resolved,
    "rejoining": Rejoining,
    "readmitted": Readmitted,
}
