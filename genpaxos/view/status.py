"""The status of a cluster as a table: a row per replica under a headline of quorum, coordinator and fast path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from genpaxos.view.cluster import Ballot, ClusterStatus, ReplicaStatus
from genpaxos.view.label import printable, shorten
from genpaxos.view.palette import BAD, COORDINATOR, GOOD, HEADING, QUIET, UNSURE, Glyphs, glyphs_for

CELL_WIDTH_MAX = 32
"""No cell of the table is wider: a long address or role must not push the numbers out."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table; the least important ones give way first on a narrow terminal."""

    title: str
    importance: int
    value: Callable[[ReplicaStatus], str]
    justify: Literal["left", "right"] = "right"
    always: bool = False
    """Shown for replicas that do not answer too."""


_COLUMNS: Sequence[_Column] = (
    _Column("node", 9, lambda r: str(r.node), always=True),
    _Column("role", 8, lambda r: (r.role or "replica") if r.reachable else "unreachable", "left", always=True),
    _Column("ballot", 5, lambda r: ballot_text(r.ballot), "left"),
    _Column("promised", 1, lambda r: ballot_text(r.promised), "left"),
    _Column("quorum", 4, lambda r: "yes" if r.quorum else "NO", "left"),
    _Column("committed", 3, lambda r: f"{r.committed:,}"),
    _Column("learned", 1, lambda r: f"{r.learned:,}"),
    _Column("executed", 7, lambda r: f"{r.executed:,}"),
    _Column("lag", 6, lambda r: f"{r.lag:,}"),
    _Column("fast", 5, lambda r: percent(r.fast_share)),
    _Column("silence", 2, lambda r: "" if r.silence_ms is None else f"{r.silence_ms:,.0f} ms"),
    _Column("address", 0, lambda r: r.address, "left", always=True),
)


class StatusView:
    """A rich renderable: `console.print(StatusView(ClusterStatus.from_json(snapshot)))`.

    `name=False` leaves out the line that names the cluster, `notes=False` the lines below the table (replicas that are
    silent, stopped or of another opinion).
    """

    def __init__(
        self,
        status: ClusterStatus,
        *,
        name: bool = True,
        notes: bool = True,
        ascii: bool = False,  # noqa: A002  # the word a user looks for
    ) -> None:
        self.status = status
        self.name = name
        self.notes = notes
        self.ascii = ascii

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = glyphs_for(console, options, self.ascii)
        width = options.max_width
        if self.name:
            yield from name_lines(self.status, width, glyphs)
        yield from headline(self.status, width, glyphs)
        if self.status.replicas:
            yield self._table(width, glyphs)
        if self.notes:
            for note in self._notes():
                text = printable(note, ascii_only=glyphs.ascii_only, length_max=len(note))  # a fault's text in full
                yield Text.assemble((f"{glyphs.no} ", glyphs.style(BAD)), text)

    def _table(self, width: int, glyphs: Glyphs) -> Table:
        replicas = self.status.replicas
        cells = {column.title: [_cell(column, replica, glyphs) for replica in replicas] for column in _COLUMNS}
        widths = {title: max(map(cell_len, [title, *texts])) for title, texts in cells.items()}
        shown = [column for column in _COLUMNS if any(cells[column.title])]
        while len(shown) > 2 and sum(2 + widths[column.title] for column in shown) > width:
            shown.remove(min(shown, key=lambda column: column.importance))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=glyphs.style(QUIET))
        for column in shown:
            table.add_column(Text(column.title), justify=column.justify, no_wrap=True, overflow="crop")
        for row, replica in enumerate(replicas):
            texts = [Text(cells[c.title][row], self._style(c.title, replica, glyphs)) for c in shown]
            table.add_row(*texts)
        return table

    def _style(self, title: str, replica: ReplicaStatus, glyphs: Glyphs) -> Style:
        if not replica.reachable:
            return glyphs.style(BAD)
        if title == "quorum":
            return glyphs.style(GOOD if replica.quorum else BAD)
        if title == "lag" and replica.lag:
            return glyphs.style(UNSURE)
        if title in ("node", "role") and replica.role == "coordinator":
            return glyphs.style(COORDINATOR)
        return Style.null()

    def _notes(self) -> list[str]:
        silent = [r for r in self.status.replicas if not r.reachable]
        notes = [f"replica {r.node} unreachable{f': {r.error}' if r.error else ''}" for r in silent]
        return notes + list(self.status.doubts)


