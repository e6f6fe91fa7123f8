"""Deliberate errors in the real core are found, each by a shortest trace; without them the same scopes are safe."""

from __future__ import annotations

from typing import Any

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.explore import Exploration, Scope, explore
from tests.explore import mutations
from tests.explore.mutations import Patch, put_in
from tests.simulation import mutations as shared

PINNED: dict[str, Any] = {"policy": Policy.LEADER_ORDERED, "pinned": (0, 1)}
TWO: dict[str, Any] = {**PINNED, "cut": frozenset({(0, 2), (2, 0)})}
"""Replicas 0 and 1 choose, 1 and 2 go on."""
THREE: dict[str, Any] = {"policy": Policy.LEADER_ORDERED, "ballots": 3, "cut": frozenset({(0, 1)})}
"""What 0 decrees in ballot 1 is news to those that choose in ballot 2, and they do not hear of it."""
APART: dict[str, Any] = {**THREE, "cut": frozenset({(0, 1), (1, 0)})}
FOUR: dict[str, Any] = {
    "policy": Policy.CLASSIC, "ballots": 4, "owners": (0, 2, 1, 0), "cut": frozenset({(0, 1), (1, 0)})
}  # fmt: skip
ANY: dict[str, Any] = {"policy": Policy.LEADER_ORDERED, "acceptors": 4, "fast": FastQuorums.ANY, "ballots": 1}
PREFIX: dict[str, Any] = {
    "policy": Policy.COORDINATED, "acceptors": 4, "owners": (0, 2), "cut": frozenset({(2, 0), (1, 3), (3, 1)})
}  # fmt: skip
"""2 asks what 0 decreed only a part of: one of the reports has a decree that the others have as a tail."""
UNTOLD: dict[str, Any] = {
    "policy": Policy.CLASSIC, "acceptors": 4, "ballots": 3, "cut": frozenset({(0, 1), (1, 0)})
}  # fmt: skip
"""A replica does not know what is committed."""
STALE: dict[str, Any] = {"policy": Policy.COORDINATED, "ballots": 1}
STALE_FOUR: dict[str, Any] = {"policy": Policy.UNCOORDINATED, "ballots": 1, "acceptors": 4}
"""A client's command comes in one step with committed decrees; three of four are a fast quorum."""
CRASH: dict[str, Any] = {**PINNED, "commands": 1, "crashes": 1}

ERRORS: list[tuple[Patch, dict[str, Any], str]] = [
    (shared.the_fast_threshold_is_one_less, TWO, "which is not chosen"),
    (mutations.recovery_wants_one_report_more, THREE, "but ballot 3.0 started with"),
    (mutations.decrees_drop_the_rest_of_the_history, TWO, "but ballot 2.1 started with"),
    (shared.the_coordinator_is_left_out_of_the_fast_quorum, TWO, "no history holds all that is chosen"),
    (shared.the_coordinator_is_left_out_of_the_fast_quorum, ANY, "no history holds all that is chosen"),
    (shared.recovery_does_not_project, PREFIX, "phase 1 reports contradict each other"),
    (shared.recovery_takes_all_for_unchosen, THREE, "but ballot 3.0 started with"),
    (mutations.the_longest_decree_prefix_is_not_the_base, UNTOLD, "but ballot 3.0 started with"),
    (mutations.votes_are_added_across_ballots, PINNED, "which is not chosen"),
    (shared.recovery_ignores_the_highest_ballot, APART, "but ballot 3.0 started with"),
    (mutations.one_variable_for_promised_and_accepted, THREE, "but ballot 3.0 started with"),
    (mutations.promises_are_not_persisted, CRASH, "after its restart; it had said"),
    (shared.votes_keep_their_digests_when_decrees_are_taken_over, STALE, "at 0 of its tail, where it holds"),
    (shared.votes_keep_their_digests_when_decrees_are_taken_over, STALE_FOUR, "at 0 of its tail, where it holds"),
    (mutations.a_ballot_is_entered_with_a_part_of_what_was_recovered, FOUR, "but ballot 4.0 started with"),
]


def found(patch: Patch, scope: dict[str, Any]) -> Exploration:
    return explore(Scope(**scope, states_max=400_000), mutation=put_in(patch))


@pytest.mark.parametrize(("patch", "scope", "what"), ERRORS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_deliberate_error_is_found(patch: Patch, scope: dict[str, Any], what: str) -> None:
    violation = found(patch, scope).violation
    assert violation is not None
    assert what in violation.what
    assert 2 < len(violation.trace) < 26


def test_a_report_of_before_with_the_place_of_after_takes_a_command_and_a_message_in_one_step() -> None:
    patch = shared.votes_keep_their_digests_when_decrees_are_taken_over
    together, apart = found(patch, STALE), found(patch, {**STALE, "together": False})
    assert together.violation is not None
    assert together.violation.trace[-1].startswith("client->")
    assert "is told by another: committed" in together.violation.trace[-1]
    assert apart.violation is None
    assert apart.complete


@pytest.mark.parametrize("scope", [TWO, CRASH], ids=["two", "crash"])
def test_without_an_error_the_same_scope_is_safe(scope: dict[str, Any]) -> None:
    result = explore(Scope(**scope))
    assert result.violation is None
    assert result.complete


def test_leader_ordered_ballots_are_safe_even_if_reports_are_not_projected() -> None:
    """Only the coordinator's labels count there, and they are exact; where acceptors order it is found (``PREFIX``)."""
    result = found(shared.recovery_does_not_project, TWO)
    assert result.violation is None
    assert result.complete


def test_a_trace_reads_as_a_sequence_of_steps() -> None:
    violation = found(mutations.promises_are_not_persisted, CRASH).violation
    assert violation is not None
    assert violation.trace == ("0 starts ballot 1.0", "0->1 phase1a(1.0)", "1 crashes and restarts")
    assert violation.to_json()["what"].startswith("replica 1 has promised")


def test_a_trace_is_a_message_flow_with_a_delay_per_step() -> None:
    violation = found(mutations.promises_are_not_persisted, CRASH).violation
    assert violation is not None
    flow = violation.flow
    assert flow["lanes"] == ["client", "replica 0", "replica 1", "replica 2"]
    assert [(m["delay"], m["from"], m["to"]) for m in flow["messages"]] == [(2, "replica 0", "replica 1")]
    assert [(note["delay"], note["lane"], note["up"]) for note in flow["notes"]] == [
        (1, "replica 0", True),
        (3, "replica 1", True),
        (3, "replica 1", False),
    ]


@pytest.mark.parametrize("scope", [TWO, CRASH], ids=["two", "crash"])
def test_an_error_is_found_without_pruning_too_and_as_soon(scope: dict[str, Any]) -> None:
    patch = shared.the_fast_threshold_is_one_less if scope is TWO else mutations.promises_are_not_persisted
    pruned, full = found(patch, scope).violation, found(patch, {**scope, "prune": False}).violation
    assert pruned is not None
    assert full is not None
    assert len(pruned.trace) == len(full.trace)
