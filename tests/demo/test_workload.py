from __future__ import annotations

import pytest

from commutativity import InterferenceIndex
from genpaxos.demo.workload import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_same_seed_gives_the_same_commands(name: str) -> None:
    made = WORKLOADS[name]
    assert made(1, 0.5).commands(0, 100) == made(1, 0.5).commands(0, 100)
    assert made(1, 0.5).commands(0, 100) != made(2, 0.5).commands(0, 100)
    assert made(1, 0.5).commands(0, 100) != made(1, 0.5).commands(1, 100)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_command_is_acceptable(name: str) -> None:
    workload = WORKLOADS[name](3, 0.5)
    for command in [*workload.opening(), *workload.commands(0, 300)]:
        workload.machine.admit(command.operation, command.arguments)


def interferes(name: str, one: object, other: object) -> bool:
    """Whether the second's digest depends on the first's having gone before."""
    machine = WORKLOADS[name].machine
    footprints = [machine.admit(c.operation, c.arguments) for c in (one, other)]  # type: ignore[attr-defined]
    alone, after = InterferenceIndex(machine.table), InterferenceIndex(machine.table)
    after.append("a:1", footprints[0])
    return alone.digest("b:1", footprints[1]) != after.digest("b:1", footprints[1])


@pytest.mark.parametrize("name", WORKLOADS)
def test_without_interference_the_commands_of_different_clients_commute(name: str) -> None:
    workload = WORKLOADS[name](5, 0.0)
    mine, others = workload.commands(0, 60), workload.commands(1, 60)
    assert not any(interferes(name, one, other) for one in mine for other in others)


@pytest.mark.parametrize("name", WORKLOADS)
def test_with_full_interference_all_commands_of_different_clients_interfere(name: str) -> None:
    workload = WORKLOADS[name](5, 1.0)
    mine, others = workload.commands(0, 30), workload.commands(1, 30)
    assert all(interferes(name, one, other) for one in mine for other in others)


def test_the_share_of_interfering_commands_is_the_one_asked_for() -> None:
    commands = WORKLOADS["bank"](7, 0.25).commands(0, 4_000)
    hot = sum(command.arguments[0] == "alice" for command in commands)
    assert 0.22 < hot / len(commands) < 0.28
