"""One PySyncObj process: a member with a replicated dictionary, and the closed loop, when it is told to run it.

PySyncObj has no clients: a program is a member. So the loop runs in the member that leads, without a hop or a queue in
between: as cheap as its users can have it. As its documentation sets it up, a thread of its own drives it, and results
come in that thread. Tuned, the loop's thread drives it. Questions come as lines of JSON on standard input,
``["lead"]``, ``["run", puts, outstanding]`` or ``["state"]``, and each gets one line of JSON.
"""

import hashlib
import importlib
import json
import select
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

IDLE_TICK_S = 0.05
IDLE_PERIOD_S = 0.1
"""PySyncObj's own ``autoTickPeriod`` and ``appendEntriesPeriod``: while others are measured, members keep quiet."""
LOADED_S = 0.002
"""Both, under load. Of 1, 2, 5 and 20 ms this gave most throughput; its own give less than half of it."""
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
            case ["run", puts, outstanding]:
                return self._run(puts, outstanding)
            case ["state"]:
                content = json.dumps(self.store.rawData(), sort_keys=True)
                return [self.member.getStatus()["last_applied"], hashlib.sha256(content.encode()).hexdigest()]
        raise ValueError(f"expected lead, run or state, not {question!r}")

    def _run(self, puts: list[tuple[str, int]], outstanding: int) -> dict[str, Any]:
        return ClosedPuts(self, puts).run(outstanding)

    def wait(self, finished: threading.Event) -> None:
        """Until the last result has come."""
        finished.wait()

    def put(self, key: str, value: int, done: Any) -> None:
        """Put without waiting."""
        self.store.set(key, value, callback=done)

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
        while not select.select([sys.stdin], [], [], 0)[0]:
            self.member.doTick(IDLE_TICK_S)

    def _run(self, puts: list[tuple[str, int]], outstanding: int) -> dict[str, Any]:
        """Batches are sent with a period, single commands at once: each is faster for what it is for."""
        self.conf.appendEntriesUseBatch = outstanding > 1
        self.conf.appendEntriesPeriod = LOADED_S
        try:
            return super()._run(puts, outstanding)
        finally:
            self.conf.appendEntriesPeriod = IDLE_PERIOD_S

    def wait(self, finished: threading.Event) -> None:
        while not finished.is_set():
            self.member.doTick(LOADED_S)


class ClosedPuts:
    """A closed loop whose results come in the thread that drives the member; only that thread counts."""

    def __init__(self, member: Member, puts: list[tuple[str, int]]) -> None:
        self._member = member
        self._puts: Iterator[tuple[str, int]] = iter(puts)
        self._count = len(puts)
        self._finished = threading.Event()
        self._latencies_s: list[float] = []
        self._again = 0

    def run(self, outstanding: int) -> dict[str, Any]:
        """Run all; gives seconds, latencies, and how often a put had to be put again."""
        started_s = time.perf_counter()
        for _ in range(outstanding):
            self._start_next()
        self._member.wait(self._finished)
        seconds = time.perf_counter() - started_s
        return {"seconds": seconds, "latencies_s": self._latencies_s, "again": self._again}

    def _start_next(self) -> None:
        put = next(self._puts, None)
        if put is not None:
            self._start(put, time.perf_counter())

    def _start(self, put: tuple[str, int], started_s: float) -> None:
        self._member.put(*put, partial(self._on_result, put, started_s))

    def _on_result(self, put: tuple[str, int], started_s: float, _: Any, reason: int) -> None:
        if self._member.failed(reason):  # the leader has changed, or there is none for the moment
            self._again += 1
            self._start(put, started_s)
            return
        self._latencies_s.append(time.perf_counter() - started_s)
        self._start_next()
        if len(self._latencies_s) == self._count:
            self._finished.set()


def main() -> None:
    """``tuned|default NODE ADDRESS...``."""
    kind = {"tuned": TunedMember, "default": Member}[sys.argv[1]]
    kind(sys.argv[3:], int(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
