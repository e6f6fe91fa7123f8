from __future__ import annotations

from typing import Any

import pytest

from commutativity import JSON, CommutativityTable, InvalidCommand, Machine, operation
from genpaxos.runtime.call import parse_call, parse_command


class Typed(Machine):
    """One operation per way to read a word."""

    table = CommutativityTable("a\na x")

    @operation(everything="a")
    def text(self, value: str) -> None: ...

    @operation(everything="a")
    def number(self, value: int) -> None: ...

    @operation(everything="a")
    def maybe(self, value: str | None) -> None: ...

    @operation(everything="a")
    def anything(self, value: JSON = None) -> None: ...

    @operation(everything="a")
    def listed(self, values: list[int]) -> None: ...


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("text alice", ("alice",)),
        ("text 5", ("5",)),
        ("text null", ("null",)),
        ("text 'two words'", ("two words",)),
        ("number 5", (5,)),
        ("number -5", (-5,)),
        ("maybe null", (None,)),
        ("maybe 5", ("5",)),
        ("maybe plain", ("plain",)),
        ("anything", (None,)),
        ("anything 5", (5,)),
        ("anything word", ("word",)),
        ("anything NaN", ("NaN",)),
        ("anything '{\"a\": [1, 2.5]}'", ({"a": [1, 2.5]},)),
        ("listed '[1, 2]'", ([1, 2],)),
    ],
)
def test_words_are_read_as_the_parameter_wants_them(line: str, arguments: tuple[Any, ...]) -> None:
    command = parse_call(Typed, line)
    assert command.arguments == arguments
    assert [type(value) for value in command.arguments] == [type(value) for value in arguments]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("txt alice", "did you mean 'text'"),
        ("number five", "expected int, got 'five'"),
        ("number 5.0", "expected int"),
        ("listed '[1, 2.5]'", "expected int"),
        ("number", "expected: number\\(value: int\\)|expected number\\(value: int\\)|missing"),
        ("number 1 2", "too many|2 arguments"),
        ("listed '[NaN]'", "expected int"),
        ('anything \'{"a": 1, "a": 2}\'', "a key occurs twice"),
        ("anything " + "[" * 200_000, "nested"),
        ("number 1" + "0" * 5_000, "64 bits|expected int"),
        ("text 'alice", "No closing quotation"),
        ("", "expected an operation and its arguments"),
    ],
)
def test_what_cannot_be_a_command_is_refused_with_the_reason(line: str, complaint: str) -> None:
    with pytest.raises(InvalidCommand, match=complaint):
        parse_call(Typed, line)


def test_words_of_a_shell_are_taken_as_they_are() -> None:
    assert parse_command(Typed, "text", ["it's"]).arguments == ("it's",)
