"""How true the emulation is: bytes sent through links of their own and echoed, again and again while a run goes on.

What is measured takes the way of a command: a socket, the proxy's process, its timers, this process's event loop.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import combinations
from typing import Any

from bench.harness.stats import quantile
from bench.wan.delay import HOST
from bench.wan.options import WanOptions
from bench.wan.proxies import Proxies
from genpaxos.plan import RoundTrips

EVERY_S = 0.2
"""Between two probes of a pair of regions."""
CALIBRATION_ECHOES, CALIBRATION_MS = 30, 5.0
SOONEST = 0.1
LEAD_MS_MAX = 0.5
"""On a busy machine everything is late; delays must not be cut for that."""


class Echoes:
    """The round trips measured so far, of every pair of regions."""

    def __init__(self, trips: RoundTrips, probes: Sequence["_Probe"]) -> None:
        self._trips = trips
        self._probes = probes
        self._pairs = list(combinations(range(len(trips.regions)), 2))

    @contextmanager
    def probing(self) -> Iterator[None]:
        """Measure as long as this is entered; what is under way at its end does not count."""
        task = asyncio.get_running_loop().create_task(self._probe())
        try:
            yield
        finally:
            task.cancel()
            for probe in self._probes:
                probe.forget()

    async def _probe(self) -> None:
        while True:
            for probe in self._probes:
                probe.send()
                await asyncio.sleep(EVERY_S / len(self._probes))

    def to_json(self) -> dict[str, Any]:
        """By how much echoes took longer than the matrix says, in all and pair by pair."""
        names, ms = self._trips.regions, self._trips.ms
        late = {
            f"{names[a]}-{names[b]}": [took_ms - ms[a][b] for took_ms in probe.took_ms]
            for (a, b), probe in zip(self._pairs, self._probes, strict=True)
        }
        pooled = [late_ms for pair in late.values() for late_ms in pair]
        return {
            "echoes": len(pooled),
            "late_ms": _quantiles(pooled),
            "pairs": {pair: _quantiles(found) for pair, found in late.items()},
        }


@asynccontextmanager
async def echoes(options: WanOptions, links: Proxies) -> AsyncIterator[Echoes]:
    """Calibrate the links, and open one of its own for every pair of regions."""
    trips, loop = options.trips, asyncio.get_running_loop()
    server = await loop.create_server(_Echo, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    probes: list[_Probe] = []
    try:
        links.lead(await _lateness_ms(port, links))
        pairs = combinations(range(len(trips.regions)), 2)
        for link in links.fixed([(port, trips.ms[a][b] / 2) for a, b in pairs]):
            _, probe = await loop.create_connection(_Probe, HOST, link)
            probes.append(probe)
        yield Echoes(trips, probes)
    finally:
        for probe in probes:
            probe.close()
        server.close()


async def _lateness_ms(port: int, links: Proxies) -> float:
    """By how much longer than its delay a link takes each way, beside an echo without a link."""
    (link,) = links.fixed([(port, CALIBRATION_MS)])
    direct_ms, through_ms = [await _soonest_ms(p) for p in (port, link)]
    return min(max(0.0, (through_ms - direct_ms) / 2 - CALIBRATION_MS), LEAD_MS_MAX)


async def _soonest_ms(port: int) -> float:
    """What others on this machine add is not the links': of the echoes one of the soonest tells."""
    _, probe = await asyncio.get_running_loop().create_connection(_Probe, HOST, port)
    try:
        for _ in range(CALIBRATION_ECHOES):
            probe.send()
            await asyncio.sleep(3 * CALIBRATION_MS / 1000)
    finally:
        probe.close()
    return quantile(probe.took_ms, SOONEST)


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class _Probe(asyncio.Protocol):
    """One echo at a time: a byte."""

    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self._sent_s: float | None = None
        self._forgotten = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        if self._sent_s is None:
            self._sent_s = time.perf_counter()
            self._transport.write(b"?")

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        assert self._sent_s is not None
        if not self._forgotten:
            self.took_ms.append((time.perf_counter() - self._sent_s) * 1000)
        self._sent_s, self._forgotten = None, False

    def forget(self) -> None:
        """Do not count the echo that is under way, if there is one."""
        self._forgotten = self._sent_s is not None

    def close(self) -> None:
        self._transport.close()


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {
        name: round(quantile(values, share / 100), 3)
        for name, share in (("p1", 1), ("p50", 50), ("p99", 99), ("most", 100))
    }
