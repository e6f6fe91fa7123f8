"""Sessions end by a command, and behind it stands no command of a client that it ends."""

from __future__ import annotations

from typing import Any

import pytest

from commutativity import InterferenceIndex, InvalidCommand
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Proposals
from genpaxos.core.endings import END, End, parsed
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.sessions import ENDED, Sessions
from genpaxos.examples.bank import Bank
from tests.core.bench import body


class World:
    """The commands that one replica knows, and a history."""

    def __init__(self) -> None:
        self.proposals = Proposals(Bank, Sessions())
        sessions = self.proposals.sessions
        self.history = History(InterferenceIndex(Bank.table), self.proposals.known, self.proposals.ends, sessions.open)

    def know(self, *ids: str) -> None:
        """Deposits under these ids."""
        _, refused = self.proposals.add(list(ids), [body(Bank.deposit("a", 1)) for _ in ids])
        assert not refused

    def end(self, name: str, clients: list[str], floor: int = 0) -> None:
        """An end under this id."""
        assert self.proposals.add([name], [[END, [clients, floor, []], 0]]) == ([name], [])

    def executor(self) -> Executor:
        return Executor(Bank(), self.history, self.proposals.known, self.proposals.sessions)


@pytest.fixture
def world() -> World:
    made = World()
    made.know("c:1", "c:2", "d:1", "d:2")
    made.end("r:1", ["c"])
    return made


def test_behind_an_end_nothing_of_its_clients_may_follow(world: World) -> None:
    history = world.history
    assert history.following(["c:1", "r:1", "c:2", "d:1"]) == ["c:1", "r:1", "d:1"]
    history.decree(["c:1", "r:1"])
    assert history.following(["c:2", "d:1"]) == ["d:1"]
    history.truncate(1)
    assert history.following(["c:2", "d:1"]) == ["c:2", "d:1"], "the end is not in the history any more"


def test_an_end_in_the_tail_counts_for_what_comes_behind_the_tail_and_not_for_what_is_put_before_it(
    world: World,
) -> None:
    world.history.accept(["r:1"])
    assert world.history.following(["c:1"]) == []
    assert world.history.following(["c:1"], behind_tail=False) == ["c:1"]


def test_an_acceptor_does_not_vote_for_a_command_behind_the_end_of_its_session(world: World) -> None:
    acceptor = Acceptor(0, world.history, world.proposals)
    acceptor.accept(["c:1", "r:1"])
    acceptor.accept(["c:2", "d:1"])
    assert list(world.history.tail) == ["c:1", "r:1", "d:1"]
    assert acceptor.queued == ["c:1", "r:1", "d:1"]
    assert [record.ids for record in acceptor.records if hasattr(record, "ids")] == [["c:1", "r:1"], ["d:1"]]


def test_a_coordinator_decrees_nothing_behind_the_end_of_its_session(world: World) -> None:
    acceptor = Acceptor(0, world.history, world.proposals)
    acceptor.decree(["r:1", "c:1", "d:1"])
    assert world.history.ids == ["r:1", "d:1"]
    assert acceptor.decree(["c:2"]) == []


@pytest.mark.parametrize("how", ["adopt", "insert", "replace", "reorder"])
def test_an_end_that_comes_before_commands_of_the_tail_takes_them_out(world: World, how: str) -> None:
    history = world.history
    digest = world.history.accept(["r:1"])[0]
    history.truncate(0)
    history.accept(["c:1", "d:1", "c:2"])
    match how:
        case "adopt":
            history.adopt(["r:1"], [digest])
        case "insert":
            history.insert(["r:1"])
        case "replace":
            history.replace(1, ["r:1"], [digest])
        case "reorder":
            history.reorder(["r:1"])
    assert list(history.tail)[-1:] == ["d:1"]
    assert not history.holds("c:1")
    assert not history.holds("c:2")
    expected = World()
    expected.know("d:1", "d:2")
    expected.end("r:1", ["c"])
    expected.history.decree(["r:1", "d:1"])
    assert history.digest("d:2") == expected.history.digest("d:2"), "no trace of them is left in the sums"


def test_the_floor_ends_clients_born_before_it_that_have_no_command_before_the_end() -> None:
    world = World()
    young, old, older = "xB20", "yB5", "zB4"
    world.know(f"{young}:1", f"{old}:1", f"{older}:1", f"{older}:2", "unborn:1")
    world.end("r:1", [], floor=16)
    world.history.decree([f"{older}:1", "r:1"])
    wanted = [f"{young}:1", f"{old}:1", f"{older}:2", "unborn:1"]
    assert world.history.following(wanted) == [f"{young}:1", f"{older}:2", "unborn:1"]
    executor = world.executor()
    world.history.committed = 2
    executor.run_committed()
    sessions = world.proposals.sessions
    assert (sessions.floor, sessions.over(old), sessions.over(older), sessions.over(young)) == (16, True, False, False)
    assert not sessions.over("unborn")


def test_a_client_that_has_a_session_by_what_was_executed_is_not_ended_by_the_floor() -> None:
    world = World()
    world.know("oldB1:1", "oldB1:2")
    world.history.decree(["oldB1:1"])
    world.history.committed = 1
    world.executor().run_committed()
    world.history.settle(1)
    world.end("r:1", [], floor=16)
    assert world.history.following(["r:1", "oldB1:2"]) == ["r:1", "oldB1:2"]


def test_executing_an_end_forgets_sessions_and_results_and_what_is_asked_for_later_is_settled(world: World) -> None:
    executor, sessions = world.executor(), world.proposals.sessions
    world.history.decree(["c:1", "d:1", "r:1"])
    world.history.committed = 3
    executor.run_committed()
    assert executor.take_done()[1][2] == [None, 1]
    assert list(sessions.open) == ["d", "r"]
    assert sessions.result("c:1", "c", 1, 1) is None
    assert sessions.executed("c:1", "c", 1, 1)
    assert sessions.executed("c:9", "c", 9, 9), "it never will be"
    again = Proposals(Bank, sessions)
    assert again.add(["c:9"], [body(Bank.deposit("a", 1))], ("c", [9])) == ([], [])


def test_should_a_command_stand_behind_the_end_all_the_same_it_has_no_effect(world: World) -> None:
    executor = world.executor()
    world.history.decree(["r:1", "c:1"])  # no acceptor does so
    world.history.committed = 2
    executor.run_committed()
    assert executor.take_done()[1][1] == ENDED
    assert executor.machine.snapshot() == Bank().snapshot()
    assert "c" not in world.proposals.sessions.open


def test_a_client_cannot_propose_an_end(world: World) -> None:
    _, ((_, why),) = world.proposals.add(["x:1"], [[END, [["c"], 0, []], 0]], ("x", [1]))
    assert "by replicas alone" in why


@pytest.mark.parametrize("arguments", [[], [["c"]], [["c"], -1, []], [[1], 0, []], [["c"], 0, [["d"]]], [[""], 0, []]])
def test_an_end_with_other_arguments_is_refused(arguments: list[Any]) -> None:
    with pytest.raises(InvalidCommand, match="takes a list of clients"):
        parsed(arguments)


def test_an_end_says_whom_it_ends() -> None:
    end = End(frozenset({"c"}), 16)
    assert end.ends("c", lambda _: True)
    assert end.ends("aBf", lambda _: False)
    assert not end.ends("aBf", lambda _: True)
    assert not end.ends("aB11", lambda _: False)
    assert not end.ends("plain", lambda _: False)
