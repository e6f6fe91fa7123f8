"""The closed loop in bulk, against a client that takes note of what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bench.errors import BenchError
from bench.harness.bulk import BulkLoop, batching, described
from commutativity import Command
from genpaxos.errors import Disconnected
from genpaxos.examples.bank import Bank, InvalidAmount


class _FakeClient:
    """Answers a batch in the loop's next turns; the batch numbered ``bad`` with an error."""

    def __init__(self, bad: int | None = None, error: Exception | None = None) -> None:
        self.batches: list[int] = []
        self.outstanding = self.most = 0
        self._bad, self._error = bad, error

    async def submit_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        self.batches.append(len(commands))
        number = len(self.batches)
        self.outstanding += len(commands)
        self.most = max(self.most, self.outstanding)
        await asyncio.sleep(0)
        self.outstanding -= len(commands)
        if number == self._bad:
            if self._error is None:
                await asyncio.Event().wait()
            else:
                raise self._error
        return [None] * len(commands)


def run(client: _FakeClient, count: int, outstanding: int, deadline_s: float = 5.0) -> int:
    load = asyncio.run(BulkLoop(client, [Bank.deposit("a", 1)] * count, outstanding).run(deadline_s))
    return len(load.latencies_s)


def test_batches_together_are_never_more_than_outstanding() -> None:
    assert batching(4096) == (8, 512)
    assert batching(3) == (3, 1)
    assert batching(100) == (8, 12)


def test_all_commands_are_run_in_batches_with_so_many_outstanding() -> None:
    client = _FakeClient()
    assert run(client, 100, 32) == 100
    assert client.batches == [4] * 25
    assert client.most == 32


def test_a_declared_error_is_a_result_and_any_other_ends_the_run() -> None:
    assert run(_FakeClient(2, InvalidAmount("too much")), 20, 8) == 20
    with pytest.raises(BenchError, match="a batch of 2 commands failed: closed"):
        run(_FakeClient(2, Disconnected("closed")), 40, 16)


def test_a_wedged_batch_ends_with_an_error() -> None:
    with pytest.raises(BenchError, match=r"wedged: 19 commands acknowledged in 0\.05 s"):
        run(_FakeClient(3), 20, 8, deadline_s=0.05)


def test_how_the_load_is_made_is_said() -> None:
    assert described(4096, many=True).startswith("8 batches of 512 at a time through submit_many")
    assert described(4096, many=False) == "4,096 at a time, each started by the result of one before"
