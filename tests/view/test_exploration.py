from __future__ import annotations

from typing import Any

from rich.console import Console

from genpaxos.view.exploration import ExplorationView

FOUND: dict[str, Any] = {
    "complete": True,
    "violation": None,
    "states": 22_177,
    "transitions": 130_491,
    "bound": None,
    "depth": 19,
    "seconds": 3.0,
}


FLOW: dict[str, Any] = {
    "name": "explore",
    "title": "a violation",
    "policy": "classic",
    "lanes": ["0", "1"],
    "messages": [
        {"step": 0, "delay": 1, "from": "0", "to": "1", "message": "phase1a(1.0)", "kind": "deliver", "commands": []}
    ],
    "notes": [{"step": 0, "delay": 1, "note": "chosen twice", "lane": "1", "up": False}],
    "learned": [],
    "steps": [{"title": "the way there", "graph": {"table": "   w\nw  x", "commands": []}}],
}


def drawn(found: dict[str, Any]) -> list[str]:
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(ExplorationView(found))
    return capture.get().splitlines()


def test_a_complete_scope_without_violation_is_said_to_be_so() -> None:
    assert drawn(FOUND) == [
        "✓ no violation in the whole scope",
        "22,177 states, 130,491 transitions, depth 19, 3.0 s",
    ]


def test_a_bound_that_ended_it_is_no_pass() -> None:
    first, _ = drawn({**FOUND, "complete": False, "bound": "22176 states"})
    assert first == "? no violation in what was visited; ended by: 22176 states"


def test_a_violation_is_drawn_as_a_message_flow() -> None:
    violation = {"what": "\x1b[31mchosen twice", "trace": ["\x1b[31m"], "flow": FLOW}
    lines = drawn({**FOUND, "violation": violation})
    assert lines[0].startswith("✗ ")
    assert "1   ●───▶   phase1a(1.0)" in lines
    assert lines[-2].split() == ["│", "✗", "chosen", "twice"]
    assert "\x1b" not in "".join(lines)