def name_lines(status: ClusterStatus, width: int, glyphs: Glyphs) -> list[Text]:
    """`bank · genpaxos.examples.bank:Bank · leader-ordered`"""
    parts = [Text(shown(status.cluster, width, glyphs), glyphs.style(HEADING))]
    more = [shown(words, width, glyphs) for words in (status.machine, status.policy) if words]
    return flow([*parts, *(Text(words, glyphs.style(QUIET)) for words in more)], width, glyphs)


def headline(status: ClusterStatus, width: int, glyphs: Glyphs) -> list[Text]:
    """Quorum, coordinator, ballot and fast path, on as many lines as the width asks for."""
    leading = status.leading
    ok, reason = status.quorum
    stopped = [r.node for r in status.reachable if r.error and r.error == reason]
    if stopped:
        reason = f"replica {stopped[0]} has stopped"  # its fault stands below, in full
    sign, word = (glyphs.yes, "yes") if ok else (glyphs.no, "NO")
    quorum = f"quorum {sign} {word}{f': {reason}' if reason else ''}"
    parts = [Text(shown(quorum, width, glyphs), glyphs.style(GOOD if ok else BAD))]
    if leading is None or leading.coordinator is None:
        parts.append(Text("no coordinator", glyphs.style(BAD)))
    elif any(r.node == leading.coordinator for r in status.replicas if not r.reachable):
        parts.append(Text(f"coordinator {leading.coordinator} is unreachable", glyphs.style(BAD)))
    else:
        parts.append(Text(f"coordinator {leading.coordinator}", glyphs.style(COORDINATOR)))
    if leading is not None and leading.ballot is not None:
        kind = "" if leading.kind == status.policy else leading.kind
        parts.append(Text(shown(f"ballot {ballot_text(leading.ballot)} {kind}".rstrip(), width, glyphs)))
    if leading is not None and leading.pinned is not None:
        parts.append(Text(shown(f"pinned {' '.join(map(str, leading.pinned))}", width, glyphs)))
    parts.append(share_bar("fast path", status.fast_share, min(width, 40), glyphs))
    return flow(parts, width, glyphs)


def shown(words: str, width: int, glyphs: Glyphs) -> str:
    """`words` made printable and cut to `width` cells."""
    return shorten(printable(words, ascii_only=glyphs.ascii_only), width, glyphs.ellipsis)


def flow(parts: Sequence[Text], width: int, glyphs: Glyphs) -> list[Text]:
    """The parts joined by dots, on as many lines as they need; none may be wider than a line."""
    lines: list[Text] = []
    dot = f" {glyphs.dot} "
    for part in parts:
        if lines and lines[-1].cell_len + len(dot) + part.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], (dot, glyphs.style(QUIET)), part)
        else:
            lines.append(part)
    return lines


def share_bar(title: str, share: float | None, width: int, glyphs: Glyphs) -> Text:
    """`fast path ██████░░ 75 %` in at most `width` cells."""
    if share is None:
        return Text(shorten(f"{title}: nothing learned yet", width, glyphs.ellipsis), glyphs.style(QUIET))
    words = f" {percent(share)}"
    room = max(0, width - len(title) - 1 - len(words))
    full = round(room * share)
    return Text.assemble(
        f"{title} ",
        (glyphs.full * full, glyphs.style(Style(color="green"))),
        (glyphs.empty * (room - full), glyphs.style(QUIET)),
        words,
    )


def percent(share: float | None) -> str:
    """`87 %`; never 100 % (0 %) unless it is all (none)."""
    if share is None:
        return "-"
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return ">99 %"
    return "<1 %" if rounded == 0 and share > 0 else f"{rounded} %"


def ballot_text(ballot: Ballot | None) -> str:
    """`(3, 1)`: the number, then the coordinator."""
    return "" if ballot is None else f"({ballot[0]}, {ballot[1]})"


def _cell(column: _Column, replica: ReplicaStatus, glyphs: Glyphs) -> str:
    if not (replica.reachable or column.always):
        return ""
    text = printable(column.value(replica), ascii_only=glyphs.ascii_only)
    return shorten(text, CELL_WIDTH_MAX, glyphs.ellipsis)
