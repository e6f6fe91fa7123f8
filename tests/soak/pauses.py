"""How long nothing was answered, and how soon it was after each healing: from what the clients saw, afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from genpaxos.demo.run import Record
from genpaxos.demo.verdict import Check
from tests.soak.faults import Kind
from tests.soak.injector import Episode
from tests.soak.watch import Sample

RESUMED_S = 5.0
"""After a healing, a command submitted from then on must be answered within this time."""
REJOINED_S = 15.0
"""After a healing, the victim must have committed what any replica had then; a fault that hits it first excuses it."""
PAUSED_S = 8.0
"""While no more than a minority is affected, answers must not stop for longer."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """The longest of each, in seconds, with the fault it belongs to; zero if there was none."""

    paused_s: float
    """Without an answer, while a minority at most was affected."""
    paused_at_s: float
    """When that began, since the start."""
    blackout_s: float
    """Without an answer around a blackout."""
    resumed_s: float
    resumed_after: str
    rejoined_s: float
    rejoined_after: str
    healings: int

    def checks(self) -> dict[str, Check]:
        """Whether each stayed within its bound."""
        return {
            "went on": (
                self.paused_s <= PAUSED_S,
                f"longest pause while a minority was affected {self.paused_s:.2f} s, from {self.paused_at_s:.1f} s on, "
                f"of {PAUSED_S:g} s allowed",
            ),
            "resumed": (
                self.resumed_s <= RESUMED_S,
                f"{self.healings} healings, a new command answered at most {self.resumed_s:.2f} s later, of "
                f"{RESUMED_S:g} s allowed ({self.resumed_after})",
            ),
            "rejoined": (
                self.rejoined_s <= REJOINED_S,
                f"victims caught up at most {self.rejoined_s:.2f} s after, of {REJOINED_S:g} s allowed "
                f"({self.rejoined_after})",
            ),
        }


def measure(record: Record, episodes: Sequence[Episode], samples: Sequence[Sample]) -> Pauses:
    """All figures of a run."""
    blackouts = [episode for episode in episodes if episode.fault.kind is Kind.BLACKOUT]
    minor, major = [(0.0, record.started_s)], [(0.0, record.started_s)]
    for before_s, after_s in pairwise(sorted(_answers(record))):
        dark = any(episode.began_s < after_s and before_s < episode.healed_s for episode in blackouts)
        (major if dark else minor).append((after_s - before_s, before_s))
    resumed_s, resumed_after = _worst(_resumptions(record, episodes))
    rejoined_s, rejoined_after = _worst(_rejoinings(episodes, samples))
    paused_s, since_s = max(minor)
    return Pauses(
        paused_s=paused_s,
        paused_at_s=since_s - record.started_s,
        blackout_s=max(major)[0],
        resumed_s=resumed_s,
        resumed_after=resumed_after,
        rejoined_s=rejoined_s,
        rejoined_after=rejoined_after,
        healings=len(episodes),
    )


def _worst(found: Iterable[tuple[float, Episode]]) -> tuple[float, str]:
    seconds, episode = max(found, key=lambda item: item[0], default=(0.0, None))
    return seconds, "nothing" if episode is None else str(episode.fault)


def _answers(record: Record) -> list[float]:
    return [call.returned_at for call in record.calls if call.returned_at is not None]


def _resumptions(record: Record, episodes: Sequence[Episode]) -> Iterable[tuple[float, Episode]]:
    """For each healing: until the first answer to a command submitted after it."""
    calls = sorted((c.invoked_at, c.returned_at) for c in record.calls if c.returned_at is not None)
    invoked = [invoked_at for invoked_at, _ in calls]
    first_answer = [*accumulate((returned_at for _, returned_at in reversed(calls)), min)][::-1]
    for episode in episodes:
        later = bisect_left(invoked, episode.healed_s)
        answered_s = first_answer[later] if later < len(calls) else float("inf")
        yield answered_s - episode.healed_s, episode


def _rejoinings(episodes: Sequence[Episode], samples: Sequence[Sample]) -> Iterable[tuple[float, Episode]]:
    """For each healing: until its victims were seen to have what had been committed anywhere before it."""
    everybody = sorted({node for sample in samples for node in sample.committed})
    seen_s = [sample.at_s for sample in samples]
    furthest = [*accumulate((max(sample.committed.values(), default=0) for sample in samples), max, initial=0)]
    for episode in episodes:
        healed = bisect_left(seen_s, episode.healed_s)
        victims = everybody if episode.fault.kind is Kind.BLACKOUT else [episode.fault.victim]
        for sample in samples[healed:]:
            if all(sample.committed.get(victim, -1) >= furthest[healed] for victim in victims):
                yield sample.at_s - episode.healed_s, episode
                break
            if _hit_again(victims, episode, episodes, sample.at_s):
                break
        else:
            yield (samples[-1].at_s if samples else episode.healed_s) - episode.healed_s, episode


def _hit_again(victims: Sequence[int], healed: Episode, episodes: Sequence[Episode], until_s: float) -> bool:
    return any(
        healed.healed_s < other.began_s <= until_s
        and (other.fault.victim in victims or other.fault.kind is Kind.BLACKOUT)
        for other in episodes
    )
