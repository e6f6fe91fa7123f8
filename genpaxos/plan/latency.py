"""How long a client waits for a command, from the round trips between regions (protocol §3 and §4).

The client sits in the region of its *home* replica. It sends its command to all replicas; the home replica answers when
it has learned and executed it. A message between two regions takes half their round trip, and nothing else takes time.
The home takes whichever of its two learning rules completes first; an acceptor tells what it adopted at once
(``watermark_ms = 0``). Two ends of the share of interference are computed: *quiet*, where every command meets equal
votes, and *interfering*, where fast votes never agree and a command is learned by the rule that is left.

This is a model of one command on its own: neither queues nor syncs, no loss, and no command that waits for another to
be executed. Where the coordinator's order happens to be everybody's, interfering commands do better than it says; so
does a command in a classic ballot that comes to the coordinator sooner through a third region.
"""

from collections.abc import Iterable, Sequence

from genpaxos.core.ballot import Policy
from genpaxos.plan.rtt import RoundTrips


class Latency:
    """The waiting times of clients, in milliseconds; regions and replicas are numbered alike."""

    def __init__(self, trips: RoundTrips) -> None:
        self._one_way_ms = [[ms / 2 for ms in row] for row in trips.ms]
        self._everyone = range(len(trips.regions))
        replicas = len(self._everyone)
        self._classic = replicas // 2 + 1
        """q, the size of a classic quorum."""
        self._fast = -(-3 * replicas // 4)
        """f, of any fast quorum."""
        self._colliding = max(self._classic, min(replicas, 2 * (replicas - self._fast + 1)))
        """So many votes, in two orders, rule out every fast quorum."""

    def lower_bound_ms(self, home: int) -> float:
        """To the nearest majority and back: nobody who needs an answer from a classic quorum learns sooner."""
        return self._nth(self._classic, (2 * ms for ms in self._one_way_ms[home]))

    def pinned_ms(self, pinned: Sequence[int], home: int) -> float:
        """The fast rule with a pinned quorum: all of its votes; the coordinator's is its decree."""
        return 2 * max(self._one_way_ms[home][member] for member in pinned)

    def with_coordinator_ms(self, coordinator: int, home: int) -> float:
        """The fast rule where any f acceptors with the coordinator among them are a fast quorum."""
        round_ms = [2 * ms for ms in self._one_way_ms[home]]
        decree_ms = round_ms.pop(coordinator)
        return max(decree_ms, self._nth(self._fast - 1, round_ms))

    def unordered_ms(self, coordinator: int, home: int) -> float:
        """Where acceptors order: any f equal votes, or the decree the coordinator makes when they have come to it."""
        learned_ms = self._with_body(home, self._votes_at(coordinator, home, self._fast), coordinator)
        return min(self._votes_at(home, home, self._fast), self._decreed(coordinator, home, learned_ms))

    def ordered_ms(self, policy: Policy, coordinator: int, home: int) -> float:
        """Without fast votes that agree: the command is learned once somebody has put it in order."""
        match policy:
            case Policy.CLASSIC:
                return self._decreed(coordinator, home, self._one_way_ms[home][coordinator], with_bodies=True)
            case Policy.LEADER_ORDERED:
                return self._decreed(coordinator, home, self._one_way_ms[home][coordinator])
            case Policy.COORDINATED:
                collides_ms = self._votes_at(coordinator, home, self._colliding)
                return self._decreed(coordinator, home, self._with_body(home, collides_ms, coordinator))
            case Policy.UNCOORDINATED:
                again_ms = (
                    self._with_body(home, self._votes_at(acceptor, home, self._colliding), acceptor)
                    + self._one_way_ms[acceptor][home]
                    for acceptor in self._everyone
                )
                return self._nth(self._fast, again_ms)

    def _decreed(self, coordinator: int, home: int, decided_ms: float, *, with_bodies: bool = False) -> float:
        """The classic rule at the home replica: it and a classic quorum have adopted a decree made at ``decided_ms``.

        Only classic decrees carry the command's body; else an acceptor must also have had it from the client.
        """
        adopted_ms = [
            decided_ms + ms if with_bodies else self._with_body(home, decided_ms + ms, acceptor)
            for acceptor, ms in enumerate(self._one_way_ms[coordinator])
        ]
        told_ms = (ms + self._one_way_ms[acceptor][home] for acceptor, ms in enumerate(adopted_ms))
        return max(adopted_ms[home], self._nth(self._classic, told_ms))

    def _votes_at(self, learner: int, home: int, count: int) -> float:
        """When so many acceptors' fast votes have come to a learner."""
        return self._nth(count, (self._via(home, acceptor, learner) for acceptor in self._everyone))

    def _with_body(self, home: int, ready_ms: float, replica: int) -> float:
        """Not before the client's own message, which carries the body, has reached the replica."""
        return max(ready_ms, self._one_way_ms[home][replica])

    def _via(self, sender: int, middle: int, receiver: int) -> float:
        return self._one_way_ms[sender][middle] + self._one_way_ms[middle][receiver]

    def _nth(self, count: int, times_ms: Iterable[float]) -> float:
        """The ``count``-th smallest."""
        return sorted(times_ms)[count - 1]
