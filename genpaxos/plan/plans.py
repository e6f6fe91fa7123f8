"""Every way to run a cluster on given round trips, ranked by what its clients wait on average."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.plan.latency import Latency
from genpaxos.plan.rtt import RoundTrips

POLICIES = (Policy.LEADER_ORDERED, Policy.CLASSIC, Policy.COORDINATED, Policy.UNCOORDINATED)
"""Among plans that are equally good, the policy named first is preferred."""
INTERFERENCE = 0.02
"""The share of commands that interfere with others under way, unless the user knows better."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy, its coordinator and fast quorum, and what the clients of each region wait."""

    policy: Policy
    fast: FastQuorums
    coordinator: int
    pinned: tuple[int, ...]
    """Empty unless the fast quorum is pinned."""
    quiet_ms: tuple[float, ...]
    """Per region, with no interference."""
    interfering_ms: tuple[float, ...]
    """Per region, where every command interferes."""

    def expected_ms(self, interference: float) -> tuple[float, ...]:
        """Per region, where a share of the commands interferes."""
        pairs = zip(self.quiet_ms, self.interfering_ms, strict=True)
        return tuple((1 - interference) * quiet + interference * interfering for quiet, interfering in pairs)

    def rank(self, interference: float) -> tuple[float, ...]:
        """Smaller is better: the mean over the regions, then the worst of them, then the mean when it is quiet."""
        expected = self.expected_ms(interference)
        return round(_mean(expected), 6), round(max(expected), 6), round(_mean(self.quiet_ms), 6)

    def to_json(self, regions: Sequence[str], interference: float) -> dict[str, Any]:
        """For ``--json`` and the view; shares of interference are in percent."""
        expected = self.expected_ms(interference)
        return {
            "policy": str(self.policy),
            "fast_quorum": None if self.policy is Policy.CLASSIC else str(self.fast),
            "coordinator": regions[self.coordinator],
            "pinned": [regions[member] for member in self.pinned],
            "mean_ms": _ends(_mean(self.quiet_ms), _mean(self.interfering_ms), _mean(expected)),
            "worst_ms": _ends(max(self.quiet_ms), max(self.interfering_ms), max(expected)),
            "per_region": {
                region: _ends(self.quiet_ms[n], self.interfering_ms[n], expected[n]) for n, region in enumerate(regions)
            },
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """All plans for a matrix of round trips, best first."""

    trips: RoundTrips
    interference: float
    plans: tuple[Plan, ...]
    lower_bound_ms: tuple[float, ...]

    @property
    def best(self) -> Plan:
        """The one to take."""
        return self.plans[0]

    @property
    def preference(self) -> tuple[int, ...]:
        """The replicas, by how well their clients fare if they coordinate under the recommended policy."""
        ranked = (plan.coordinator for plan in self.plans if plan.policy is self.best.policy)
        return tuple(dict.fromkeys(ranked))

    def cluster_file(self) -> str:
        """The lines that make a cluster follow the recommendation."""
        best, regions = self.best, self.trips.regions
        lines = [f"# with [[replica]] tables in this order: {', '.join(regions)}", "[cluster]"]
        lines.append(f'policy = "{best.policy}"')
        if best.policy is Policy.LEADER_ORDERED:
            lines.append(f'fast_quorum = "{best.fast}"')
        lines.append(self._list("preference", self.preference))
        if best.pinned:
            lines.append(self._list("pinned", best.pinned))
        lines += ["", "[timing]", "watermark_ms = 0  # every region learns by whichever rule is faster there"]
        return "\n".join([*lines, *_slow_timing(self.trips.longest_ms)]) + "\n"

    def to_json(self, limit: int) -> dict[str, Any]:
        """At most ``limit`` plans, and the best of each policy."""
        regions, interference = self.trips.regions, self.interference
        first: dict[str, Plan] = {}
        for plan in self.plans:
            first.setdefault(str(plan.policy), plan)
        shown = [plan.to_json(regions, interference) for plan in self.plans[:limit]]
        bounds = {region: round(ms, 3) for region, ms in zip(regions, self.lower_bound_ms, strict=True)}
        return {
            "interference_percent": round(100 * interference, 6),
            "regions": list(regions),
            "recommended": self.best.to_json(regions, interference),
            "by_policy": [plan.to_json(regions, interference) for plan in first.values()],
            "plans": shown,
            "plans_considered": len(self.plans),
            "lower_bound": {
                "mean_ms": round(_mean(self.lower_bound_ms), 3),
                "worst_ms": round(max(self.lower_bound_ms), 3),
                "per_region": bounds,
            },
            "cluster_file": self.cluster_file(),
        }

    def _list(self, key: str, nodes: Sequence[int]) -> str:
        return f"{key} = {list(nodes)}  # {', '.join(self.trips.regions[node] for node in nodes)}"


def recommend(
    trips: RoundTrips, *, interference: float = INTERFERENCE, policies: Sequence[Policy] = POLICIES
) -> Recommendation:
    """Rank every policy, coordinator and pinned quorum by the mean over the regions at a share of interference.

    Raises ``ValueError`` if the share is not between 0 and 1, or no policy is given.
    """
    if not 0 <= interference <= 1 or not policies:
        raise ValueError(f"expected a share from 0 to 1 and some policy, not {interference} and {policies}")
    latency, everyone = Latency(trips), range(len(trips.regions))
    plans = [plan for policy in POLICIES if policy in policies for plan in _plans(latency, policy, everyone)]
    plans.sort(key=lambda plan: plan.rank(interference))  # stable: equals stay in the order of POLICIES
    return Recommendation(trips, interference, tuple(plans), tuple(latency.lower_bound_ms(home) for home in everyone))


def _plans(latency: Latency, policy: Policy, everyone: Sequence[int]) -> Iterator[Plan]:
    """Every coordinator and fast quorum of one policy."""
    ordered = {c: tuple(latency.ordered_ms(policy, c, home) for home in everyone) for c in everyone}
    if policy is Policy.LEADER_ORDERED:
        for members in combinations(everyone, len(everyone) // 2 + 1):
            fast_ms = [latency.pinned_ms(members, home) for home in everyone]
            for c in members:
                quiet = tuple(map(min, ordered[c], fast_ms))  # the rule that completes first counts
                yield Plan(policy, FastQuorums.PINNED, c, members, quiet, ordered[c])
    for c in everyone:
        match policy:
            case Policy.CLASSIC:
                quiet = ordered[c]
            case Policy.LEADER_ORDERED:
                fast_ms = [latency.with_coordinator_ms(c, home) for home in everyone]
                quiet = tuple(map(min, ordered[c], fast_ms))
            case _:
                quiet = tuple(latency.unordered_ms(c, home) for home in everyone)
        yield Plan(policy, FastQuorums.ANY, c, (), quiet, ordered[c])


def _slow_timing(longest_ms: float) -> Iterator[str]:
    """Intervals that must not be shorter than the way to the furthest region and back."""
    default, round_trip_ms = Timing(), 10 * ceil(longest_ms / 10)
    retry_ms = max(default.retry_ms, round_trip_ms)
    if retry_ms > default.retry_ms:
        yield f"retry_ms = {retry_ms}  # the longest round trip: no answer comes sooner"
    if retry_ms + round_trip_ms > default.stagger_ms:
        yield f"stagger_ms = {retry_ms + round_trip_ms}  # a retry more: who is preferred is heard before the next"
    if 2 * round_trip_ms > default.election_ms:
        yield f"election_ms = {2 * round_trip_ms}  # two round trips: phase 1, and fetching what it found"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _ends(quiet: float, interfering: float, expected: float) -> dict[str, float]:
    return {"0": round(quiet, 3), "100": round(interfering, 3), "expected": round(expected, 3)}
