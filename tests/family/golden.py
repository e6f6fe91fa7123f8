"""A flow as text: its script and its whole trace, for the golden files."""

from __future__ import annotations

import io

from rich.console import Console

from genpaxos.core.ballot import Policy
from genpaxos.family import Flow, Trace
from genpaxos.view.graph import CommandGraph
from genpaxos.view.heap import Heap


def text_of(flow: Flow, policy: Policy) -> str:
    """`> ` is the script; a number is the delay at which messages arrive; `* ` learns; `! ` remarks."""
    trace = flow.run(policy)
    lines = [
        f"# {flow.protocol}: {flow.title}",
        f"# c-struct {flow.structure}; policy {policy}; {', '.join(trace.lanes)}",
    ]
    lines += _moment(trace, -1, 0)
    for number, step in enumerate(trace.steps):
        lines += ["", f"== {step.title}"]
        last = max((message.delay for message in trace.messages if message.step == number), default=0)
        for delay in range(last + 1):
            lines += _moment(trace, number, delay)
        lines += _heap(CommandGraph.from_json(step.graph))
    return "\n".join(lines) + "\n"


def _moment(trace: Trace, step: int, delay: int) -> list[str]:
    """What happens at one delay."""
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for message in trace.messages:
        if (message.step, message.delay) == (step, delay):
            groups.setdefault((message.sender, message.text, message.lost), []).append(message.receiver)
    lines = [
        f"{delay}  {sender} -> {', '.join(receivers)}: {text}{' (lost)' if lost else ''}"
        for (sender, text, lost), receivers in groups.items()
    ]
    for learning in trace.learned:
        if learning.step == step and delay in learning.learners.values():
            who = ", ".join(lane for lane, delays in learning.learners.items() if delays == delay)
            lines.append(f"*  {who}: learned {learning.command} ({learning.rule}, {delay} delays)")
    lines += [f"!  {note.text}" for note in trace.notes if (note.step, note.delay) == (step, delay)]
    return lines + [f"> {what}" for at_step, at, what in trace.script if (at_step, at) == (step, delay)]


def _heap(graph: CommandGraph) -> list[str]:
    if not graph.commands:
        return []
    console = Console(file=io.StringIO(), width=72, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(Heap(graph))
    return ["stable:", *(f"  {line.rstrip()}" for line in capture.get().splitlines())]
