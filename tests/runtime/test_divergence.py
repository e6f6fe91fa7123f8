"""Real replicas whose machines do not compute the same: named soon after a client could see it."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from commutativity import Command, Machine
from genpaxos import GenpaxosError, LocalCluster
from genpaxos.cli import main
from genpaxos.examples.bank import Bank
from genpaxos.runtime.code import code_hash
from genpaxos.runtime.config import load_machine
from genpaxos.runtime.hashing import hash_seed
from genpaxos.runtime.verify import verify
from tests.runtime.clusters import rows, wait_until
from tests.runtime.divergent import Dice, Guests, Mails, Versions, write

NAMED_S = 5.0
"""Two heartbeats take 0.2 s; a machine that is shared takes longer."""


def faults(cluster: LocalCluster) -> dict[int, str]:
    return {node: row["error"] for node, row in rows(cluster).items() if row["error"]}


def named(cluster: LocalCluster, stopped: int) -> dict[int, str]:
    """What so many replicas that have stopped say."""
    return wait_until(lambda: len(found := faults(cluster)) >= stopped and found, "the divergence is named", NAMED_S)  # type: ignore[return-value]


def race(machine: type[Machine], cluster: LocalCluster) -> None:
    """Two processes submit what commutes according to the table, at the same time."""
    spawned = multiprocessing.get_context("spawn")
    together = spawned.Barrier(2)
    arguments = (machine.__name__, str(cluster.cluster_file), together)
    writers = [spawned.Process(target=write, args=(*arguments, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


@pytest.mark.cluster
def test_random_numbers_stop_all_replicas() -> None:
    with LocalCluster(Dice) as cluster:
        cluster.client_sync().submit(Dice.roll("red"))
        found = named(cluster, 3)
    for text in found.values():
        assert "index 1, roll('red',)" in text
        assert text.count("[null,") == 3


@pytest.mark.cluster
def test_other_code_on_one_replica_stops_that_one_and_the_others_go_on_and_say_so() -> None:
    with LocalCluster(Versions) as cluster:
        client = cluster.client_sync()
        client.submit(Versions.add("a"))
        assert client.submit(Versions.count("a")) in (1, 2)
        found = named(cluster, 1)
        assert list(found) == [1]
        assert "index 2, count('a',)" in found[1]
        assert "replicas 0 and 2: [null,1]; replica 1: [null,2]" in found[1]
        assert client.submit(Versions.count("a")) == 1
        wait_until(lambda: "replica 1: [null,2]" in cluster.processes.log_file(0).read_text(), "another says so too")
        assert faults(cluster).keys() == {1}


@pytest.mark.cluster
@pytest.mark.parametrize("machine", [Guests, Mails])
def test_an_order_that_shows_in_a_result_is_named(machine: type[Machine]) -> None:
    """As soon as somebody reads: the writes give the same everywhere."""
    with LocalCluster(machine) as cluster:
        everybody: Command[Any] = machine.operations["everybody"]()
        with suppress(GenpaxosError):  # all may have stopped before the answer
            for _ in range(5):
                race(machine, cluster)
                cluster.client_sync(timeout_s=3.0).submit(everybody)
                time.sleep(0.3)  # some heartbeats
                if faults(cluster):
                    break
        found = named(cluster, 1)
    for text in found.values():
        assert "everybody()" in text
        assert text.count("[null,") >= 2


@pytest.mark.cluster
def test_verify_finds_states_that_differ_before_a_result_shows_it() -> None:
    with LocalCluster(Versions) as cluster:
        cluster.client_sync().submit(Versions.add("a"))
        found = verify(cluster.config)
        assert not found["equal"]
        hashes = [row["hash"] for row in found["replicas"]]
        assert hashes[0] == hashes[2] == found["hash"] != hashes[1]
        assert found["index"] == 2
        text = named(cluster, 1)[1]
        assert "are in different states at index 2, genpaxos.checksum" in text
        assert main(["verify", str(cluster.cluster_file), "--json"]) == 1, "one that has stopped is not verified"


@pytest.mark.cluster
def test_verify_says_yes_when_all_are_equal(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalCluster(Bank) as cluster:
        cluster.client_sync().submit(Bank.deposit("alice", 3))
        assert main(["verify", str(cluster.cluster_file), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["equal"]
        assert {row["hash"] for row in found["replicas"]} == {found["hash"]}
        assert main(["verify", str(cluster.cluster_file)]) == 0
        assert f"all 3 replicas have the same state at index {found['index'] + 1}" in capsys.readouterr().out
        assert not faults(cluster)


@pytest.mark.cluster
def test_states_are_compared_at_the_interval_if_something_was_written() -> None:
    with LocalCluster(Versions, checksum_s=1) as cluster:
        cluster.client_sync().submit(Versions.add("a"))
        text = named(cluster, 1)[1]
    assert "are in different states at index 2, genpaxos.checksum" in text


MACHINE = """
from commutativity import CommutativityTable, Machine, operation
import counting

