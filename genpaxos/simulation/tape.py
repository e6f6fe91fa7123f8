"""A record of what happened, kept only when somebody asks: as lines, and as a message flow to draw."""

from dataclasses import dataclass
from typing import Any

from genpaxos.core.messages import Bodies, FetchBodies, Heartbeat, Propose, Refusal, Reply
from genpaxos.simulation.clock import Scheduler
from genpaxos.simulation.network import Link, Network
from genpaxos.simulation.wording import text


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that arrived or was lost, or a note."""

    at_ms: float
    text: str
    kind: str = ""
    link: Link | None = None
    lost: bool = False
    node: int | None = None
    """Whom a note is about."""
    up: bool = True


class Tape:
    """Everything that arrived, was lost, or happened to a replica, in order."""

    def __init__(self, replicas: int) -> None:
        self.entries: list[Entry] = []
        self._replicas = replicas
        self._scheduler: Scheduler | None = None

    def watch(self, scheduler: Scheduler, network: Network) -> None:
        """Record what this network carries."""
        self._scheduler = scheduler
        network.postmark = self._post

    def note(self, what: str, node: int | None = None, *, up: bool = True) -> None:
        """Something that is no message."""
        self.entries.append(Entry(self._now_ms, what, node=node, up=up))

    def lines(self) -> list[str]:
        """The trace, one line per entry."""
        return [self._line(entry) for entry in self.entries]

    def flow(self, name: str, title: str, policy: str, last: int) -> dict[str, Any]:
        """The last entries but heartbeats, as :mod:`genpaxos.view.flow` draws them; delays are milliseconds."""
        chosen = [entry for entry in self.entries if entry.kind != Heartbeat.__name__][-last:]
        start_ms = int(chosen[0].at_ms) if chosen else 0
        clients = sorted({end for e in chosen if e.link for end in e.link if end >= self._replicas})
        lanes = [*(self._lane(client) for client in clients), *(f"Replica {node}" for node in range(self._replicas))]
        return {
            "name": name,
            "title": title,
            "policy": policy,
            "lanes": lanes,
            "messages": [self._message(entry, start_ms) for entry in chosen if entry.link],
            "notes": [
                {
                    "step": 0,
                    "delay": int(entry.at_ms) - start_ms,
                    "note": entry.text,
                    "lane": None if entry.node is None else self._lane(entry.node),
                    "up": entry.up,
                }
                for entry in chosen
                if not entry.link
            ],
            "learned": [],
            "steps": [
                {
                    "title": f"the last events; milliseconds since {start_ms}",
                    "graph": {"table": "    m\nm   .", "commands": []},
                }
            ],
        }

    @property
    def _now_ms(self) -> float:
        return self._scheduler.now_ms if self._scheduler is not None else 0.0

    def _post(self, link: Link, message: Any, lost: bool) -> None:
        self.entries.append(Entry(self._now_ms, told(message), type(message).__name__, link, lost))

    def _lane(self, address: int) -> str:
        return f"Replica {address}" if address < self._replicas else f"Client {address - self._replicas}"

    def _message(self, entry: Entry, start_ms: int) -> dict[str, Any]:
        assert entry.link is not None
        return {
            "step": 0,
            "delay": int(entry.at_ms) - start_ms,
            "from": self._lane(entry.link[0]),
            "to": self._lane(entry.link[1]),
            "message": entry.text,
            "kind": entry.kind,
            "commands": [],
            "lost": entry.lost,
        }

    def _line(self, entry: Entry) -> str:
        if entry.link is None:
            about = "" if entry.node is None else f"replica {entry.node} "
            return f"{entry.at_ms:10.3f}  {'' if entry.text.startswith(about) else about}{entry.text}"
        sender, receiver = (self._short(end) for end in entry.link)
        return f"{entry.at_ms:10.3f}  {sender}->{receiver} {entry.text}{'  (lost)' * entry.lost}"

    def _short(self, address: int) -> str:
        return str(address) if address < self._replicas else f"c{address - self._replicas}"


def told(message: Any) -> str:
    """A message in few words."""
    match message:
        case Propose(ids, bodies):
            return f"propose({', '.join(f'{i} {_call(body)}' for i, body in zip(ids, bodies, strict=True))})"
        case Heartbeat(promised, accepted, adopted, committed, leading):
            role = ", leads" if leading else ""
            return (
                f"heartbeat(promised {promised}, accepted {accepted}, adopted {adopted}, committed {committed}{role})"
            )
        case FetchBodies(ids):
            return f"fetch_bodies({', '.join(ids)})"
        case Bodies(ids):
            return f"bodies({', '.join(ids)})"
        case Reply(ids, results):
            return f"reply({', '.join(f'{i} = {_result(r)}' for i, r in zip(ids, results, strict=True))})"
        case Refusal(ids, reasons):
            return f"refused({', '.join(f'{i}: {why}' for i, why in zip(ids, reasons, strict=True))})"
        case _:
            return text(message)


def _call(body: list[Any]) -> str:
    return f"{body[0]}({', '.join(map(repr, body[1]))})"


def _result(result: list[Any]) -> str:
    return repr(result[1]) if result[0] is None else str(result[0])
