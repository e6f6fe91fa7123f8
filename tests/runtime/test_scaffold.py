from __future__ import annotations

from pathlib import Path

import pytest

from commutativity.check import check
from genpaxos.errors import ConfigError
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.identity import open_directory
from genpaxos.runtime.scaffold import scaffold

pytestmark = pytest.mark.usefixtures("import_state")


def test_the_scaffold_is_a_cluster_that_can_be_served(tmp_path: Path) -> None:
    lines = scaffold(tmp_path / "counters", 3, 7_700)
    config = ClusterConfig.load(tmp_path / "counters" / "cluster.toml")
    machine = config.load_machine()
    assert [replica.address for replica in config.replicas] == [f"tcp://127.0.0.1:{port}" for port in range(7700, 7703)]
    for node in range(3):
        storage, _ = open_directory(config, node, machine)
        storage.close()
        assert any(f"genpaxos serve cluster.toml {node}" in line for line in lines)


def test_the_scaffolded_machine_passes_its_own_check(tmp_path: Path) -> None:
    scaffold(tmp_path, 1, 7_700)
    assert check(ClusterConfig.load(tmp_path / "cluster.toml").load_machine(), examples=20).ok


@pytest.mark.parametrize("name", ["machine.py", "test_machine.py", "cluster.toml"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="exists already; nothing was written"):
        scaffold(tmp_path, 3, 7_700)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(("replicas", "port"), [(14, 7_600), (3, 65_534), (1, 70_000)])
def test_what_cannot_be_is_refused(tmp_path: Path, replicas: int, port: int) -> None:
    with pytest.raises(ConfigError, match="at most 13 replicas, ports up to 65535"):
        scaffold(tmp_path / "new", replicas, port)
    assert not (tmp_path / "new").exists()
