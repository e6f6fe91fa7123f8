"""While commands keep failing, commands of the operations that failed are taken in slowly, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from commutativity import Command, InterferenceIndex
from genpaxos.core import door as module
from genpaxos.core.commands import Proposals
from genpaxos.core.door import ALLOWANCE_MS, OWED_MS_MAX, SHARE, SUSPECT_MS, Door
from genpaxos.core.executor import Executor
from genpaxos.core.failures import Failure
from genpaxos.core.history import History
from genpaxos.core.messages import Propose
from genpaxos.core.sessions import Sessions
from tests.core.bench import Bench, body
from tests.core.machines import Ledger


class Rig:
    """A door, and an executor behind it whose commands are committed as they are taken in."""

    def __init__(self) -> None:
        self.proposals = Proposals(Ledger, Sessions())
        known = self.proposals.known
        self.history = History(InterferenceIndex(Ledger.table), known)
        self.executor = Executor(Ledger(), self.history, known, self.proposals.sessions)
        self.door = Door(self.executor, self.proposals)
        self.now_ms = 1_000.0
        self.sequences: dict[str, int] = {}

    def message(self, client: str, commands: Sequence[Command[Any]]) -> Propose:
        start = self.sequences.get(client, 0)
        self.sequences[client] = start + len(commands)
        sequences = range(start + 1, start + 1 + len(commands))
        ids = [f"{client}:{number}" for number in sequences]
        return Propose(ids, [body(command) for command in commands], 0, (client, list(sequences)))

    def take(self, message: Propose) -> list[str]:
        """Admit and run; gives what was taken in."""
        admitted = self.door.admit(message, self.now_ms)
        fresh, refused = self.proposals.add(admitted.ids, admitted.bodies, admitted.origin)
        assert not refused
        self.history.decree(fresh)
        self.history.committed = self.history.length
        self.executor.run_committed()
        return admitted.ids

    def failed(self, operation: str, work_ms: float, command: str = "x:1") -> None:
        self.executor.failures.note(Failure(command, operation, "ValueError: no", "here", work_ms))
        self.door.held(self.now_ms)


def test_nothing_is_held_back_while_nothing_fails() -> None:
    rig = Rig()
    message = rig.message("c", [Ledger.add("a", 1)] * 10)
    assert rig.door.admit(message, rig.now_ms) is message


def test_only_the_operation_that_failed_waits() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    message = rig.message("c", [Ledger.add("a", 1), Ledger.divide("n", 5), Ledger.add("b", 1)])
    admitted = rig.door.admit(message, rig.now_ms)
    assert admitted.ids == ["c:1", "c:3"]
    assert [given[0] for given in admitted.bodies] == ["add", "add"]
    assert admitted.origin == ("c", [1, 3])
    assert rig.door.held(rig.now_ms) == {
        "divide": "commands of 'divide' are taken in slowly, since undoing them takes time: the last one raised "
        "ValueError: no"
    }


def test_work_is_made_good_by_time() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    assert rig.take(rig.message("c", [Ledger.divide("n", 5)])) == []
    rig.now_ms += (500.0 - ALLOWANCE_MS) / SHARE + 1
    assert rig.take(rig.message("c", [Ledger.divide("n", 5)])) == ["c:2"]


def test_one_at_a_time_when_each_would_cost_much() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    rig.now_ms += 500.0 / SHARE
    admitted = rig.door.admit(rig.message("c", [Ledger.divide("n", 5)] * 3), rig.now_ms)
    assert admitted.ids == ["c:1"]


def test_what_did_not_fail_gives_its_share_back() -> None:
    """An operation that is poison for some arguments only goes on for the others, one after another at worst."""
    rig = Rig()
    rig.failed("divide", 500.0)
    rig.now_ms += 500.0 / SHARE
    for number in range(1, 20):
        assert rig.take(rig.message("good", [Ledger.divide("n", 5)])) == [f"good:{number}"]
        rig.now_ms += module.LOOK_MS


def test_a_client_that_floods_does_not_keep_others_out() -> None:
    rig = Rig()
    rig.failed("divide", 2.0, "evil:1")
    evil = rig.door.admit(rig.message("evil", [Ledger.divide("n", 0)] * 1_000), rig.now_ms)
    assert 0 < len(evil.ids) < 1_000
    assert rig.door.admit(rig.message("evil", [Ledger.divide("n", 0)]), rig.now_ms).ids == []
    assert len(rig.door.admit(rig.message("good", [Ledger.divide("n", 5)]), rig.now_ms).ids) == 1


def test_many_clients_that_come_once_cannot_take_more_than_the_share() -> None:
    rig = Rig()
    rig.failed("divide", 20.0)
    taken = 0
    for quarter in range(240):
        for client in range(20):
            admitted = rig.take(rig.message(f"evil{quarter}-{client}", [Ledger.divide("n", 0)]))
            taken += len(admitted)
            for command in admitted:
                rig.failed("divide", 20.0, command)
        rig.now_ms += 250.0
    assert taken * 20.0 <= 60_000 * SHARE + 2 * ALLOWANCE_MS
    assert taken * 20.0 >= 60_000 * SHARE / 2


def test_a_burst_does_not_close_the_door_for_ever() -> None:
    rig = Rig()
    for _ in range(1_000):
        rig.failed("divide", 300.0)
    assert rig.take(rig.message("c", [Ledger.divide("n", 5)])) == []
    rig.now_ms += OWED_MS_MAX / SHARE
    assert rig.take(rig.message("c", [Ledger.divide("n", 5)])) == ["c:2"]


def test_a_repetition_always_passes() -> None:
    """It may only want to know the result."""
    rig = Rig()
    message = rig.message("c", [Ledger.divide("n", 0)])
    assert rig.take(message) == ["c:1"]
    rig.failed("divide", 500.0)
    assert rig.door.admit(message, rig.now_ms).ids == ["c:1"]


def test_what_was_lost_on_its_way_gives_its_share_back() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    rig.now_ms += 500.0 / SHARE
    assert rig.door.admit(rig.message("c", [Ledger.divide("n", 5)]), rig.now_ms).ids == ["c:1"]
    rig.now_ms += module.RESERVED_MS / 2
    assert rig.door.admit(rig.message("d", [Ledger.divide("n", 5)]), rig.now_ms).ids == []
    rig.now_ms += module.RESERVED_MS
    assert rig.door.admit(rig.message("d", [Ledger.divide("n", 5)]), rig.now_ms).ids == ["d:2"]


def test_suspicion_ends() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    rig.take(rig.message("c", [Ledger.divide("n", 5)]))
    rig.now_ms += SUSPECT_MS + 1
    message = rig.message("d", [Ledger.divide("n", 5)] * 5_000)
    assert rig.door.admit(message, rig.now_ms) is message
    assert rig.door.held(rig.now_ms) == {}


def test_bodies_that_are_none_pass_to_be_refused() -> None:
    rig = Rig()
    rig.failed("divide", 500.0)
    message = Propose(["c:1", "no id"], [["add", [], 0], ["divide", ["n", 1], 0]])
    admitted = rig.door.admit(message, rig.now_ms)
    assert admitted.ids == ["c:1"]


def test_a_closed_door_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas whose doors are shut at different times agree all the same; who asks again gets every result."""
    monkeypatch.setattr(module, "WORK_MS_MIN", 60.0)
    bench = Bench(machine=Ledger).led_by(0)
    replicas = [bench[node] for node in bench.up]
    waited = 0
    for number, command in enumerate([Ledger.divide("n", by) for by in (0, 1, 0, 2, 0)], 1):
        for _ in range(200):
            bench.propose(command, name=f"c:{number}")
            bench.run_for(50)
            if all(replica.executor.executed >= number for replica in replicas):
                break
            waited += 1
        else:
            pytest.fail(f"{command} never ran")
    assert waited > 4
    assert [replica.executor.machine.snapshot() for replica in replicas] == [{"sums": {}, "notes": {"n": [1, 2]}}] * 3
    assert [replica.executor.failures.count for replica in replicas] == [3] * 3
