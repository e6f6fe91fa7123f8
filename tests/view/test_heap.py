"""The heap of pieces: drawings compared line by line, then properties on arbitrary snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.layout import Layout

from genpaxos.view.graph import CommandGraph
from genpaxos.view.heap import Heap
from genpaxos.view.layout import arrange, columns_for
from tests.view.snapshots import SKETCH, bank, console, drawn, snapshots, text_of


def test_the_sketch_of_the_architecture_page() -> None:
    assert drawn(Heap(bank(*SKETCH))) == text_of(
        """
level          alice                  bob                  carol
  0    ▐   deposit 10 ×2    ▌▐     deposit 7      ▌▐    deposit 1 ×2    ▌
  1    ▐     withdraw 5     ▌                      ▐      balance       ▌
  2    ▐─────────────── transfer 3 ───────────────▌
  3                          ▐      balance       ▌
▐executed▌ 9 · 4 levels
"""
    )


def test_a_bar_crosses_a_column_it_does_not_touch_with_dashes() -> None:
    graph = bank("deposit bob 1", "transfer alice carol 5", "balance bob", "transfer carol alice 2")
    assert drawn(Heap(graph, prefer=("alice", "bob", "carol")), width=60) == text_of(
        """
level        alice             bob             carol
  0    ▐─ transfer 5 ──▌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▐───────────────▌
                        ▐   deposit 1   ▌
  1    ▐─ transfer 2 ──▌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▐───────────────▌
                        ▐    balance    ▌
▐executed▌ 4 · 2 levels
"""
    )


def test_the_whole_machine_is_a_double_bar_and_an_undeclared_command_is_counted() -> None:
    graph = bank("deposit alice 1", "total", "upgrade", "noop", "balance bob")
    assert drawn(Heap(graph), width=60) == text_of(
        """
level          alice                  bob
  0    ▐     deposit 1      ▌
  1    ▐═════════════════ total ══════════════════▌
  2    ▐════════════════ upgrade ═════════════════▌
  3                          ▐      balance       ▌
▐executed▌ 5 · 4 levels · 1 touching nothing · 1 undeclared
"""
    )


def test_every_state_has_an_edge_of_its_own_without_colour() -> None:
    states = ("executed", "classic", "fast", "accepted", "proposed")
    graph = bank(*(f"{state}: withdraw alice {i}" for i, state in enumerate(states)))
    assert drawn(Heap(graph)) == text_of(
        """
level          alice
  0    ▐     withdraw 0     ▌
  1    ┃     withdraw 1     ┃
  2    ║     withdraw 2     ║
  3    │     withdraw 3     │
  4    ┊     withdraw 4     ┊
┊proposed┊ 1  │accepted│ 1  ║fast║ 1  ┃classic┃ 1  ▐executed▌ 1 · 5 levels
"""
    )


def test_ascii_terminals_get_ascii_only() -> None:
    states = ("executed", "classic", "fast", "accepted", "proposed")
    lines = [f"{state}: transfer alice carol {i}" for i, state in enumerate(states)]
    graph = bank(*lines, "deposit böb 1", "deposit böb 1", "deposit böb 1", "total")
    expected = text_of(
        """
level        alice            carol           b\\xf6b
  0    [---------- transfer 0 ----------][ deposit 1 x3  ]
  1    (---------- transfer 1 ----------)
  2    {---------- transfer 2 ----------}
  3    |---------- transfer 3 ----------|
  4    :---------- transfer 4 ----------:
  5    [===================== total =====================]
:proposed: 1  |accepted| 1  {fast} 1  (classic) 1
[executed] 5 - 6 levels
"""
    )
    assert drawn(Heap(graph, ascii=True), width=60) == expected
    assert drawn(Heap(graph), width=60, encoding="ascii") == expected


def test_runs_fold_by_operation_and_state() -> None:
    lines = ["deposit alice 10"] * 2 + [f"deposit bob {i}" for i in range(37)]
    lines += ["fast: deposit alice 10", "credit", "transfer alice bob 1"]
    assert drawn(Heap(bank(*lines))) == text_of(
        """
level          alice                  bob
  0    ▐   deposit 10 ×2    ▌▐    deposit ×37     ▌
       ║     deposit 10     ║
  1    ▐─────────────── transfer 1 ───────────────▌
║fast║ 1  ▐executed▌ 41 · 2 levels · 1 touching nothing
"""
    )


def test_old_levels_and_cold_resources_are_counted_at_40_columns() -> None:
    lines = [f"withdraw {name} {i}" for i in range(9) for name in ("alice", "bob")]
    lines += [f"deposit cold{i} 1" for i in range(14)] + ["transfer alice cold3 7", "total"]
    graph = bank(*lines, first=81, total=200)
    assert drawn(Heap(graph, rows=12), width=40) == text_of(
        """
       alice        bob      +14 others
    … 3 earlier levels
  3 ▐withdraw 3▌▐withdraw 3▌
  4 ▐withdraw 4▌▐withdraw 4▌
  5 ▐withdraw 5▌▐withdraw 5▌
  6 ▐withdraw 6▌▐withdraw 6▌
  7 ▐withdraw 7▌▐withdraw 7▌
  8 ▐withdraw 8▌▐withdraw 8▌
  9 ▐ transfer ▌╌╌╌╌╌╌╌╌╌╌╌╌▐──────────▌
 10 ▐═════════════ total ══════════════▌
