"""Load beyond the ordinary: bursts of commands that interfere, and traffic that does not end when the faults do."""

import random
from collections.abc import Iterator

from genpaxos.simulation.clients import Submission
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.workload import WORKLOADS

CONTESTED = "z"
"""What bursts and collided pairs are about; the ordinary load and the traffic have other resources."""
TRAFFIC_COMMANDS_MAX = 400
AFTER_MS = 2000.0
"""How long traffic lasts beyond the faults."""
PAIRS = 4
BURST_CLIENTS = 3


def drawn_load(draw: random.Random, plan: Plan) -> tuple[Submission, ...]:
    """The plan's submissions, and at times a burst, or traffic, or both."""
    more: list[Submission] = []
    if draw.random() < 0.1:
        more += _burst(draw, plan)
    if draw.random() < 0.12:
        more += [*_traffic(draw, plan), *_pairs(draw, plan)]
    if not more:
        return plan.submissions
    return tuple(sorted([*plan.submissions, *more], key=lambda submission: submission.at_ms))


def _burst(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """Several hundred commands on one resource, at once: they reach each replica in another order."""
    workload, first = WORKLOADS[plan.workload], plan.clients
    start_ms = draw.uniform(0, plan.chaos_ms + AFTER_MS / 2)
    for _ in range(draw.randint(100, 400)):
        command = workload.draw(draw, CONTESTED, CONTESTED, draw.choice((0.3, 1.0)))
        yield Submission(start_ms + draw.uniform(0, 3), first + draw.randrange(BURST_CLIENTS), command)


def _traffic(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """One client's commands, which commute with all of each other, one after the other at a constant rate."""
    workload, client = WORKLOADS[plan.workload], plan.clients + BURST_CLIENTS
    every_ms, end_ms = draw.choice((5.0, 10.0, 30.0)), plan.chaos_ms + AFTER_MS
    for place in range(min(TRAFFIC_COMMANDS_MAX, int(end_ms / every_ms))):
        name = draw.choice("pqrs")
        yield Submission(end_ms - place * every_ms, client, workload.draw(draw, name, name, 0.0))


def _pairs(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """Two commands that interfere, sent at once by two clients, some times while nothing but the traffic goes on."""
    workload, first = WORKLOADS[plan.workload], plan.clients
    for place in range(PAIRS):
        at_ms = plan.chaos_ms + (place + draw.random()) * AFTER_MS / PAIRS
        for client in (first, first + 1):
            yield Submission(at_ms, client, workload.draw(draw, CONTESTED, CONTESTED, 1.0))
