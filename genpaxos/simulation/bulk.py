"""Plans with large commands on links that take their time for them."""

import random
from dataclasses import replace
from typing import Any

from commutativity import Command
from genpaxos.simulation.plan import Plan

CHUNK_BYTES = 100_000
"""So much of a state is sent at a time: a few bytes each, as in other plans, would take for ever."""


def with_bulk(plan: Plan) -> Plan:
    """In some plans, drawn by the seed, texts are tens of kilobytes and a link carries some megabytes per second."""
    draw = random.Random(f"bulk {plan.seed}")
    if plan.workload != "register" or draw.random() < 0.5:
        return plan
    padding = draw.choice((3_000, 20_000, 60_000))
    rate = draw.choice((2_000.0, 10_000.0))
    return replace(
        plan,
        weather=replace(plan.weather, bytes_per_ms=rate),
        # As in production, a chunk holds several commands; else a state would take thousands of them.
        snapshots=replace(plan.snapshots, chunk_bytes=max(plan.snapshots.chunk_bytes, 4 * padding)),
        submissions=tuple(replace(s, command=_padded(s.command, padding)) for s in plan.submissions),
    )


def _padded(command: Command[Any], padding: int) -> Command[Any]:
    if command.operation != "write":
        return command
    register, text = command.arguments
    return replace(command, arguments=(register, f"{text}{'x' * padding}"))
