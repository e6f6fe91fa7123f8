"""What a replica that comes back as a new incarnation may take part in, judged from what leaves the others.

Source: :mod:`genpaxos.core.incarnations`. Each of a classic quorum of others wrote the incarnation down and said what
it had promised by then. Ballots up to those promises may rest on what the earlier incarnation said: the new one takes
part only in higher ones.
"""

from genpaxos.core.ballot import Ballot
from genpaxos.core.messages import PeerMessage, Phase1a, Phase1b, Phase2a, Phase2b, RejoinAck
from genpaxos.simulation.violations import Invariant, ViolationError


class Floors:
    """By replica and incarnation: what the others had promised when they acknowledged it."""

    def __init__(self, replicas: int) -> None:
        self._quorum = replicas // 2 + 1
        self._acks: dict[tuple[int, int], dict[int, Ballot]] = {}

    def left(self, sender: int, incarnation: int, receiver: int, message: PeerMessage) -> None:
        """A message leaves."""
        if isinstance(message, RejoinAck):
            acks = self._acks.setdefault((receiver, message.incarnation), {})
            acks.setdefault(sender, message.promised)  # the first: a replica promises no less later
        elif incarnation and isinstance(message, (Phase1a, Phase1b, Phase2a, Phase2b)):
            self._check(sender, incarnation, message.ballot)

    def passed(self, node: int, incarnation: int, ballot: Ballot) -> bool:
        """Whether this incarnation is over in ``ballot``: a quorum wrote down a later one before it promised that."""
        return any(
            of == node and later > incarnation and sum(promised < ballot for promised in acks.values()) >= self._quorum
            for (of, later), acks in self._acks.items()
        )

    def _check(self, node: int, incarnation: int, ballot: Ballot) -> None:
        acks = self._acks.get((node, incarnation), {})
        if sum(promised < ballot for promised in acks.values()) < self._quorum:
            raise ViolationError(
                Invariant.REJOINING,
                f"replica {node}, incarnation {incarnation}, takes part in {ballot}; those that acknowledged it had "
                f"promised {', '.join(f'{other}: {promised}' for other, promised in acks.items()) or 'nothing'}",
            )
