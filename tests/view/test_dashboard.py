"""The dashboard fits any console, and the line for pipes says the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genpaxos.view.cluster import ClusterStatus
from genpaxos.view.dashboard import Dashboard, DemoEvent, DemoSnapshot, plain_line
from genpaxos.view.graph import CommandGraph
from tests.view import snapshots as graphs
from tests.view.snapshots import SKETCH, console, drawn, names, text_of
from tests.view.test_status import TROUBLED, statuses

DEMO = DemoSnapshot(
    title="demo bank",
    status=TROUBLED,
    graph=graphs.bank(*SKETCH, "classic: withdraw bob 1", "fast: balance bob", "accepted: deposit bob 8"),
    acknowledged=612,
    total=1000,
    rate_per_s=410.4,
    elapsed_s=12.34,
    phase="running",
    events=(
        DemoEvent(at_s=3.0, text="kill -9 replica 2 (coordinator)", kind="fault"),
        DemoEvent(at_s=3.9, text="new coordinator 1 after 0.9 s", kind="repair"),
    ),
    prefer=("alice", "bob", "carol"),
)


def test_the_demo_at_80_by_24() -> None:
    assert drawn(Dashboard(DEMO), height=25) == text_of(
        """
demo bank  ███████████░░░░░░░  612/1,000 acknowledged · 410/s · 12.3 s · running
quorum ✓ yes: hears 4 of 5, needs 3 · coordinator 1 · ballot (3, 1)
pinned 0 1 2 · fast path ████████████████████░░░░░ 81 %
node  role         ballot  quorum  committed  executed  lag  fast  silence
   0  acceptor     (3, 1)  yes         1,200     1,234    0  81 %    40 ms
   1  coordinator  (3, 1)  yes         1,200     1,234    0  81 %    40 ms
   2  unreachable
   3  acceptor     (2, 2)  yes         1,200     1,234   14  81 %    40 ms
   4  acceptor     (3, 1)  NO          1,200     1,234    0  81 %    40 ms
── stable command graph ────────────────────────────────────────────────────────
level          alice                  bob                  carol
  0    ▐   deposit 10 ×2    ▌▐     deposit 7      ▌▐    deposit 1 ×2    ▌
  1    ▐     withdraw 5     ▌                      ▐      balance       ▌
  2    ▐─────────────── transfer 3 ───────────────▌
  3                          ▐      balance       ▌
  4                          ┃     withdraw 1     ┃
  5                          ║      balance       ║
  6                          │     deposit 8      │
│accepted│ 1  ║fast║ 1  ┃classic┃ 1  ▐executed▌ 9 · 7 levels
── events ──────────────────────────────────────────────────────────────────────
   3.0 s  kill -9 replica 2 (coordinator)
   3.9 s  new coordinator 1 after 0.9 s
"""
    )


def test_the_demo_at_40_columns() -> None:
    assert drawn(Dashboard(DEMO), width=40, height=32) == text_of(
        """
demo bank  ██████████████████░░░░░░░░░░░
612/1,000 acknowledged · 410/s · 12.3 s
running
quorum ✓ yes: hears 4 of 5, needs 3
coordinator 1 · ballot (3, 1)
pinned 0 1 2
fast path ████████████████████░░░░░ 81 %
node  role         executed  lag  fast
   0  acceptor        1,234    0  81 %
   1  coordinator     1,234    0  81 %
   2  unreachable
   3  acceptor        1,234   14  81 %
   4  acceptor        1,234    0  81 %
── stable command graph ────────────────
       alice        bob        carol
  0 ▐deposit ×2▌▐deposit 7 ▌▐deposit ×2▌
  1 ▐withdraw 5▌            ▐ balance  ▌
  2 ▐───── transfer 3 ─────▌
  3             ▐ balance  ▌
  4             ┃withdraw 1┃
  5             ║ balance  ║
  6             │deposit 8 │
