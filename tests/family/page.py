"""docs/family.md: the walk through the family, made of what the program prints."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from genpaxos.core.ballot import Policy
from genpaxos.family import FLOWS, Flow, basic, fast, generalized, multi, optimisations
from genpaxos.view.flow import FlowView

PAGE = Path(__file__).parent.parent.parent / "docs" / "family.md"
WIDTH = 108
MODULES = (basic, multi, optimisations, fast, generalized)
ALSO = {"generalized": (Policy.LEADER_ORDERED, Policy.UNCOORDINATED)}
"""Flows that the page shows under other policies as well."""

HEAD = """# The family

Every protocol of the article "Paxos (computer science)" that tolerates crashes is one configuration of the same core:
the c-struct (what a machine's table makes interfere), the kind of ballot, how collisions are recovered, and who plays
which role. `genpaxos flow NAME` runs the real replicas in lock-step, where everybody gets, in one step, all that was
sent one message delay before, and draws what they said. The configurations are in `genpaxos/family/`.

How to read a flow: time runs downwards, with a lane per process. `●` sends, `▶` and `◀` receive, `✗` is a process that
fails or a message that is lost, `★` learns, `!` remarks. On the left is the delay, counted from the client's send, at
which the messages arrive; equal messages of one delay share a line. A ballot is written `number.coordinator`, and
`1: ⟨V, W⟩` are the decrees from index 1 on. Decrees go to the learners too, so that votes need carry only digests.
Below a step is the graph of commands that is stable after it.

This page is what the program prints; `pytest tests/family --rewrite-scenarios` writes it anew.

| flow | protocol | what happens | c-struct | ballots | policies, its own first |
|---|---|---|---|---|---|
"""


def page_text() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += [
        f"| `{flow.name}` | {flow.protocol} | {flow.title} | {flow.structure} | {flow.ballots} | {_policies(flow)} |\n"
        for flow in FLOWS.values()
    ]
    for module in MODULES:
        title, _, text = (module.__doc__ or "").partition("\n\n")
        parts += [f"\n## {module.FLOWS[0].protocol}\n\n{title}\n\n{text.strip()}\n"]
        for flow in module.FLOWS:
            parts.append(_section(flow, flow.policies[0]))
            parts += [_section(flow, policy) for policy in ALSO.get(flow.name, ())]
    return "".join(parts)


def _section(flow: Flow, policy: Policy) -> str:
    option = "" if policy is flow.policies[0] else f" --policy {policy}"
    return f"\n### `genpaxos flow {flow.name}{option}`\n\n```text\n{_drawing(flow, policy)}```\n"


def _drawing(flow: Flow, policy: Policy) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(FlowView.from_json(flow.run(policy).to_json()))
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines()) + "\n"


def _policies(flow: Flow) -> str:
    return ", ".join(flow.policies)
