"""Whatever a socket brings: a clear error at the sender, and afterwards all replicas run, agree and serve."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpaxos import BlockingClient, ConfigError, LocalCluster
from genpaxos.core.ids import sealed_id
from genpaxos.examples.bank import Bank
from genpaxos.runtime import wire
from genpaxos.runtime.identity import Identity, cluster_identity, cluster_text
from genpaxos.runtime.storage import Storage
from tests.runtime.clusters import Stranger, agreement, coordinator, stranger
from tests.runtime.test_wire import any_json

pytestmark = pytest.mark.cluster

_numbers = itertools.count(1)
_here = [""]
"""The identity of the cluster that is served."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        _here[:] = [cluster_identity(made.config)]
        yield made
        agreement(made)


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> BlockingClient:
    return cluster.client_sync()


@pytest.fixture(autouse=True)
def _served_afterwards(cluster: LocalCluster, client: BlockingClient) -> Iterator[None]:
    yield
    before = client.submit(Bank.balance("witness"))
    client.submit(Bank.deposit("witness", 1))
    assert client.submit(Bank.balance("witness")) == before + 1
    assert all(cluster.processes.running(node) for node in range(3))


@pytest.fixture(params=["coordinator", "follower"])
def bad(request: pytest.FixtureRequest, cluster: LocalCluster) -> Iterator[Stranger]:
    leader = coordinator(cluster)
    with stranger(cluster, leader if request.param == "coordinator" else (leader + 1) % 3) as made:
        yield made


def fresh_client() -> str:
    return f"stranger{next(_numbers)}"


