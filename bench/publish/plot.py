"""The picture on the results page: bars with their ranges, as SVG, light or dark as the reader's screen is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from bench.harness.contender import ENGINE
from bench.publish.runs import Result
from bench.publish.tables import figure

WIDTH = 760
LABEL_WIDTH = 170
VALUE_WIDTH = 90
ROW_HEIGHT, BAR_HEIGHT = 24, 14
TITLE_HEIGHT, PANEL_GAP = 30, 14
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .ours { fill: #0a7d5a }
.theirs { fill: #afb8c1 } .range { stroke: #57606a; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ours { fill: #3fb98f } .theirs { fill: #57606a } .range { stroke: #c9d1d9 }
}"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A contender's figure, with its range over the rounds."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of one scale. ``form`` shows a figure."""

    title: str
    form: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """With its title."""
        return TITLE_HEIGHT + ROW_HEIGHT * len(self.bars)


def panels(results: Mapping[str, Result]) -> list[Panel]:
    """What there is to draw, of results by the names of their runs."""
    found = []
    for run, words in (("throughput", "256 outstanding"), ("saturation", "4,096 outstanding")):
        if run in results:
            found.append(Panel(f"commands/s, {words} (longer is better)", ",.0f", _bars(results[run], _rate)))
    if "latency" in results:
        found.append(Panel("ms, one at a time, p50 (shorter is better)", ".2f", _bars(results["latency"], _p50)))
    return found


def svg(drawn: Sequence[Panel]) -> str:
    """All panels, one above the other."""
    height, parts = PANEL_GAP, []
    for panel in drawn:
        parts += _panel(panel, height)
        height += panel.height + PANEL_GAP
    size = f'width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {size} role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: int) -> list[str]:
    most = max((bar.high for bar in panel.bars), default=0.0) or 1.0
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most
    parts = [f'<text class="title" x="0" y="{top + 16}">{escape(panel.title)}</text>']
    for row, bar in enumerate(panel.bars):
        y = top + TITLE_HEIGHT + row * ROW_HEIGHT
        kind, middle = "ours" if bar.label == ENGINE else "theirs", y + BAR_HEIGHT / 2
        low, high = (LABEL_WIDTH + value * scale for value in (bar.low, bar.high))
        parts += [
            f'<text x="{LABEL_WIDTH - 10}" y="{y + 12}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{y}" width="{bar.value * scale:.1f}" height="{BAR_HEIGHT}"/>',
            f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>',
            f'<text x="{high + 8:.1f}" y="{y + 12}">{figure(bar.value, panel.form)}</text>',
        ]
    return parts


def _bars(result: Result, of: Callable[[Mapping[str, Any]], tuple[float, float, float]]) -> list[Bar]:
    return [Bar(name, *of(side)) for name, side in {ENGINE: result, **result["peers"]}.items()]


def _rate(side: Mapping[str, Any]) -> tuple[float, float, float]:
    return side["commands_per_second"], *side["commands_per_second_range"]


def _p50(side: Mapping[str, Any]) -> tuple[float, float, float]:
    return side["latency_ms"]["p50"], *side["latency_ms_range"]["p50"]
