"""How many commands may be undecided, so that a report of all of them fits one message (protocol §5).

A phase 1b tells every command that its acceptor holds undecided: the decrees behind its commit index, and its tail. If
one does not fit a message, no ballot starts any more. So what enters an acceptor's history from outside is limited.
Commands enter by two ways: from a client, or from a replica that passes on what lingers with it. Either is taken up
only while fewer than ``UNDECIDED_MAX / N`` commands are undecided here. All other ways (decrees, what phase 1 recovers,
bodies that are asked for) bring commands that stand in some acceptor's history already, where they entered by one of
these. A command stays in that history until it is decided. So there are never more than ``UNDECIDED_MAX`` undecided
commands in all histories together, and no report is longer.
"""

from genpaxos.core.commands import Proposals
from genpaxos.core.history import History
from genpaxos.core.messages import Propose

UNDECIDED_MAX = 90_000
"""In a whole cluster. A decree takes at most 88 bytes in a report (id, digest, quotes and commas), so all of them take
less than 8 MiB (:data:`genpaxos.runtime.wire.MESSAGE_BYTES_MAX`)."""


class Limits:
    """What one replica may take in."""

    def __init__(self, proposals: Proposals, history: History, replicas: int) -> None:
        self._proposals = proposals
        self._history = history
        self._share = UNDECIDED_MAX // replicas

    @property
    def room(self) -> int:
        """How many more commands may enter here."""
        undecided = len(self._proposals.known) - (self._history.committed - self._history.settled)
        return max(0, self._share - undecided)

    def admits(self, message: Propose) -> Propose:
        """What of it is taken up: all that was before, since a retry may ask for a result, and of the rest what there
        is room for. Whoever sent it sends the others again."""
        history, known = self._history, self._proposals.known
        # First without a call: it is so for nearly every message.
        if len(message.ids) <= self._share - len(known) + history.committed - history.settled:
            return message
        room, settled = self.room, self._proposals.settled
        chosen = []
        for place, command in enumerate(message.ids):
            if command in known or settled(command):
                chosen.append(place)
            elif room:
                room -= 1
                chosen.append(place)
        origin = message.origin
        return Propose(
            [message.ids[place] for place in chosen],
            [message.bodies[place] for place in chosen],
            message.asked,
            None if origin is None else (origin[0], [origin[1][place] for place in chosen]),
        )
