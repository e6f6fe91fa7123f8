"""Ports to listen on later: the many links of a run take theirs from the system, which must not give them these."""

import random
import socket

from bench.wan.delay import HOST

RANGE = range(20_000, 32_000)
"""Below what systems hand out by themselves, to listeners and to connections."""


def unused_ports(count: int) -> list[int]:
    """Distinct ports that nobody listens on just now."""
    candidates = iter(random.SystemRandom().sample(RANGE, len(RANGE)))
    found: list[int] = []
    while len(found) < count:
        port = next(candidates)
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
