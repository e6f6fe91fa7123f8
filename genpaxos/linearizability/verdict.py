"""What a linearizability check is asked and what it answers: calls in, a verdict out, as objects, text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from genpaxos.linearizability.states import canonical

if TYPE_CHECKING:
    from rich.console import RenderableType

TAIL_MAX: Final = 5
"""Calls ordered just before the culprit that a text shows."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The result of a call whose operation raised a declared error."""

    code: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.code}({self.message!r})"


@dataclass(frozen=True, slots=True)
class Call:
    """One client command as its client saw it. Times are anything comparable, (time, sequence) too."""

    client: str
    operation: str
    arguments: tuple[Any, ...]
    invoked_at: Any
    returned_at: Any | None
    """None: no outcome is known. It may take effect at any time after ``invoked_at``, or never."""
    result: Any = None
    """The JSON result, or :class:`Failed`. Ignored when the outcome is unknown."""

    def __str__(self) -> str:
        command = f"{self.client}: {self.operation}({', '.join(map(as_text, self.arguments))})"
        if self.returned_at is None:
            return f"{command} = unknown [{self.invoked_at}, …"
        return f"{command} = {as_text(self.result)} [{self.invoked_at}, {self.returned_at}]"


@dataclass(frozen=True, slots=True)
class Rival:
    """A call that overlaps the culprit and was not ordered yet."""

    index: int
    would_return: Any
    """What it would return if it came next."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """The first return that no order explains: the history before that return has one, up to it there is none.

    That is within its own part, and given what the calls still running then returned later. Of an undecided search it
    is only the furthest return reached, and ``would_return`` only what was tried.
    """

    index: int
    would_return: tuple[Any, ...]
    """What the call gave in the orders tried, without repeats."""
    before: tuple[int, ...]
    """One order of the calls before it."""
    state: Any
    """The state after those: of the culprit's own part of the machine, other calls have not run."""
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. True in an ``if`` only when an order was found: undecided is never a pass."""

    linearizable: bool | None
    """None: undecided, the steps ran out."""
    calls: tuple[Call, ...]
    order: tuple[int, ...] = ()
    """A witness: indices of calls. Unknown calls that need not have happened are left out."""
    culprit: Culprit | None = None
    parts: int = 0
    """How many groups of calls, sharing no resource, there are."""
    steps: int = 0
    """How often a command was run, or its remembered result used."""
    note: str = ""

    def __bool__(self) -> bool:
        return self.linearizable is True

    def __str__(self) -> str:
        return "\n".join([self._headline(), *self._details()])

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        style = {True: "bold green", False: "bold red", None: "bold yellow"}[self.linearizable]
        return Text("\n").join([Text(self._headline(), style), *map(Text, self._details())])

    def to_json(self) -> dict[str, Any]:
        """The verdict, and the calls it speaks of, as JSON."""
        culprit = self.culprit
        return {
            "linearizable": self.linearizable,
            "calls": len(self.calls),
            "parts": self.parts,
            "steps": self.steps,
            "note": self.note,
            "order": list(self.order),
            "culprit": culprit
            and {
                "call": self._call_json(culprit.index),
                "would_return": [as_json(result) for result in culprit.would_return],
                "before": list(culprit.before),
                "state": culprit.state,
                "rivals": [
                    {"call": self._call_json(rival.index), "would_return": as_json(rival.would_return)}
                    for rival in culprit.rivals
                ],
            },
        }

    def _call_json(self, index: int) -> dict[str, Any]:
        call = self.calls[index]
        return {
            "index": index,
            "client": call.client,
            "operation": call.operation,
            "arguments": list(call.arguments),
            "invoked_at": call.invoked_at,
            "returned_at": call.returned_at,
            "result": as_json(call.result),
        }

    def _headline(self) -> str:
        answer = {True: "linearizable", False: "NOT LINEARIZABLE", None: "UNDECIDED, which is not a pass"}
        counts = f"{len(self.calls)} calls, {self.parts} independent parts, {self.steps} steps"
        return f"{answer[self.linearizable]}: {counts}" + (f"; {self.note}" if self.note else "")

    def _details(self) -> Iterator[str]:
        culprit = self.culprit
        if culprit is None:
            return
        found = "no order explains" if self.linearizable is False else "the search came no further than"
        yield f"{found} #{culprit.index} {self.calls[culprit.index]}"
        if culprit.would_return:
            yield f"  in the orders tried it returns {' or '.join(map(as_text, culprit.would_return))}"
        yield f"  one order before it ({len(culprit.before)} calls), the end of it:"
        yield from (f"    #{index} {self.calls[index]}" for index in culprit.before[-TAIL_MAX:])
        yield f"  state then: {as_text(culprit.state)}"
        if culprit.rivals:
            yield "  overlapping it and free to come next:"
        for rival in culprit.rivals:
            yield f"    #{rival.index} {self.calls[rival.index]}, would return {as_text(rival.would_return)}"


def as_json(result: Any) -> Any:
    return {"failed": [result.code, result.message]} if isinstance(result, Failed) else result


def as_text(value: Any) -> str:
    return str(value) if isinstance(value, Failed) else canonical(value).decode()
