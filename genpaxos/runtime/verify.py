"""``genpaxos verify``: have all replicas hash their states at one point of the log, and compare."""

import asyncio
import time
from collections import Counter
from typing import Any

from commutativity import Command, OperationError
from genpaxos.core.builtins import CHECKSUM
from genpaxos.errors import NoQuorum, Unknown
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.query import NoAnswer, ask_each

LATE = "has not executed the checksum yet"
POLL_S = 0.05


def verify(config: ClusterConfig, *, timeout_s: float = 10.0) -> dict[str, Any]:
    """Submit a checksum and ask every replica what it gave there.

    The answer: ``equal``, which holds if every replica was heard and all have the same state; ``index`` and ``hash``,
    those of most replicas; ``replicas``, a row for each with ``node``, ``hash``, ``index``, and ``error``, which says
    why there is no hash, or why the replica has stopped. Raises :class:`GenpaxosError` if no replica executes it.
    """
    return asyncio.run(_verify(config, timeout_s))


async def _verify(config: ClusterConfig, timeout_s: float) -> dict[str, Any]:
    end_s = time.monotonic() + timeout_s
    async with Client(config, timeout_s=timeout_s) as client:
        command: Command[str] = Command(CHECKSUM, ())
        started = client.start(command)
        failure: Unknown | None = None
        try:
            await started
        except OperationError:
            pass  # every replica tells it as its own result
        except (NoQuorum, Unknown) as error:
            failure = error  # they may all have executed it, and stopped because they disagree
        rows = await asyncio.to_thread(_ask, config, started.id, end_s)
        if failure is not None and all(row["hash"] is None for row in rows):
            raise failure
    hashes = Counter(row["hash"] for row in rows if row["hash"] is not None)
    indices = [row["index"] for row in rows if row["index"] is not None]
    return {
        "equal": len(hashes) == 1 and all(row["hash"] is not None and row["error"] is None for row in rows),
        "index": max(indices, default=None),
        "hash": hashes.most_common(1)[0][0] if hashes else None,
        "replicas": rows,
    }


def _ask(config: ClusterConfig, command: str, end_s: float) -> list[dict[str, Any]]:
    """What each replica's state was; waits for those that are still to execute the command."""
    addresses = [replica.address for replica in config.replicas]
    while True:
        answers = ask_each(addresses, "ran", command, timeout_s=max(0.2, min(1.0, end_s - time.monotonic())))
        rows = [_row(node, answer) for node, answer in enumerate(answers)]
        if all(row["index"] is not None or row["error"] for row in rows):
            return rows
        if time.monotonic() >= end_s:
            return [row if row["index"] is not None or row["error"] else {**row, "error": LATE} for row in rows]
        time.sleep(POLL_S)


def _row(node: int, answer: Any) -> dict[str, Any]:
    if isinstance(answer, NoAnswer):
        return {"node": node, "index": None, "hash": None, "error": str(answer)}
    result, error = answer["result"], answer["error"]
    if result is not None and result[0] is not None:
        error = error or f"{result[0]}: {result[1]}"
    found = result[1] if result is not None and result[0] is None else None
    return {"node": node, "index": answer["index"], "hash": found, "error": error}
