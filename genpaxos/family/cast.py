"""Who plays which role: one replica per lane of the drawing, or every role in every server."""

from dataclasses import dataclass

CLIENT = "Client"


@dataclass(frozen=True, slots=True)
class Cast:
    """The replicas of a flow by their roles. Where the roles are separate, leaders come first and learners last."""

    leaders: tuple[int, ...]
    acceptors: tuple[int, ...]
    learners: tuple[int, ...]
    names: tuple[str, ...]
    """What each replica is called: the lanes behind the client's."""

    @classmethod
    def separate(cls, acceptors: int = 3, *, leaders: int = 1, learners: int = 2, leader: str = "Leader") -> "Cast":
        """Every replica plays one role."""
        nodes = range(leaders + acceptors + learners)
        first, second, third = nodes[:leaders], nodes[leaders : leaders + acceptors], nodes[leaders + acceptors :]
        names = [*_numbered(leader, leaders), *_numbered("Acceptor", acceptors), *_numbered("Learner", learners)]
        return cls(tuple(first), tuple(second), tuple(third), tuple(names))

    @classmethod
    def servers(cls, count: int = 3) -> "Cast":
        """Every replica plays every role; the first one leads."""
        nodes = tuple(range(count))
        return cls(nodes, nodes, nodes, tuple(_numbered("Server", count)))

    @property
    def collapsed(self) -> bool:
        """Whether the roles are collapsed into servers."""
        return self.leaders == self.acceptors

    @property
    def lanes(self) -> tuple[str, ...]:
        """All lanes, from left to right."""
        return (CLIENT, *self.names)


def _numbered(role: str, count: int) -> list[str]:
    return [role] if count == 1 else [f"{role} {number}" for number in range(1, count + 1)]
