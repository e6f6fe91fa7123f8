"""The oracle of every fuzz test here: decoding gives a message or raises RemoteProtocolError, nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commutativity.declared import UNREPRESENTABLE
from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.ids import sealed_id, split_id
from genpaxos.core.journal import START, seal
from genpaxos.core.limits import UNDECIDED_MAX
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
from genpaxos.core.records import Accepted
from genpaxos.errors import RemoteProtocolError
from genpaxos.runtime import replying, wire

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ids = st.builds("{}:{}".format, st.sampled_from(["a", "b", "ü", "x:y"]), st.integers(1, 2**63 - 1))
indices = st.integers(0, wire.INDEX_MAX)
firsts = st.integers(1, wire.INDEX_MAX)
digests = st.integers(0, wire.DIGEST_MAX)
ballots = st.builds(Ballot, indices, st.integers(-1, 63))
kinds = st.builds(
    BallotKind, st.sampled_from(Policy), st.lists(st.integers(0, 12), unique=True).map(lambda m: tuple(sorted(m)))
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
finite = scalars.filter(lambda value: not isinstance(value, float) or value - value == 0)
values = st.recursive(
    finite, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
bodies = st.tuples(texts, st.lists(values, max_size=3), st.integers(-1, 2**63 - 1)).map(list)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)


@st.composite
def messages(draw: st.DrawFn) -> PeerMessage:
    """Any message of any kind."""
    kind = draw(st.sampled_from(list(PeerMessage.__args__)))
    named = draw(st.lists(ids, max_size=5))
    count = len(named)
    some_digests = draw(st.lists(digests, min_size=count, max_size=count))
    some_bodies = draw(st.lists(bodies, min_size=count, max_size=count))
    one, other = draw(ballots), draw(ballots)
    made: dict[type, Any] = {
        Propose: lambda: Propose(named, some_bodies),
        Phase1a: lambda: Phase1a(one, draw(indices)),
        Phase1b: lambda: Phase1b(
            one,
            other,
            draw(kinds),
            draw(indices),
            draw(firsts),
            named,
            some_digests,
            draw(st.lists(ids, max_size=4)),
            draw(st.lists(indices, max_size=5)),
        ),
        Phase2a: lambda: Phase2a(
            one,
            draw(kinds),
            draw(indices),
            draw(indices),
            draw(firsts),
            named,
            some_digests,
            draw(st.sampled_from([None, some_bodies])),
        ),
        Phase2b: lambda: Phase2b(one, named, some_digests, draw(indices), draw(indices), draw(indices)),
        Nack: lambda: Nack(one, other),
        Fetch: lambda: Fetch(draw(firsts)),
        FetchBodies: lambda: FetchBodies(named),
        Bodies: lambda: Bodies(named, some_bodies),
        FetchSnapshot: lambda: FetchSnapshot(draw(indices), draw(indices)),
        SnapshotChunk: lambda: SnapshotChunk(one, draw(indices), draw(indices), draw(indices), draw(st.binary())),
        Rejoin: lambda: Rejoin(draw(indices), one),
        RejoinAck: lambda: RejoinAck(draw(indices), one, draw(st.lists(indices, max_size=5))),
        Committed: lambda: Committed(one, draw(firsts), named, some_digests, some_bodies),
        Heartbeat: lambda: Heartbeat(
            one,
            other,
            draw(indices),
            draw(indices),
            *(draw(st.booleans()) for _ in range(2)),
            draw(indices),
            True,
            draw(indices),
            draw(digests),
            draw(digests),
        ),
        Results: lambda: Results(
            draw(st.booleans()),
            draw(indices),
            draw(st.lists(firsts, min_size=count, max_size=count)),
            some_digests,
            draw(st.lists(st.text(max_size=5), min_size=count, max_size=count)),
        ),
    }
    message: PeerMessage = made[kind]()
    return message


def accepted_or_refused(payload: bytes) -> PeerMessage | None:
    """The oracle."""
    try:
        return wire.decode(payload)
    except RemoteProtocolError as error:
        complaint = str(error)
    assert len(complaint) < 400, "what is refused must not be quoted at length"
    return None


def refused(payload: bytes) -> str:
    with pytest.raises(RemoteProtocolError) as found:
        wire.decode(payload)
    return str(found.value)


@given(messages())
@settings(max_examples=300)
def test_every_message_survives_the_wire(message: PeerMessage) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_refused(payload: bytes) -> None:
    accepted_or_refused(payload)


@given(any_json, st.sampled_from(sorted(wire._DECODERS)))
@settings(max_examples=300)
def test_arbitrary_json_is_a_message_or_refused(value: Any, tag: str) -> None:
    fields = value if isinstance(value, list) else [value]
    accepted_or_refused(json.dumps(value).encode())
    accepted_or_refused(json.dumps([tag, *fields]).encode())


@given(messages(), st.data())
@settings(max_examples=400)
def test_a_message_with_one_field_replaced_is_a_message_or_refused(message: PeerMessage, data: st.DataObject) -> None:
    tag, *fields = orjson.loads(wire.encode(message))
    place = data.draw(st.integers(0, len(fields) - 1))
    if isinstance(fields[place], list) and fields[place] and data.draw(st.booleans()):
        fields[place][data.draw(st.integers(0, len(fields[place]) - 1))] = data.draw(any_json)
    else:
        fields[place] = data.draw(any_json)
    accepted_or_refused(json.dumps([tag, *fields]).encode())


@given(messages(), st.data())
@settings(max_examples=300)
def test_a_message_with_damaged_bytes_is_a_message_or_refused(message: PeerMessage, data: st.DataObject) -> None:
    payload = bytearray(wire.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        match data.draw(st.sampled_from(["change", "cut", "repeat"])):
            case "change":
                payload[place] = data.draw(st.integers(0, 255))
            case "cut":
                del payload[place:]
                payload = payload or bytearray(b"[")
            case _:
                payload[place:place] = payload[: place + 1]
    accepted_or_refused(bytes(payload))


@pytest.mark.parametrize("depth", [254, 255, 900, 1_024, 10_000])
@pytest.mark.parametrize("place", ["body", "arguments", "ballot", "id", "bare", "object"])
def test_deep_nesting_is_refused_or_taken_at_any_place(place: str, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    template = {
        "body": f'["propose",["a:1"],[{deep}]]',
        "arguments": f'["propose",["a:1"],[["op",{deep},0]]]',
        "ballot": f'["1a",{deep},1]',
        "id": f'["fetch-bodies",{deep}]',
        "bare": deep,
        "object": f'["propose",["a:1"],[["op",[{"{"}"a":{deep}{"}"}],0]]]',
    }[place]
    accepted_or_refused(template.encode())
    with suppress(RemoteProtocolError):
        wire.proposal(wire.request("a", [1], [template.encode()], None))


@pytest.mark.parametrize("depth", [255, 900, 1_020])
def test_a_proposal_nested_too_deeply_to_be_sent_on_is_refused(depth: int) -> None:
    body = ('["op",' + "[" * depth + "]" * depth + ",0]").encode()
    message, refused = wire.proposal(wire.request("a", [1], [body], None))
    assert message.ids == []
    assert refused == [(sealed_id("a", 1, body), "nested too deeply")]


def test_what_is_short_enough_to_be_plain_can_always_be_sent_on() -> None:
    depth = (wire.PLAIN_BYTES_MAX - len('["op",,0]')) // 2
    body = ('["op",' + "[" * depth + "]" * depth + ",0]").encode()
    message, refused = wire.proposal(wire.request("a", [1], [body], None))
    assert not refused
    assert wire.decode(wire.encode(message)) == Propose(message.ids, message.bodies)


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'["\xff"]', "not JSON"),
        (b'["fetch",NaN]', "not JSON"),
        (b'["fetch","\\ud800"]', "not JSON"),
        (b'["fetch",1' + b"0" * 5_000 + b"]", "not JSON"),
        (b"[]", "starts with a tag"),
        (b"{}", "starts with a tag"),
        (b"7", "starts with a tag"),
        (b"[7]", "starts with a tag"),
        (b'["nonsense",1]', "unknown message 'nonsense'"),
        (b'["fetch"]', "'fetch' has 0 fields, expected 1"),
        (b'["fetch",1,2]', "'fetch' has 2 fields, expected 1"),
        (b'["fetch",0]', "start at 1"),
        (b'["fetch",-1]', "expected an index"),
        (b'["fetch",1.0]', "expected an index"),
        (b'["fetch",true]', "expected an index"),
        (b'["fetch",null]', "expected an index"),
        (b'["fetch",18446744073709551616]', "expected an index"),
        (b'["fetch",9007199254740993]', "expected an index"),
        (b'["1a",[1],1]', "expected a ballot"),
        (b'["1a",[1,64],1]', "no such ballot"),
        (b'["1a",[-1,0],1]', "no such ballot"),
        (b'["1a",[1,0.0],1]', "expected a ballot"),
        (b'["2b",[1,0],["a:1"],[],0,0,0]', "expected 1 digests"),
        (b'["2b",[1,0],["a:1"],[1.5],0,0,0]', "expected 1 digests"),
        (b'["2b",[1,0],["a:1"],[-1],0,0,0]', "64 bits without sign"),
        (b'["2b",[1,0],["a:1"],[18446744073709551616],0,0,0]', "expected 1 digests"),
        (b'["2b",[1,0],[7],[1],0,0,0]', "expected a list of command ids"),
        (b'["2b",[1,0],"a:1",[1],0,0,0]', "expected a list of command ids"),
        (b'["propose",["a:1"],[]]', "expected 1 bodies"),
        (b'["propose",["a:1"],[["op",[],0.5]]]', "a body is"),
        (b'["propose",["a:1"],[["op",{},0]]]', "a body is"),
        (b'["2a",[1,0],["nonsense",[]],0,0,1,[],[],null]', "unknown policy 'nonsense'"),
        (b'["2a",[1,0],[[],[]],0,0,1,[],[],null]', "expected a ballot kind"),
        (b'["2a",[1,0],["classic",[99]],0,0,1,[],[],null]', "expected replica numbers"),
        (b'["heartbeat",[1,0],[1,0],0,0,1,true,1,true,0,0,0]', "expected true or false"),
    ],
)
def test_what_is_wrong_is_named(payload: bytes, complaint: str) -> None:
    assert complaint in refused(payload)


def test_what_is_refused_is_not_quoted_at_length() -> None:
    assert len(refused(wire.dumps(["x" * 1_000_000, 1]))) < 200
    assert len(refused(wire.dumps(["fetch", "x" * 1_000_000]))) < 200
    assert len(refused(wire.dumps(["propose", ["a:1"], [["x"] * 1_000_000]]))) < 200


def test_two_equal_keys_are_refused_where_clients_are_listened_to() -> None:
    for body in (b'["op",[{"key":1,"other":2,"key":3}],0]', b'["op",[{"key":1,"k\\u0065y":3}],0]'):
        with pytest.raises(RemoteProtocolError, match="'key' occurs twice"):
            wire.proposal(wire.request("a", [1], [body], None))
    plain = [b'["op",[{"a":1},{"a":2}],0]', b'["op",["{"],0]']
    message, refused = wire.proposal(wire.request("a", [1, 2], plain, None))
    assert message.bodies == [orjson.loads(body) for body in plain]
    assert not refused


def test_a_message_beyond_the_limit_is_refused_before_it_is_read() -> None:
    at_limit = b'["' + b"x" * (wire.MESSAGE_BYTES_MAX - 4) + b'"]'
    assert len(wire.loads(at_limit)[0]) == wire.MESSAGE_BYTES_MAX - 4
    with pytest.raises(RemoteProtocolError, match=f"{wire.MESSAGE_BYTES_MAX + 1} bytes; the limit is"):
        wire.loads(at_limit + b" ")


def body_of(size: int) -> bytes:
    """A body that takes ``size`` bytes of JSON."""
    return orjson.dumps(["op", ["x" * (size - len('["op",[""],0]'))], 0])


def test_a_command_beyond_its_limit_is_refused_by_name() -> None:
    small, large = body_of(20), body_of(wire.COMMAND_BYTES_MAX)
    fits, refused = wire.proposal(wire.request("a", [1, 2], [small, large], 3))
    assert (fits.bodies, fits.asked, refused) == ([orjson.loads(small), orjson.loads(large)], 1 << 3, [])
    large = body_of(wire.COMMAND_BYTES_MAX + 1)
    fits, refused = wire.proposal(wire.request("a", [1, 2], [small, large], 3))
    assert (fits.bodies, fits.origin, fits.asked) == ([orjson.loads(small)], ("a", [1]), 1 << 3)
    assert [command for command, _ in refused] == [sealed_id("a", 2, large)]
    assert f"takes {wire.COMMAND_BYTES_MAX + 1} bytes" in refused[0][1]


@given(st.lists(bodies, max_size=5), st.integers(1, 2**63 - 6), st.none() | st.integers(0, 4))
def test_a_request_is_read_as_it_was_made(listed: list[Any], first: int, home: int | None) -> None:
    encoded = [orjson.dumps(body) for body in listed]
    sequences = list(range(first, first + len(listed)))
    message, refused = wire.proposal(wire.request("client7", sequences, encoded, home))
    named = [sealed_id("client7", number, body) for number, body in zip(sequences, encoded, strict=True)]
    assert message == Propose(named, listed, EVERYBODY if home is None else 1 << home, ("client7", sequences))
    assert not refused
    assert all(split_id(name) == ("client7", number, number) for name, number in zip(named, sequences, strict=True))


@pytest.mark.parametrize("home", [-1, REPLICAS_MAX, 10**9])
def test_who_is_asked_is_a_replica_that_there_can_be(home: int) -> None:
    """A bit mask of a billion bits is made of no client's word."""
    with pytest.raises(RemoteProtocolError, match=f"a replica's number is 0 to {REPLICAS_MAX - 1}, not {home}"):
        wire.proposal(wire.request("a", [1], [body_of(20)], home))


