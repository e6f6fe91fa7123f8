"""How a state looks: a colour, and an edge glyph that still tells when there is no colour.

What is learned is a filled block and what is not yet learned is an outline; without colour the edges grow heavier in
the same order: ┊proposed┊ │accepted│ ║fast║ ┃classic┃ ▐executed▌.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions
from rich.style import Style

from genpaxos.view.graph import State


@dataclass(frozen=True)
class Inks:
    """The styles of pieces. One with a background is a filled block, one without an outline."""

    even: dict[State, Style]
    odd: dict[State, Style]
    """On odd levels, a shade apart, so that blocks stacked on one another do not run together."""
    wire: dict[State, Style]
    """The dashes that carry a bar across a column it does not touch."""


def _styles(**words: str) -> dict[State, Style]:
    return {State(name): Style.parse(text) for name, text in words.items()}


_OUTLINES = {"proposed": "#8f96a3", "accepted": "#d7a03c"}
RICH_INKS = Inks(
    even=_styles(
        **_OUTLINES,
        fast="bold #06210f on #4cc38a",
        classic="bold #ffffff on #3f6fd1",
        executed="#eceef2 on #565f70",
    ),
    odd=_styles(
        **_OUTLINES,
        fast="bold #06210f on #3dae79",
        classic="bold #ffffff on #3660b6",
        executed="#dfe2e8 on #464e5c",
    ),
    wire=_styles(**_OUTLINES, fast="#4cc38a", classic="#6f97ea", executed="#8b94a6"),
)

_BASIC = {
    "proposed": "cyan",
    "accepted": "yellow",
    "fast": "black on green",
    "classic": "bright_white on blue",
}
BASIC_INKS = Inks(
    even=_styles(**_BASIC, executed="black on white"),
    odd=_styles(**_BASIC, executed="bright_white on bright_black"),
    wire=_styles(proposed="cyan", accepted="yellow", fast="green", classic="blue", executed="white"),
)
"""For terminals of 16 colours, where the nearest of the colours above would not do."""

QUIET = Style(dim=True)
HEADING = Style(bold=True)
GOOD = Style.parse("bold green")
BAD = Style.parse("bold red")
UNSURE = Style.parse("bold yellow")
COORDINATOR = Style.parse("bold cyan")

_EDGES = {
    State.PROPOSED: ("┊", "┊"),
    State.ACCEPTED: ("│", "│"),
    State.FAST: ("║", "║"),
    State.CLASSIC: ("┃", "┃"),
    State.EXECUTED: ("▐", "▌"),
}
_ASCII_EDGES = {
    State.PROPOSED: (":", ":"),
    State.ACCEPTED: ("|", "|"),
    State.FAST: ("{", "}"),
    State.CLASSIC: ("(", ")"),
    State.EXECUTED: ("[", "]"),
}


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """The characters a view is drawn with, and whether colour says the rest."""

    edges: dict[State, tuple[str, str]] = field(default_factory=lambda: _EDGES)
    bar: str = "─"
    whole: str = "═"
    crossed: str = "╌"
    times: str = "×"
    ellipsis: str = "…"
    dot: str = "·"
    dash: str = "–"
    full: str = "█"
    empty: str = "░"
    yes: str = "✓"
    no: str = "✗"
    inks: Inks | None = RICH_INKS
    """None on a console without colour."""
    ascii_only: bool = False

    def edge(self, state: State) -> tuple[str, str]:
        """The left and right edge of a piece."""
        filled = not self.ascii_only and self.ink(state).bgcolor is not None
        return ("▐", "▌") if filled else self.edges[state]

    def ink(self, state: State, level: int = 0) -> Style:
        """The style of a piece's face on a level."""
        if self.inks is None:
            return Style.null()
        return (self.inks.odd if level % 2 else self.inks.even)[state]

    def outline(self, state: State, level: int = 0) -> Style:
        """The style of a piece's edges."""
        ink = self.ink(state, level)
        return Style(color=ink.bgcolor) if ink.bgcolor is not None and not self.ascii_only else ink

    def wire(self, state: State) -> Style:
        """The style of a bar where it crosses a column."""
        return Style.null() if self.inks is None else self.inks.wire[state]

    def style(self, style: Style) -> Style:
        """`style`, or nothing on a console without colour."""
        return Style.null() if self.inks is None else style


_ASCII = {
    "bar": "-", "whole": "=", "crossed": ".", "times": "x", "ellipsis": "..", "dot": "-", "dash": "-",
    "full": "#", "empty": ".", "yes": "+", "no": "x",
}  # fmt: skip


def glyphs_for(console: Console, options: ConsoleOptions, ascii_only: bool = False) -> Glyphs:
    """The glyphs that `console` can show; `ascii_only` asks for plain ones anyway."""
    inks: Inks | None = BASIC_INKS if console.color_system in ("standard", "windows") else RICH_INKS
    if console.color_system is None or console.no_color:
        inks = None
    if ascii_only or options.ascii_only:
        return Glyphs(edges=_ASCII_EDGES, inks=inks, ascii_only=True, **_ASCII)
    return Glyphs(inks=inks)