def request(body: Any, client: str | None = None, sequence: int = 1) -> bytes:
    """One command."""
    return wire.request(client or fresh_client(), [sequence], [orjson.dumps(body)], None, _here[0])


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\x00\xff\xfe", "not JSON"),
        (b'["request","ID","\xff\xfe",[1],null]\n["deposit",["a",1],0]', "not JSON"),
        (b'["request","ID","a",[1],null]\n["deposit",["\xff\xfe",1],0]', "not JSON"),
        (b'["request","ID","a",[1],null]\n["deposit",["\\ud800",1],0]', "not JSON"),
        (b'["request","ID","a",[1],null]\n["deposit",["a",NaN],0]', "not JSON"),
        (b'["request","ID","a",[1],null]\n["deposit",["a",1e999],0]', "not JSON"),
        (b'["request","ID","a",[1,2],null]\n["deposit",\n["a",1],0]', "not JSON"),
        (b'{"request":1}', "starts with a tag"),
        (b"[]", "starts with a tag"),
        (b"[" * 2_000 + b"]" * 2_000, "not JSON"),
        (b'["request",' + b"[" * 1_000 + b"]" * 1_000 + b",[],null]", "expected \\['request', cluster, client"),
        (b'["request","ID","a",[1],null]\n' + b"[" * 1_000 + b"]" * 1_000, "a body is"),
        (b'["request","ID","a",[1],null]\n["deposit",[{"a":1,"a":2},5],0]', "'a' occurs twice"),
        (b'["request","ID","a",[1]]\n["deposit",["a",5],0]', "expected \\['request', cluster, client"),
        (b'["request","ID","a",[1],"0"]\n["deposit",["a",5],0]', "expected \\['request', cluster, client"),
        (b'["request","ID",7,[1],null]\n["deposit",["a",5],0]', "expected \\['request', cluster, client"),
        (b'["request","ID","a",[1],null]', "1 sequence numbers, and 0 bodies"),
        (b'["request","ID","a",[],null]\n["deposit",["a",5],0]', "0 sequence numbers, and 1 bodies"),
        (b'["request","ID","a",[1],null]\n["deposit",["a",5]]', "a body is"),
        (b'["request","ID","a",[1],null]\n["deposit",["a",5],0.5]', "a body is"),
        (b'["request","ID","a",[1],null]\n["deposit",["a",5],18446744073709551616]', "a body is"),
        (b'["request","ID","a",[1],null]\n[7,["a",5],0]', "a body is"),
        (b'["request","ID","a",["1"],null]\n["deposit",["a",5],0]', "a sequence number is an integer"),
        (b'["request","ID","a",[true],null]\n["deposit",["a",5],0]', "a sequence number is an integer"),
        (b'["request","ID","a",[0],null]\n["deposit",["a",5],0]', "a sequence number is an integer"),
        (b'["request","ID","a",[-1],null]\n["deposit",["a",5],0]', "a sequence number is an integer"),
        (b'["request","ID","a",[9223372036854775808],null]\n["deposit",["a",5],0]', "a sequence number is an integer"),
        (b'["request","ID","a",[1,1],null]\n["deposit",["a",5],0]\n["deposit",["a",5],0]', "twice in one message"),
        (b'["ping"]', "expected a request"),
        (b'["ping",1.5]', "expected a request"),
        (b'["nonsense",1]', "no such question: 'nonsense'"),
        (b'["status",1,2]', "no such question: 'status' with 1 details"),
        (b'["log",1,0]', "no such question"),
        (b'["log",1,-5]', "no such question"),
        (b'["graph",1,"x"]', "no such question"),
        (b'["propose",[],[]]', "expected a request"),
        (b'["heartbeat",[9,1],[9,1],0,0,true,true,7,true]', "expected a request"),
    ],
)
def test_what_is_not_a_request_is_refused_with_the_reason(bad: Stranger, payload: bytes, complaint: str) -> None:
    tag, why = bad.ask(payload.replace(b'"ID"', orjson.dumps(_here[0])))
    assert tag == "error"
    assert re.search(complaint, why), why
    bad.alive()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (["withdrw", ["a", 5], 0], "unknown operation 'withdrw'; did you mean 'withdraw'"),
        (["__init__", [], 0], "unknown operation"),
        (["snapshot", [], 0], "unknown operation"),
        (["x" * 60_000, [], 0], "unknown operation"),
        (["deposit", ["a"], 0], "1 arguments given, 2 expected"),
        (["deposit", ["a", 5, 6], 0], "3 arguments given, 2 expected"),
        (["deposit", ["a", "5"], 0], "'cents': expected int, got '5'"),
        (["deposit", ["a", 5.0], 0], "'cents': expected int, got 5.0"),
        (["deposit", ["a", True], 0], "'cents': expected int, got True"),
        (["deposit", ["a", None], 0], "'cents': expected int, got None"),
        (["deposit", [["a"], 5], 0], "'account': expected str"),
        (["deposit", [{"a": 1}, 5], 0], "'account': expected str"),
        (["deposit", ["a", 2**63], 0], "64 bits"),
        (["deposit", ["a", 2**64 - 1], 0], "64 bits"),
        (["deposit", ["a", 5], -1], "acknowledges -1"),
        (["deposit", ["a", 5], 1], "acknowledges 1: only results of earlier ones"),
        (["deposit", ["a", 5], 2**64 - 1], "acknowledges"),
    ],
)
def test_a_command_that_can_never_run_is_refused_by_name(bad: Stranger, body: list[Any], complaint: str) -> None:
    client = fresh_client()
    tag, ids, (why,) = bad.ask(request(body, client))
    assert (tag, ids) == ("refused", [sealed_id(client, 1, orjson.dumps(body))])
    assert complaint in why


@pytest.mark.parametrize("name", [":", "a:", "a/b", "ü", "a b", '"', "\0", "c" * 28, "x" * 8_000_000])
def test_a_bogus_client_is_refused(bad: Stranger, name: str) -> None:
    tag, why = bad.ask(request(["deposit", ["a", 5], 0], name))
    assert tag == "error"
    assert "a client's name is 1 to 27 ASCII letters and digits" in why


