"""The process that holds all links: nothing else must wait for it, or make it wait.

It takes commands as lines of JSON on its standard input, answers each with one, and ends with its input:
``{"fixed": [[port, ms], ...]}``: links to these ports, each with its delay; answered with the ports they listen on.
``{"by_dialler": [[port, [ms, ...]], ...]}``: the same, with a delay for each region that a dialler may be in.
``{"lead": ms}``: by how much it passes everything on too late: links opened from now on have so much less delay.
``{"diallers": [pid, ...]}``: the processes of those regions, answered with ``null``. Before that nobody is let in.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
from functools import partial
from typing import Any

from bench.wan.delay import HOST, DelayedLink, DelayOf
from bench.wan.dialler import Diallers
from bench.wan.loop import precise_loop


class Proxy:
    """The links of a run."""

    def __init__(self) -> None:
        self._lead_ms = 0.0
        self._links: list[DelayedLink] = []
        self._diallers = Diallers()

    async def obey(self, order: dict[str, Any]) -> Any:
        """Carry out one line."""
        match order:
            case {"fixed": links}:
                return [await self._open(port, partial(_fixed, self._delay_s(ms))) for port, ms in links]
            case {"by_dialler": links}:
                return [await self._open(port, partial(self._dialled, ms)) for port, ms in links]
            case {"lead": ms}:
                self._lead_ms = ms
                return None
            case {"diallers": pids}:
                await self._diallers.watch(pids)
                return None
        raise ValueError(f"no such order: {order}")

    async def _open(self, port: int, delay_of: DelayOf) -> int:
        link = DelayedLink((HOST, port), delay_of)
        await link.open()
        self._links.append(link)
        return link.port

    async def _dialled(self, delays_ms: list[float], port: int, dialled: int) -> float | None:
        region = await self._diallers.number(port, dialled)
        return None if region is None else self._delay_s(delays_ms[region])

    def _delay_s(self, ms: float) -> float:
        return max(0.0, ms - self._lead_ms) / 1000


async def _fixed(delay_s: float, _port: int, _dialled: int) -> float:
    return delay_s


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    proxy = Proxy()
    while line := await orders.readline():
        print(json.dumps(await proxy.obey(json.loads(line))), flush=True)


def _hurry() -> None:
    """Go before all ordinary processes, where that is allowed: a network does not wait for a busy processor."""
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(
                0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO))
            )


if __name__ == "__main__":
    _hurry()
    gc.disable()  # what it makes goes by itself; a collection would hold up what is due
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(_serve())
