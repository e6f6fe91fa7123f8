"""``genpaxos init``: a machine, its test and a cluster file to start from, with the replicas' directories made."""

import secrets
from pathlib import Path

from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.errors import ConfigError
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.identity import create_directory

MACHINE = '''"""A counter per name: additions commute with one another, not with a read."""

from commutativity import CommutativityTable, Machine, operation


class Counters(Machine):
    table = CommutativityTable("""
               read  add
        read     .    x
        add      x    .
    """)  # x interferes, . commutes

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(name="add")
    def increment(self, name: str, amount: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + amount

    @operation(name="read")
    def value(self, name: str) -> int:
        return self.counts.get(name, 0)
'''

TEST = """from commutativity.check import check
from genpaxos import LocalCluster

from machine import Counters


def test_the_table_is_right() -> None:
    report = check(Counters)
    assert report.ok, report


def test_counters_on_three_replicas() -> None:
    with LocalCluster(Counters, replicas=3) as cluster:
        client = cluster.client_sync()
        client.submit(Counters.increment("visits"))
        assert client.submit(Counters.value("visits")) == 1
"""


def scaffold(directory: str | Path, replicas: int, port: int) -> list[str]:
    """Write the files and make the replicas' directories; returns lines that say what to do next.

    Raises :class:`ConfigError` rather than overwrite anything.
    """
    directory = Path(directory)
    if replicas > REPLICAS_MAX or port + replicas > 65_536:
        raise ConfigError(f"{replicas} replicas from port {port}: at most {REPLICAS_MAX} replicas, ports up to 65535")
    files = {"machine.py": MACHINE, "test_machine.py": TEST, "cluster.toml": ""}
    for name in files:
        if (directory / name).exists():
            raise ConfigError(f"{directory / name} exists already; nothing was written")
    cluster = ClusterConfig(
        name=directory.resolve().name or "cluster",
        id=secrets.token_hex(16),
        machine="machine:Counters",
        replicas=tuple(
            ReplicaConfig(f"tcp://127.0.0.1:{port + node}", Path("data") / str(node)) for node in range(replicas)
        ),
    )
    files["cluster.toml"] = cluster.text()
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    config = ClusterConfig.load(directory / "cluster.toml")
    for node in range(replicas):
        create_directory(config, node)
    return [
        f"wrote {', '.join(files)} and data/ in {directory}",
        "next:",
        f"  cd {directory}",
        "  genpaxos check machine:Counters",
        *[f"  genpaxos serve cluster.toml {node} &" for node in range(replicas)],
        "  genpaxos call cluster.toml increment visits 1",
        "  genpaxos status cluster.toml",
    ]
