from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genpaxos.cli import main
from tests.cli.running import ROOT, complaint, environment, genpaxos

COMMANDS = ["demo", "init", "serve", "call", "status", "graph", "check", "explain", "explore", "flow", "plan"]

HELP_LOADS = """
import sys
from genpaxos.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_instant_for_it_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_LOADS, *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert "usage: genpaxos" in done.stdout
    loaded = set(done.stderr.split())
    assert not loaded & {"zmq", "networkx", "asyncio", "rich", "orjson", "hypothesis", "sqlite3"}


def test_help_names_every_command_and_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)
    assert "2 wrong usage, 3 neither (call: outcome unknown; check: scope not finished), 130" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "COMMAND"),
        (["bogus"], "invalid choice: 'bogus'"),
        (["demo", "casino"], "invalid choice: 'casino'"),
        (["demo", "--interference", "1.5"], "1.5 is not between 0 and 1"),
        (["demo", "--replicas", "0"], "0 is not 1 or more"),
        (["demo", "--commands", "x"], "invalid"),
        (["demo", "--kill", "everyone"], "invalid choice"),
        (["serve", "cluster.toml"], "node"),
        (["graph", "cluster.toml", "--format", "png"], "invalid choice: 'png'"),
        (["verify", "cluster.toml", "--timeout", "nan"], "nan is not a finite number of seconds above 0"),
        (["explore", "--seconds-max", "nan"], "nan is not a number of seconds above 0"),
        (["explore", "--crashes", "-1"], "-1 is not 0 or more"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_is_right(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == ""
    assert hint in said.err


@pytest.mark.parametrize("arguments", [["serve", 0], ["call", "total"], ["status"], ["graph"]])
def test_a_missing_cluster_file_is_one_line(arguments: list[object], tmp_path: Path) -> None:
    said = complaint(arguments[0], "nothing.toml", *arguments[1:], cwd=tmp_path)
    assert said == "genpaxos: no cluster file at nothing.toml; `genpaxos init DIR` writes one\n"


def test_a_replica_that_is_not_in_the_file_is_one_line(tmp_path: Path) -> None:
    assert genpaxos("init", tmp_path / "c").returncode == 0
    assert "no replica 9: the cluster file has replicas 0 to 2" in complaint("serve", tmp_path / "c/cluster.toml", 9)
    assert "no replica 9" in complaint("graph", tmp_path / "c/cluster.toml", "--node", 9)


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert complaint("init", tmp_path / "file" / "new").startswith("genpaxos: ")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "machine.py").write_text("mine")
    assert "exists already; nothing was written" in complaint("init", tmp_path)


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    shell = f"{sys.executable} -m genpaxos check genpaxos.examples.bank:Bank --examples 0 --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", shell + "; exit ${PIPESTATUS[1]}"],
        capture_output=True, text=True, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