@pytest.mark.parametrize("name", ["key.", "key", "key.a.b", "key.a/b", "Key.a", "a.b", ".", "key." + "a" * 24])
def test_only_keys_have_a_dot_in_their_name(bad: Stranger, name: str) -> None:
    tag = bad.ask(request(["deposit", ["a", 5], 0], name))[0]
    assert tag == ("reply" if name == "key" else "error")


def test_a_key_names_no_second_command(bad: Stranger) -> None:
    tag, why = bad.ask(request(["deposit", ["a", 5], 0], "key.a", 2))
    assert (tag, why) == ("error", "a key names one command: its sequence number is 1")


def test_a_request_for_another_cluster_is_answered_with_the_name_of_this_one(bad: Stranger) -> None:
    body = orjson.dumps(["deposit", ["elsewhere", 5], 0])
    for cluster in ("0" * 16, "", f"{_here[0]}/{'0' * 16}", f"{_here[0]}x"):
        tag, card = bad.ask(wire.request(fresh_client(), [1], [body], None, cluster))
        assert tag == "wrong-cluster"
        assert (card["cluster"], card["cluster_id"]) == ("bank", _here[0])
    assert bad.ask(request(["balance", ["elsewhere"], 0]))[2] == [[None, 0]]


def test_one_bad_command_does_not_take_its_neighbours_with_it(bad: Stranger) -> None:
    bodies = [orjson.dumps(["deposit", ["neighbour", amount], 0]) for amount in (5, "5")]
    client = fresh_client()
    good, worse = (sealed_id(client, number, body) for number, body in enumerate(bodies, 1))
    bad.send(wire.request(client, [1, 2], bodies, None, _here[0]))
    answers = {tag: ids for tag, ids, _ in (bad.receive(), bad.receive())}
    assert answers == {"refused": [worse], "reply": [good]}


def test_a_large_command_is_refused_with_its_size(bad: Stranger) -> None:
    tag, _, (why,) = bad.ask(request(["deposit", ["x" * wire.COMMAND_BYTES_MAX, 5], 0]))
    assert tag == "refused"
    assert f"the limit is {wire.COMMAND_BYTES_MAX}" in why


@pytest.mark.parametrize(("account", "reason"), [("a", "nested too deeply"), ("x" * 70_000, "the limit is 65536")])
def test_a_command_nested_deeply_is_refused(bad: Stranger, account: str, reason: str) -> None:
    deep = "[" * 900 + "]" * 900
    body = f'["deposit",["{account}",{deep}],0]'.encode()
    tag, _, (why,) = bad.ask(wire.request(fresh_client(), [1], [body], None, _here[0]))
    assert tag == "refused"
    assert reason in why


def test_a_message_beyond_the_limit_only_ends_its_connection(bad: Stranger) -> None:
    bad.send(b'["' + b"x" * wire.MESSAGE_BYTES_MAX + b'"]')
    bad.alive()  # by a connection made anew


@pytest.mark.parametrize("count", [2, 3, 100])
def test_a_wrong_number_of_frames_is_refused_with_the_count(bad: Stranger, count: int) -> None:
    tag, why = bad.ask(*[b'["ping",7]'] * count)
    assert (tag, why) == ("error", f"a message of {count} frames; expected 1")
    bad.alive()


def test_huge_acknowledgements_cost_nothing(bad: Stranger) -> None:
    last = 2**63 - 1
    client = fresh_client()
    for sequence in (1, last - 1, last):
        body = ["deposit", ["a", 5], sequence - 1]
        tag, ids, ((error, _),) = bad.ask(request(body, client, sequence))
        assert (tag, ids, error) == ("reply", [sealed_id(client, sequence, orjson.dumps(body))], None)


def test_an_id_cannot_be_given_to_another_body(bad: Stranger) -> None:
    account, client = fresh_client(), fresh_client()
    body, other = ["deposit", [account, 5], 0], ["deposit", [account, 7], 0]
    command = sealed_id(client, 1, orjson.dumps(body))
    assert bad.ask(request(body, client))[:2] == ["reply", [command]]
    assert bad.ask(request(body, client))[:2] == ["reply", [command]]
    assert bad.ask(request(other, client))[:2] == ["reply", [sealed_id(client, 1, orjson.dumps(other))]]
    assert bad.ask(request(["balance", [account], 0]))[2] == [[None, 12]]


