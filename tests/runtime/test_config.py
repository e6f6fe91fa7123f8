from __future__ import annotations

import random
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.errors import ConfigError
from genpaxos.examples.bank import Bank
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig, load_machine
from genpaxos.runtime.identity import cluster_text

pytestmark = pytest.mark.usefixtures("import_state")

GOOD = """
[cluster]
name = "bank"
machine = "genpaxos.examples.bank:Bank"

[[replica]]
address = "tcp://127.0.0.1:7600"
directory = "data/0"

[[replica]]
address = "tcp://127.0.0.1:7601"
directory = "data/1"
"""

MACHINE = """
from commutativity import CommutativityTable, Machine, operation

class Outer:
    class Counter(Machine):
        table = CommutativityTable("read add\\nread . x\\nadd x .")

        def __init__(self) -> None:
            self.count = 0

        @operation(everything="add")
        def add(self) -> None:
            self.count += 1

class Empty(Machine):
    pass

Counter = Outer.Counter
"""


def load(directory: Path, text: str) -> ClusterConfig:
    file = directory / "cluster.toml"
    file.write_text(text, encoding="utf-8")
    return ClusterConfig.load(file)


def complaint(directory: Path, text: str) -> str:
    with pytest.raises(ConfigError) as found:
        load(directory, text)
    assert str(directory / "cluster.toml") in str(found.value), "every complaint names the file"
    return str(found.value)


def test_a_short_file_has_sensible_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert (config.policy, config.fast, config.timing) == (Policy.LEADER_ORDERED, FastQuorums.PINNED, Timing())
    assert config.load_machine() is Bank
    assert config.settings().replicas == 2


def test_relative_directories_count_from_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).replicas[1].directory == tmp_path / "data" / "1"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("[cluster]", "[clutser]", "the file has 'clutser'"),
        ('[cluster]\nname = "bank"\nmachine = "genpaxos.examples.bank:Bank"', "", "the table [cluster] is missing"),
        ("[cluster]\n", "[cluster]\ncolour = 1\n", "[cluster] has 'colour', which means nothing; known: "),
        ('name = "bank"', "name = 7", '[cluster] needs name = "...", not 7'),
        ('name = "bank"', 'name = ""', "[cluster] needs name"),
        ('machine = "genpaxos.examples.bank:Bank"', "", "[cluster] needs machine"),
        ("[cluster]\n", '[cluster]\npolicy = "fast"\n', "policy = 'fast': expected one of 'classic', 'leader-ordered'"),
        ("[cluster]\n", "[cluster]\npolicy = [1]\n", "policy = [1]: expected one of"),
        ("[cluster]\n", '[cluster]\nfast_quorum = "all"\n', "fast_quorum = 'all': expected one of 'pinned', 'any'"),
        (
            "[cluster]\n",
            "[cluster]\npreference = 1\n",
            "preference = 1: expected a list of replicas, by number from 0 to 1",
        ),
        ("[cluster]\n", "[cluster]\npreference = [2]\n", "preference names 2: expected a list of replicas"),
        ("[cluster]\n", "[cluster]\npreference = [true]\n", "preference names True: expected a list of replicas"),
        ("[cluster]\n", "[cluster]\npreference = [1, 1]\n", "preference names replica 1 twice"),
        ("[cluster]\n", '[cluster]\npinned = ["a"]\n', "pinned names 'a': expected a list of replicas"),
        ("[cluster]\n", "[cluster]\npinned = [0]\n", "pinned = [0] is no majority: name 2 of the 2 replicas, or more"),
        ("[cluster]\n", "[cluster]\npolicy = 'classic'\npinned = [0, 1]\n", 'means nothing with policy = "classic"'),
        ("[cluster]\n", "[cluster]\nfast_quorum = 'any'\npinned = [0, 1]\n", 'and fast_quorum = "any": a quorum is'),
        ("tcp://127.0.0.1:7601", "udp://127.0.0.1:7601", "[[replica]] 1: address 'udp://127.0.0.1:7601' is neither"),
        ("tcp://127.0.0.1:7601", "tcp://127.0.0.1", "[[replica]] 1: address"),
        ("tcp://127.0.0.1:7601", "tcp://127.0.0.1:65536", "[[replica]] 1: address"),
        ("tcp://127.0.0.1:7601", "tcp://127.0.0.1:0", "[[replica]] 1: address"),
        ("tcp://127.0.0.1:7601", "tcp://*:7601", "[[replica]] 1: address"),
        ("tcp://127.0.0.1:7601", "ipc:///" + "x" * 120, "the socket path is longer than"),
        ("tcp://127.0.0.1:7601", "tcp://127.0.0.1:7600", "replicas 0 and 1 have the same address"),
        ("data/1", "data/0", "replicas 0 and 1 have the same directory"),
        ('directory = "data/1"', "", '[[replica]] 1 needs directory = "..."'),
        ('directory = "data/1"', 'directory = "data/1"\nport = 1', "[[replica]] 1 has 'port'"),
        (GOOD[GOOD.index("[[") :], "", "expected 1 to 13 [[replica]] tables"),
        (GOOD[GOOD.index("[[") :], "replica = [1]", "[cluster] has 'replica'"),
        ("[cluster]", "timing = 1\n[cluster]", "[timing] is not a table"),
        ("[cluster]", "[timing]\nbeat_ms = 1\n[cluster]", "[timing] has 'beat_ms'"),
        ("[cluster]", "[timing]\nheartbeat_ms = 0\n[cluster]", "[timing] heartbeat_ms = 0: expected milliseconds"),
        ("[cluster]", "[timing]\nheartbeat_ms = 1.5\n[cluster]", "[timing] heartbeat_ms = 1.5"),
        ("[cluster]", "[timing]\nheartbeat_ms = true\n[cluster]", "[timing] heartbeat_ms = True"),
        ("[cluster]", "[timing]\nwatermark_ms = -1\n[cluster]", "[timing] watermark_ms = -1"),
        ("[cluster]", "[timing]\nelection_ms = 199\n[cluster]", "must be at least twice heartbeat_ms = 100"),
        ("[cluster]", "[cluster", "cannot read the cluster file"),
        ("[cluster]", "x = " + "[" * 5_000 + "\n[cluster]", "cannot read the cluster file"),
    ],
)
def test_every_complaint_names_the_file_and_the_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    assert old in GOOD
    assert place in complaint(tmp_path, GOOD.replace(old, new))


