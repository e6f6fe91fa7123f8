"""The larger scopes, for minutes rather than seconds: not collected by default. Run it as

``python -m pytest tests/simulation/explore/full_scope.py`` (``make explore``).
"""

from __future__ import annotations

from typing import Any

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.simulation.explore import Scope, Votes, explore
from tests.simulation.explore import mutations
from tests.simulation.explore.mutations import put_in

LEADER: dict[str, Any] = {"policy": Policy.LEADER_ORDERED}
PINNED: dict[str, Any] = {**LEADER, "pinned": (0, 1)}
ANY: dict[str, Any] = {**LEADER, "fast": FastQuorums.ANY}
CLASSIC: dict[str, Any] = {"policy": Policy.CLASSIC}

COMPLETE: dict[str, dict[str, Any]] = {
    "leader-ordered, pinned": PINNED,
    "leader-ordered, pinned, commuting": {**PINNED, "interfering": False},
    "leader-ordered, the quorum that the coordinator pins": LEADER,
    "leader-ordered, any f": ANY,
    "leader-ordered, pinned, a crash": {**PINNED, "crashes": 1},
    "leader-ordered, three ballots, a link cut": {**LEADER, "ballots": 3, "cut": frozenset({(0, 1)})},
    "classic, three ballots": {**CLASSIC, "ballots": 3},
    "classic, one decree at a time": {**CLASSIC, "chunk": 1},
    "coordinated, one ballot": {"policy": Policy.COORDINATED, "ballots": 1},
}
"""Each is complete within minutes."""

BOUNDED: dict[str, dict[str, Any]] = {
    "leader-ordered, votes told to all": {**PINNED, "votes": Votes.EVERYBODY},
    "leader-ordered, three ballots": {**PINNED, "ballots": 3},
    "leader-ordered, three commands": {**PINNED, "commands": 3},
    "leader-ordered, four acceptors": {**ANY, "acceptors": 4},
    "coordinated, four acceptors": {"policy": Policy.COORDINATED, "acceptors": 4},
    "uncoordinated, four acceptors": {"policy": Policy.UNCOORDINATED, "acceptors": 4},
}
"""As far as two million states take them."""


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", COMPLETE)
def test_the_scope_is_safe_and_complete(name: str) -> None:
    found = explore(Scope(**COMPLETE[name]))
    assert found.violation is None
    assert found.complete


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", BOUNDED)
def test_no_violation_is_found_as_far_as_the_bound(name: str) -> None:
    found = explore(Scope(**BOUNDED[name], states_max=2_000_000))
    assert found.violation is None


@pytest.mark.timeout(3_600)
def test_dropping_the_longest_decree_prefix_is_found_where_a_replica_does_not_know_what_is_committed() -> None:
    scope = Scope(policy=Policy.CLASSIC, acceptors=4, ballots=3, cut=frozenset({(0, 1), (1, 0)}))
    violation = explore(scope, mutation=put_in(mutations.the_longest_decree_prefix_is_not_the_base)).violation
    assert violation is not None
    assert "but ballot 3.0 started with" in violation.what


@pytest.mark.timeout(3_600)
def test_recovery_that_takes_all_for_unchosen_is_found() -> None:
    scope = Scope(**LEADER, ballots=3, cut=frozenset({(0, 1)}))
    violation = explore(scope, mutation=put_in(mutations.recovery_takes_all_for_unchosen)).violation
    assert violation is not None
    assert "but ballot 3.0 started with" in violation.what
