"""Messages to bytes and back: JSON arrays ``[tag, field, …]`` by orjson, with every limit named and checked.

Whatever bytes come in, decoding gives a message or raises :class:`RemoteProtocolError`, nothing else.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import orjson
from xxhash import xxh3_64_hexdigest

from commutativity import InvalidCommand
from commutativity.value.values import shown
from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.commands import Body
from genpaxos.core.disputes import INDICES_MAX
from genpaxos.core.ids import OWN_SESSIONS, SEQUENCE_MAX
from genpaxos.core.keys import KEY_PREFIX
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchBodies,
    FetchSnapshot,
    Heartbeat,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
    Rejoin,
    RejoinAck,
    Results,
    SnapshotChunk,
)
from genpaxos.core.quorum import EVERYBODY, REPLICAS_MAX
from genpaxos.core.runs import RUN_BYTES_MAX, check_form, count_of
from genpaxos.errors import RemoteProtocolError

VERSION = 5
"""The version of what replicas say to each other, and of the digests they compare: others refuse one another."""
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
"""One message. A chunk of catch-up is 512 KiB; a phase 1b report at most 7.6 MiB."""
COMMAND_BYTES_MAX = 64 * 1024
"""One command's body. Larger data belongs in a blob store, its name in a command."""
CLIENT_BYTES_MAX = 27
"""A client's name; those of this package's clients take 12 to 18."""
ID_BYTES_MAX = 16 + 1 + CLIENT_BYTES_MAX + 1 + 19 + 4
"""One command's id: hash, client, sequence number, and how many operations. A report of all the commands that may be
undecided (:mod:`genpaxos.core.limits`) must fit a message: else no ballot starts."""
PLAIN_BYTES_MAX = 400
"""A body up to here is neither too long nor nested too deeply, whatever it holds."""
REQUEST = "request"
_REQUEST_START = orjson.dumps([REQUEST])[:-1]
_HEAD = "expected ['request', cluster, client, sequence numbers, home] and a line for each body"
BATCH_COMMANDS_MAX = 10_000
"""Operations in one message from a client."""
BATCH_BYTES_MAX = 1024 * 1024
"""Where a client closes a message and starts the next."""
INDEX_MAX = 2**53
DIGEST_MAX = 2**64 - 1

_POLICIES = {str(policy): policy for policy in Policy}


def dumps(value: Any) -> bytes:
    """JSON bytes."""
    return orjson.dumps(value)


def loads(payload: bytes) -> list[Any]:
    """A JSON array with a text tag. Raises :class:`RemoteProtocolError`."""
    if len(payload) > MESSAGE_BYTES_MAX:
        _fail(f"a message of {len(payload)} bytes; the limit is {MESSAGE_BYTES_MAX}")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        _fail(f"not JSON: {error}")
    if type(value) is not list or not value or type(value[0]) is not str:
        _fail("expected a JSON array that starts with a tag")
    return value


def _check_duplicates(line: bytes) -> None:
    """Two equal keys in an object that a client sends are an error, not a surprise."""
    if b"{" in line:
        try:
            json.loads(line, object_pairs_hook=_without_duplicates)
        except RecursionError:
            _fail("nested too deeply")


def encode(message: PeerMessage) -> bytes:
    """A replica's message as bytes."""
    tag, encoder = _ENCODERS[type(message)]
    return orjson.dumps([tag, *encoder(message)])


def decode(payload: bytes) -> PeerMessage:
    """A replica's message from bytes. Raises :class:`RemoteProtocolError`."""
    tag, *parts = loads(payload)
    known = _DECODERS.get(tag)
    if known is None:
        _fail(f"unknown message {shown(tag)}")
    count, decoder = known
    if len(parts) != count:
        _fail(f"{tag!r} has {len(parts)} fields, expected {count}")
    return decoder(*parts)


def request(
    client: str, sequences: Sequence[int], bodies: Sequence[bytes], home: int | None, cluster: str = ""
) -> bytes:
    """A client's commands: a line that says which cluster they are for (:func:`request_start`), whose they are, the
    number of the first operation of each and which replica is to answer, and a line for each body.

    The bodies stay the bytes they are, and are read one by one: what is executed is exactly what the id's hash covers.
    """
    return b"\n".join((orjson.dumps([REQUEST, cluster, client, sequences, home]), *bodies))


def request_start(cluster: str) -> bytes:
    """How the requests for a cluster begin: replicas compare these bytes, and look at nothing else of a stranger's.

    ``cluster`` is its identity, or ``identity/rules`` from a client that knows the machine's rules.
    """
    return orjson.dumps([REQUEST, cluster])[:-1] + b","


