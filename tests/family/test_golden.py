"""The flows as golden files: the script of each, and the full trace of what the real core did.

After a change that is meant, ``pytest tests/family --rewrite-scenarios`` writes them anew; read the difference before
committing it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.family import FLOWS, Flow
from tests.family.golden import text_of

FILES = Path(__file__).parent / "flows"
RUNS = {
    f"{flow.name}{f'.{policy}' * (len(flow.policies) > 1)}": (flow, policy)
    for flow in FLOWS.values()
    for policy in flow.policies
}


@pytest.mark.parametrize(("name", "flow", "policy"), [(name, *run) for name, run in RUNS.items()], ids=list(RUNS))
def test_a_flow_runs_as_its_file_says(name: str, flow: Flow, policy: Policy, request: pytest.FixtureRequest) -> None:
    path, played = FILES / f"{name}.txt", text_of(flow, policy)
    if request.config.getoption("--rewrite-scenarios"):
        path.write_text(played, encoding="utf-8")
    else:
        assert played == path.read_text(encoding="utf-8")


def test_there_is_a_file_for_every_flow_and_none_besides(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-scenarios"):
        for path in FILES.glob("*.txt"):
            if path.stem not in RUNS:
                path.unlink()
    assert {path.stem for path in FILES.glob("*.txt")} == set(RUNS)
