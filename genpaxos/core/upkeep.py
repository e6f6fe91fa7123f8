"""What a replica does when time passes: heartbeats, and asking again for what did not come.

Every wait of the protocol ends here: a lost message of any kind is replaced at a later tick of this clock.
"""

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.campaign import Campaign
from genpaxos.core.catchup import CatchUp
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.disputes import Disputes
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.fastpath import FastPath
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Heartbeat
from genpaxos.core.now import Now
from genpaxos.core.relay import Relay
from genpaxos.core.settings import Settings
from genpaxos.core.transfer import Transfer


class Upkeep:
    """The periodic work of one replica."""

    def __init__(
        self,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        learner: Learner,
        executor: Executor,
        election: Election,
        incarnations: Incarnations,
        disputes: Disputes,
        fastpath: FastPath,
        campaign: Campaign,
        catchup: CatchUp,
        transfer: Transfer,
        relay: Relay,
        now: Now,
    ) -> None:
        self._timing = settings.timing
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._learner = learner
        self._executor = executor
        self._election = election
        self._incarnations = incarnations
        self._disputes = disputes
        self._fastpath = fastpath
        self._campaign = campaign
        self._catchup = catchup
        self._transfer = transfer
        self._relay = relay
        self._now = now
        self._beat_ms = now.ms
        """When the next heartbeat is due."""
        self._retry_ms = now.ms
        """When what is missing is next asked for."""

    @property
    def due_ms(self) -> float:
        """When :meth:`on_time` next has something to do."""
        return min(self._beat_ms, self._retry_ms)

    def on_time(self, now_ms: float, effects: Effects) -> bool:
        """Do what is due; says whether this replica should start a ballot."""
        campaign = False
        if now_ms >= self._beat_ms:
            self._beat_ms = now_ms + self._timing.heartbeat_ms
            effects.broadcast(self._heartbeat(now_ms))
            self._fastpath.look(self._learner, self._election.heard_mask(now_ms))
        if now_ms >= self._retry_ms:
            self._retry_ms = now_ms + self._timing.retry_ms
            self._announce(effects)
            campaign = self._campaign.retry(now_ms, effects)
            self._campaign.complete_reports(effects)
            self._catchup.retry(now_ms, self._transfer, effects)
            self._relay.retry(now_ms, effects)
        return campaign

    def on_heartbeat(self, sender: int, beat: Heartbeat, _effects: Effects) -> None:
        """Another replica says whom it hears, and how far it has come."""
        now_ms, acceptor = self._now.ms, self._acceptor
        self._election.on_heartbeat(sender, beat, now_ms)
        self._disputes.on_beat(sender, beat, now_ms)
        if beat.accepted != beat.promised:
            return
        # A replica that takes part in its highest ballot holds a prefix of that ballot's V, and so is what it knows to
        # be committed. One that has promised a higher ballot may have taken over decrees of others since.
        self._learner.on_adopted(sender, beat.accepted, beat.adopted)
        if beat.accepted == acceptor.accepted:
            self._learner.commit_to(beat.committed)

    def _announce(self, effects: Effects) -> None:
        """Tell who has not heard of it that this replica is a new incarnation."""
        announcement = self._incarnations.announcement()
        if announcement is not None:
            message, receivers = announcement
            for receiver in receivers:
                effects.send(receiver, message)

    def _heartbeat(self, now_ms: float) -> Heartbeat:
        acceptor, election, history = self._acceptor, self._election, self._acceptor.history
        election.progress.note(acceptor.node, history.committed, now_ms)
        rejoining = self._incarnations.rejoining  # then nobody may count on this acceptor for a quorum
        return Heartbeat(
            promised=acceptor.promised,
            accepted=acceptor.accepted,
            adopted=history.length,
            committed=history.committed,
            leading=self._coordinator.phase is not Phase.IDLE,
            quorum=election.has_quorum(now_ms) and not rejoining,
            heard=0 if rejoining else election.heard_mask(now_ms),
            follows=election.hears_coordinator(now_ms) and acceptor.promised == election.highest,
            **self._executor.agreement.told(),
        )
