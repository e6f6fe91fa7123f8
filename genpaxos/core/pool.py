"""Commands proposed to a replica that it has no vote on: kept for their bodies, relayed if they linger."""

from collections.abc import Iterable, Iterator, Mapping

from genpaxos.core.commands import Proposal
from genpaxos.core.history import History


class Pool:
    """The proposals that one replica keeps."""

    def __init__(self, known: Mapping[str, Proposal], history: History) -> None:
        self._known = known
        self._history = history
        self._commands: dict[str, None] = {}

    def __contains__(self, command: object) -> bool:
        return command in self._commands

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, ids: Iterable[str]) -> None:
        """These were proposed."""
        self._commands.update(dict.fromkeys(ids))

    def waiting(self) -> list[str]:
        """Those still to be placed: neither in the history nor, by now, behind a cut."""
        known, holds = self._known, self._history.holds
        return [command for command in self._commands if command in known and not holds(command)]

    def unplaced(self, ids: Iterable[str]) -> list[str]:
        """Known commands that are neither in the history nor here, each once.

        Not only new ones: a decree of a ballot that lost leaves the commands it brought behind.
        """
        known, holds, commands = self._known, self._history.holds, self._commands
        listed = dict.fromkeys(ids)
        return [command for command in listed if command in known and not holds(command) and command not in commands]

    def tidy(self) -> None:
        """Drop what has been placed."""
        self._commands = dict.fromkeys(self.waiting())

    def take(self) -> list[str]:
        """What is still to be placed; it is to be placed now."""
        waiting = self.waiting()
        self._commands = {}
        return waiting
