"""Which peers there are, and the engine's figures as ratios to theirs."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from types import MappingProxyType
from typing import Any

from bench.harness.client_check import Measured, client_check
from bench.harness.contender import Progress
from bench.harness.options import Options
from bench.harness.sample import Sample, summary
from bench.harness.stats import Spread
from bench.peers import etcd, pysyncobj, unreplicated
from bench.peers.peer import Peer

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


def listed(text: str, known: Collection[str], why: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Names between commas; ``why`` tells of some that are not known. Raises :class:`argparse.ArgumentTypeError`."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            reason = f": {why[name]}" if name in why else ""
            raise ArgumentTypeError(f"invalid choice: {name!r}{reason} (choose from {', '.join(known)})")
    return names


async def started(options: Options, stack: AsyncExitStack, progress: Progress) -> dict[str, Peer]:
    """The peers that are asked for, up until the stack is left. Raises :class:`bench.errors.BenchError`."""
    peers = {}
    for name in options.against:
        progress(f"starting {name}", 0, options.rounds)
        peers[name] = await stack.enter_async_context(PEERS[name](options))
    return peers


def described(peer: Peer, theirs: Sequence[Measured], outstanding: int) -> dict[str, Any]:
    """What a peer is, how it was put under load, and whether its client may have been the limit."""
    return {
        "about": peer.about,
        "load": peer.load_made(outstanding),
        "client": client_check(theirs, inside=peer.client_inside),
    }


def beside(ours: Sequence[Sample], theirs: Sequence[Sample]) -> dict[str, Any]:
    """A contender's figures, and ours as a ratio: of runs next to one another, then the median of those."""
    ratio = Spread.of([one.per_second / other.per_second for one, other in zip(ours, theirs, strict=True)])
    return {"ratio": ratio.to_json(), **summary(list(theirs))}


def compared(peer: Peer, ours: Sequence[Sample], theirs: Sequence[Sample], options: Options) -> dict[str, Any]:
    """A peer, and its figures beside ours."""
    return {**described(peer, theirs, options.outstanding), **beside(ours, theirs)}
