"""Whether the fast path works on this replica: what decides how long it waits, and for what."""

from genpaxos.core.learner import Learner


class FastPath:
    """As it was at the last heartbeat, and at the last retry."""

    def __init__(self) -> None:
        self.quorum_heard = False
        """Whether the members of some fast quorum of the ballot watched were heard at the last heartbeat."""
        self.lingers = False
        """Whether a command has stood undecreed for a whole retry interval."""

    @property
    def fails(self) -> bool:
        """Whether commands wait for votes that do not come."""
        return self.lingers or not self.quorum_heard

    def look(self, learner: Learner, heard: int) -> None:
        """Note who is heard now (a bit mask)."""
        self.quorum_heard = learner.can_learn_fast(heard)

    def note(self, *, lingers: bool) -> None:
        """Note whether a command lingers."""
        self.lingers = lingers