def test_too_many_replicas_are_refused(tmp_path: Path) -> None:
    head = GOOD[: GOOD.index("[[")]
    many = "".join(f'[[replica]]\naddress = "tcp://h:{n + 1}"\ndirectory = "{n}"\n' for n in range(14))
    assert "expected 1 to 13 [[replica]] tables" in complaint(tmp_path, head + many)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no cluster file at .*genpaxos init"):
        ClusterConfig.load(tmp_path / "nothing.toml")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the cluster file"):
        ClusterConfig.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="cannot read the cluster file"):
        ClusterConfig.load(tmp_path / "latin.toml")


def test_a_replica_number_beyond_the_file_is_refused(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    for node in (-1, 2):
        with pytest.raises(ConfigError, match=f"no replica {node}: the cluster file has replicas 0 to 1"):
            config.replica(node)


def replicas(count: int) -> str:
    head = GOOD[: GOOD.index("[[")]
    return head + "".join(f'[[replica]]\naddress = "tcp://h:{n + 1}"\ndirectory = "{n}"\n' for n in range(count))


def test_who_coordinates_and_who_is_pinned_may_be_fixed(tmp_path: Path) -> None:
    config = load(tmp_path, replicas(5).replace("[cluster]\n", "[cluster]\npreference = [2, 1]\npinned = [2, 0, 1]\n"))
    assert config.settings().preference == (2, 1, 0, 3, 4), "those left out follow by number"
    assert config.settings().pinned == (0, 1, 2)
    assert load(tmp_path, replicas(5)).settings().pinned == ()


def test_the_first_to_coordinate_is_among_the_pinned(tmp_path: Path) -> None:
    for preference, pinned, first in (("[3]", "[0, 1, 2]", 3), ("[]", "[1, 2, 3]", 0)):
        lines = f"[cluster]\npreference = {preference}\npinned = {pinned}\n"
        said = complaint(tmp_path, replicas(5).replace("[cluster]\n", lines))
        assert f"pinned = {pinned} leaves out replica {first}, the first to coordinate" in said
        assert f"Put {first} into it, or let preference begin with one of its members" in said


def test_who_coordinates_and_who_is_pinned_may_change_under_a_running_cluster(tmp_path: Path) -> None:
    config = load(tmp_path, replicas(5))
    assert cluster_text(replace(config, preference=(1,), pinned=(0, 1, 2))) == cluster_text(config)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
milliseconds = st.integers(1, 3_600_000)


@given(
    name=names,
    machine=names,
    directories=st.lists(
        names.filter(lambda n: not n.startswith("~") and "\0" not in n and n.strip("./")),
        min_size=1,
        max_size=4,
        unique_by=Path,
    ),
    policy=st.sampled_from(Policy),
    fast=st.sampled_from(FastQuorums),
    beat=st.integers(1, 10**6),
    rest=st.tuples(milliseconds, milliseconds, st.integers(0, 3_600_000)),
    order=st.randoms(use_true_random=False),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_the_text_of_a_configuration_reads_back_equal(
    tmp_path: Path,
    name: str,
    machine: str,
    directories: list[str],
    policy: Policy,
    fast: FastQuorums,
    beat: int,
    rest: tuple[int, int, int],
    order: random.Random,
) -> None:
    nodes = list(range(len(directories)))
    order.shuffle(nodes)
    pinned = (
        sorted(nodes[: len(nodes) // 2 + 1]) if (policy, fast) == (Policy.LEADER_ORDERED, FastQuorums.PINNED) else []
    )
    config = ClusterConfig(
        name=name,
        machine=machine,
        replicas=tuple(
            ReplicaConfig(f"tcp://[::1]:{7600 + n}", tmp_path / f"{n}" / directory)
            for n, directory in enumerate(directories)
        ),
        policy=policy,
        fast=fast,
        preference=tuple(nodes),
        pinned=tuple(pinned),
        timing=Timing(beat, 2 * beat, *rest),
        base=tmp_path.resolve(),
    )
    assert load(tmp_path, config.text()) == config


def test_every_interval_is_in_the_text() -> None:
    timing = Timing(**{f.name: 1_000 + n for n, f in enumerate(fields(Timing))})
    text = replace(ClusterConfig("c", "m:M", ()), timing=timing).text()
    for number, each in enumerate(fields(Timing)):
        assert f"{each.name} = {1_000 + number}" in text


# Machines -----------------------------------------------------------------------------------------------------------


def test_a_machine_may_be_named_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counter.py").write_text(MACHINE)
    assert load_machine(f"{tmp_path}/counter.py:Counter").operations.keys() == {"add"}
    monkeypatch.chdir(tmp_path)
    assert load_machine("counter.py:Outer.Counter") is load_machine(f"{tmp_path}/counter.py:Counter")


def test_a_machine_is_looked_for_beside_the_cluster_file(tmp_path: Path) -> None:
    (tmp_path / "user_counter.py").write_text(MACHINE)
    by_module = load(tmp_path, GOOD.replace("genpaxos.examples.bank:Bank", "user_counter:Counter"))
    assert by_module.load_machine().operations.keys() == {"add"}
    by_file = load(tmp_path, GOOD.replace("genpaxos.examples.bank:Bank", "user_counter.py:Counter"))
    assert by_file.load_machine().operations.keys() == {"add"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("genpaxos.examples.bank", "expected 'module:Class' or 'file.py:Class'"),
        (":Bank", "expected 'module:Class'"),
        ("genpaxos.examples.bank:", "expected 'module:Class'"),
        ("", "expected 'module:Class'"),
        ("examples.bnak:Bank", "cannot import 'examples.bnak'"),
        (".bank:Bank", "cannot import '.bank'"),
        ("nothing.py:Bank", "there is no file .*nothing.py"),
        ("genpaxos.examples.bank:Bnak", "has no machine 'Bnak'.*; it has Bank"),
        ("genpaxos.examples.bank:InvalidAmount", "has no machine 'InvalidAmount'"),
        ("json:Bank", "it has no machine at all"),
    ],
)
def test_a_machine_that_is_not_there_is_reported_with_what_is(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){hint}"):
        load_machine(name)


def test_a_machine_without_operations_is_none(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(MACHINE)
    with pytest.raises(ConfigError, match=r"has no machine 'Empty'.*it has Counter"):
        load_machine(f"{tmp_path}/counter.py:Empty")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("def f(:\n", "SyntaxError.*line 1"),
        ("x = 1\n\n1 / 0\n", "line 3.*ZeroDivisionError"),
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        (MACHINE.replace("x\\nadd x .", "x\\nadd . ."), "line 6.*TableError"),
        (MACHINE.replace('everything="add"', 'everything="addd"'), "addd"),
    ],
)
@pytest.mark.parametrize("by_file", [True, False])
def test_a_machine_that_does_not_import_is_reported_with_its_place(
    tmp_path: Path, source: str, hint: str, by_file: bool
) -> None:
    (tmp_path / "user_broken.py").write_text(source)
    name = f"{tmp_path}/user_broken.py:Counter" if by_file else "user_broken:Counter"
    for _ in range(2):  # what failed once must not be found half-made the second time
        with pytest.raises(ConfigError, match=f"(?s)cannot import .*{hint}"):
            load_machine(name, tmp_path)


@pytest.mark.parametrize(("given", "expected"), [("", 3_600), ("checksum_s = 0", 0), ("checksum_s = 5", 5)])
def test_the_interval_of_checksums_is_read_written_and_handed_to_the_core(
    tmp_path: Path, given: str, expected: int
) -> None:
    config = load(tmp_path, GOOD.replace("[[replica]]", f"{given}\n[[replica]]", 1))
    assert config.checksum_s == expected
    assert config.settings().checksum_ms == 1_000 * expected
    assert load(tmp_path, config.text()).checksum_s == expected
    assert "checksum" not in cluster_text(config), "it may be changed later"


@pytest.mark.parametrize("given", ["-1", "true", '"often"', "1.5"])
def test_an_interval_of_checksums_that_cannot_be_meant_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError, match="expected a number of seconds"):
        load(tmp_path, GOOD.replace("[[replica]]", f"checksum_s = {given}\n[[replica]]", 1))
