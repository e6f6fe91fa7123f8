"""The bars: what the engine must reach, which figure of which run is held against each, and the verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.harness.contender import ENGINE
from bench.publish.runs import Result, run_of

Figure = Callable[[Result], float | None]
"""Takes a bar's figure out of a result; ``None``: what it needs was not measured there."""


class Sense(StrEnum):
    """On which side of its limit a figure is right."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


class Reached(StrEnum):
    """A verdict in words."""

    MET = "met"
    SHORT = "short"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A limit on a figure of a run. ``form`` shows both."""

    name: str
    run: str
    """By the name of :data:`bench.publish.runs.RUNS`."""
    what: str
    sense: Sense
    limit: float
    figure: Figure
    form: str = "{:.2f}"
    aim: bool = False
    """It would be good to reach it, and need not be."""

    def text(self) -> str:
        """The limit, and whether it is an aim."""
        return f"{self.sense} {self.form.format(self.limit)}{' (aim)' if self.aim else ''}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and the figure there is, if any."""

    bar: Bar
    figure: float | None

    @property
    def reached(self) -> Reached:
        """Whether the limit is reached."""
        if self.figure is None:
            return Reached.UNMEASURED
        met = self.figure >= self.bar.limit if self.bar.sense is Sense.AT_LEAST else self.figure <= self.bar.limit
        return Reached.MET if met else Reached.SHORT

    def shown(self) -> str:
        """The figure, as the limit is shown."""
        return "–" if self.figure is None else self.bar.form.format(self.figure)

    def text(self) -> str:
        """In plain words: met or not, and by how much."""
        if self.figure is None:
            return str(Reached.UNMEASURED)
        apart = _apart(self.figure, self.bar.limit)
        if self.reached is Reached.SHORT:
            return f"{'short of' if self.bar.sense is Sense.AT_LEAST else 'above'} it by {apart}"
        return f"met, with {apart} to spare"


def _apart(figure: float, limit: float) -> str:
    """How far two figures are apart, in per cent of the limit; of a zero limit, as they are."""
    if not limit:
        return f"{abs(figure):g}"
    return f"{abs(figure - limit) / abs(limit):.0%}"


def verdicts(results: Mapping[str, Result]) -> list[Verdict]:
    """The verdict on every bar, given results by the names of their runs."""
    return [Verdict(bar, bar.figure(results[bar.run]) if bar.run in results else None) for bar in BARS]


def verdicts_on(result: Result) -> list[Verdict]:
    """The verdicts on the bars of one result's run."""
    run = run_of(result)
    return [] if run is None else [Verdict(bar, bar.figure(result)) for bar in BARS if bar.run == run.name]


# Figures ------------------------------------------------------------------------------------------------------------


def _ratio(peer: str) -> Figure:
    """The engine's commands/s over a peer's."""
    return lambda result: result["ratios"].get(peer)


def _rate(result: Result) -> float | None:
    return float(result["commands_per_second"])


def _latency_ratio(peer: str, quantile: str) -> Figure:
    """The engine's latency over a peer's, both medians over the rounds of one run."""

    def figure(result: Result) -> float | None:
        theirs = result.get("peers", {}).get(peer)
        return None if theirs is None else float(result["latency_ms"][quantile] / theirs["latency_ms"][quantile])

    return figure


def _p50_ms(result: Result) -> float | None:
    return float(result["latency_ms"]["p50"])


def _interfering_to_calm(result: Result) -> float | None:
    rates = {share["interference"]: share["tested"]["commands_per_second"] for share in result["shares"]}
    return None if not rates.keys() >= {0.0, 1.0} else rates[1.0] / rates[0.0]


def _least_to_classic(result: Result) -> float | None:
    return min(float(share["ratio"]["median"]) for share in result["shares"])


def _longest_pause_ms(*roles: str) -> Figure:
    """The longest pause of any kill of such a replica; of any but the coordinator without ``roles``."""

    def figure(result: Result) -> float | None:
        pauses = result["pause_ms"]
        killed = roles or [role for role in pauses if role != "coordinator"]
        return max((float(pauses[role]["high"]) for role in killed if role in pauses), default=None)

    return figure


def _grown(key: str, late: int, early: int) -> Figure:
    """A figure of a long run after ``late`` commands over the same after ``early``."""

    def figure(result: Result) -> float | None:
        points = {point["commands"]: point.get(key) for point in result["points"]}
        now, then = points.get(late), points.get(early)
        return now / then if now and then else None

    return figure


def _flat_memory(result: Result) -> float | None:
    ratio: float | None = result["ratios"]["memory"]
    return ratio if result["points"][-1]["commands"] >= LATE else None


def _wan_shares(result: Result) -> Mapping[float, Any]:
    """What the engine took across the five regions, by share of interference; nothing across others."""
    if tuple(result["regions"]) != FIVE_REGIONS:
        return {}
    return {share["interference"]: share for share in result["contenders"][ENGINE]["shares"]}


def _wan_mean_ms(*shares: float) -> Figure:
    """The mean over the regions of their p50; of the worst of these shares."""

    def figure(result: Result) -> float | None:
        found = _wan_shares(result)
        if not found.keys() >= set(shares):
            return None
        return max(float(found[share]["mean_ms"]["median"]) for share in shares)

    return figure


def _wan_above_bound_ms(result: Result) -> float | None:
    regions = [region for share in _wan_shares(result).values() for region in share["per_region"].values()]
    return max((float(region["above_bound_ms"]) for region in regions), default=None)