def test_a_report_of_all_undecided_commands_fits_a_message() -> None:
    client = "c" * wire.CLIENT_BYTES_MAX
    ids = [f"{n:016x}/{client}:{2**63 - 1 - n}+128" for n in range(UNDECIDED_MAX)]
    digests = [wire.DIGEST_MAX] * UNDECIDED_MAX
    ballot, kind = Ballot(wire.INDEX_MAX, 12), BallotKind(Policy.UNCOORDINATED, tuple(range(REPLICAS_MAX)))
    known = [wire.INDEX_MAX] * REPLICAS_MAX
    report = Phase1b(ballot, ballot, kind, wire.INDEX_MAX, wire.INDEX_MAX, ids, digests, [], known)
    votes = Phase2b(ballot, ids, digests, wire.INDEX_MAX, 0, wire.INDEX_MAX)
    assert len(ids[0]) == wire.ID_BYTES_MAX
    assert max(len(wire.encode(report)), len(wire.encode(votes))) < wire.MESSAGE_BYTES_MAX


@pytest.mark.parametrize("name", ["genpaxos", "genpaxosend"])
def test_no_client_has_the_name_of_a_session_of_the_replicas(name: str) -> None:
    """With the highest number in it, the next command of the replicas' own would have none."""
    with pytest.raises(RemoteProtocolError, match="those of the replicas' own sessions"):
        wire.proposal(wire.request(name, [2**63 - 1], [b'["total",[],0]'], None))


