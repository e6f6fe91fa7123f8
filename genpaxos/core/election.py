"""Who should coordinate: elections by quorum-connectedness (protocol §5; Omni-Paxos §5, ballot leader election).

Reachability from one peer says nothing about whether a replica can lead. So every heartbeat tells whom its sender hears
and whether it is *quorum-connected*: it and a classic quorum hear each other. A replica campaigns only when

- it is quorum-connected itself,
- it does not hear the present coordinator, alive and quorum-connected,
- and no quorum-connected replica it hears vouches that *it* does: so one cut link beside a working coordinator starts
  no election (the chained partition), and a coordinator without a quorum is replaced although it is heard.

Of several that may, the one with the lowest rank goes first and the others give it time. One that lags comes after all
that do not: it would have to catch up before anything is committed. All of this is about liveness; safety rests on
ballots alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.messages import Heartbeat
from genpaxos.core.progress import LAG_COMMANDS, Progress
from genpaxos.core.quorum import QuorumSystem, mask_of, members_of

HELD_BACK_ELECTIONS = 2
"""For so many election times a replica that lags leaves it to those that do not to start a ballot."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals of the core, in milliseconds."""

    heartbeat_ms: int = 100
    """Between two heartbeats of a replica."""
    election_ms: int = 500
    """Silence after which a replica counts as gone, and after which a replica may campaign."""
    stagger_ms: int = 200
    """Head start of each rank over the next when several replicas may campaign."""
    retry_ms: int = 60
    """How long a replica waits for what is missing before it asks for it."""
    watermark_ms: int = 20
    """How long an acceptor may keep its adoption watermark back while the fast path delivers; 0: never."""
    fallback_ms: int = 1000
    """Where acceptors order: how long a coordinator orders by itself at first when collisions could not be ordered, or
    no fast quorum was up (:mod:`genpaxos.core.fallback`)."""