FIVE_REGIONS = ("VA", "CA", "OR", "JP", "EU")
LATE, EARLY = 1_000_000, 10_000

BARS = (
    Bar(
        name="throughput against etcd",
        run="throughput",
        what="commands/s with 256 outstanding, as a ratio to etcd's",
        sense=Sense.AT_LEAST,
        limit=5.0,
        figure=_ratio("etcd"),
    ),
    Bar(
        name="throughput against PySyncObj",
        run="throughput",
        what="commands/s with 256 outstanding, as a ratio to PySyncObj's in memory, as its documentation sets it up",
        sense=Sense.AT_LEAST,
        limit=6.0,
        figure=_ratio("pysyncobj"),
    ),
    Bar(
        name="throughput against the unreplicated server",
        run="throughput",
        what="commands/s with 256 outstanding, as a ratio to the unreplicated durable server's",
        sense=Sense.AT_LEAST,
        limit=0.5,
        figure=_ratio("unreplicated"),
    ),
    Bar(
        name="throughput",
        run="throughput",
        what="commands/s with 256 outstanding: twice what the Go EPaxos took on a like machine",
        sense=Sense.AT_LEAST,
        limit=36_000,
        figure=_rate,
        form="{:,.0f}",
        aim=True,
    ),
    Bar(
        name="throughput of five replicas against etcd",
        run="throughput-5",
        what="commands/s of five replicas with 256 outstanding, as a ratio to five members of etcd",
        sense=Sense.AT_LEAST,
        limit=3.0,
        figure=_ratio("etcd"),
    ),
    Bar(
        name="saturation",
        run="saturation",
        what="commands/s with 4,096 outstanding through `submit_many`, durable",
        sense=Sense.AT_LEAST,
        limit=60_000,
        figure=_rate,
        form="{:,.0f}",
    ),
    Bar(
        name="saturation beside the Go EPaxos",
        run="saturation",
        what="commands/s with 4,096 outstanding: what the Go EPaxos took in its open loop on a like machine",
        sense=Sense.AT_LEAST,
        limit=72_000,
        figure=_rate,
        form="{:,.0f}",
        aim=True,
    ),
    Bar(
        name="latency against etcd",
        run="latency",
        what="p50 with 1 outstanding, as a ratio to etcd's",
        sense=Sense.AT_MOST,
        limit=1.0,
        figure=_latency_ratio("etcd", "p50"),
    ),
    Bar(
        name="latency",
        run="latency",
        what="p50 with 1 outstanding, in ms",
        sense=Sense.AT_MOST,
        limit=1.0,
        figure=_p50_ms,
        aim=True,
    ),
    Bar(
        name="latency at 64 against etcd",
        run="latency-64",
        what="p99 with 64 outstanding, as a ratio to etcd's",
        sense=Sense.AT_MOST,
        limit=0.5,
        figure=_latency_ratio("etcd", "p99"),
    ),
    Bar(
        name="interference",
        run="interference",
        what="commands/s when everything interferes, as a ratio to when nothing does",
        sense=Sense.AT_LEAST,
        limit=0.8,
        figure=_interfering_to_calm,
    ),
    Bar(
        name="interference against classic",
        run="interference",
        what="commands/s as a ratio to the classic policy's, at the worst share of interference",
        sense=Sense.AT_LEAST,
        limit=0.9,
        figure=_least_to_classic,
    ),
    Bar(
        name="wan with little interference",
        run="wan",
        what="five regions: mean of their p50, at 0 and 2 % interference (the worse of the two), in ms",
        sense=Sense.AT_MOST,
        limit=96,
        figure=_wan_mean_ms(0.0, 0.02),
        form="{:.1f}",
    ),
    Bar(
        name="wan when everything interferes",
        run="wan",
        what="five regions: mean of their p50 at 100 % interference, in ms",
        sense=Sense.AT_MOST,
        limit=99,
        figure=_wan_mean_ms(1.0),
        form="{:.1f}",
    ),
    Bar(
        name="wan against the lower bound",
        run="wan",
        what="five regions: the most a region's p50 is above its lower bound, in ms",
        sense=Sense.AT_MOST,
        limit=5,
        figure=_wan_above_bound_ms,
        form="{:.1f}",
    ),
    Bar(
        name="growth of the time",
        run="growth-commands",
        what="time per command at 10⁶ commands, as a ratio to that at 10⁴",
        sense=Sense.AT_MOST,
        limit=1.2,
        figure=_grown("microseconds_per_command", LATE, EARLY),
    ),
    Bar(
        name="growth of the memory",
        run="growth-commands",
        what="memory at the end of 10⁶ commands, as a ratio to that after the first snapshot",
        sense=Sense.AT_MOST,
        limit=1.2,
        figure=_flat_memory,
    ),
    Bar(
        name="recovery from a dead coordinator",
        run="recovery",
        what="longest pause in commits after kill -9 of the coordinator under load, in ms",
        sense=Sense.AT_MOST,
        limit=1_000,
        figure=_longest_pause_ms("coordinator"),
        form="{:,.0f}",
    ),
    Bar(
        name="recovery from another dead replica",
        run="recovery",
        what="longest pause in commits after kill -9 of another replica under load, in ms",
        sense=Sense.AT_MOST,
        limit=100,
        figure=_longest_pause_ms(),
        form="{:,.0f}",
    ),
)