▐executed▌ 34 · 11 levels
commands 81–114 of 200
"""
    )


def test_wide_and_hostile_names_keep_the_columns_straight() -> None:
    graph = bank(
        "deposit 口座 1",
        "deposit [red]x[/] 1",
        "deposit \x1b[31mevil\x07 1",
        "transfer 口座 [red]x[/] 漢漢漢漢漢漢漢漢漢",
    )
    assert drawn(Heap(graph)) == text_of(
        """
level           evil               [red]x[/]                口座
  0    ▐     deposit 1      ▌▐     deposit 1      ▌▐     deposit 1      ▌
  1                          ▐────── transfer 漢漢漢漢漢漢漢漢漢 ───────▌
▐executed▌ 4 · 2 levels
"""
    )


def test_an_empty_graph_says_so() -> None:
    assert drawn(Heap(bank())) == ["no commands yet"]


def test_colour_fills_what_is_learned_and_outlines_what_is_not() -> None:
    graph = bank("fast: deposit alice 1", "proposed: withdraw alice 2")
    on = console(60, color_system="truecolor", no_color=False, force_terminal=True)
    with on.capture() as captured:
        on.print(Heap(graph))
    fast, proposed = captured.get().split("\n")[1:3]
    assert "48;2;76;195;138" in fast
    assert "▐" in fast
    assert "48;2" not in proposed
    assert "┊" in proposed


def test_resources_that_meet_stand_next_to_each_other() -> None:
    lines = ["transfer a d 1"] * 5 + ["balance b", "balance c", "transfer d b 1"]
    assert columns_for(bank(*lines), 10).names == ("a", "d", "b", "c")


def test_the_most_used_resources_get_the_columns() -> None:
    columns = columns_for(bank(*(f"balance a{i}" for i in range(20) for _ in range(i))), 4)
    assert columns.names == ("a17", "a18", "a19")
    assert columns.others == 16


def test_preferred_columns_stand_still_whatever_is_used() -> None:
    for heat in ([1, 2, 3, 4], [4, 3, 2, 1]):
        lines = [f"balance a{i}" for i, times in enumerate(heat) for _ in range(times)]
        columns = columns_for(bank(*lines), 4, prefer=("a3", "idle"))
        assert columns.names == ("a3", "idle", "a0")
        assert columns.others == 2


def test_columns_stand_in_natural_order() -> None:
    assert columns_for(bank("balance a10", "balance a9", "balance a1"), 5).names == ("a1", "a9", "a10")


def test_a_layout_gives_the_heap_its_height() -> None:
    graph = bank(*[f"withdraw alice {i}" for i in range(100)])
    lines = drawn(Layout(Heap(graph)), width=60, height=20)
    assert len(lines) == 20
    assert lines[1].strip() == "… 83 earlier levels"
    assert "withdraw 99" in lines[18]


@settings(deadline=None, max_examples=150)
@given(snapshots(), st.integers(40, 200), st.none() | st.integers(1, 40), st.booleans(), st.booleans())
def test_any_snapshot_is_drawn_within_the_console(
    data: dict[str, Any], width: int, rows: int | None, plain: bool, colour: bool
) -> None:
    graph = CommandGraph.from_json(data)
    options: dict[str, Any] = {"color_system": "truecolor", "no_color": False} if colour else {}
    on = console(width, **options)
    lines = on.render_lines(Heap(graph, rows=rows, ascii=plain), on.options, pad=False)
    assert all(sum(cell_len(segment.text) for segment in line) <= width for line in lines)
    assert rows is None or len(lines) <= rows
    text = "".join(segment.text for line in lines for segment in line)
    assert "\x1b" not in text
    assert not plain or text.isascii()


@settings(deadline=None, max_examples=100)
@given(snapshots(), st.integers(1, 8))
def test_pieces_of_a_line_do_not_overlap_and_none_is_lost(data: dict[str, Any], capacity: int) -> None:
    graph = CommandGraph.from_json(data)
    levels, earlier = arrange(graph, columns_for(graph, capacity))
    assert earlier == 0
    for level in levels:
        for line in level.lines:
            spans = [column for piece in line for column in piece.span]
            assert spans == sorted(set(spans))
    drawn_count = sum(piece.count for level in levels for line in level.lines for piece in line)
    hidden = sum(level.hidden for level in levels)
    assert drawn_count + hidden == sum(bool(command.footprint) for command in graph.commands)


@pytest.mark.parametrize("rows", range(1, 25))
def test_the_newest_level_is_drawn_as_long_as_there_is_room_for_it(rows: int) -> None:
    graph = bank(*[f"withdraw alice {i}" for i in range(100)])
    lines = drawn(Heap(graph, rows=rows), width=60)
    assert len(lines) == rows
    assert rows < 4 or "withdraw 99" in lines[-2]
