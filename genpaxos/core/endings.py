"""How sessions end: the built-in command ``genpaxos.end``, and what may follow it (DESIGN.md, "Sessions end").

``genpaxos.end [clients, floor, acknowledged]`` interferes with everything, so that it stands at one place among all
commands on every replica. There it ends the sessions that it lists, and those of clients born up to ``floor`` that have
none; ``acknowledged`` drops results, by client the number up to which it has them.

The rule that makes this safe is kept where histories grow: **behind an end stands no command of a client that it
ends**, neither in V nor in the tail of any acceptor. So a command of such a client was executed before the end, or it
is never chosen: whoever has executed the end may take it for settled.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from commutativity import CommutativityTable, Footprint, InvalidCommand, Machine
from commutativity.footprint import undeclared
from genpaxos.core.sessions import Result, Sessions, born

END: Final = "genpaxos.end"
CLIENTS_MAX: Final = 1_000
"""In one command: with 27 bytes of each name it stays below the limit on a command."""


@dataclass(frozen=True, slots=True)
class End:
    """The arguments of one such command that is known and not settled."""

    clients: frozenset[str]
    floor: int

    def ends(self, client: str, has_session: Callable[[str], bool]) -> bool:
        """Whether it ends this client. ``has_session``: whether a command of the client stands before it."""
        if client in self.clients:
            return True
        if not self.floor:
            return False
        birth = born(client)
        return birth is not None and birth <= self.floor and not has_session(client)


class Closing:
    """The ends that one history holds, and whom they close it for."""

    def __init__(self, under_way: Mapping[str, End], sessions: Container[str]) -> None:
        self.under_way = under_way
        """All that this replica knows the body of, by id."""
        self.held: dict[str, End] = {}
        """Those of the history."""
        self.sessions = sessions
        """The clients that have a session by what was executed here."""
        self._listed: dict[str, int] = {}
        """How many of those that are held list each client."""
        self._raising: dict[str, None] = {}
        """Those that are held and raise the floor."""

    def add(self, ids: Iterable[str]) -> None:
        """These commands were appended to the history; nothing happens to those that it held before."""
        for command in ids:
            end = self.under_way.get(command)
            if end is not None and command not in self.held:
                self.held[command] = end
                if end.floor:
                    self._raising[command] = None
                for client in end.clients:
                    self._listed[client] = self._listed.get(client, 0) + 1

    def remove(self, ids: Iterable[str]) -> None:
        """These commands are no longer in the history, or were executed at their place in V."""
        for command in ids:
            end = self.held.pop(command, None)
            if end is not None:
                self._raising.pop(command, None)
                for client in end.clients:
                    left = self._listed.pop(client) - 1
                    if left:
                        self._listed[client] = left

    def suspects(self, clients: Iterable[str]) -> bool:
        """Whether some of these may be ended by what is held; few false alarms, at little cost."""
        listed = self._listed
        if not self._raising:
            return any(client in listed for client in clients)
        floor = max(end.floor for end in self.held.values())
        return any(
            client in listed or (client not in self.sessions and (birth := born(client)) is not None and birth <= floor)
            for client in clients
        )

    def closed(self, client: str, has_session: Callable[[str, str], bool]) -> bool:
        """Whether an end that is held ends the client. ``has_session(end, client)``: whether the history holds one of
        its commands before that end."""
        if client in self._listed:
            return True
        if not self._raising or client in self.sessions:
            return False
        return any(self.held[end].ends(client, partial(has_session, end)) for end in self._raising)


def parsed(arguments: Sequence[Any]) -> tuple[list[str], int, list[tuple[str, int]]]:
    """The arguments of an end. Raises :class:`InvalidCommand`."""
    match arguments:
        case [list(clients), int(floor), list(acknowledged)]:
            pass
        case _:
            raise InvalidCommand(f"{END} takes a list of clients, a commit index, and acknowledgements")
    rows = [row for row in acknowledged if type(row) is list and len(row) == 2 and type(row[1]) is int]
    named = [*clients, *(row[0] for row in rows)]
    if len(rows) < len(acknowledged) or floor < 0 or not all(type(name) is str and name for name in named):
        raise InvalidCommand(f"{END} takes a list of clients, a commit index, and acknowledgements")
    return clients, floor, [(client, number) for client, number in rows]


def end_of(arguments: Sequence[Any]) -> End:
    """What an admitted end says."""
    clients, floor, _ = parsed(arguments)
    return End(frozenset(clients), floor)


def admit(table: CommutativityTable, arguments: Sequence[Any]) -> Footprint:
    """An end interferes with everything."""
    parsed(arguments)
    return undeclared(table)


def run(_machine: Machine, sessions: Sessions, arguments: Sequence[Any]) -> Result:
    """End the sessions; the result is how many there were."""
    return [None, sessions.end(*parsed(arguments))]
