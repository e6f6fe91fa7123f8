"""What the results page says that is written by hand: how it was measured, and why a bar is missed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError
from bench.publish.bars import BARS
from bench.publish.runs import RUNS

METHOD = "How it was measured"
PEERS = "The peers"
HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Notes:
    """Paragraphs by heading: a bar's name (shown where the bar is missed), a section's title, or one of two of their
    own. What stands before the first heading is for whoever edits the file."""

    texts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> "Notes":
        """The notes in a file; none if it is not there. Raises :class:`BenchError` for an unknown heading."""
        if not file.exists():
            return cls()
        return cls.parse(file.read_text(encoding="utf-8"), str(file))

    @classmethod
    def parse(cls, text: str, where: str = "notes") -> "Notes":
        """The notes in a text, by the headings of its second level. Raises :class:`BenchError`."""
        _, *parts = HEADING.split(text)
        texts: dict[str, str] = {}
        for heading, body in zip(parts[::2], parts[1::2], strict=True):
            if heading not in HEADINGS:
                raise BenchError(
                    f"{where}: nothing is called {heading!r}; headings are {', '.join(map(repr, HEADINGS))}"
                )
            if heading in texts:
                raise BenchError(f"{where}: {heading!r} has two notes: make them one")
            texts[heading] = body.strip()
        return cls(texts)

    def about(self, heading: str) -> str:
        """The note under a heading; empty without one."""
        return self.texts.get(heading, "")


HEADINGS = (METHOD, PEERS, *(run.title for run in RUNS), *(bar.name for bar in BARS))
