"""Load beyond the ordinary: bursts of commands that interfere, and traffic that does not end when the faults do."""

import random
from collections.abc import Iterator
from dataclasses import replace

from genpaxos.simulation.clients import Submission
from genpaxos.simulation.network import Weather
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.workload import WORKLOADS

CONTESTED = "z"
"""What bursts and collided pairs are about; the ordinary load and the traffic have other resources."""
EVERY_MS = 20.0
"""Between two commands of the traffic."""
AFTER_MS = 8000.0
"""How long traffic lasts beyond the faults: longer than any command may wait."""
SLOW = Weather(delay_ms=(20.0, 22.0))
"""Then messages take so long that the traffic has commands learned at every round trip."""
PAIRS = 4
PAIR_MS = 500.0
"""Between two pairs."""
BURST_CLIENTS = 3


def with_load(draw: random.Random, plan: Plan) -> Plan:
    """The plan, at times with a burst, or with traffic, or both."""
    burst, traffic = draw.random() < 0.1, draw.random() < 0.12
    more: list[Submission] = []
    if burst:
        more += _burst(draw, plan)
    if traffic:
        more += [*_traffic(draw, plan), *_pairs(draw, plan)]
    submissions = sorted([*plan.submissions, *more], key=lambda submission: submission.at_ms)
    return replace(plan, submissions=tuple(submissions), calm=SLOW if traffic else plan.calm)


def _burst(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """Several hundred commands on one resource, at once: they reach each replica in another order."""
    workload, first = WORKLOADS[plan.workload], plan.clients
    start_ms = draw.uniform(0, plan.chaos_ms + 2 * PAIR_MS)
    for _ in range(draw.randint(100, 400)):
        command = workload.draw(draw, CONTESTED, CONTESTED, draw.choice((0.3, 1.0)))
        yield Submission(start_ms + draw.uniform(0, 3), first + draw.randrange(BURST_CLIENTS), command)


def _traffic(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """One client's commands, which commute with all of each other, one after the other at a constant rate."""
    workload, client = WORKLOADS[plan.workload], plan.clients + BURST_CLIENTS
    for place in range(int(AFTER_MS / EVERY_MS)):
        name = draw.choice("pqrs")
        yield Submission(plan.chaos_ms + place * EVERY_MS, client, workload.draw(draw, name, name, 0.0))


def _pairs(draw: random.Random, plan: Plan) -> Iterator[Submission]:
    """Two commands that interfere, sent at once by two clients, some times while nothing but the traffic goes on."""
    workload, first = WORKLOADS[plan.workload], plan.clients
    for place in range(PAIRS):
        at_ms = plan.chaos_ms + (place + draw.random()) * PAIR_MS
        for client in (first, first + 1):
            yield Submission(at_ms, client, workload.draw(draw, CONTESTED, CONTESTED, 1.0))