class Election:
    """One replica's view of who hears whom."""

    def __init__(
        self, node: int, quorums: QuorumSystem, timing: Timing, preference: Sequence[int], now_ms: float
    ) -> None:
        self.heard_ms: list[float | None] = [None] * quorums.replicas
        """When each replica was last heard of; ``None`` if never."""
        self.beats: list[Heartbeat | None] = [None] * quorums.replicas
        self.highest: Ballot = ZERO
        """The highest ballot any replica is known to have promised."""
        self._beat_ms = [now_ms] * quorums.replicas
        """When the heartbeat that counts came from each replica."""
        self._incarnations = [0] * quorums.replicas
        """The incarnation of each replica that last said it came back."""
        self.progress = Progress(quorums.replicas, timing.election_ms)
        self._node = node
        self._quorums = quorums
        self._timing = timing
        self._rank = {replica: rank for rank, replica in enumerate(preference)}
        self._ballot_ms = now_ms
        """When the highest ballot was first seen: its coordinator has one election time to get going."""
        self._followed_ms = now_ms
        """When there was last a coordinator to follow, or no quorum to campaign with."""

    def heard(self, sender: int, now_ms: float) -> None:
        """Anything that arrives from a replica shows that it lives."""
        self.heard_ms[sender] = now_ms

    def on_heartbeat(self, sender: int, beat: Heartbeat, now_ms: float) -> None:
        """Take note of a heartbeat. Messages may overtake each other; a promise never falls, so a lower one is old.

        For an election time at most: it may come from a disk that was restored, and such a replica must be heard.
        """
        known = self.beats[sender]
        recent = now_ms - self._beat_ms[sender] < self._timing.election_ms
        if known is not None and beat.promised < known.promised and recent:
            return
        self.beats[sender], self._beat_ms[sender] = beat, now_ms
        self.progress.note(sender, beat.committed, now_ms)
        self.saw_ballot(beat.promised, now_ms)

    def came_back(self, sender: int, incarnation: int) -> None:
        """A replica that lost its data says so: it has promised nothing yet."""
        if incarnation > self._incarnations[sender]:
            self._incarnations[sender], self.beats[sender] = incarnation, None

    def saw_ballot(self, ballot: Ballot, now_ms: float) -> None:
        """A ballot is under way: its coordinator gets the time of one election to finish phase 1."""
        if ballot > self.highest:
            self.highest = ballot
            self._ballot_ms = now_ms

    def heard_mask(self, now_ms: float) -> int:
        """The replicas heard within the last election time, this one among them."""
        mask = 1 << self._node
        for replica, heard_ms in enumerate(self.heard_ms):
            if heard_ms is not None and now_ms - heard_ms < self._timing.election_ms:
                mask |= 1 << replica
        return mask

    def connected_mask(self, now_ms: float) -> int:
        """The replicas that this one hears and that say they hear it."""
        mask, heard = 1 << self._node, self.heard_mask(now_ms)
        for replica in members_of(heard):
            beat = self.beats[replica]
            if beat is not None and beat.heard >> self._node & 1:
                mask |= 1 << replica
        return mask

    def has_quorum(self, now_ms: float) -> bool:
        """Whether this replica is quorum-connected."""
        return self._quorums.is_classic(self.connected_mask(now_ms))

    def hears_coordinator(self, now_ms: float) -> bool:
        """Whether the coordinator of the highest ballot is heard, leads it, and is quorum-connected."""
        coordinator = self.highest.coordinator
        if coordinator < 0 or coordinator == self._node or not self.heard_mask(now_ms) >> coordinator & 1:
            return False
        beat = self.beats[coordinator]
        return beat is not None and beat.leading and beat.quorum and beat.promised == self.highest

    def lagging_mask(self, now_ms: float) -> int:
        """The replicas heard, perhaps this one, that lag behind one that could coordinate."""
        progress = self.progress
        able = self._able(now_ms)
        ahead = max((progress.before(replica, now_ms) for replica in [self._node, *able]), default=0)
        return mask_of(r for r in members_of(self.heard_mask(now_ms)) if progress.latest[r] + LAG_COMMANDS < ahead)

    def should_hand_over(self, now_ms: float) -> bool:
        """Whether this replica lags, and another that could coordinate does not."""
        lagging = self.lagging_mask(now_ms)
        return bool(lagging >> self._node & 1) and any(not lagging >> r & 1 for r in self._able(now_ms))

    def should_campaign(self, leading: bool, now_ms: float) -> bool:
        """Whether this replica should start a ballot now. ``leading``: it coordinates the highest ballot already."""
        if leading or self.hears_coordinator(now_ms) or self._vouched(now_ms):
            self._followed_ms = now_ms
            return False
        if not self.has_quorum(now_ms):
            self._followed_ms = now_ms  # nobody's head start runs out while it cannot be used: processes start slowly
            return False
        patience_ms = self._timing.election_ms if self.highest != ZERO else self._timing.heartbeat_ms
        return now_ms - self._ballot_ms >= patience_ms and now_ms - self._followed_ms >= self._head_start_ms(now_ms)

    def _head_start_ms(self, now_ms: float) -> float:
        """How long this replica leaves it to others to go first: those that do not lag before those that do."""
        lagging, rivals = self.lagging_mask(now_ms), self._rivals(now_ms)
        if self.should_hand_over(now_ms):
            return HELD_BACK_ELECTIONS * self._timing.election_ms + len(rivals) * self._timing.stagger_ms
        own = self._rank[self._node]
        ahead = sum(1 for rival in rivals if self._rank[rival] < own and not lagging >> rival & 1)
        return ahead * self._timing.stagger_ms

    def hand_over(self, now_ms: float) -> None:
        """This replica left its phase 1 to others: their head start begins now."""
        self._followed_ms = now_ms

    def next_ballot(self, promised: Ballot) -> Ballot:
        """A ballot of this replica's above all it knows of."""
        return Ballot(max(self.highest, promised).number + 1, self._node)

    def _vouched(self, now_ms: float) -> bool:
        """Whether a quorum-connected replica that is heard says it follows the highest ballot's coordinator."""
        return any(
            beat.quorum and beat.follows and beat.promised >= self.highest
            for beat in (self.beats[replica] for replica in self._others(now_ms))
            if beat is not None
        )

    def _rivals(self, now_ms: float) -> list[int]:
        """The other replicas that may campaign: heard, and quorum-connected.

        Before the first ballot all are: their heartbeats are too young to tell.
        """
        others = self._others(now_ms)
        if self.highest == ZERO:
            return others
        return [r for r in others if (beat := self.beats[r]) is not None and beat.quorum]

    def _able(self, now_ms: float) -> list[int]:
        """The other replicas that are connected to this one and to a quorum."""
        connected = members_of(self.connected_mask(now_ms))
        return [r for r in connected if r != self._node and (beat := self.beats[r]) is not None and beat.quorum]

    def _others(self, now_ms: float) -> list[int]:
        return [replica for replica in members_of(self.heard_mask(now_ms)) if replica != self._node]
