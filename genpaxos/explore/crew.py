"""Several processes, a shard each, in step: a level is over when all have expanded their part of it.

The processes are forks, so that what was patched into the code for a test is patched in all, and values hash alike.
"""

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from genpaxos.explore.exchange import Exchange, Packet
from genpaxos.explore.scope import Scope
from genpaxos.explore.shard import Found, Limits, Place, Shard
from genpaxos.explore.trace import Step


class Crew:
    """The processes, and what they have found so far."""

    def __init__(self, scope: Scope, workers: int) -> None:
        context = multiprocessing.get_context("fork")
        self._links: list[Connection] = []
        self._processes = []
        self.lengths = [0] * workers
        self.waitings = [0] * workers
        self.transitions = 0
        self.depth = 0
        self.stopped = False
        self.sizes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self._packets: list[list[Packet]] = [[] for _ in range(workers)]
        for index in range(workers):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(scope, index, workers, there), daemon=True)
            process.start()
            there.close()
            self._links.append(here)
            self._processes.append(process)

    def level(self, limits: Limits, tell: Callable[[], None]) -> tuple[bool, tuple[int, Found] | None]:
        """Have all expand a level: whether there is another one, and the violation found by the first that has one."""
        limits = limits._replace(states_max=limits.states_max // len(self._links))
        for index, link in enumerate(self._links):
            link.send(("level", (self._packets[index], limits)))
        self._packets = [[] for _ in self._links]
        found: list[tuple[int, Found]] = []
        more = False
        self.transitions = 0
        pending = dict(zip(self._links, range(len(self._links)), strict=True))
        sizes = []
        while pending:
            for ready in wait(list(pending)):
                link = cast("Connection", ready)
                index = pending[link]
                kind, told = _received(link)
                self.lengths[index], self.waitings[index] = told[:2]
                if kind == "progress":
                    tell()
                    continue
                del pending[link]
                _, _, transitions, deepest, stopped, violation, packets, size = told
                self.stopped |= stopped
                self.depth = max(self.depth, deepest)
                self.transitions += transitions
                sizes.append(size)
                for peer, packet in packets.items():
                    self._packets[peer].append(packet)
                if violation is not None:
                    found.append((index, violation))
                more |= bool(packets) or self.waitings[index] > 0
        self.sizes = _most(size[0] for size in sizes), _most(size[1] for size in sizes)
        return more, min(found, default=None)

    def trace(self, shard: int, found: Found) -> list[Step]:
        """The steps that led to a violation."""
        steps = [self._ask(shard, "told", found.event)]
        place: Place = (shard, found.position)
        while True:
            parent, cause = self._ask(place[0], "before", place[1])
            if parent[0] < 0:
                return steps[::-1]
            steps.append(self._ask(parent[0], "told", cause))
            place = parent

    def close(self) -> None:
        """End the processes."""
        for link in self._links:
            link.close()
        for process in self._processes:
            process.terminate()
            process.join()

    def _ask(self, shard: int, what: str, number: int) -> Any:
        self._links[shard].send((what, number))
        return _received(self._links[shard])[1]


def _most(rows: Any) -> tuple[int, ...]:
    return tuple(max(column) for column in zip(*rows, strict=True))


def _received(link: Connection) -> tuple[str, Any]:
    try:
        kind, told = link.recv()
    except EOFError:
        raise RuntimeError("a process of the exploration died; if memory ran out, explore less or with fewer") from None
    if kind == "failed":
        raise RuntimeError(f"a process of the exploration failed:\n{told}")
    return kind, told


def _work(scope: Scope, index: int, count: int, link: Connection) -> None:
    try:
        _serve(Shard(scope, index, count), link)
    except (EOFError, KeyboardInterrupt):
        return
    except BaseException:  # it goes to the one who waits for it
        link.send(("failed", traceback.format_exc()))


def _serve(shard: Shard, link: Connection) -> None:
    exchange = Exchange(shard)
    while True:
        what, told = link.recv()
        if what != "level":
            link.send((what, getattr(shard, what)(told)))
            continue
        packets, limits = told
        for packet in packets:
            exchange.receive(packet)
        found = shard.level(limits, lambda: link.send(("progress", (len(shard), shard.waiting))))
        sizes = shard.sizes()
        link.send(
            (
                "level",
                (
                    len(shard),
                    shard.waiting,
                    shard.transitions,
                    shard.deepest,
                    shard.stopped,
                    found,
                    exchange.packets(),
                    sizes,
                ),
            )
        )
