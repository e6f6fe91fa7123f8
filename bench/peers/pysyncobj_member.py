"""One PySyncObj process: a member with a replicated dictionary, and the closed loop, when it is told to run it.

PySyncObj has no clients: a program is a member. So the loop runs in the member that leads, without a hop or a queue in
between: as cheap as its users can have it. As its documentation sets it up, a thread of its own drives it, and results
come in that thread. Tuned, the loop's thread drives it. Questions come as lines of JSON on standard input, such as
``["lead"]`` or ``["run", puts, values, outstanding]``, and each gets one line of JSON.
"""

import hashlib
import importlib
import json
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from bench.harness.contender import FLOWING_S
from bench.harness.tally import KEYS_AT_ONCE, key_of
from bench.peers.puts import Put, put_of

IDLE_TICK_S = 0.05
IDLE_PERIOD_S = 0.1
"""PySyncObj's own ``autoTickPeriod`` and ``appendEntriesPeriod``: while others are measured, members keep quiet."""
LOADED_S = 0.002
"""Both, under load. Of 1, 2, 5 and 20 ms this gave most throughput; its own give less than half of it."""
POLL_S = 0.005
FILL_OUTSTANDING = 64
ELECTION_S = (1.0, 3.0)
"""Its own, 0.4 to 1.4 s, is an election now and then on a machine with more to do than it has cores."""


class Member:
    """A member at ``addresses[node]`` with all of PySyncObj's defaults, driven by a thread of its own."""

    def __init__(self, addresses: list[str], node: int, **settings: Any) -> None:
        pysyncobj = importlib.import_module("pysyncobj")
        batteries = importlib.import_module("pysyncobj.batteries")
        self._success = pysyncobj.FAIL_REASON.SUCCESS
        self.store = batteries.ReplDict()
        self.conf = pysyncobj.SyncObjConf(**settings)
        others = [address for number, address in enumerate(addresses) if number != node]
        self.member = pysyncobj.SyncObj(addresses[node], others, conf=self.conf, consumers=[self.store])

    def serve(self) -> None:
        """Answer questions until standard input ends."""
        while True:
            self._wait_for_question()
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(self._answer(json.loads(line))), flush=True)

    def _wait_for_question(self) -> None:
        """Reading a line waits as well."""

    def _answer(self, question: list[Any]) -> Any:
        match question:
            case ["lead"]:
                return self.member.isReady() and self.member._isLeader()
            case ["run", puts, values, outstanding]:
                puts = [(key, values[number]) for key, number in puts]
                return self._run(ClosedPuts(self, self.put, puts), outstanding)
            case ["fill", keys]:
                return self._run(ClosedPuts(self, self.put_all, batches(keys)), FILL_OUTSTANDING)
            case ["flow", seed, outstanding]:
                return self._run(FlowingPuts(self, self.put, deposits(seed)), outstanding)
            case ["applied"]:
                return self.member.getStatus()["last_applied"]
            case ["state"]:
                content = json.dumps(self.store.rawData(), sort_keys=True)
                return [self.member.getStatus()["last_applied"], hashlib.sha256(content.encode()).hexdigest()]
        raise ValueError(f"expected lead, run, fill, flow, applied or state, not {question!r}")

    def _run(self, loop: "ClosedPuts", outstanding: int) -> dict[str, Any]:
        return loop.run(outstanding)

    def wait(self, ended: Callable[[], bool]) -> None:
        """Until it has ended; results come meanwhile."""
        while not ended():
            time.sleep(POLL_S)

    def put(self, key: str, value: int | str, done: Any) -> None:
        """Put without waiting."""
        self.store.set(key, value, callback=done)

    def put_all(self, items: dict[str, str], done: Any) -> None:
        """Put many as one command, without waiting."""
        self.store.update(items, callback=done)

    def failed(self, reason: int) -> bool:
        """Whether a callback's reason says that the put was not applied."""
        return bool(reason != self._success)


