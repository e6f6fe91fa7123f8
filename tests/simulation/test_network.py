from __future__ import annotations

from typing import Any

from genpaxos.simulation.clock import Scheduler
from genpaxos.simulation.network import Network, Weather


class Post:
    """A network between some addresses, and what arrived."""

    def __init__(self, weather: Weather | None = None, seed: int = 1) -> None:
        self.scheduler = Scheduler()
        self.network = Network(self.scheduler, seed, weather or Weather())
        self.arrived: list[tuple[float, int, Any]] = []

    def send(self, sender: int, receiver: int, *messages: Any) -> None:
        def arrive(origin: int, message: Any) -> None:
            self.arrived.append((self.scheduler.now_ms, origin, message))

        for message in messages:
            self.network.send(sender, receiver, arrive, message)

    def messages(self, until_ms: float = 1_000.0) -> list[Any]:
        self.scheduler.run_until(until_ms)
        return [message for _, _, message in self.arrived]


def test_messages_arrive_within_the_delay_and_may_overtake_each_other() -> None:
    post = Post(Weather(delay_ms=(5.0, 50.0)))
    post.send(0, 1, *range(50))
    arrived = post.messages()
    assert sorted(arrived) == list(range(50))
    assert arrived != sorted(arrived)
    assert all(5.0 <= at_ms <= 50.0 for at_ms, _, _ in post.arrived)


def test_the_share_that_is_lost_or_comes_twice_is_what_the_weather_says() -> None:
    post = Post(Weather(loss=0.2, duplication=0.3))
    post.send(0, 1, *range(1_000))
    arrived = post.messages()
    assert 150 < post.network.losses < 250
    assert 250 < post.network.duplicates < 350
    assert len(arrived) == 1_000 - post.network.losses + post.network.duplicates


def test_a_cut_link_loses_messages_in_one_direction_only() -> None:
    post = Post()
    post.network.sever([(0, 1)])
    post.send(0, 1, "lost")
    post.send(1, 0, "there")
    assert post.messages() == ["there"]
    assert post.network.blocked == 1


def test_what_is_on_its_way_when_the_link_is_cut_is_lost() -> None:
    post = Post(Weather(delay_ms=(10.0, 10.0)))
    post.send(0, 1, "lost")
    post.scheduler.at(5.0, post.network.sever, [(0, 1)])
    assert post.messages() == []


def test_a_link_cut_twice_must_be_reconnected_twice() -> None:
    post = Post()
    post.network.sever([(0, 1)])
    post.network.sever([(0, 1)])
    post.network.reconnect([(0, 1)])
    assert post.network.severed == [(0, 1)]
    post.network.reconnect([(0, 1)])
    post.network.reconnect([(0, 1)])
    assert post.network.severed == []
    post.send(0, 1, "there")
    assert post.messages() == ["there"]


def test_a_clogged_link_keeps_everything_back_and_then_lets_it_through() -> None:
    post = Post()
    post.network.clog([(0, 1)], 100.0)
    post.send(0, 1, "late", "too")
    post.send(1, 0, "soon")
    assert post.messages(until_ms=99.0) == ["soon"]
    assert sorted(post.messages()) == ["late", "soon", "too"]
    assert post.network.held == 2


def test_healing_ends_every_fault() -> None:
    post = Post(Weather(loss=1.0))
    post.network.sever([(0, 1)])
    post.network.clog([(0, 1)], 500.0)
    post.network.heal()
    post.send(0, 1, "there")
    assert post.messages(until_ms=2.0) == ["there"]


def test_the_fate_of_a_link_does_not_hang_on_the_traffic_of_others() -> None:
    alone, busy = Post(Weather(loss=0.5)), Post(Weather(loss=0.5))
    alone.send(0, 1, *range(50))
    for message in range(50):
        busy.send(2, 0, "other")
        busy.send(0, 1, message)
    assert alone.messages() == [message for message in busy.messages() if message != "other"]
