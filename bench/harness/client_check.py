"""Whether a load generator was what was measured: how much of a core it took."""

from collections.abc import Sequence
from typing import Any, Protocol

from bench.harness.cpu import CLIENT, OTHERS
from bench.harness.stats import Spread

BUSY_CORES = 0.9
"""A client is one thread: from so much of a core on it may be what limits its system."""


class Measured(Protocol):
    """A stretch of load."""

    @property
    def cores(self) -> dict[str, float]:
        """Processor cores used, by process; empty where the system does not tell."""


def client_check(samples: Sequence[Measured], *, inside: bool) -> dict[str, Any]:
    """The client's share of a core in a contender's rounds (median), and whether it may have been the limit.

    A client ``inside`` one of the system's processes cannot be told from it: then it is that of the busiest process,
    and what limits it is the system, its client included. ``None`` where the system does not tell.
    """
    shares = [share for share in (_share(sample.cores, inside) for sample in samples) if share is not None]
    cores = Spread.of(shares).median if shares else None
    return {
        "inside": inside,
        "cores": None if cores is None else round(cores, 3),
        "may_limit": None if cores is None else cores >= BUSY_CORES,
    }


def _share(cores: dict[str, float], inside: bool) -> float | None:
    if not inside:
        return cores.get(CLIENT)
    return max((used for name, used in cores.items() if name not in (CLIENT, OTHERS)), default=None)
