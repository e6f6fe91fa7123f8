"""``genpaxos verify``: its arguments and its printing."""

import argparse
from typing import Any

from genpaxos.cli.arguments import seconds

HELP = "have all replicas hash their states at one point of the log, and compare"


def add_arguments(verify: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    verify.add_argument("cluster", help="the cluster file")
    verify.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="how long to wait for all replicas")
    verify.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Print what each replica's state is; 1 unless all were heard and are equal. Raises :class:`GenpaxosError`."""
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.verify import verify

    found = verify(ClusterConfig.load(arguments.cluster), timeout_s=arguments.timeout)
    if arguments.json:
        from genpaxos.view.encoding import print_json

        print_json(found)
    else:
        for line in _lines(found):
            print(line)
    return 0 if found["equal"] else 1


def _lines(found: dict[str, Any]) -> list[str]:
    hashes = {row["hash"] for row in found["replicas"] if row["hash"] is not None}
    at = "" if found["index"] is None else f" at index {found['index']}"
    if found["equal"]:
        return [f"all {len(found['replicas'])} replicas have the same state{at}: {found['hash']}"]
    head = f"the states of the replicas differ{at}:" if len(hashes) > 1 else f"not all replicas have shown a state{at}:"
    return [head, *(_line(row) for row in found["replicas"])]


def _line(row: dict[str, Any]) -> str:
    parts = [row["hash"] or "no hash", row["error"]]
    return f"  replica {row['node']}: {'; '.join(part for part in parts if part)}"
