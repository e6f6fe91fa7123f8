"""The family runs on the real core, and learns in as many delays as the papers say."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from genpaxos.cli import main
from genpaxos.core.ballot import Policy
from genpaxos.family import FLOWS, Flow, FlowError, find
from genpaxos.view.graph import CommandGraph

RUNS = [pytest.param(flow, policy, id=f"{flow.name}-{policy}") for flow in FLOWS.values() for policy in flow.policies]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["flow", *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def learned(answer: dict[str, Any], step: int) -> dict[str, tuple[int, str]]:
    return {entry["command"]: (entry["delays"], entry["rule"]) for entry in answer["learned"] if entry["step"] == step}


@pytest.mark.parametrize(
    ("policy", "commuting", "collided"),
    [
        ("coordinated", (2, "fast"), (4, "classic")),
        ("leader-ordered", (2, "fast"), (3, "classic")),
        ("classic", (3, "classic"), (3, "classic")),
    ],
)
def test_generalized_paxos_learns_what_commutes_in_two_delays_and_a_collision_as_its_policy_says(
    policy: str, commuting: tuple[int, str], collided: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(capsys, "generalized", "--policy", policy)
    assert learned(answer, 1) == {"ReadA": commuting, "ReadB": commuting}
    assert learned(answer, 2) == {"ReadA": commuting, "WriteB": collided, "ReadB": collided}
    assert learned(answer, 3) == {"WriteA": collided, "ReadA": collided}


def test_generalized_paxos_is_coordinated_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "generalized") == told(capsys, "generalized", "--policy", "coordinated")


def test_a_first_collision_costs_three_delays_uncoordinated_and_a_second_one_a_new_ballot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = told(capsys, "generalized", "--policy", "uncoordinated")
    assert learned(answer, 2) == {"ReadA": (2, "fast"), "WriteB": (3, "fast"), "ReadB": (3, "fast")}
    assert learned(answer, 3) == {"WriteA": (6, "classic"), "ReadA": (6, "classic")}
    assert [m["delay"] for m in answer["messages"] if m["step"] == 3 and m["message"] == "Prepare(2.0)"] == [3] * 5


@pytest.mark.parametrize(
    ("name", "delays", "rule"),
    [
        ("basic-success", 5, "classic"),
        ("multi-start", 5, "classic"),
        ("multi-steady", 3, "classic"),
        ("fast-success", 2, "fast"),
        ("fast-coordinated", 4, "classic"),
        ("fast-uncoordinated", 3, "fast"),
    ],
)
def test_each_protocol_learns_in_as_many_delays_as_the_papers_say(
    name: str, delays: int, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(capsys, name)
    assert {(entry["delays"], entry["rule"]) for entry in answer["learned"]} == {(delays, rule)}


@pytest.mark.parametrize(("flow", "policy"), RUNS)
def test_every_flow_learns_all_it_was_asked_under_every_policy_it_allows(flow: Flow, policy: Policy) -> None:
    answer = flow.run(policy).to_json()
    asked = {(m["step"], name) for m in answer["messages"] if m["kind"] == "Propose" for name in m["commands"]}
    assert {(entry["step"], entry["command"]) for entry in answer["learned"]} == asked
    assert asked


@pytest.mark.parametrize(("flow", "policy"), RUNS)
def test_the_json_of_a_flow_is_complete(flow: Flow, policy: Policy) -> None:
    answer = flow.run(policy).to_json()
    assert answer["name"] == flow.name
    assert answer["policy"] == str(policy)
    assert answer == json.loads(json.dumps(answer))
    for message in answer["messages"]:
        assert {message["from"], message["to"]} <= set(answer["lanes"])
        assert message["delay"] >= 1
        assert message.get("lost", True) is True
    for entry in answer["learned"]:
        assert entry["delays"] == min(entry["learners"].values())
        assert set(entry["learners"]) <= set(answer["lanes"])
    for step in answer["steps"]:
        CommandGraph.from_json(step["graph"])


@pytest.mark.parametrize(("flow", "policy"), RUNS)
def test_a_flow_runs_the_same_way_every_time(flow: Flow, policy: Policy) -> None:
    assert flow.run(policy).to_json() == flow.run(policy).to_json()


@pytest.mark.parametrize(("flow", "policy"), RUNS)
def test_what_is_stable_after_a_step_stays_so(flow: Flow, policy: Policy) -> None:
    """The graph of a step is down-closed in the next one: a history is only ever extended."""
    graphs = [CommandGraph.from_json(step["graph"]) for step in flow.run(policy).to_json()["steps"]]
    for one, next_one in pairwise(graphs):
        ids = [command.id for command in one.commands]
        assert [command.id for command in next_one.commands][: len(ids)] == ids


def test_the_list_names_every_flow_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FLOWS)
    assert main(["flow", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)] == list(FLOWS)


def test_a_flow_that_is_not_there_is_an_error_that_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "cheap"]) == 1
    assert "there is no flow 'cheap'; the flows are: basic-success" in capsys.readouterr().err


def test_a_policy_that_a_flow_does_not_allow_is_an_error() -> None:
    with pytest.raises(FlowError, match=r"flow 'multi-steady' does not run under policy 'coordinated'.*: classic"):
        find("multi-steady").run(Policy.COORDINATED)


def test_with_a_distinguished_learner_acceptors_tell_it_alone_and_the_others_learn_a_delay_later() -> None:
    trace = find("distinguished-learner").run()
    assert {message.receiver for message in trace.messages if message.kind == "Phase2b"} == {"Learner 1"}
    assert trace.learned[0].learners == {"Learner 1": 3, "Learner 2": 4}
    assert len(trace.messages) < len(find("multi-steady").run().messages)


def test_outside_the_pinned_quorum_nobody_votes() -> None:
    trace = find("quorum-only").run()
    assert {message.sender for message in trace.messages if message.kind == "Phase2b"} == {"Server 2", "Server 3"}
    assert trace.learned[0].delays == 2


def test_votes_of_one_order_carry_equal_digests_and_those_of_another_carry_others() -> None:
    votes = [
        message for message in find("hashed-votes").run().messages if message.kind == "Phase2b" and message.digests
    ]
    digests = {message.sender: tuple(sorted(message.digests)) for message in votes if message.delay == 2}
    assert digests["Acceptor 1"] == digests["Acceptor 2"] == digests["Acceptor 3"]
    assert not set(digests["Acceptor 1"]) & set(digests["Acceptor 4"])


def test_an_acceptor_that_missed_the_votes_is_told_what_was_chosen() -> None:
    notes = [note.text for note in find("told-chosen").run().notes]
    assert notes[1:] == ["Acceptor 3 knows of 0 chosen", "Acceptor 3 knows of 1 chosen"]


def test_the_proposer_that_takes_over_proposes_the_value_it_finds() -> None:
    trace = find("basic-proposer-fails").run()
    assert "Promise(2.1, 1.0: V)" in {message.text for message in trace.messages}
    assert trace.learned[0].learners == {"Learner 1": 9, "Learner 2": 9}


def test_duelling_proposers_refuse_each_other_until_one_gives_way() -> None:
    trace = find("basic-duel").run()
    nacks = [message.text for message in trace.messages if message.kind == "Nack" and message.sender == "Acceptor 1"]
    assert dict.fromkeys(nacks) == dict.fromkeys(["Nack(2.1)", "Nack(3.0)", "Nack(4.1)"])
    assert len(trace.learned) == 1
