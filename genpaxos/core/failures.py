"""Commands that raised what they had not declared: how their result reads, and what is known of them here.

Every replica runs every command, so all of them meet the same exception in the same state. The command then has no
effect, and that it failed is its result, recorded and told like any other. What does not follow from state and command
alone (memory, the depth of the stack, an error of the operating system) is no result: it stops the replica where it
happens.
"""

import re
from dataclasses import dataclass, field

OPERATION_FAILED = "genpaxos.OperationFailed"
"""The error code of such a result; its message is ``module.Exception: text``."""
TEXT_MAX = 2_000
"""Characters of an exception's text that are kept in a result: session tables hold it."""
NEWS_MAX = 256
"""So many failures that nobody has asked for are kept one by one; of more, only how long they took to undo."""
NOT_DETERMINISTIC = (MemoryError, RecursionError, OSError)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


def is_deterministic(error: BaseException) -> bool:
    """Whether the same command in the same state raises this on every replica, as far as its type tells."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_deterministic, error.exceptions))
    return not isinstance(error, NOT_DETERMINISTIC)


def type_name(error: BaseException) -> str:
    """``module.Exception``; without the module for Python's own, as in a traceback."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name.encode("utf-8", "backslashreplace").decode()


def full_text(error: BaseException) -> str:
    """All that an exception says, as text that can be encoded. Never raises."""
    try:
        text = str(error)
    except Exception as worse:  # the program's own __str__
        text = f"(its text cannot be had: {type_name(worse)})"
    return text.encode("utf-8", "backslashreplace").decode()


def result_text(error: BaseException) -> str:
    """``module.Exception: text`` for a result: of bounded length, and without addresses of objects, which differ."""
    return f"{type_name(error)}: {bounded(full_text(error))}"


def bounded(text: str, most: int = TEXT_MAX) -> str:
    """A text as a result holds it: of bounded length, and without addresses of objects, which differ."""
    text = _ADDRESS.sub("at 0x...", text)
    return text if len(text) <= most else text[: most - 3] + "..."


def place_of(error: BaseException) -> str:
    """Where it was raised: file, line and function."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    code = trace.tb_frame.f_code
    return f"{code.co_filename}:{trace.tb_lineno} in {code.co_qualname}"


@dataclass(frozen=True, slots=True)
class Failure:
    """One of them."""

    command: str
    """The id of the operation: that of its command, or ``id#number`` in a run."""
    operation: str
    text: str
    """:func:`result_text` of the exception."""
    place: str
    """:func:`place_of` it."""
    work_ms: float
    """About how long it took to undo."""


@dataclass(slots=True)
class Failures:
    """Those this replica has met since it started."""

    count: int = 0
    last: Failure | None = None
    _news: list[Failure] = field(default_factory=list)
    _lost_ms: float = 0.0

    def note(self, failure: Failure) -> None:
        """One more."""
        self.count += 1
        self.last = failure
        if len(self._news) < NEWS_MAX:
            self._news.append(failure)
        else:
            self._lost_ms += failure.work_ms

    def take(self) -> tuple[list[Failure], float]:
        """Those since the last call, and the work in milliseconds that those beyond a limit took."""
        news, self._news = self._news, []
        lost_ms, self._lost_ms = self._lost_ms, 0.0
        return news, lost_ms
