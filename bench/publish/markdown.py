"""Markdown: tables and cells of them, ranges in prose, paragraphs."""

from collections.abc import Iterable

from bench.publish.tables import Cell, Graded, Grid


def table(of: Grid) -> str:
    """A table; figures are aligned to the right."""
    rule = ["---" if column in of.words else "---:" for column in range(len(of.headings))]
    rows = [[cell(content) for content in row] for row in of.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (of.headings, rule, *rows))


def cell(content: Cell) -> str:
    """A median is followed by its range."""
    if isinstance(content, Graded):
        content = content.figure
    return content if isinstance(content, str) else content.text("{} ({})")


def between(values: Iterable[float], form: str = ".2f") -> str:
    """The range of some values, or the one they all show as."""
    known = sorted(values)
    low, high = f"{known[0]:{form}}", f"{known[-1]:{form}}"
    return low if low == high else f"{low} to {high}"


def paragraphs(*texts: str) -> str:
    """Blocks with an empty line between them; empty ones are left out."""
    return "\n\n".join(text for text in texts if text)