def request_cluster(payload: bytes) -> str:
    """The cluster that a :func:`request` is for. Raises :class:`RemoteProtocolError` if it names none."""
    head = loads(payload.split(b"\n", 1)[0])
    if len(head) != 5 or type(head[1]) is not str:
        _fail(_HEAD)
    return str(head[1])


def is_request(payload: bytes) -> bool:
    """Whether this is meant to be a :func:`request`."""
    return payload.startswith(_REQUEST_START)


def proposal(payload: bytes) -> tuple[Propose, list[tuple[str, str]]]:
    """The commands of a :func:`request`, and ``(id, why)`` of those among them that are refused as they stand.

    Raises :class:`RemoteProtocolError` if it is no list of commands.
    """
    if len(payload) > MESSAGE_BYTES_MAX:
        _fail(f"a message of {len(payload)} bytes; the limit is {MESSAGE_BYTES_MAX}")
    head, *lines = payload.split(b"\n")
    client, sequences, home = _request_head(loads(head), len(lines))
    try:
        bodies = _bodies(list(map(orjson.loads, lines)), len(lines))
    except orjson.JSONDecodeError as error:
        _fail(f"a body is not JSON: {error}")
    if (operations := sum(map(count_of, bodies))) > BATCH_COMMANDS_MAX:
        _fail(f"{operations} operations in one message; the limit is {BATCH_COMMANDS_MAX}")
    seal, of_client = xxh3_64_hexdigest, f"/{client}:"
    ids = [
        f"{seal(line)}{of_client}{sequence}{_count(body)}"
        for line, body, sequence in zip(lines, bodies, sequences, strict=True)
    ]
    if b"{" in payload:
        for line in lines:
            _check_duplicates(line)
    refused: list[tuple[str, str]] = []
    if max(map(len, lines), default=0) > PLAIN_BYTES_MAX:
        refused = [(i, why) for i, line, body in zip(ids, lines, bodies, strict=True) if (why := _refusal(line, body))]
    if refused:
        out = dict(refused)
        kept = [row for row in zip(ids, bodies, sequences, strict=True) if row[0] not in out]
        ids, bodies, sequences = [row[0] for row in kept], [row[1] for row in kept], [row[2] for row in kept]
    return Propose(ids, bodies, EVERYBODY if home is None else 1 << home, (client, sequences)), refused


def _count(body: Body) -> str:
    """How the id of a run ends. Raises :class:`RemoteProtocolError` for what is no run."""
    if type(body[0]) is str:
        return ""
    try:
        check_form(body[0], body[1])
    except InvalidCommand as error:
        _fail(str(error))
    return f"+{len(body[0])}"


def _request_head(head: list[Any], count: int) -> tuple[str, list[int], int | None]:
    match head:
        case [_, str(), str(client), list(sequences), int() | None as home]:
            pass
        case _:
            _fail(_HEAD)
    client_name(client)
    if client.startswith(KEY_PREFIX) and sequences != [1]:
        _fail("a key names one command: its sequence number is 1")
    if home is not None and not 0 <= home < REPLICAS_MAX:
        _fail(f"a replica's number is 0 to {REPLICAS_MAX - 1}, not {shown(home)}")
    if len(sequences) != count:
        _fail(f"{len(sequences)} sequence numbers, and {count} bodies")
    if count > BATCH_COMMANDS_MAX:
        _fail(f"{count} commands in one message; the limit is {BATCH_COMMANDS_MAX}")
    if not set(map(type, sequences)) <= {int} or (
        sequences and not 1 <= min(sequences) <= max(sequences) <= SEQUENCE_MAX
    ):
        _fail(f"a sequence number is an integer from 1 to {SEQUENCE_MAX}")
    if len(set(sequences)) != count:
        _fail("a sequence number occurs twice in one message")
    return client, sequences, home


def client_name(client: str) -> str:
    """A client's name as it was given. Raises :class:`RemoteProtocolError` if it cannot be one."""
    keyed = client.startswith(KEY_PREFIX)
    if not (client.isascii() and client[len(KEY_PREFIX) * keyed :].isalnum() and len(client) <= CLIENT_BYTES_MAX):
        _fail(f"a client's name is 1 to {CLIENT_BYTES_MAX} ASCII letters and digits, not {shown(client)}")
    if client.startswith(OWN_SESSIONS):
        _fail(f"names that begin with {OWN_SESSIONS!r} are those of the replicas' own sessions, not {shown(client)}")
    return client


def _refusal(line: bytes, body: Body) -> str | None:
    """Why a client's command is not acceptable, whatever the machine."""
    bytes_max = COMMAND_BYTES_MAX if type(body[0]) is str else RUN_BYTES_MAX
    if len(line) > bytes_max:
        return f"it takes {len(line)} bytes; the limit is {bytes_max}"
    try:
        orjson.dumps([[[[[[[[body]]]]]]]])  # records, messages, snapshots and answers have it within lists of their own
    except TypeError:  # what was read from JSON can fail to become JSON again for one reason only
        return "nested too deeply"
    return None


