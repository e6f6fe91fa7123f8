"""Which peers there are, and the engine's figures as ratios to theirs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from bench.client_check import client_check
from bench.options import Options
from bench.peers import etcd, pysyncobj, unreplicated
from bench.peers.peer import Peer
from bench.sample import Sample, summary
from bench.stats import Spread

PEERS: Mapping[str, Callable[[Options], AbstractAsyncContextManager[Peer]]] = {
    "etcd": etcd.start,
    "pysyncobj": pysyncobj.start,
    "pysyncobj-tuned": partial(pysyncobj.start, tuned=True),
    "unreplicated": unreplicated.start,
    "unreplicated-nosync": partial(unreplicated.start, sync=False),
}
"""By the name ``--against`` takes; starting one raises :class:`bench.errors.BenchError` if it is not installed."""


def absent() -> dict[str, str]:
    """What is not installed, by the name of each peer that needs it."""
    missing = {}
    if not etcd.installed():
        missing["etcd"] = etcd.MISSING
    if not pysyncobj.installed():
        missing |= dict.fromkeys(("pysyncobj", "pysyncobj-tuned"), pysyncobj.MISSING)
    return missing


def compared(peer: Peer, ours: Sequence[Sample], theirs: Sequence[Sample], options: Options) -> dict[str, Any]:
    """A peer's figures, and ours as a ratio: of runs next to one another, then the median of those."""
    ratio = Spread.of([one.per_second / other.per_second for one, other in zip(ours, theirs, strict=True)])
    return {
        "about": peer.about,
        "ratio": ratio.to_json(),
        "load": peer.load_made(options.outstanding),
        "client": client_check(theirs, inside=peer.client_inside),
        **summary(list(theirs)),
    }