def test_questions_with_enormous_numbers_are_answered(bad: Stranger) -> None:
    for question in (["graph", 2**64 - 1, 10**15], ["graph", -1, -(10**15)], ["log", 0, 10**15], ["graph", True, True]):
        assert bad.ask(orjson.dumps(question))[0] == "answer"


@given(
    st.one_of(
        st.binary(max_size=60),
        any_json.map(lambda value: json.dumps(value).encode()),
        st.tuples(
            st.sampled_from(["request", "ping", "graph", "log", "state", "x"]), st.lists(any_json, max_size=4)
        ).map(lambda parts: json.dumps([parts[0], *parts[1]]).encode()),
        st.lists(any_json, max_size=3).map(
            lambda body: wire.request("f", [1], [json.dumps(body).encode()], None, "ID")
        ),
        st.lists(any_json, max_size=3).map(
            lambda arguments: wire.request("f", [1], [json.dumps(["deposit", arguments, 0]).encode()], None, "ID")
        ),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_at_all_is_answered_or_ignored(fuzzed: Stranger, payload: bytes) -> None:
    fuzzed.send(payload.replace(b'"ID"', orjson.dumps(_here[0])))
    fuzzed.alive()


@pytest.fixture(scope="module")
def fuzzed(cluster: LocalCluster) -> Iterator[Stranger]:
    with stranger(cluster) as made:
        yield made


# Strangers posing as replicas ---------------------------------------------------------------------------------------


def introduction(of: LocalCluster, node: int, **changed: str) -> bytes:
    """How a replica of this cluster introduces itself, or nearly so."""
    identity = Identity(node, cluster_text(of.config), Bank.fingerprint_text(), "0" * 32)
    return replace(identity, **changed).routing_id()  # type: ignore[arg-type]


HIGH_BALLOT = orjson.dumps(["1a", [10**6, 1], 0])


def promised(cluster: LocalCluster) -> list[Any]:
    return [row["promised"] for row in cluster.status()]


@pytest.mark.parametrize(
    ("node", "changed", "complaint"),
    [
        (1, {"cluster": "name = other"}, "another cluster file, other commutativity rules"),
        (1, {"machine": "other"}, "another cluster file, other commutativity rules"),
        (1, {}, "comes back with another directory than it had: it has lost its promises"),
        (0, {}, "there is no other replica 0 in this cluster"),
        (7, {}, "there is no other replica 7 in this cluster"),
        (99, {}, "there is no other replica 99 in this cluster"),
    ],
)
def test_who_is_no_replica_of_this_cluster_has_no_say_in_it(
    cluster: LocalCluster, node: int, changed: dict[str, str], complaint: str
) -> None:
    before = promised(cluster)
    with stranger(cluster, 0, introduction(cluster, node, **changed)) as impostor:
        tag, why = impostor.ask(HIGH_BALLOT)
        assert tag == "error"
        assert complaint in why
        assert impostor.ask(request(["deposit", ["a", 5], 0]))[0] == "error"
    assert promised(cluster) == before


def test_what_was_refused_is_in_the_replicas_log(cluster: LocalCluster) -> None:
    with stranger(cluster, 0, introduction(cluster, 1, machine="yet another")) as impostor:
        impostor.ask(HIGH_BALLOT)
        impostor.ask(HIGH_BALLOT)
    log = cluster.processes.log_file(0).read_text()
    assert log.count("refused a message: replica 1 was started with another cluster file") == 1, "said once"


def test_a_replicas_journal_cannot_be_opened_beside_it(cluster: LocalCluster) -> None:
    with pytest.raises(ConfigError, match="is another process serving this replica"):
        Storage(Path(cluster.config.replicas[0].directory))
