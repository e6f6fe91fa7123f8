"""Makes a failing plan small: what is deleted from it leaves a plan, and the same invariant must still fail.

First whole kinds of faults go, then single faults, then commands, then time (Zeller & Hildebrandt, *Simplifying and
isolating failure-inducing input*, TSE 2002: ``ddmin``). Deleting something changes what happens to other messages, so a
failure that hangs on a coincidence may be lost; then the larger plan stays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from genpaxos.simulation.network import CALM
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import Outcome, run
from genpaxos.simulation.tape import Tape

RUNS_MAX = 400
"""Runs that shrinking may cost: some seconds to half a minute."""
FLOW_EVENTS_MAX = 60
"""How much of the end is drawn."""

T = TypeVar("T")


@dataclass(slots=True)
class Shrunk:
    """A smaller plan that fails alike."""

    outcome: Outcome
    runs: int

    @property
    def plan(self) -> Plan:
        """What is left."""
        return self.outcome.plan

    def to_json(self) -> dict[str, Any]:
        """For a report: what is left of the plan, in words, and the end of the run as a message flow."""
        plan, failure = self.plan, self.outcome.failure()
        return {
            "plan": plan.to_json(),
            "faults": [f"{fault.at_ms:.0f} ms: {fault}" for fault in plan.faults],
            "commands": [f"{s.at_ms:.0f} ms: c{s.client} {s.command}" for s in plan.submissions],
            "failure": failure,
            "runs": self.runs,
            "flow": flow_of(plan),
        }


def flow_of(plan: Plan, last: int = FLOW_EVENTS_MAX) -> dict[str, Any]:
    """The end of a run as a message flow."""
    tape = Tape(plan.replicas)
    outcome = run(plan, tape=tape)
    title = "no violation" if outcome.violation is None else outcome.violation.what
    return tape.flow(f"seed {plan.seed}", title, str(plan.policy), last)


def shrink(outcome: Outcome, *, runs_max: int = RUNS_MAX, again: Callable[[Plan], Outcome] = run) -> Shrunk:
    """Shrink the plan of a failed run. ``again`` runs a plan: by default as it was run."""
    shrinker = _Shrinker(outcome, runs_max, again)
    shrinker.work()
    return Shrunk(shrinker.best, shrinker.runs)


class _Shrinker:
    def __init__(self, outcome: Outcome, runs_max: int, again: Callable[[Plan], Outcome]) -> None:
        assert outcome.violation is not None, "only a failure can be shrunk"
        self.best = outcome
        self.runs = 0
        self._invariant = outcome.violation.invariant
        self._runs_max = runs_max
        self._again = again

    def work(self) -> None:
        """Until a whole round changes nothing, or the runs are used up."""
        while True:
            before = self.best.plan
            self._take_first([self._truncated()])
            for simpler in _simpler_worlds:
                self._take_first([simpler(self.best.plan)])
            for kind in list(self.best.plan.fault_kinds):
                plan = self.best.plan
                self._take_first([replace(plan, faults=tuple(f for f in plan.faults if f.kind != kind))])
            self._minimise(lambda plan: plan.faults, lambda plan, fewer: replace(plan, faults=fewer))
            self._minimise(lambda plan: plan.submissions, lambda plan, fewer: replace(plan, submissions=fewer))
            self._minimise(lambda plan: plan.resumptions, lambda plan, fewer: replace(plan, resumptions=fewer))
            self._minimise(lambda plan: plan.departures, lambda plan, fewer: replace(plan, departures=fewer))
            self._take_first([_plain_submissions(self.best.plan)])
            while self._take_first([_sooner(self.best.plan), _denser(self.best.plan)]):
                pass
            if self.best.plan == before or self.runs >= self._runs_max:
                return

    def _minimise(self, get: Callable[[Plan], tuple[T, ...]], put: Callable[[Plan, tuple[T, ...]], Plan]) -> None:
        """ddmin over one of the plan's lists."""
        size = max(1, len(get(self.best.plan)) // 2)
        while True:
            items = get(self.best.plan)
            if self._take_first(put(self.best.plan, fewer) for fewer in _without(items, size)):
                continue
            if size == 1:
                return
            size //= 2

    def _truncated(self) -> Plan:
        """Nothing is begun after the failure."""
        plan, end_ms = self.best.plan, self.best.simulated_ms
        if end_ms >= plan.chaos_ms:
            return plan
        return replace(
            plan,
            chaos_ms=end_ms,
            faults=tuple(fault for fault in plan.faults if fault.at_ms <= end_ms),
            submissions=tuple(s for s in plan.submissions if s.at_ms <= end_ms),
            resumptions=tuple(r for r in plan.resumptions if r.at_ms <= end_ms),
            departures=tuple(d for d in plan.departures if d.at_ms <= end_ms),
        )

    def _take_first(self, candidates: "Iterator[Plan] | Sequence[Plan]") -> bool:
        """Go on from the first plan that fails alike."""
        for plan in candidates:
            if self.runs >= self._runs_max:
                return False
            if plan == self.best.plan:
                continue
            self.runs += 1
            outcome = self._again(plan)
            if outcome.violation is not None and outcome.violation.invariant is self._invariant:
                self.best = outcome
                return True
        return False


def _without(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """The items without each run of ``size`` of them, from the end on: what came last mattered least."""
    for start in range(len(items) - size, -size, -size):
        yield (*items[: max(0, start)], *items[start + size :])


def _plain_submissions(plan: Plan) -> Plan:
    """Clients ask everybody, and never give up."""
    plain = tuple(replace(s, reach=(), home=None, patience_ms=None, back_ms=None) for s in plan.submissions)
    return replace(plan, submissions=plain)


def _sooner(plan: Plan) -> Plan:
    """Everything that is planned happens earlier, by the time before the first of it."""
    items = [*plan.faults, *plan.submissions, *plan.resumptions, *plan.departures]
    idle_ms = min((item.at_ms for item in items), default=plan.chaos_ms) - plan.timing.election_ms
    return _retimed(plan, lambda at_ms: at_ms - idle_ms) if idle_ms > 1.0 else plan


def _denser(plan: Plan) -> Plan:
    """Everything that is planned happens in half the time."""
    return _retimed(plan, lambda at_ms: at_ms / 2) if plan.chaos_ms > plan.timing.election_ms else plan


def _retimed(plan: Plan, retime: Callable[[float], float]) -> Plan:
    return replace(
        plan,
        chaos_ms=retime(plan.chaos_ms),
        faults=tuple(replace(fault, at_ms=retime(fault.at_ms)) for fault in plan.faults),
        submissions=tuple(replace(s, at_ms=retime(s.at_ms)) for s in plan.submissions),
        resumptions=tuple(replace(r, at_ms=retime(r.at_ms)) for r in plan.resumptions),
        departures=tuple(replace(d, at_ms=retime(d.at_ms)) for d in plan.departures),
    )


_simpler_worlds: tuple[Callable[[Plan], Plan], ...] = (
    lambda plan: replace(plan, core=()),
    lambda plan: replace(plan, lasting=()),
    lambda plan: replace(plan, thrifty=False),
    lambda plan: replace(plan, clock_rates=()),
    lambda plan: replace(plan, batch_ms=0.0),
    lambda plan: replace(plan, weather=replace(plan.weather, duplication=0.0)),
    lambda plan: replace(plan, weather=replace(plan.weather, loss=0.0)),
    lambda plan: replace(plan, weather=CALM),
    lambda plan: replace(plan, calm=CALM),
)
