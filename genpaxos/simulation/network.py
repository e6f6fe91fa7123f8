"""The network: it loses, duplicates, delays and reorders; links are cut in one direction, clogged, and healed.

A message's fate is drawn from a generator of its link's own, so that what is taken out of a plan changes as little as
possible elsewhere. Addresses below the number of replicas are replicas, those above are clients.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from genpaxos.core.commands import size_bytes
from genpaxos.core.messages import SnapshotChunk
from genpaxos.simulation.clock import Scheduler

Link = tuple[int, int]
"""From one address to another: a direction of its own."""

Postmark = Callable[[Link, Any, bool], None]
"""Told what arrived, or was lost (``True``), on which link."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to messages, as probabilities, and how long they take."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms: tuple[float, float] = (0.2, 2.0)
    bytes_per_ms: float = inf
    """What a link carries; what is sent beyond that waits its turn."""


CALM = Weather()


class Network:
    """Carries messages between addresses."""

    def __init__(self, scheduler: Scheduler, seed: int, weather: Weather = CALM) -> None:
        self.weather = weather
        self.postmark: Postmark | None = None
        self.duplicates = 0
        self.losses = 0
        self.blocked = 0
        """Messages that ended at a link that was cut."""
        self.held = 0
        """Messages that a clogged link kept back."""
        self._scheduler = scheduler
        self._seed = seed
        self._draws: dict[Link, random.Random] = {}
        self._cut: dict[Link, int] = {}
        """Links that are cut, by how many faults."""
        self._clogged: dict[Link, float] = {}
        self._free_ms: dict[Link, float] = {}
        """When each link has carried all it was given."""

    @property
    def severed(self) -> list[Link]:
        """The links that are cut."""
        return list(self._cut)

    def sever(self, links: Iterable[Link]) -> None:
        """Cut links; what is on its way there is lost. A link that is cut twice must be reconnected twice."""
        for link in links:
            self._cut[link] = self._cut.get(link, 0) + 1

    def reconnect(self, links: Iterable[Link]) -> None:
        """End one cut of each of these links."""
        for link in links:
            left = self._cut.pop(link, 1) - 1
            if left > 0:
                self._cut[link] = left

    def clog(self, links: Iterable[Link], until_ms: float) -> None:
        """Nothing arrives there until then; it all comes afterwards."""
        for link in links:
            self._clogged[link] = max(until_ms, self._clogged.get(link, 0.0))

    def heal(self) -> None:
        """End every fault; what is on its way arrives when it was to."""
        self.weather = CALM
        self._cut.clear()
        self._clogged.clear()

    def send(self, sender: int, receiver: int, arrive: Callable[[int, Any], None], message: Any) -> None:
        """``arrive(sender, message)`` later, never, or twice."""
        link = (sender, receiver)
        draw = self._draws.get(link)
        if draw is None:
            draw = self._draws[link] = random.Random(f"{self._seed}/{sender}/{receiver}")
        weather = self.weather
        chance = draw.random()
        if chance < weather.loss:
            self.losses += 1
            self._post(link, message, lost=True)
            return
        self._transmit(draw, link, arrive, message)
        if chance >= 1.0 - weather.duplication:
            self.duplicates += 1
            self._transmit(draw, link, arrive, message)

    def _transmit(self, draw: random.Random, link: Link, arrive: Callable[[int, Any], None], message: Any) -> None:
        least, most = self.weather.delay_ms
        start_ms = self._scheduler.now_ms
        if self._clogged:
            free_ms = self._clogged.get(link, 0.0)
            if free_ms > start_ms:
                self.held += 1
                start_ms = free_ms
        if self.weather.bytes_per_ms < inf:
            start_ms = max(start_ms, self._free_ms.get(link, 0.0)) + wire_bytes(message) / self.weather.bytes_per_ms
            self._free_ms[link] = start_ms
        self._scheduler.at(start_ms + least + (most - least) * draw.random(), self._arrive, link, arrive, message)

    def _arrive(self, link: Link, arrive: Callable[[int, Any], None], message: Any) -> None:
        if link in self._cut:
            self.blocked += 1
            self._post(link, message, lost=True)
            return
        if self.postmark is not None:
            self._post(link, message, lost=False)
        arrive(link[0], message)

    def _post(self, link: Link, message: Any, *, lost: bool) -> None:
        if self.postmark is not None:
            self.postmark(link, message, lost)


def wire_bytes(message: Any) -> int:
    """About how many bytes a message takes."""
    if isinstance(message, SnapshotChunk):
        return len(message.data) * 4 // 3 + 100
    bodies = getattr(message, "bodies", None) or []
    return 100 + 60 * len(getattr(message, "ids", ())) + sum(map(size_bytes, bodies))