class TunedMember(Member):
    """A member driven by the thread that puts, with the periods that gave it most throughput."""

    def __init__(self, addresses: list[str], node: int) -> None:
        low_s, high_s = ELECTION_S
        super().__init__(
            addresses,
            node,
            autoTick=False,
            appendEntriesPeriod=IDLE_PERIOD_S,
            appendEntriesUseBatch=False,  # at first: it then makes what it needs without batches
            raftMinTimeout=low_s,
            raftMaxTimeout=high_s,
        )

    def _wait_for_question(self) -> None:
        while not asked():
            self.member.doTick(IDLE_TICK_S)

    def _run(self, loop: "ClosedPuts", outstanding: int) -> dict[str, Any]:
        """Batches are sent with a period, single commands at once: each is faster for what it is for."""
        self.conf.appendEntriesUseBatch = outstanding > 1
        self.conf.appendEntriesPeriod = LOADED_S
        try:
            return super()._run(loop, outstanding)
        finally:
            self.conf.appendEntriesPeriod = IDLE_PERIOD_S

    def wait(self, ended: Callable[[], bool]) -> None:
        while not ended():
            self.member.doTick(LOADED_S)


class ClosedPuts:
    """A closed loop whose results come in the thread that drives the member; only that thread counts.

    ``put`` takes what each of ``puts`` holds, and a callback.
    """

    def __init__(self, member: Member, put: Callable[..., None], puts: Iterable[tuple[Any, ...]]) -> None:
        self._member = member
        self._put = put
        self._puts: Iterator[tuple[Any, ...]] = iter(puts)
        self._running = 0
        self._latencies_s: list[float] = []
        self._acknowledged_s: list[float] = []
        self._again = 0

    def run(self, outstanding: int) -> dict[str, Any]:
        """Run all; gives when each was acknowledged, what it took, and how often a put had to be put again."""
        first = list(islice(self._puts, outstanding))
        self._running = len(first)
        started_s = time.perf_counter()
        for put in first:
            self._start(put, time.perf_counter())
        more = self._wait()
        return {
            "started_s": started_s,
            "acknowledged_s": self._acknowledged_s,
            "latencies_s": self._latencies_s,
            "again": self._again,
            **more,
        }

    def _wait(self) -> dict[str, Any]:
        self._member.wait(self._ended)
        return {}

    def _ended(self) -> bool:
        return not self._running

    def _start(self, put: tuple[Any, ...], started_s: float) -> None:
        self._put(*put, partial(self._on_result, put, started_s))

    def _on_result(self, put: tuple[Any, ...], started_s: float, _: Any, reason: int) -> None:
        if self._member.failed(reason):  # the leader has changed, or there is none for the moment
            self._again += 1
            self._start(put, started_s)
            return
        now_s = time.perf_counter()
        self._latencies_s.append(now_s - started_s)
        self._acknowledged_s.append(now_s)
        following = next(self._puts, None)
        if following is None:
            self._running -= 1
        else:
            self._start(following, time.perf_counter())


class FlowingPuts(ClosedPuts):
    """A closed loop that goes on until a line comes on standard input, and results flow."""

    def _wait(self) -> dict[str, Any]:
        self._member.wait(lambda: asked() and self._flows())
        sys.stdin.readline()
        stopped_s = time.perf_counter()
        self._puts = iter(())
        self._member.wait(self._ended)
        return {"stopped_s": stopped_s}

    def _flows(self) -> bool:
        return bool(self._acknowledged_s) and time.perf_counter() - self._acknowledged_s[-1] < FLOWING_S


def asked() -> bool:
    """Whether a line has come on standard input."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def deposits(seed: str) -> Iterator[Put]:
    """The load that goes on, as puts."""
    from bench.harness import workload  # with all that it needs of the engine: not in a member that is only measured

    return map(put_of, workload.commands(seed))


def batches(keys: int) -> Iterator[tuple[dict[str, str]]]:
    """So many keys without a value, many in a command."""
    for first in range(0, keys, KEYS_AT_ONCE):
        yield ({key_of(number): "" for number in range(first, min(first + KEYS_AT_ONCE, keys))},)


def main() -> None:
    """``tuned|default NODE ADDRESS...``."""
    kind = {"tuned": TunedMember, "default": Member}[sys.argv[1]]
    kind(sys.argv[3:], int(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
