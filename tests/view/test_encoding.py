"""Whatever the terminal's encoding, output is shown and JSON stays JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genpaxos.view.encoding import PLAIN, make_printable, takes_unicode

ROOT = Path(__file__).parents[2]


def genpaxos(*arguments: str, encoding: str = "ascii") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "genpaxos", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=environment, cwd=ROOT, timeout=60)


def test_each_plain_character_stands_for_one() -> None:
    assert all(len(drawn) == len(plain) == 1 and plain.isascii() for drawn, plain in PLAIN.items())


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "+ \\xe9 \\u4e2d > \\udcff"), ("latin-1", "+ é \\u4e2d > \\udcff"), ("utf-8", "✓ é 中 → \\udcff")],
)
def test_what_an_encoding_lacks_is_shown_by_something_plain(encoding: str, shown: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    make_printable(stream)
    stream.write("✓ é 中 → \udcff")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == shown  # type: ignore[attr-defined]
    assert takes_unicode(stream) == (encoding == "utf-8")


def test_streams_that_take_no_settings_are_left_alone() -> None:
    make_printable(io.StringIO())


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "genpaxos.examples.register:Registers", "--examples", "5"),
        ("explain", "genpaxos.examples.register:Registers", "write é 1", "read é"),
        ("flow",),
        ("flow", "generalized"),
        ("simulate", "--seeds", "2"),
        ("simulate", "--seed", "3"),
        ("explore", "--commands", "1", "--acceptors", "3"),
    ],
)
def test_every_command_works_on_an_ascii_terminal(arguments: tuple[str, ...]) -> None:
    done = genpaxos(*arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_stays_json(encoding: str) -> None:
    done = genpaxos(
        "explain", "genpaxos.examples.register:Registers", "write é😀 1", "read é😀", "--json", encoding=encoding
    )
    found = json.loads(done.stdout.decode(encoding))
    assert "é😀" in json.dumps(found, ensure_ascii=False)


def test_an_error_that_no_encoding_can_show_is_shown_all_the_same() -> None:
    done = genpaxos("check", "nö\udcff:X", encoding="utf-8")
    assert done.returncode == 1
    assert "nö\\udcff:X" in done.stderr.decode()
