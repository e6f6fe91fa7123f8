"""A command's body from its id and the command: what it takes to ask for it in another process.

A body is ``[operation, arguments, acknowledged]``, and an id carries a hash of it. Whoever has the id and the command
lacks only the number that the client had acknowledged, which lies a little below the command's own number: it is found
by trying. So the plain id is enough, as it stands in messages, logs and graphs, and a command that is not the one of
the id is noticed before anything is sent.
"""

from collections.abc import Iterator

from xxhash import xxh3_64

from commutativity import InvalidCommand
from genpaxos.core.commands import split_id
from genpaxos.errors import Rejected

SPAN = 1 << 20
"""How far below the command's number the acknowledged one is looked for: more than a client has outstanding."""
STRIDE = 5_000
"""Numbers tried before others get a turn: a few milliseconds."""


def bodies(name: str, unacknowledged: bytes) -> Iterator[bytes | None]:
    """The body that the id names, as the last thing given; ``None`` so often as others should get a turn.

    ``unacknowledged`` is the body that acknowledges 0. Raises :class:`Rejected` if the id names another command.
    """
    wanted, sequence = _sealed(name)
    stem = unacknowledged.removesuffix(b"0]")
    hashed = xxh3_64(stem)
    for tried, acknowledged in enumerate(range(sequence - 1, max(-1, sequence - 1 - SPAN), -1), 1):
        ending = b"%d]" % acknowledged
        attempt = hashed.copy()
        attempt.update(ending)
        if attempt.intdigest() == wanted:
            yield stem + ending
            return
        if tried % STRIDE == 0:
            yield None
    raise Rejected(
        f"{name} is the id of another command: operation and arguments must be exactly those that were submitted"
    )


def _sealed(name: str) -> tuple[int, int]:
    """The hash in an id and its sequence number."""
    try:
        _, sequence = split_id(name)
        seal, slash, _ = name.partition("/")
        if slash and len(seal) == 16:
            return int(seal, 16), sequence
    except (InvalidCommand, ValueError, AttributeError):
        pass
    raise Rejected(
        f"{name!r:.100} is not the id of a submitted command: expected 'hash/client:number', as in Unknown.id, "
        "Submission.id, or what `genpaxos call` printed"
    )
