"""Message flows: arrows, failures, delays and what was learned, at several widths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from rich.cells import cell_len

from genpaxos.family import find
from genpaxos.view.flow import FlowView
from genpaxos.view.snapshot import SnapshotError
from tests.view.snapshots import console, drawn, names, snapshot, text_of

LANES = ["Client", "Leader", "Acceptor 1", "Acceptor 2", "Learner"]


def message(delay: int, sender: str, to: str, text: str, **more: Any) -> dict[str, Any]:
    return {"step": 0, "delay": delay, "from": sender, "to": to, "message": text, **more}


def flow(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small", "title": "an acceptor fails", "policy": "classic", "lanes": LANES,
        "messages": [
            message(1, "Client", "Leader", "Request(V)"),
            message(2, "Leader", "Acceptor 1", "Accept!(V)"),
            message(2, "Leader", "Acceptor 2", "Accept!(V)", lost=True),
            message(3, "Acceptor 1", "Leader", "Accepted(V)"),
            message(3, "Acceptor 1", "Learner", "Accepted(V)"),
            message(4, "Learner", "Client", "Response(⟨V⟩)", lost=True),
        ],
        "notes": [
            {"step": 0, "delay": 1, "note": "Acceptor 2 fails", "lane": "Acceptor 2", "up": False},
            {"step": 0, "delay": 4, "note": "that is all", "lane": None, "up": True},
        ],
        "learned": [{"command": "V", "delays": 3, "rule": "classic", "step": 0, "learners": {"Learner": 3}}],
        "steps": [{"title": "one request", "graph": snapshot([])}],
    } | changes  # fmt: skip


def test_a_flow_at_100_columns() -> None:
    assert drawn(FlowView.from_json(flow()), width=100) == text_of(
        """
small (classic): an acceptor fails
    Client   Leader   Acceptor Acceptor Learner
                      1        2
    │        │        │        │        │
one request
1   ●────────▶        │        │        │        Request(V)
    │        │        │        ✗        │        Acceptor 2 fails
2   │        ●────────▶────────✗        │        Accept!(V)
3   │        ◀────────●─────────────────▶        Accepted(V)
    │        │        │                 ★        learned V (classic, 3 delays)
4   ✗────────┼────────┼─────────────────●        Response(⟨V⟩)  lost
    │        │        │                 │        that is all
"""
    )


def test_a_flow_at_60_columns_has_initials_for_names() -> None:
    assert drawn(FlowView.from_json(flow()), width=60) == text_of(
        """
small (classic): an acceptor fails
C Client · L Leader · An Acceptor · L Learner
    C   L   A1  A2  L
    │   │   │   │   │
one request
1   ●───▶   │   │   │   Request(V)
    │   │   │   ✗   │   Acceptor 2 fails
2   │   ●───▶───✗   │   Accept!(V)
3   │   ◀───●───────▶   Accepted(V)
    │   │   │       ★   learned V (classic, 3 delays)
4   ✗───┼───┼───────●   Response(⟨V⟩)  lost
    │   │   │       │   that is all
"""
    )


def test_on_a_narrow_terminal_the_words_go_under_the_arrows() -> None:
    lines = drawn(FlowView.from_json(flow()), width=40)
    at = lines.index("2   │      ●──────▶──────✗      │")
    assert lines[at + 1] == "    Accept!(V)"
    assert max(map(cell_len, lines)) <= 40


def test_in_ascii_every_character_is_ascii() -> None:
    lines = drawn(FlowView.from_json(flow(), ascii=True), width=100)
    assert all(line.isascii() for line in lines)
    assert "2   |        o-------->--------X        |        Accept!(V)" in lines
    assert any(line.endswith("Response(<V>)  lost") for line in lines)


def test_without_colour_nothing_but_text_is_written() -> None:
    screen = console(100, color_system=None)
    with screen.capture() as capture:
        screen.print(FlowView.from_json(flow()))
    assert "\x1b" not in capture.get()


def test_equal_messages_of_one_delay_share_a_line_and_others_do_not() -> None:
    votes = [
        message(1, f"Acceptor {number}", "Learner", f"Accepted({value})") for number, value in [(1, "V"), (2, "V")]
    ]
    same = drawn(FlowView.from_json(flow(messages=votes)), width=100)
    votes[1]["message"] = "Accepted(W)"
    other = drawn(FlowView.from_json(flow(messages=votes)), width=100)
    assert len(other) == len(same) + 1


def test_a_decree_of_nothing_beside_a_decree_of_something_is_left_out() -> None:
    both = [
        message(1, "Leader", "Acceptor 1", "Accept!(V)", kind="Phase2a", commands=["V"]),
        message(1, "Leader", "Acceptor 1", "Accept!(null)", kind="Phase2a", commands=[]),
    ]
    assert not any("null" in line for line in drawn(FlowView.from_json(flow(messages=both))))
    assert any("null" in line for line in drawn(FlowView.from_json(flow(messages=both[1:]))))


def test_the_graph_that_is_stable_after_a_step_is_drawn_under_it() -> None:
    graph = snapshot(["deposit alice:add 10", "withdraw alice:update 5"])
    lines = drawn(FlowView.from_json(flow(steps=[{"title": "one", "graph": graph}])), width=80)
    assert "stable after it:" in lines
    assert any("alice" in line for line in lines[lines.index("stable after it:") :])


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["generalized", "basic-duel", "fast-collapsed", "told-chosen"])
def test_real_flows_fit_every_width(name: str, width: int) -> None:
    lines = drawn(FlowView.from_json(find(name).run().to_json()), width=width, height=500)
    assert max(map(cell_len, lines)) <= width
    assert any("★" in line for line in lines)


@given(text=names, title=names)
def test_no_text_of_others_reaches_the_terminal_as_it_is(text: str, title: str) -> None:
    hostile = f"\x1b[31m{text}\n[bold]"
    view = FlowView.from_json(flow(title=f"{title}\x1b]0;x\x07", messages=[message(1, "Client", "Leader", hostile)]))
    lines = drawn(view, width=100)
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"lanes": None}, r"flow.lanes must be a list, not null"),
        ({"messages": [message(1, "Client", "Nobody", "x")]}, r"'Nobody' is none of the flow's lanes: Client, Leader"),
        ({"messages": [message(-1, "Client", "Leader", "x")]}, r"message.delay counts something"),
        ({"steps": [{"title": "one"}]}, r"step has no 'graph'"),
        ({"notes": [{"step": 0, "delay": 0, "note": "x", "lane": None}]}, r"note has no 'up'"),
    ],
)
def test_a_flow_of_another_shape_is_an_error_that_says_what_belongs_there(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SnapshotError, match=complaint):
        FlowView.from_json(flow(**changes))
