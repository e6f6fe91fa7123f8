"""Coming back after the loss of stable storage: the same replica number, as a new acceptor (DESIGN.md, "Rejoining").

A replica that lost its promises and votes must not vote as itself: a quorum that counted on what it forgot would not
meet the others any more. It comes back under a new *incarnation*, a number that counts up:

1. It tells all, and waits until a classic quorum W of others has written the new incarnation down. From then on they
   take nothing from the old one, and each says what it has promised. The *floor* is the highest of these promises.
2. It votes, promises and coordinates nothing until it has entered a ballot above the floor, with all that ballot
   recovered. Phase 1 of that ballot went without it, so it found all that was chosen below, also with its old votes.
   Of an acknowledging replica that loses its own storage, the acknowledgement counts no more. Of two that rejoin at
   once some replica of both W hears first of the one, and tells the other: so one of them does without the other's
   former incarnation, or the other knows of the new one.
3. Reports of phase 1 say which incarnations their sender knows. One of an incarnation that another report knows to be
   over does not count. So no ballot above the floor rests on what the old one promised.
"""

from collections.abc import Mapping, Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.effects import Effects
from genpaxos.core.messages import PeerMessage, Phase1b, Rejoin, RejoinAck
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.core.records import Readmitted, Rejoining

LOWEST = Ballot(0, 0)
"""The floor if nothing was ever promised: above ``ZERO``, which means that there is none yet."""


class Incarnations:
    """Which incarnation of each replica this one has to do with, itself included; 0 is the first."""

    def __init__(self, node: int, quorums: QuorumSystem, acceptor: Acceptor) -> None:
        self.known = [0] * quorums.replicas
        self._node = node
        self._quorums = quorums
        self._acceptor = acceptor
        self._outbox = acceptor.outbox
        self._lost = False
        self._acks: dict[int, Ballot] = {}
        self._floor = ZERO

    @property
    def own(self) -> int:
        """This replica's."""
        return self.known[self._node]

    @property
    def rejoining(self) -> bool:
        """Whether this replica lost what an earlier incarnation promised, and has entered no ballot since."""
        return self._lost and self._acceptor.accepted == ZERO

    @property
    def floor(self) -> Ballot:
        """The ballot above which a rejoining replica may enter one; ``ZERO`` while a quorum has not answered."""
        return self._floor

    def admits(self, sender: int, incarnation: int, message: PeerMessage) -> bool:
        """Whether to handle a message: nothing of an earlier incarnation, of a later one only what says that it is one.

        That may be its answer to this replica's own rejoining: it has told all others before, and tells them no more.
        """
        known = self.known[sender]
        return incarnation == known or (incarnation > known and isinstance(message, (Rejoin, RejoinAck)))

    def bars(self, ballot: Ballot) -> bool:
        """Whether this acceptor must take no part in ``ballot``."""
        return self.rejoining and (self.floor == ZERO or ballot <= self.floor)

    def announcement(self) -> tuple[Rejoin, list[int]] | None:
        """What a later incarnation says of itself, and whom it has not heard an answer from."""
        waiting = [peer for peer in range(len(self.known)) if peer != self._node and peer not in self._acks]
        if not self.own or not (waiting or self.rejoining):
            return None
        message = Rejoin(self.own, self.floor)
        everybody = [peer for peer in range(len(self.known)) if peer != self._node]
        return message, everybody if self.rejoining else waiting

    def on_rejoin(self, sender: int, message: Rejoin) -> RejoinAck | None:
        """Write the new incarnation down; a replica that is rejoining itself cannot vouch for anything."""
        self._take(sender, message.incarnation)
        if self.rejoining or message.incarnation != self.known[sender]:
            return None
        return RejoinAck(message.incarnation, self._acceptor.promised, list(self.known))

    def on_ack(self, sender: int, message: RejoinAck, _effects: Effects) -> None:
        """Count an answer, and learn of the other incarnations that its sender knows."""
        if message.incarnation != self.own:
            return
        for node, incarnation in enumerate(message.incarnations[: len(self.known)]):
            self._take(node, incarnation)
        if _at(message.incarnations, sender) < self.known[sender]:
            return  # what that incarnation wrote down, the present one may not know
        self._acks.setdefault(sender, message.promised)  # later ones only raise the floor, and the ballot must pass it
        if self._floor == ZERO and self._quorums.is_classic(mask_of(self._acks)):
            self._floor = max(LOWEST, *self._acks.values())

    def replay(self, record: Readmitted | Rejoining) -> None:
        """Apply a record read back from stable storage."""
        if isinstance(record, Rejoining):
            self.known[self._node], self._lost = record.incarnation, True
        else:
            self.known[record.node] = max(self.known[record.node], record.incarnation)

    def records(self) -> list[Readmitted | Rejoining]:
        """What rebuilds this: part of a snapshot."""
        own: list[Readmitted | Rejoining] = [Rejoining(self.own)] if self._lost else []
        others = [node for node, known in enumerate(self.known) if known and node != self._node]
        return own + [Readmitted(node, self.known[node]) for node in others]

    def _take(self, node: int, incarnation: int) -> None:
        if node != self._node and incarnation > self.known[node]:
            self.known[node] = incarnation
            self._acks.pop(node, None)
            self._outbox.append(Readmitted(node, incarnation))


def outdated(reports: Mapping[int, Phase1b]) -> list[int]:
    """Acceptors whose report is of an incarnation that another report knows to be over."""
    return [
        a
        for a, report in reports.items()
        if _at(report.incarnations, a) < max(_at(other.incarnations, a) for other in reports.values())
    ]


def _at(incarnations: Sequence[int], node: int) -> int:
    return incarnations[node] if node < len(incarnations) else 0