class Counter(Machine):
    table = CommutativityTable('''
        add
    add  x
    ''')

    def __init__(self):
        self.count = 0

    @operation
    def add(self) -> None:
        self.count += counting.STEP
"""


@pytest.mark.cluster
@pytest.mark.usefixtures("import_state")
def test_a_replica_that_restarts_with_other_code_has_the_states_compared(tmp_path: Path) -> None:
    (tmp_path / "user_counter.py").write_text(MACHINE.replace("counting", "user_counting"))
    (tmp_path / "user_counting.py").write_text("STEP = 1\n")
    sys.path.insert(0, str(tmp_path))
    machine = load_machine("user_counter:Counter", tmp_path)
    with LocalCluster(machine) as cluster:
        client = cluster.client_sync()
        client.submit(machine.operations["add"]())
        cluster.kill(2)
        (tmp_path / "user_counting.py").write_text("STEP = 2  # changed\n")
        cluster.restart(2)
        text = named(cluster, 1)[2]
        log = cluster.processes.log_file(2).read_text()
    assert "the machine's code has changed" in log
    assert "are in different states at index 2, genpaxos.checksum" in text


@pytest.mark.usefixtures("import_state")
def test_the_hash_of_the_code_is_that_of_the_machine_and_of_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "user_counter.py").write_text(MACHINE.replace("counting", "user_counting"))
    (tmp_path / "user_counting.py").write_text("STEP = 1\n")
    machine = load_machine("user_counter:Counter", tmp_path)
    before = code_hash(machine)
    assert code_hash(machine) == before
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    assert code_hash(machine) == before
    (tmp_path / "user_counting.py").write_text("STEP = 2\n")
    assert code_hash(machine) != before


def serve_says(environment: dict[str, str]) -> str:
    """What ``serve`` complains of, without a cluster file, and with which seed it was at the end."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONHASHSEED"}
    code = "import os, genpaxos.cli as cli; cli.complain = lambda e: print(os.environ['PYTHONHASHSEED'], hash('x')); "
    code += "raise SystemExit(cli.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "nowhere.toml", "0"],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    return done.stdout


def test_serve_starts_itself_anew_with_a_fixed_hash_seed() -> None:
    fixed = serve_says({})
    assert fixed.startswith("0 ")
    assert fixed == serve_says({"PYTHONHASHSEED": "random"}) == serve_says({"PYTHONHASHSEED": "0"})
    assert serve_says({"PYTHONHASHSEED": "17"}).startswith("17 "), "a seed that the user chose is kept"


def test_a_hash_seed_counts_as_fixed_only_if_it_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, expected in (("0", "0"), ("17", "17"), ("random", None), ("", None)):
        monkeypatch.setenv("PYTHONHASHSEED", given)
        assert hash_seed() == expected
    monkeypatch.delenv("PYTHONHASHSEED")
    assert hash_seed() is None
