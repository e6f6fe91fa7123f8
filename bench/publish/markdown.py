"""Markdown: tables, and figures as text."""

from collections.abc import Container, Iterable, Sequence

NOTHING = "–"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: Container[int] = (0,)) -> str:
    """A table; columns of ``words`` are text, the others are figures, aligned to the right."""
    rule = ["---" if column in words else "---:" for column in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def figure(value: float | None, form: str = ",.0f") -> str:
    """A number, or a dash where there is none."""
    return NOTHING if value is None else f"{value:{form}}"


def spread(median: float, low: float, high: float, form: str = ",.0f") -> str:
    """A median with its range, if there is more than one figure."""
    return f"{median:{form}}" if low == high else f"{median:{form}} ({low:{form}}–{high:{form}})"


def between(values: Iterable[float], form: str = ".2f") -> str:
    """The range of some values, or the one they all show as."""
    known = sorted(values)
    low, high = f"{known[0]:{form}}", f"{known[-1]:{form}}"
    return low if low == high else f"{low} to {high}"


def paragraphs(*texts: str) -> str:
    """Blocks with an empty line between them; empty ones are left out."""
    return "\n\n".join(text for text in texts if text)
