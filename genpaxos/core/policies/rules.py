"""What a kind of ballot decides: the questions that every policy answers (protocol §3, §4).

The rest of the core asks; it never looks at which policy it is. To add a policy, write one file with its answers, and
name it in :mod:`genpaxos.core.policies`.
"""

from typing import TYPE_CHECKING, ClassVar, Protocol

from genpaxos.core.ballot import BallotKind, Policy

if TYPE_CHECKING:
    from genpaxos.core.quorum import QuorumSystem


class Collisions(Protocol):
    """What a policy can do about collisions, on one replica, in the present ballot (:mod:`genpaxos.core.ordering`)."""

    @property
    def leads(self) -> bool:
        """Whether this replica coordinates the ballot."""

    @property
    def step(self) -> int:
        """The step within the ballot: 0 until the acceptors have voted anew."""

    @property
    def fast_path_fails(self) -> bool:
        """Whether commands wait for votes that do not come."""

    def decree_safe(self, *, collided: bool) -> bool:
        """As coordinator, decree what the reports of a classic quorum prove safe; says whether there was any."""

    def vote_safe(self) -> bool:
        """Vote in the next step for what they prove safe; says whether there was any."""

    def exceed_window(self) -> bool:
        """Whether reports are so long that no part of them that is looked at can be ordered."""


class Rules:
    """The answers of one policy. Those of a leader-ordered ballot, unless a subclass says otherwise."""

    policy: ClassVar[Policy]

    acceptors_vote: ClassVar[bool] = True
    """Acceptors vote for commands that come straight from clients, and a fast quorum of equal votes decides."""
    coordinator_orders: ClassVar[bool] = True
    """The coordinator decrees what is proposed to it at once, in its own order, and its decree is its vote. Otherwise
    each acceptor's own order counts until it is decreed, the coordinator's no more than any other's."""
    pins: ClassVar[bool] = True
    """A ballot may name one fast quorum."""
    saturated_votes: ClassVar[bool] = False
    """Acceptors vote for commands of clients even while they are saturated: nothing is decreed without their votes."""
    reports_tails: ClassVar[bool] = False
    """Votes tell the acceptor's tail, in its order, from a place in it on; they are reports as those of phase 1."""
    lingering_fails: ClassVar[bool] = False
    """A command that stays undecided for an interval needs another ballot: nothing in this one will decide it."""

    def may_vote(self, kind: BallotKind, node: int) -> bool:
        """Whether a command straight from a client gets this acceptor's vote: of a pinned quorum only those need to."""
        return self.acceptors_vote and (not kind.pinned or node in kind.pinned)

    def carries_bodies(self, kind: BallotKind, node: int) -> bool:
        """Whether decrees carry the bodies to this replica. Clients need to send commands only to those that may vote
        for them; to these a decree names commands and no more."""
        return not self.may_vote(kind, node)

    def quorums(self, classic: "QuorumSystem", kind: BallotKind, coordinator: int) -> "QuorumSystem":
        """The quorum system in force in a ballot of this kind (protocol §3, Quorums)."""
        if kind.pinned:
            return classic.with_pinned(kind.pinned)
        return classic.with_any(classic.fast_size, including=coordinator)

    def order(self, collisions: Collisions, *, collided: bool) -> bool:  # noqa: ARG002
        """Put in order what votes cannot decide; says whether that takes a ballot of another kind."""
        return False