def test_a_proposal_has_limits_on_its_ids() -> None:
    body, longest = b'["op",[],0]', "c" * wire.CLIENT_BYTES_MAX
    message, _ = wire.proposal(wire.request(longest, [2**63 - 1], [body], None))
    assert len(message.ids[0]) == wire.ID_BYTES_MAX - len("+128")
    with pytest.raises(RemoteProtocolError, match=f"1 to {wire.CLIENT_BYTES_MAX} ASCII letters and digits"):
        wire.proposal(wire.request(longest + "c", [1], [body], None))
    count = wire.BATCH_COMMANDS_MAX + 1
    with pytest.raises(RemoteProtocolError, match=f"{count} commands in one message"):
        wire.proposal(wire.request("a", list(range(1, count + 1)), [body] * count, None))
    with pytest.raises(RemoteProtocolError, match="twice in one message"):
        wire.proposal(wire.request("a", [1, 1], [body, body], None))


def test_results_are_sent_in_as_many_messages_as_they_need() -> None:
    large = [None, "x" * (wire.MESSAGE_BYTES_MAX // 3)]
    listed = [f"a:{n}" for n in range(1, 6)]
    payloads = list(replying.messages(listed, [large] * 5))
    assert [i for payload in payloads for i in wire.loads(payload)[1]] == listed
    assert all(wire.loads(payload)[2] == [large] * len(wire.loads(payload)[1]) for payload in payloads)
    assert list(replying.messages([], [])) == [b'["reply",[],[]]']


def test_a_result_no_message_can_carry_becomes_an_error() -> None:
    too_large, odd = [None, "x" * wire.MESSAGE_BYTES_MAX], ["Code", object()]
    sent = [wire.loads(p) for p in replying.messages(["a:1", "a:2", "a:3"], [[None, 1], too_large, odd])]
    found = {i: result for _, named, results in sent for i, result in zip(named, results, strict=True)}
    assert found["a:1"] == [None, 1]
    assert found["a:2"][0] == UNREPRESENTABLE
    assert f"bytes; the limit is {wire.MESSAGE_BYTES_MAX}" in found["a:2"][1]
    assert found["a:3"][0] == UNREPRESENTABLE
    assert "not JSON" in found["a:3"][1]


@given(st.lists(any_json, max_size=4), st.lists(any_json, max_size=3))
def test_an_arbitrary_proposal_is_taken_or_refused(head: list[Any], listed: list[Any]) -> None:
    lines = [json.dumps(["request", *head]), *map(json.dumps, listed)]
    with suppress(RemoteProtocolError):
        wire.proposal("\n".join(lines).encode())


@pytest.mark.parametrize("depth", [150, 240, 250, 252])
def test_what_is_acceptable_can_be_stored_and_passed_on_however_deeply_it_is_nested(depth: int) -> None:
    """Found by a review: arguments that no rule admits stay in a run's body, and stopped every replica."""
    nested = "[" * depth + "]" * depth
    for body in (f'[["x","x"],[[{nested}],[]],0]', f'["x",[{nested}],0]'):
        message, refused = wire.proposal(wire.request("deep", [1], [body.encode()], None))
        assert len(message.ids) + len(refused) == 1
        if message.ids:
            seal(START, [Accepted(message.ids, message.bodies)])
            wire.encode(Propose(message.ids, message.bodies))


def test_a_request_holds_no_more_operations_than_one_message_may() -> None:
    run = orjson.dumps([["x"] * 128, [[]] * 128, 0])
    count = wire.BATCH_COMMANDS_MAX // 128 + 1
    with pytest.raises(RemoteProtocolError, match="operations in one message"):
        wire.proposal(wire.request("many", [1 + 128 * n for n in range(count)], [run] * count, None))
