"""Idempotency keys where everything fails: several processes send different commands under one key, and repeat them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from commutativity import Command
from genpaxos.core.ballot import Policy
from genpaxos.core.ids import operation_ids, split_id
from genpaxos.core.keys import KEY_CONFLICT, key_client
from genpaxos.core.messages import Refusal, Reply
from genpaxos.linearizability import check_linearizable
from genpaxos.simulation.clients import Client, Pending, as_calls
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import LINEARIZABILITY_STEPS_MAX, Course, judge_identical
from genpaxos.simulation.swarm import draw_plan
from genpaxos.simulation.workload import WORKLOADS

KEYS = 6
COMMANDS = 3
"""Different commands that are sent under each key."""


class KeyHolder(Client):
    """Processes that share keys: each sends one command, under a key that others use as well."""

    def hold(self, key: str, number: int, command: Command[object]) -> None:
        """Send it to all, until it is answered."""
        body = [command.operation, list(command.arguments), 0]
        pending = Pending(f"{number:016x}/{key_client(key)}:1", command, body, self._scheduler.now_ms)
        self.calls.append(pending)
        self._retry(pending)

    def on_message(self, _replica: int, message: Reply | Refusal) -> None:
        assert isinstance(message, Reply), message
        for name, result in zip(message.ids, message.results, strict=True):
            (pending,) = [call for call in self.calls if call.id == name]
            self._answered(pending, result)


class KeyCourse(Course):
    """A run with key holders beside its clients; what it judges is what keys promise."""

    def __init__(self, plan: Plan, cluster: SimulatedCluster) -> None:
        super().__init__(plan, cluster)
        draw = random.Random(f"keys {plan.seed}")
        workload = WORKLOADS[plan.workload]
        address = plan.replicas + plan.clients + 1
        self.holder = KeyHolder(
            "keys", address, plan.replicas, cluster.scheduler, cluster.send, cluster.marks, plan.retry_ms
        )
        cluster.clients[address] = self.holder
        for key in range(KEYS):
            start_ms = draw.uniform(0, plan.chaos_ms)
            for number in range(COMMANDS):
                command = workload.draw(draw, draw.choice("ab"), draw.choice("ab"), draw.choice([0.0, 1.0]))
                at_ms = start_ms + draw.choice([0.0, draw.uniform(0, 30), draw.uniform(0, 2_000)])
                cluster.scheduler.at(min(at_ms, plan.chaos_ms), self.holder.hold, f"key {key}", number, command)

    def _judge(self) -> None:
        cluster = self._cluster
        judge_identical(cluster.alive(), sum(len(operation_ids(name)) for name, _ in cluster.oracles.log))
        self._judge_kept()
        log = [command for command, _ in cluster.oracles.log]
        refused = {call.id for call in self.holder.calls if call.result == KEY_CONFLICT}
        sessions = {split_id(call.id)[0] for call in self.holder.calls}
        assert len(sessions) == KEYS
        for session in sessions:
            ordered = [name for name in log if split_id(name)[0] == session]
            assert len(ordered) == COMMANDS
            assert [name in refused for name in ordered] == [False] + [True] * (COMMANDS - 1)
        # What was refused had no effect: without it, the history is linearizable.
        pendings = [call for client in cluster.clients.values() for call in client.calls if call.id not in refused]
        calls = [call for pending in pendings for call in as_calls(pending)]
        position = {call.client: index for index, call in enumerate(calls)}
        verdict = check_linearizable(
            cluster.machine,
            calls,
            hint=[position[name] for command in log for name in operation_ids(command) if name in position],
            steps_max=LINEARIZABILITY_STEPS_MAX,
        )
        assert verdict, str(verdict)


def run(plan: Plan) -> None:
    """Raises for whatever is wrong."""
    cluster = SimulatedCluster(
        WORKLOADS[plan.workload].machine,
        plan.settings,
        seed=plan.seed,
        weather=plan.weather,
        batch_ms=plan.batch_ms,
        clock_rates=plan.clock_rates,
        retry_ms=plan.retry_ms,
        snapshots=plan.snapshots,
    )
    KeyCourse(plan, cluster).run()


def plans(seeds: range) -> Iterator[Plan]:
    for seed in seeds:
        plan = draw_plan(seed, policy=list(Policy)[seed % len(Policy)])
        yield replace(plan, departures=(), session_ms=0)  # a key is kept no longer than its session


@pytest.mark.parametrize("first", range(0, 32, 8))
def test_one_command_of_a_key_runs_wherever_things_fail(first: int) -> None:
    for plan in plans(range(first, first + 8)):
        run(plan)
