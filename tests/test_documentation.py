"""Every example in the documentation runs.

A fenced block ``python file=NAME`` is written to that file; one without a name is run as a script; of a ``console``
block the ``$`` lines are run by bash, and the lines under them must occur in the output (``…`` is anything). All
blocks of one page share a directory and run in order. Other blocks (``text``, ``toml``, ``sh``) are shown, not run.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)(?: file=(?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 90


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "PYTHONWARNINGS": "error",
    }


def run_script(text: str, directory: Path) -> None:
    script = directory / "example.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, script],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def run_console(text: str, directory: Path) -> None:
    """Run the commands in one shell; a marker between them tells their outputs apart."""
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line:
            commands[-1][1].append(line)
    script = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"
    for number, (command, _) in enumerate(commands):
        script += f"{command}\necho; echo '<<{number}>>' $?\n"
    shell = subprocess.Popen(
        ["bash"], cwd=directory, env=environment(), text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = shell.communicate(script, timeout=LIMIT_S)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.communicate()
    rest = output
    for number, (command, expected) in enumerate(commands):
        shown, _, rest = rest.partition(f"<<{number}>>")
        status, _, rest = rest.partition("\n")
        assert status.strip() == "0", f"$ {command}\nexit {status}\n{shown}"
        for line in expected:
            pattern = ".*".join(map(re.escape, line.strip("…").split("…")))
            assert re.search(pattern, shown), f"$ {command}\nexpected {line!r} in\n{shown}"


@pytest.mark.cluster
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        language, file, text = block["language"], block["file"], block["text"]
        if language == "python" and file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
        elif language == "python":
            run_script(text, tmp_path)
        elif language == "console":
            run_console(text, tmp_path)


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in [*PAGES, *(ROOT / f"{name}.md" for name in ("DESIGN", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
