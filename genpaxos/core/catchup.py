"""Catching up: what a replica that lags does with what it asked for, and what it asks for next (protocol §3, §8).

How others answer: :mod:`genpaxos.core.serving`; how often it asks: :mod:`genpaxos.core.requests`.
"""

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.admission import Admission
from genpaxos.core.assembly import Assembly
from genpaxos.core.campaign import Campaign
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.messages import Bodies, Committed
from genpaxos.core.now import Now
from genpaxos.core.requests import Requests
from genpaxos.core.settings import Settings
from genpaxos.core.transfer import Transfer
from genpaxos.core.voting import Voting


class CatchUp:
    """What a replica that lags asks for, and what it does with the answers."""

    def __init__(
        self,
        acceptor: Acceptor,
        coordinator: Coordinator,
        election: Election,
        settings: Settings,
        admission: Admission,
        voting: Voting,
        campaign: Campaign,
        requests: Requests,
        assembly: Assembly,
        now: Now,
    ) -> None:
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._election = election
        self._distinguished = settings.distinguished
        self._admission = admission
        self._voting = voting
        self._campaign = campaign
        self._requests = requests
        self._assembly = assembly
        self._now = now
        self._progress = (-1, -1, -1)
        """How far decrees and states had come at the last retry."""

    def on_bodies(self, sender: int, message: Bodies, effects: Effects) -> None:
        """Bodies came; the next ones need not wait for the clock."""
        decreed = {*self._acceptor.missing_bodies(), *self._coordinator.missing_decrees()}
        self._voting.take(self._admission.from_replica(message.ids, message.bodies, decreed), effects)
        self._campaign.advance(effects)
        self._requests.on_bodies(sender)
        self._campaign.complete_reports(effects)
        self._requests.bodies(sender, self._undelivered(sender), effects)

    def on_committed(self, sender: int, message: Committed, effects: Effects) -> None:
        """Committed decrees came."""
        history = self._acceptor.history
        news_from = max(0, history.committed + 1 - message.first)
        self._admission.from_replica(message.ids, message.bodies, set(message.ids[news_from:]))
        news = self._acceptor.on_committed(message)
        self._election.saw_ballot(message.ballot, self._now.ms)
        self._coordinator.step_down(self._acceptor.promised)
        if news and sender != self._distinguished:
            self._requests.on_committed(sender, message.first, effects)
        self._campaign.advance(effects)

    def retry(self, now_ms: float, transfer: Transfer, effects: Effects) -> None:
        """Ask for decrees, bodies and chunks that have not come since the last time."""
        requests = self._requests
        missing = requests.still_unknown(self._admission.missing)
        coordinator = self._acceptor.promised.coordinator
        if bodies := self._undelivered(coordinator):
            missing.setdefault(coordinator, []).extend(bodies)
        for holder, ids in missing.items():
            requests.bodies(holder, ids, effects)
        wanted = self._wanted()
        progress = (wanted, self._acceptor.history.committed, self._assembly.wanted)
        transfer.retry(now_ms, effects)
        source = self._source(wanted, now_ms)
        if source is not None and progress == self._progress:
            requests.fetch_anew(source, wanted, self._election.connected_mask(now_ms), effects)
        self._progress = progress

    def _undelivered(self, coordinator: int) -> list[str]:
        """The bodies that this replica lacks of what ``coordinator`` decreed, if no state is coming."""
        if coordinator in (-1, self._acceptor.node) or coordinator != self._acceptor.promised.coordinator:
            return []
        return self._acceptor.missing_bodies() if self._assembly.sender is None else []

    def _wanted(self) -> int:
        """The index of the next decree this replica lacks, in the highest ballot it knows of."""
        acceptor = self._acceptor
        joined = acceptor.promised == self._election.highest
        return acceptor.next_wanted() if joined else acceptor.history.committed + 1

    def _source(self, wanted: int, now_ms: float) -> int | None:
        """Whom to ask for decrees from ``wanted`` on: of those that hear this replica the coordinator, or else the one
        that has most."""
        election = self._election
        connected = election.connected_mask(now_ms)
        outside = self._acceptor.accepted != election.highest
        best, most = None, self._acceptor.history.committed
        for peer, beat in enumerate(election.beats):
            if beat is None or not connected >> peer & 1:
                continue
            leads = beat.accepted == beat.promised == election.highest and peer == election.highest.coordinator
            if leads and (outside or beat.adopted >= wanted):
                return peer
            if beat.committed > most:
                best, most = peer, beat.committed
        return best
