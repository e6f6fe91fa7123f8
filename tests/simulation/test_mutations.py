"""Deliberate errors, each put into the real code: chance must find it, or a scenario that was written for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.core.executor import MachineFaultError
from genpaxos.core.history import DivergenceError
from genpaxos.simulation.swarm import Climate
from tests.simulation import directed, mutations
from tests.simulation.hunting import hunt
from tests.simulation.mutations import Mutation

FOUND = (DivergenceError, MachineFaultError, AssertionError)
"""What a broken protocol looks like in a scenario."""

# Deliberate errors that chance finds ---------------------------------------------------------------------------------

SEEDS_MAX = 320
BY_CHANCE: list[tuple[Mutation, Climate | None]] = [
    (mutations.votes_keep_their_digests_when_decrees_are_taken_over, Climate.DUEL),
    (mutations.one_variable_for_promised_and_accepted, None),
    (mutations.phase2a_does_not_raise_promised, None),
    (mutations.phase2a_is_accepted_below_the_promise, None),
    (mutations.an_acceptor_counts_twice, None),
    (mutations.an_acceptor_counts_before_it_votes, None),
    (mutations.the_fast_threshold_is_one_less, None),
    (mutations.the_coordinator_is_left_out_of_the_fast_quorum, Climate.DUEL),
    (mutations.recovery_drops_what_only_tails_held, None),
    (mutations.recovery_ignores_the_highest_ballot, Climate.DUEL),
    (mutations.commands_run_before_their_predecessors, None),
    (mutations.commands_run_twice, None),
    (mutations.an_ended_session_leaves_no_trace, None),
    (mutations.names_of_ended_sessions_are_forgotten_too_soon, None),
    (mutations.commands_follow_the_end_of_their_session, None),
    (mutations.the_floor_ends_sessions_that_acceptors_do_not_know_of, None),
    (mutations.commands_of_ended_sessions_are_kept, None),
]

UNDER = {mutations.votes_keep_their_digests_when_decrees_are_taken_over: Policy.COORDINATED}
"""The policy under which an error shows, where it shows rarely under others."""


def name_of(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("mutation", "climate"), BY_CHANCE, ids=name_of)
def test_an_error_is_found_by_chance(mutation: Mutation, climate: Climate | None) -> None:
    assert hunt(mutation, range(SEEDS_MAX), climate=climate, policy=UNDER.get(mutation)) is not None


# Deliberate errors that need several coincidences --------------------------------------------------------------------

VIOLATION = "was committed as|was learned with another digest|reports contradict each other|does not follow from what"
DIRECTED: list[tuple[Mutation, Callable[[], None]]] = [
    (mutations.one_variable_for_promised_and_accepted, directed.a_lost_ballot_in_between),
    (mutations.phase2a_does_not_raise_promised, directed.lower_ballot_after_a_higher_one),
    (mutations.phase2a_is_accepted_below_the_promise, directed.a_decree_after_the_promise),
    (mutations.late_phase1b_of_an_old_ballot_counts, directed.a_late_report),
    (mutations.votes_are_added_across_ballots, directed.votes_of_two_ballots),
    (mutations.watermarks_are_added_across_ballots, directed.watermarks_of_two_ballots),
    (mutations.queued_votes_outlive_a_promise, directed.votes_taken_along),
    (mutations.the_fast_threshold_is_one_less, directed.votes_of_two_ballots),
    (mutations.recovery_takes_all_for_unchosen, directed.a_lost_ballot_in_between),
    (mutations.recovery_does_not_project, directed.a_lagging_report),
    (mutations.recovery_ignores_the_highest_ballot, directed.a_longer_report_of_a_lower_ballot),
    (mutations.a_partial_take_over_drops_what_was_adopted_behind_it, directed.a_partial_take_over),
    (mutations.a_ballot_is_entered_with_a_part_of_what_was_recovered, directed.a_part_of_what_was_recovered),
    (mutations.labels_are_carried_across_ballots, directed.labels_taken_along),
    (mutations.votes_keep_their_digests_when_decrees_are_taken_over, directed.votes_before_a_take_over),
]


@pytest.mark.parametrize(("mutation", "scenario"), DIRECTED, ids=name_of)
def test_an_error_is_found_by_a_scenario(
    mutation: Mutation, scenario: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario()
    mutation(monkeypatch)
    with pytest.raises(FOUND, match=VIOLATION):
        scenario()


def test_what_leaves_before_it_is_synced_is_found_by_a_scenario() -> None:
    """Bug pattern 3; in the code of the owner, not of the core, so it is the bench that errs here."""
    directed.a_vote_that_is_not_synced()
    with pytest.raises(FOUND, match=VIOLATION):
        directed.a_vote_that_is_not_synced(sync_first=False)


def test_no_error_is_left_out() -> None:
    listed = {mutation for mutation, _ in [*BY_CHANCE, *DIRECTED]}
    written = {
        value
        for value in vars(mutations).values()
        if getattr(value, "__module__", "") == mutations.__name__ and "patch" in getattr(value, "__annotations__", {})
    }
    assert listed == written
