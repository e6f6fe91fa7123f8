"""The recommendation, and a cluster that follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.plan import Recommendation, parse_rtt, recommend
from genpaxos.runtime.config import ClusterConfig
from tests.plan.wan import Wan, five

FILE = """
name = "bank"
machine = "genpaxos.examples.bank:Bank"
"""


def followed(found: Recommendation, directory: Path) -> ClusterConfig:
    """A cluster file with the recommended lines in it."""
    replicas = "".join(
        f'[[replica]]\naddress = "tcp://host{n}:7600"\ndirectory = "{n}"\n' for n in range(len(found.trips.regions))
    )
    path = directory / "cluster.toml"
    path.write_text(found.cluster_file().replace("[cluster]", "[cluster]" + FILE) + replicas, encoding="utf-8")
    return ClusterConfig.load(path)


def test_the_five_regions_are_coordinated_from_oregon_and_pin_the_american_ones() -> None:
    best = recommend(five()).to_json(10)["recommended"]
    assert (best["policy"], best["coordinator"], best["pinned"]) == ("leader-ordered", "OR", ["VA", "CA", "OR"])
    assert best["mean_ms"] == {"0": 90.5, "100": 94.5, "expected": 90.58}
    assert {region: ends["0"] for region, ends in best["per_region"].items()} == {
        "VA": 70, "CA": 60, "OR": 70, "JP": 115, "EU": 137.5,
    }  # fmt: skip


def test_with_more_interference_california_coordinates() -> None:
    for share, coordinator in ((0.0, "OR"), (0.24, "OR"), (0.26, "CA"), (1.0, "CA")):
        best = recommend(five(), interference=share).to_json(1)["recommended"]
        assert (best["coordinator"], best["pinned"]) == (coordinator, ["VA", "CA", "OR"])
    assert best["mean_ms"] == {"0": 91, "100": 93, "expected": 93}


def test_the_lower_bound_is_the_nearest_majority_and_back() -> None:
    bound = recommend(five()).to_json(1)["lower_bound"]
    assert bound["per_region"] == {"VA": 70, "CA": 60, "OR": 70, "JP": 110, "EU": 130}
    assert (bound["mean_ms"], bound["worst_ms"]) == (88, 130)


def test_every_policy_coordinator_and_majority_is_considered_and_the_best_is_first() -> None:
    found = recommend(five())
    assert len(found.plans) == 5 * 6 + 4 * 5
    ranks = [plan.rank(found.interference) for plan in found.plans]
    assert ranks == sorted(ranks)
    assert all(plan.coordinator in plan.pinned for plan in found.plans if plan.pinned)
    assert [plan["policy"] for plan in found.to_json(1)["by_policy"]] == [
        "leader-ordered", "classic", "uncoordinated", "coordinated",
    ]  # fmt: skip


def test_a_policy_may_be_asked_for() -> None:
    found = recommend(five(), policies=[Policy.CLASSIC])
    assert {plan.policy for plan in found.plans} == {Policy.CLASSIC}
    assert "pinned" not in found.cluster_file()
    assert "fast_quorum" not in found.cluster_file()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_of_interference_is_between_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="expected a share from 0 to 1"):
        recommend(five(), interference=share)


@pytest.mark.parametrize("policy", list(Policy))
def test_a_cluster_with_the_recommended_lines_does_what_the_plan_says(policy: Policy, tmp_path: Path) -> None:
    """From the printed lines through the cluster file and an election to the answers that clients get."""
    found = recommend(five(), policies=[policy])
    wan = Wan(five(), followed(found, tmp_path).settings()).elect()
    assert (wan.coordinator, wan.pinned) == (found.best.coordinator, found.best.pinned)
    shortcut = [0, 0, 0, 0, 2.5 if policy is Policy.CLASSIC else 0]
    assert [a + b for a, b in zip(wan.waits_ms(), shortcut, strict=True)] == list(found.best.quiet_ms)


def test_when_the_coordinator_is_gone_the_next_one_of_the_preference_takes_over(tmp_path: Path) -> None:
    found = recommend(five())
    wan = Wan(five(), followed(found, tmp_path).settings()).elect()
    first, second, *_ = found.preference
    assert wan.coordinator == first
    wan.cluster.crash(first)
    wan.cluster.run_for(4_000)
    alive = [replica for replica in wan.cluster.alive() if replica.coordinator.leading]
    assert [replica.node for replica in alive] == [second]
    assert first not in alive[0].acceptor.kind.pinned


def test_near_regions_keep_the_default_timing() -> None:
    lines = recommend(parse_rtt("A-B 2\nA-C 3\nB-C 2", "x")).cluster_file()
    assert lines.endswith("[timing]\nwatermark_ms = 0  # every region learns by whichever rule is faster there\n")


def test_far_regions_get_slower_elections(tmp_path: Path) -> None:
    timing = followed(recommend(parse_rtt("A-B 301\nA-C 350\nB-C 120", "x")), tmp_path).timing
    assert (timing.retry_ms, timing.stagger_ms, timing.election_ms, timing.watermark_ms) == (350, 700, 700, 0)


def test_thirteen_regions_are_planned_too() -> None:
    names = [f"R{n}" for n in range(13)]
    lines = [f"{a} {b} {abs(i - j) * 10}" for i, a in enumerate(names) for j, b in enumerate(names) if i < j]
    best = recommend(parse_rtt("\n".join(lines), "x")).best
    assert (best.coordinator, len(best.pinned)) == (6, 7)