def _fail(what: str) -> NoReturn:
    raise RemoteProtocolError(what)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        _fail(f"the key {shown(twice)} occurs twice in one object")


# Fields -------------------------------------------------------------------------------------------------------------


def _index(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= INDEX_MAX:
        _fail(f"expected an index, not {shown(value)}")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        _fail(f"expected true or false, not {shown(value)}")
    return value


def _ids(value: Any) -> list[str]:
    if type(value) is not list or not set(map(type, value)) <= {str}:
        _fail("expected a list of command ids")
    return value


def _digests(value: Any, count: int) -> list[int]:
    if type(value) is not list or len(value) != count or not set(map(type, value)) <= {int}:
        _fail(f"expected {count} digests")
    if value and not (min(value) >= 0 and max(value) <= DIGEST_MAX):
        _fail("a digest is an integer of 64 bits without sign")
    return value


def _bodies(value: Any, count: int) -> list[Body]:
    if type(value) is not list or len(value) != count:
        _fail(f"expected {count} bodies")
    for body in value:
        if (
            type(body) is not list
            or len(body) != 3
            or (type(body[0]) is not str and type(body[0]) is not list)
            or type(body[1]) is not list
            or type(body[2]) is not int
        ):
            _fail(f"a body is [operation, arguments, acknowledged], not {shown(body)}")
    return value


def _ballot(value: Any) -> Ballot:
    if type(value) is not list or len(value) != 2 or type(value[0]) is not int or type(value[1]) is not int:
        _fail(f"expected a ballot [number, coordinator], not {shown(value)}")
    number, coordinator = value
    if not 0 <= number <= INDEX_MAX or not -1 <= coordinator < 64:
        _fail(f"no such ballot: {shown(value)}")
    return Ballot(number, coordinator)


def _kind(value: Any) -> BallotKind:
    if type(value) is not list or len(value) != 2 or type(value[0]) is not str or type(value[1]) is not list:
        _fail(f"expected a ballot kind [policy, pinned], not {shown(value)}")
    policy, pinned = value
    if policy not in _POLICIES:
        _fail(f"unknown policy {shown(policy)}")
    if not all(type(member) is int and 0 <= member < 64 for member in pinned):
        _fail(f"expected replica numbers, not {shown(pinned)}")
    return BallotKind(_POLICIES[policy], tuple(pinned))


def _incarnations(value: Any) -> list[int]:
    if type(value) is not list or len(value) > REPLICAS_MAX:
        _fail(f"expected an incarnation for each replica, not {shown(value)}")
    return [_index(item) for item in value]


def _kind_list(kind: BallotKind) -> list[Any]:
    return [kind.policy, kind.pinned]


# Messages -----------------------------------------------------------------------------------------------------------


def _decode_propose(ids: Any, bodies: Any) -> Propose:
    return Propose(_ids(ids), _bodies(bodies, len(ids)))


def _decode_1b(
    b: Any,
    accepted: Any,
    kind: Any,
    committed: Any,
    first: Any,
    ids: Any,
    digests: Any,
    tail: Any,
    incarnations: Any,
) -> Phase1b:
    return Phase1b(
        _ballot(b),
        _ballot(accepted),
        _kind(kind),
        _index(committed),
        _first(first),
        _ids(ids),
        _digests(digests, len(ids)),
        _ids(tail),
        _incarnations(incarnations),
    )


def _decode_2a(
    b: Any, kind: Any, recovered: Any, committed: Any, first: Any, ids: Any, digests: Any, bodies: Any
) -> Phase2a:
    return Phase2a(
        _ballot(b),
        _kind(kind),
        _index(recovered),
        _index(committed),
        _first(first),
        _ids(ids),
        _digests(digests, len(ids)),
        None if bodies is None else _bodies(bodies, len(ids)),
    )


def _first(value: Any) -> int:
    if _index(value) < 1:
        _fail("indices start at 1")
    return int(value)


def _decode_2b(b: Any, ids: Any, digests: Any, adopted: Any, start: Any, step: Any) -> Phase2b:
    return Phase2b(_ballot(b), _ids(ids), _digests(digests, len(ids)), _index(adopted), _index(start), _index(step))


def _decode_committed(b: Any, first: Any, ids: Any, digests: Any, bodies: Any) -> Committed:
    return Committed(_ballot(b), _first(first), _ids(ids), _digests(digests, len(ids)), _bodies(bodies, len(ids)))


def _decode_chunk(b: Any, index: Any, offset: Any, size: Any, data: Any) -> SnapshotChunk:
    try:
        content = base64.b64decode(data, validate=True)
    except (ValueError, TypeError):
        _fail(f"expected base64, not {shown(data)}")
    return SnapshotChunk(_ballot(b), _index(index), _index(offset), _index(size), content)


def _decode_heartbeat(
    promised: Any, accepted: Any, adopted: Any, committed: Any, leading: Any, quorum: Any, heard: Any, follows: Any,
    executed: Any, total: Any, mark_total: Any,
) -> Heartbeat:  # fmt: skip
    return Heartbeat(
        _ballot(promised),
        _ballot(accepted),
        _index(adopted),
        _index(committed),
        _flag(leading),
        _flag(quorum),
        _index(heard),
        _flag(follows),
        _index(executed),
        *_digests([total, mark_total], 2),
    )


def _decode_results(asks: Any, since: Any, indices: Any, sums: Any, shown: Any) -> Results:
    if type(indices) is not list or len(indices) > INDICES_MAX:
        _fail(f"expected at most {INDICES_MAX} indices")
    if type(shown) is not list or len(shown) != len(indices) or not set(map(type, shown)) <= {str}:
        _fail(f"expected {len(indices)} results as text")
    return Results(_flag(asks), _index(since), list(map(_first, indices)), _digests(sums, len(indices)), shown)


_ENCODERS: dict[type[Any], tuple[str, Callable[[Any], Sequence[Any]]]] = {
    Propose: ("propose", lambda m: (m.ids, m.bodies)),
    Phase1a: ("1a", lambda m: (list(m.ballot), m.committed)),
    Phase1b: (
        "1b",
        lambda m: (
            list(m.ballot), list(m.accepted), _kind_list(m.kind), m.committed, m.first, m.ids, m.digests, m.tail,
            list(m.incarnations),
        ),
    ),
    Phase2a: (
        "2a",
        lambda m: (
            list(m.ballot), _kind_list(m.kind), m.recovered, m.committed, m.first, m.ids, m.digests, m.bodies
        ),
    ),
    Phase2b: ("2b", lambda m: (list(m.ballot), m.ids, m.digests, m.adopted, m.start, m.step)),
    Nack: ("nack", lambda m: (list(m.ballot), list(m.promised))),
    Fetch: ("fetch", lambda m: (m.first,)),
    FetchBodies: ("fetch-bodies", lambda m: (m.ids,)),
    Bodies: ("bodies", lambda m: (m.ids, m.bodies)),
    FetchSnapshot: ("fetch-snapshot", lambda m: (m.index, m.offset)),
    Rejoin: ("rejoin", lambda m: (m.incarnation, list(m.floor))),
    RejoinAck: ("rejoin-ack", lambda m: (m.incarnation, list(m.promised), m.incarnations)),
    SnapshotChunk: (
        "snapshot", lambda m: (list(m.ballot), m.index, m.offset, m.size, base64.b64encode(m.data).decode())
    ),
    Committed: ("committed", lambda m: (list(m.ballot), m.first, m.ids, m.digests, m.bodies)),
    Heartbeat: (
        "heartbeat",
        lambda m: (
            list(m.promised), list(m.accepted), m.adopted, m.committed, m.leading, m.quorum, m.heard, m.follows,
            m.executed, m.sum, m.mark_sum,
        ),
    ),
    Results: ("results", lambda m: (m.asks, m.since, m.indices, m.sums, m.shown)),
}  # fmt: skip

_DECODERS: dict[str, tuple[int, Callable[..., PeerMessage]]] = {
    "propose": (2, _decode_propose),
    "1a": (2, lambda b, committed: Phase1a(_ballot(b), _index(committed))),
    "1b": (9, _decode_1b),
    "2a": (8, _decode_2a),
    "2b": (6, _decode_2b),
    "nack": (2, lambda b, promised: Nack(_ballot(b), _ballot(promised))),
    "fetch": (1, lambda first: Fetch(_first(first))),
    "fetch-bodies": (1, lambda ids: FetchBodies(_ids(ids))),
    "bodies": (2, lambda ids, bodies: Bodies(_ids(ids), _bodies(bodies, len(ids)))),
    "fetch-snapshot": (2, lambda index, offset: FetchSnapshot(_index(index), _index(offset))),
    "snapshot": (5, _decode_chunk),
    "rejoin": (2, lambda incarnation, floor: Rejoin(_index(incarnation), _ballot(floor))),
    "rejoin-ack": (3, lambda incarnation, b, known: RejoinAck(_index(incarnation), _ballot(b), _incarnations(known))),
    "committed": (5, _decode_committed),
    "heartbeat": (11, _decode_heartbeat),
    "results": (5, _decode_results),
}
