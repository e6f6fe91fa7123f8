"""What one step of a replica asks of its owner."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.messages import PeerMessage, Refusal, Reply
from genpaxos.core.records import Record
from genpaxos.core.sessions import Result

if TYPE_CHECKING:
    from genpaxos.core.snapshot import State

Ran = tuple[list[str], list[Result]]
"""Commands that ran, with their results."""


@dataclass(frozen=True, slots=True)
class LearnedFast:
    """Commands learned by the fast rule, with their digests, in a ballot and a step of it."""

    ballot: Ballot
    kind: BallotKind
    step: int
    ids: list[str]
    digests: list[int]
    told: tuple[int, int]
    """How many broadcasts and sends of the step were queued by then: its own votes among them may be counted."""


Route = Hashable
"""Names a client to the owner of the replica; the core only hands it back."""


@dataclass(slots=True)
class Effects:
    """The owner makes ``records`` durable in one transaction; only then may anything below them leave the machine."""

    early: dict[Route, Reply] = field(default_factory=dict)
    """Results that rest on nothing which is not durable yet: they may leave at once."""
    records: list[Record] = field(default_factory=list)
    capture: bool = False
    """The replica's state was replaced: its :meth:`~genpaxos.core.replica.Replica.capture` is to be made durable before
    anything leaves, in place of all records so far. There are none beside it."""
    broadcasts: list[PeerMessage] = field(default_factory=list)
    """To every other replica."""
    sends: list[tuple[int, PeerMessage]] = field(default_factory=list)
    chunks: list[tuple[int, int]] = field(default_factory=list)
    """``(replica, offset)``: send it a chunk of the stored snapshot's state from there on."""
    learned: list[LearnedFast] = field(default_factory=list)
    """What was learned fast: for those who watch."""
    executed: list["Ran | State"] = field(default_factory=list)
    """What ran, and the states that took the place of all that had run, one after the other: likewise."""
    states: list[tuple["State", bool]] = field(default_factory=list)
    """States that came whole, and whether they took the place of this replica's: likewise."""
    replies: dict[Route, Reply] = field(default_factory=dict)
    refusals: dict[Route, Refusal] = field(default_factory=dict)

    @property
    def leaves(self) -> bool:
        """Whether anything is to leave the machine."""
        return bool(self.broadcasts or self.sends or self.chunks or self.replies or self.refusals)

    def ran(self, done: Ran) -> Ran:
        """Note what ran; returns it."""
        if done[0]:
            self.executed.append(done)
        return done

    def letters(self, peers: Iterable[int]) -> list[tuple[int, PeerMessage]]:
        """Receivers and messages in the order in which they leave; what is broadcast goes to all ``peers``. One object
        that goes to several comes to them one after the other: to be encoded once. Chunks follow."""
        everybody = tuple(peers)
        return [*((peer, message) for message in self.broadcasts for peer in everybody), *self.sends]

    @property
    def messages(self) -> list[PeerMessage]:
        """The messages alone; one to several receivers may be listed for each."""
        return [*self.broadcasts, *(message for _, message in self.sends)]

    def send(self, to: int, message: PeerMessage) -> None:
        """Queue a message for one replica."""
        self.sends.append((to, message))

    def broadcast(self, message: PeerMessage) -> None:
        """Queue a message for every other replica."""
        self.broadcasts.append(message)

    def reply(self, route: Route, command: str, result: list[object]) -> None:
        """Queue a result for a client."""
        answer = self.replies.setdefault(route, Reply())
        answer.ids.append(command)
        answer.results.append(result)

    def refuse(self, route: Route, command: str, reason: str) -> None:
        """Queue a refusal for a client."""
        answer = self.refusals.get(route)
        if answer is None:
            answer = self.refusals[route] = Refusal()
        answer.ids.append(command)
        answer.reasons.append(reason)
