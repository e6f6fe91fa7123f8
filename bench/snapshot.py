"""``python -m bench.snapshot``: arguments and printing of :mod:`bench.engine.snapshot`."""

import argparse
import tempfile
from pathlib import Path

import orjson

from bench.engine import snapshot
from bench.harness import machine
from bench.publish.report import console


def main() -> int:
    """Print one measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.snapshot", description=snapshot.__doc__)
    parser.add_argument("--mb", type=int, default=100, help="of state (default: 100)")
    parser.add_argument("--snapshots", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="genpaxos-bench-") as name:
        measured = snapshot.measure(Path(name) / "0", arguments.mb, arguments.snapshots)
    options = {"mb": arguments.mb, "snapshots": arguments.snapshots}
    found = {"benchmark": "snapshot", "options": options, **measured, "machine": described}
    if arguments.json:
        print(orjson.dumps(found).decode())
    else:
        console().print_json(data=found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
