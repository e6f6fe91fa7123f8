"""The explorer visits small scopes of the real core completely, finds nothing, and says what it did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.explore import Exploration, Progress, Scope, Votes, explore

PINNED = (0, 1)


def assert_safe(found: Exploration) -> None:
    assert found.violation is None
    assert found.complete
    assert found.bound is None


def test_leader_ordered_with_a_pinned_quorum_is_safe_with_two_interfering_commands_and_two_ballots() -> None:
    found = explore(Scope(policy=Policy.LEADER_ORDERED, pinned=PINNED))
    assert_safe(found)
    assert found.states > 5_000


SMALL: dict[str, dict[str, Any]] = {
    "classic": {"policy": Policy.CLASSIC},
    "any f": {"policy": Policy.LEADER_ORDERED, "fast": FastQuorums.ANY, "commands": 1},
    "the quorum that the coordinator pins": {"policy": Policy.LEADER_ORDERED, "commands": 1},
    "a crash": {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "commands": 1, "crashes": 1},
    "a crash in classic ballots": {"policy": Policy.CLASSIC, "commands": 1, "crashes": 1},
    "three ballots": {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "commands": 1, "ballots": 3},
    "votes told to all": {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "commands": 1, "votes": Votes.EVERYBODY},
    "nacks": {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "commands": 1, "nacks": True},
    "one decree at a time": {"policy": Policy.CLASSIC, "commands": 1, "chunk": 1},
    "one decree at a time, with its body for one": {"policy": Policy.LEADER_ORDERED, "chunk": 1},
    "two replicas": {"policy": Policy.LEADER_ORDERED, "acceptors": 2},
    "coordinated": {"policy": Policy.COORDINATED},
    "coordinated, one ballot on four": {"policy": Policy.COORDINATED, "acceptors": 4, "ballots": 1},
    "uncoordinated": {"policy": Policy.UNCOORDINATED, "commands": 1},
    "a coordinator falls back": {
        "policy": Policy.COORDINATED,
        "policies": (Policy.COORDINATED, Policy.LEADER_ORDERED),
        "commands": 1,
    },
    "a coordinator returns": {
        "policy": Policy.UNCOORDINATED,
        "policies": (Policy.LEADER_ORDERED, Policy.UNCOORDINATED),
        "commands": 1,
    },
    "runs": {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "runs": True},
    "runs in classic ballots": {"policy": Policy.CLASSIC, "runs": True},
    "runs in coordinated ballots": {"policy": Policy.COORDINATED, "runs": True},
    "runs in uncoordinated ballots": {"policy": Policy.UNCOORDINATED, "runs": True, "ballots": 1},
    "one ballot on four": {
        "policy": Policy.LEADER_ORDERED,
        "fast": FastQuorums.ANY,
        "acceptors": 4,
        "commands": 1,
        "ballots": 1,
    },
}


@pytest.mark.parametrize("name", SMALL)
def test_small_scopes_are_safe(name: str) -> None:
    assert_safe(explore(Scope(**SMALL[name])))


def test_pruning_leaves_no_more_and_no_less_than_what_is_safe_without_it() -> None:
    small = {"policy": Policy.LEADER_ORDERED, "pinned": PINNED, "commands": 1}
    pruned, full = explore(Scope(**small)), explore(Scope(**small, prune=False))  # type: ignore[arg-type]
    assert_safe(pruned)
    assert_safe(full)
    assert pruned.local_states == full.local_states
    assert pruned.states < full.states


def test_the_same_scope_gives_the_same_result() -> None:
    scope = Scope(policy=Policy.CLASSIC, commands=1)
    one, other = explore(scope), explore(scope)
    assert (one.states, one.transitions, one.depth) == (other.states, other.transitions, other.depth)


def test_a_bound_on_states_is_named_and_the_scope_is_then_not_complete() -> None:
    for workers in (1, 2):
        found = explore(Scope(policy=Policy.LEADER_ORDERED, states_max=500), workers=workers)
        assert not found.complete
        assert found.bound == "500 states"
        assert found.violation is None


def test_a_bound_on_time_is_named_likewise() -> None:
    for workers in (1, 2):
        found = explore(Scope(policy=Policy.LEADER_ORDERED), seconds_max=0, workers=workers)
        assert not found.complete
        assert found.bound == "0 s"


def test_the_result_is_json() -> None:
    found = explore(Scope(policy=Policy.CLASSIC, commands=1, ballots=1)).to_json()
    assert json.loads(json.dumps(found))["complete"] is True
    assert found["violation"] is None
    assert found["states"] > 10


def test_progress_is_told() -> None:
    told: list[Progress] = []
    explore(Scope(policy=Policy.LEADER_ORDERED, pinned=PINNED, states_max=12_000), progress=told.append)
    assert told
    assert told[0].states >= 5_000


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"owners": (0,)}, "2 ballots need as many owners"),
        ({"owners": (0, 3)}, "numbered from 0 to 2"),
        ({"pinned": (1, 2)}, "includes the coordinator"),
        ({"commands": 0}, "at most 26"),
        ({"policies": (Policy.CLASSIC,)}, "2 ballots need as many policies"),
    ],
)
def test_a_scope_that_cannot_be_meant_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Scope(policy=Policy.LEADER_ORDERED, **wrong)
