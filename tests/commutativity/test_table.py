"""Tables: both ways to write one, and errors that point at the cell."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commutativity import CommutativityTable, TableError
from commutativity.parsing import NAMES_MAX

TEXT = """
         read  add  update
read      .     x     x
add       x     .     x
update    x     x     x
"""


@st.composite
def tables(draw: st.DrawFn) -> CommutativityTable:
    word = st.text("abcxyz_é()", min_size=1, max_size=5).filter(lambda name: name != "x")
    names = draw(st.lists(word, min_size=1, max_size=5, unique=True))
    interfering: dict[str, list[str]] = {name: [] for name in names}
    for i, a in enumerate(names):
        for b in names[i:]:
            if draw(st.booleans()):
                interfering[a].append(b)
                interfering[b].append(a)
    return CommutativityTable(interfering)


def test_text_gives_modes_and_cells() -> None:
    table = CommutativityTable(TEXT)
    assert table.modes == ("read", "add", "update")
    assert table.interfering == ((1, 2), (0, 2), (0, 1, 2))
    assert table.index("add") == 1
    assert table.interferes("read", "add")
    assert not table.interferes("add", "add")
    assert "add" in table
    assert "write" not in table


def test_every_form_gives_the_same_table() -> None:
    booleans = {
        "read": {"read": False, "add": True, "update": True},
        "add": {"read": True, "add": False, "update": True},
        "update": {"read": True, "add": True, "update": True},
    }
    words = {row: {c: "x" if cell else "." for c, cell in cells.items()} for row, cells in booleans.items()}
    names = {"read": ["add", "update"], "add": {"read", "update"}, "update": ("read", "add", "update")}
    expected = CommutativityTable(TEXT)
    for source in (booleans, words, names):
        table = CommutativityTable(source)
        assert table == expected
        assert hash(table) == hash(expected)


def test_rows_may_come_in_any_order_and_with_comments() -> None:
    table = CommutativityTable("# the rules\n  a b\nb  x .  # last\n\na  . x\n")
    assert table.modes == ("a", "b")
    assert not table.interferes("a", "a")
    assert table.interferes("a", "b")


@given(tables())
def test_canonical_text_parses_back(table: CommutativityTable) -> None:
    again = CommutativityTable(table.text())
    assert again == table
    assert again.text() == table.text()
    assert table.diff(again) == []
    assert eval(repr(table)) == table


@given(tables())
def test_interfering_agrees_with_interferes(table: CommutativityTable) -> None:
    for i, a in enumerate(table.modes):
        assert [table.modes[j] for j in table.interfering[i]] == [b for b in table.modes if table.interferes(a, b)]


def test_an_asymmetric_table_points_at_the_cell_and_its_mirror() -> None:
    with pytest.raises(TableError) as caught:
        CommutativityTable("      read  write\nread   .     x\nwrite  .     x\n")
    error = caught.value
    assert (error.row, error.column, error.line, error.offset) == ("write", "read", 3, 8)
    assert str(error) == (
        "the table is not symmetric: row 'write', column 'read' says '.', "
        "but row 'read', column 'write' says 'x'\n"
        "  line 3, column 8:\n"
        "    write  .     x\n"
        "           ^\n"
        "  line 2, column 14:\n"
        "    read   .     x\n"
        "                 ^\n"
        "Two commands interfere or commute whichever is named first: make both 'x' or both '.'."
    )


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "the table is empty", (None, None)),
        ("# nothing\n", "the table is empty", (None, None)),
        ("a b\na . x\n", "'b' has a column but no row", (1, 3)),
        ("a b\na . x\nb x\n", "nothing is said for column 'b'", (3, 3)),
        ("a b\na . x\nb\n", "nothing is said for column 'a'", (3, 1)),
        ("a b\na . x\nb x . .\n", "this one has no column", (3, 7)),
        ("a b\na . y\nb x .\n", "unknown word 'y'", (2, 5)),
        ("a b\na . X\nb x .\n", "unknown word 'X'", (2, 5)),
        ("a b\na . x\nc x .\n", "unknown row 'c'", (3, 1)),
        ("a b\na . x\na x .\n", "the row 'a' appears twice", (3, 1)),
        ("a a\na . x\n", "the column 'a' appears twice", (1, 3)),
        ("a . x\nb x .\n", "'.' is a cell, not a name", (1, 3)),
        ("\ta b\na\t. x\nb\tx y\n", "unknown word 'y'", (3, 11)),
    ],
)
def test_malformed_text_is_refused_at_its_place(text: str, message: str, place: tuple[int | None, int | None]) -> None:
    with pytest.raises(TableError) as caught:
        CommutativityTable(text)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.offset) == place
    if place[0] is not None:
        assert str(caught.value).splitlines()[-1].strip().strip("^") == ""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "the table is empty"),
        ({"a": 5}, "row 'a' is 5"),
        ({"a": "a"}, "row 'a' is 'a'"),
        ({"a": {"a": 1.5}}, "unknown value 1.5"),
        ({"a": {"a": None}}, "unknown value None"),
        ({"a": {}}, "says nothing about column 'a'"),
        ({"a": ["b"]}, "names the column 'b', which has no row"),
        ({"a": ["b"], "b": []}, "not symmetric"),
        ({"a b": []}, "cannot be a name"),
        ({3: []}, "cannot be a name"),
        ({"x": []}, "is a cell, not a name"),
        (5, "not from int"),
        (None, "not from NoneType"),
    ],
)
def test_malformed_mappings_are_refused(source: object, message: str) -> None:
    with pytest.raises(TableError, match=r"(?s).") as caught:
        CommutativityTable(source)  # type: ignore[arg-type]
    assert message in str(caught.value)


@given(st.text("ab.x#\n\t ", max_size=40) | st.text(max_size=30))
def test_any_text_is_a_table_or_a_table_error(text: str) -> None:
    try:
        table = CommutativityTable(text)
    except TableError:
        return
    assert CommutativityTable(table.text()) == table


def test_too_many_names_are_refused() -> None:
    with pytest.raises(TableError, match=f"at most {NAMES_MAX}"):
        CommutativityTable({f"m{i}": [] for i in range(NAMES_MAX + 1)})


@pytest.mark.parametrize("name", ["write", None, []])
def test_an_unknown_name_lists_the_known_ones(name: object) -> None:
    with pytest.raises(TableError, match="it has read, add, update"):
        CommutativityTable(TEXT).interferes("read", name)  # type: ignore[arg-type]


def test_diff_says_what_differs() -> None:
    table = CommutativityTable(TEXT)
    other = CommutativityTable({"add": ["add", "audit"], "audit": ["add", "read"], "read": ["audit"]})
    assert table.diff(other) == [
        "'update' is only in the first table",
        "'audit' is only in the second table",
        "read and add: interfere in the first table, commute in the second",
        "add and add: commute in the first table, interfere in the second",
    ]
    assert table != other
    assert table != TEXT


def test_diff_notices_the_order_of_names() -> None:
    one, other = CommutativityTable({"a": [], "b": []}), CommutativityTable({"b": [], "a": []})
    assert one != other
    assert one.diff(other) == ["the names are ordered a, b; then b, a"]


def test_a_table_is_drawn() -> None:
    console = Console(file=io.StringIO(), width=80, color_system="truecolor", force_terminal=True)
    console.print(CommutativityTable(TEXT))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "update" in drawn
    assert "\x1b[" in drawn