│accepted│ 1  ║fast║ 1  ┃classic┃ 1
▐executed▌ 9 · 7 levels
── events ──────────────────────────────
   3.0 s  kill -9 replica 2 (coordinato…
   3.9 s  new coordinator 1 after 0.9 s
"""
    )


def test_a_wide_console_has_the_graph_beside_the_rest() -> None:
    assert drawn(Dashboard(DEMO), width=140, height=16) == text_of(
        """
── stable command graph ─────────────────────────────────────────────────────   demo bank  ████████████████████████░░░░░░░░░░░░░░░░
level          alice                  bob                  carol                612/1,000 acknowledged · 410/s · 12.3 s · running
  0    ▐   deposit 10 ×2    ▌▐     deposit 7      ▌▐    deposit 1 ×2    ▌       quorum ✓ yes: hears 4 of 5, needs 3 · coordinator 1
  1    ▐     withdraw 5     ▌                      ▐      balance       ▌       ballot (3, 1) · pinned 0 1 2
  2    ▐─────────────── transfer 3 ───────────────▌                             fast path ████████████████████░░░░░ 81 %
  3                          ▐      balance       ▌                             node  role         ballot  quorum  executed  lag  fast
  4                          ┃     withdraw 1     ┃                                0  acceptor     (3, 1)  yes        1,234    0  81 %
  5                          ║      balance       ║                                1  coordinator  (3, 1)  yes        1,234    0  81 %
  6                          │     deposit 8      │                                2  unreachable
│accepted│ 1  ║fast║ 1  ┃classic┃ 1  ▐executed▌ 9 · 7 levels                       3  acceptor     (2, 2)  yes        1,234   14  81 %
                                                                                   4  acceptor     (3, 1)  NO         1,234    0  81 %
                                                                                ── events ──────────────────────────────────────────────────
                                                                                   3.0 s  kill -9 replica 2 (coordinator)
                                                                                   3.9 s  new coordinator 1 after 0.9 s
"""  # noqa: E501
    )


def test_the_line_for_pipes() -> None:
    assert plain_line(DEMO) == (
        "demo bank: 612/1,000 acknowledged, 410/s, 12.3 s, running, fast 81 %, replicas 4/5, quorum yes, "
        "coordinator 1, [3.9 s] new coordinator 1 after 0.9 s"
    )


def test_before_anything_is_known() -> None:
    empty = DemoSnapshot(title="demo", status=ClusterStatus(cluster="bank"))
    assert plain_line(empty) == ("demo: 0 acknowledged, 0/s, 0.0 s, fast -, replicas 0/0, quorum NO, no coordinator")
    assert "not known yet" in drawn(Dashboard(empty), height=20)[-1]


demos = st.builds(
    DemoSnapshot,
    title=names,
    status=statuses.map(ClusterStatus.from_json),
    graph=st.none() | graphs.snapshots(size=12).map(CommandGraph.from_json),
    acknowledged=st.integers(0, 10**9),
    total=st.integers(0, 10**9),
    rate_per_s=st.floats(0, 1e9),
    elapsed_s=st.floats(0, 1e6),
    phase=names,
    events=st.lists(
        st.builds(DemoEvent, at_s=st.floats(0, 1e6), text=names, kind=st.sampled_from(["fault", "repair", "note"])),
        max_size=8,
    ).map(tuple),
    prefer=st.lists(names, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=100)
@given(demos, st.integers(40, 200), st.integers(2, 60), st.booleans())
def test_any_demo_fits_any_console(demo: DemoSnapshot, width: int, height: int, plain: bool) -> None:
    on = console(width, height)
    lines = on.render_lines(Dashboard(demo, ascii=plain), on.options, pad=False)
    assert len(lines) < height
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    text = "".join(segment.text for line in lines for segment in line)
    assert "\x1b" not in text
    assert not plain or text.isascii()
    assert "\n" not in plain_line(demo)


@pytest.mark.parametrize("height", [24, 40, 60])
def test_the_newest_level_is_on_every_screen(height: int) -> None:
    lines: list[Any] = [line for line in drawn(Dashboard(DEMO), height=height) if "deposit 8" in line]
    assert len(lines) == 1
