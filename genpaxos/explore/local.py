"""What one replica does: every step of the real code is run once per distinct (state, event) and then remembered.

States, messages and deeds are numbered as they appear; the search over the whole system handles numbers only.
"""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from genpaxos.core.ballot import ZERO
from genpaxos.core.effects import Effects
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchBodies,
    Nack,
    PeerMessage,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
)
from genpaxos.core.policies import rules_of
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.explore import replicas
from genpaxos.explore.hearing import is_report, parts_of
from genpaxos.explore.numbering import Mailbox, Numbers
from genpaxos.explore.observations import Deeds, Facts, deeds_of, facts_of, serves
from genpaxos.explore.scope import Scope
from genpaxos.explore.trace import SOMEBODY
from genpaxos.simulation.reporting import misreported


class Outcome(NamedTuple):
    """A step's result. ``broken``: what was found wrong in it."""

    state: int
    disk: int
    sends: tuple[tuple[int, int], ...]
    """Per receiver, the bits of the messages sent."""
    deeds: int
    broken: str | None = None


NOT_DELIVERED = (Propose, Fetch, FetchBodies, Bodies)
"""A client's own message may arrive at any time, requests are answered before they are made, and all bodies known."""

Event = tuple[str, Any]
"""``("command", i)``, ``("campaign", i)``, ``("deliver", bit)``, ``("ask", peer)``, ``("restart", 0)``;
``("hear", bits)`` of phase 2b messages, all at once, ``("wait", bits)``, when no more votes are expected, and
``("promises", bits)`` of phase 1b messages; ``("with", (i, bits))``, a command with messages in one step."""


class LocalSteps:
    """The steps of one replica."""

    def __init__(self, scope: Scope, node: int, mailboxes: list[Mailbox], deeds: Numbers) -> None:
        self.node = node
        self.facts: list[Facts] = []
        self.deeds = deeds
        self._scope = scope
        self._commands = scope.command_list()
        self._ballots = scope.ballot_list()
        self._mailboxes = mailboxes
        self._states = Numbers()
        self._disks = Numbers()
        self._disk_states: list[int] = []
        self._hashes: list[int] = []
        self._memory: dict[tuple[int, int, Event], Outcome | None] = {}
        self._records = scope.crashes > 0
        self._replica = replicas.start(scope, node)
        self.first = self._state(self._replica)
        self.first_disk = self._disk([])

    def __len__(self) -> int:
        return len(self._states)

    @property
    def images(self) -> list[replicas.Image]:
        """The states, by number."""
        return self._states.values

    @property
    def disks(self) -> list[list[Record]]:
        """What stable storage holds, by number."""
        return self._disks.values

    def image_hash(self, state: int) -> int:
        """A hash of what a state stands for."""
        return self._hashes[state]

    def admit(self, image: replicas.Image) -> int:
        """The number of a state that another process has found."""
        replicas.resume(self._replica, image)
        return self._state(self._replica)

    def admit_disk(self, records: list[Record]) -> int:
        """The number of a disk that another process has found."""
        return self._disk(records)

    def restarted(self, disk: int) -> int:
        """The state that a replica starts in from a disk."""
        return self._disk_states[disk]

    def step(self, state: int, disk: int, event: Event) -> Outcome | None:
        """What follows from an event; ``None`` if nothing does."""
        key = (state, disk, event)
        try:
            return self._memory[key]
        except KeyError:
            outcome = self._memory[key] = self._run(state, disk, event)
            return outcome

    def _run(self, state: int, disk: int, event: Event) -> Outcome | None:
        replica = self._replica
        replicas.resume(replica, self._states.values[state])
        before = replica.history.decrees(1, replica.history.committed)
        assert isinstance(replica.upkeep, replicas.TimelessUpkeep)
        assert isinstance(replica.election, replicas.ScriptedElection)
        peers: list[tuple[int, PeerMessage]] = []
        clients: list[tuple[Hashable, Propose]] = []
        replica.upkeep.campaigns, replica.fastpath.quorum_heard = False, True
        replica.election.scripted = ZERO
        match event:
            case ("command" | "with", value):
                index, bits = value if event[0] == "with" else (value, ())
                command, body = self._commands[index]
                if replica.history.holds(command):
                    return None
                clients = [(None, Propose([command], [body]))]
                peers = self._told(bits)
                if bits and isinstance(peers[0][1], Phase2b):
                    self._hearing(replica)
            case ("campaign", index):
                replica.upkeep.campaigns, replica.election.scripted = True, self._ballots[index]
            case ("hear" | "wait", bits):
                replica.fastpath.quorum_heard = event[0] == "hear"
                peers = self._told(bits)
                self._hearing(replica)
            case ("promises", bits):
                *earlier, last = [self._mailboxes[self.node][bit] for bit in bits]
                for sender, report in earlier:
                    assert isinstance(report, Phase1b)
                    replica.coordinator.on_phase1b(sender, report)
                peers = [last]
            case ("ask", peer):
                peers = [(peer, Fetch(1))]
            case (_, bit):
                peers = [self._mailboxes[self.node][bit]]
        replicas.recall(replica)
        try:
            effects = replica.step(0.0, peers, clients)
        except Exception as error:  # whatever it is: the real code must not raise
            return Outcome(state, disk, (), self._nothing(), f"{type(error).__name__}: {error}")
        return self._outcome(state, disk, replica, effects, before, asked=event[0] == "ask")

    def _told(self, bits: Iterable[int]) -> list[tuple[int, PeerMessage]]:
        posts = [self._mailboxes[self.node][bit] for bit in bits]
        return sorted(posts, key=_place) if len(posts) > 1 else posts

    @staticmethod
    def _hearing(replica: Replica) -> None:
        if replica.coordinator.leading and replica.acceptor.rules.reports_tails:
            replicas.run_ahead(replica)

    def _outcome(
        self,
        state: int,
        disk: int,
        replica: Replica,
        effects: Effects,
        before: tuple[list[str], list[int]],
        *,
        asked: bool,
    ) -> Outcome | None:
        facts = self.facts[state]
        misreport = misreported(replica, effects.messages, {})
        effects.broadcasts = [self._whole(replica, message) for message in effects.broadcasts]
        deeds = deeds_of(self.node, replica, effects)
        if asked or serves(replica) != facts.serves:
            self._serve(replica, effects)
        self._take_apart(effects, acceptors_order=replica.acceptor.rules.reports_tails)
        if self._records and effects.records:
            disk = self._disk([*self._disks.values[disk], *effects.records])
        after = self._state(replica)
        sends = self._sent(effects)
        broken = misreport or self._wrong(replica, facts, before, deeds)
        if after == state and not sends and broken is None and not (deeds.voted or deeds.learned):
            return None
        return Outcome(after, disk, sends, self.deeds.number(deeds), broken)

    def _wrong(self, replica: Replica, facts: Facts, before: tuple[list[str], list[int]], deeds: Deeds) -> str | None:
        """Invariants that one replica can break by itself."""
        acceptor, history = replica.acceptor, replica.history
        if acceptor.promised < max(facts.promised, acceptor.accepted) or acceptor.accepted < facts.accepted:
            return f"ballots go back: promised {acceptor.promised}, accepted {acceptor.accepted} after {facts.promised}"
        for vote in deeds.voted:
            if vote.ballot != acceptor.promised:
                return f"a vote in ballot {vote.ballot}, but {acceptor.promised} is promised"
        if history.decrees(1, len(before[0])) != before or history.committed < len(before[0]):
            return f"committed decrees change: {before[0]} were committed, now {history.ids[: history.committed]}"
        held = [*history.ids, *history.tail]
        if len(set(held)) < len(held) or not set(held) <= {name for name, _ in self._commands}:
            return f"the history holds what nobody proposed, or something twice: {held}"
        return None

    def _nothing(self) -> int:
        return self.deeds.number(Deeds(self.node, ZERO, (), None, (), ()))

    def _serve(self, replica: Replica, effects: Effects) -> None:
        """Answer at once whatever others may ever ask for.

        A message in the network may be delivered never, so a network that has more messages allows all that one with
        fewer does: requests need not be explored, and what is in the network is a function of what was decreed.
        """
        if self._records and not effects.leaves:
            return  # an answer would make the records durable: that is an event of its own
        if replica.coordinator.leading:
            effects.broadcasts += self._decrees(replica)
        elif replica.history.committed > 0:
            effects.broadcasts += self._committed(replica)

    def _decrees(self, replica: Replica) -> list[PeerMessage]:
        """What a coordinator may have said of its decrees so far.

        A decree sequence only grows, as does the commit index, and how far each of its answers reaches is not fixed. So
        every prefix counts as sent, with every commit index so far. An answer from a later index on does what one from
        the first on does, unless answers are short.
        """
        length, committed = replica.history.length, replica.history.committed
        if self._scope.chunk:
            wanted = range(1, length + 2)
            answers = [replica.serving.on_fetch(Fetch(first)) for first in wanted]
            return [answer for answer in answers if answer is not None]
        whole = replica.coordinator.phase2a(1)
        bodies = whole.bodies or []
        return [
            replace(whole, committed=known, ids=whole.ids[:count], digests=whole.digests[:count], bodies=bodies[:count])
            for count in range(length + 1)
            for known in range(committed + 1)
        ]

    def _committed(self, replica: Replica) -> list[PeerMessage]:
        committed = replica.history.committed
        if self._scope.chunk:
            answers = [replica.serving.on_fetch(Fetch(first)) for first in range(1, committed + 1)]
            return [answer for answer in answers if answer is not None]
        whole = replica.serving.on_fetch(Fetch(1))
        assert isinstance(whole, Committed)
        return [
            replace(whole, ids=whole.ids[:count], digests=whole.digests[:count], bodies=whole.bodies[:count])
            for count in range(1, committed + 1)
        ]

    def _sent(self, effects: Effects) -> tuple[tuple[int, int], ...]:
        masks: dict[int, int] = {}
        others = [peer for peer in range(self._scope.acceptors) if peer != self.node]
        for peer, message in effects.letters(others):
            if self._delivers(peer, message):
                bare = _bare(peer, message)
                sender = SOMEBODY if isinstance(message, Committed) else self.node
                bit = self._mailboxes[peer].bit(sender, bare)
                masks[peer] = masks.get(peer, 0) | 1 << bit
        return tuple(sorted(masks.items()))

    def _whole(self, replica: Replica, message: PeerMessage) -> PeerMessage:
        """A report with all that the reports before it said.

        Reports that follow one another without a gap say together what the last one says so (an acceptor restates it
        whenever commands linger); those behind a gap are ignored as though they had not come.
        """
        if isinstance(message, Phase2b) and replica.acceptor.rules.reports_tails:
            earlier = list(islice(replica.history.tail.items(), message.start))
            ids, digests = [c for c, _ in earlier], [d for _, d in earlier]
            return replace(message, ids=ids + message.ids, digests=digests + message.digests, start=0)
        return message

    def _take_apart(self, effects: Effects, *, acceptors_order: bool) -> None:
        """Phase 2b messages in parts; of phase 2a those that :meth:`_decrees` lists."""
        whole, effects.broadcasts = effects.broadcasts, []
        for message in whole:
            if isinstance(message, Phase2b):
                parts = parts_of(message, reports=acceptors_order)
                told = message.ballot.coordinator == self.node  # its decrees say what it has adopted
                effects.broadcasts += [part for part in parts if part.ids or not told]
            else:
                effects.broadcast(message)
        if not self._scope.chunk:
            effects.sends = [(peer, m) for peer, m in effects.sends if not isinstance(m, Phase2a)]
            effects.broadcasts = [m for m in effects.broadcasts if not isinstance(m, Phase2a) or m.first == 1]

    def _delivers(self, peer: int, message: PeerMessage) -> bool:
        if (self.node, peer) in self._scope.cut:
            return False
        if isinstance(message, Phase2b):
            return self._scope.hears(peer, message.ballot, report=is_report(message))
        if isinstance(message, Nack):
            return self._scope.nacks
        return not isinstance(message, NOT_DELIVERED)

    def _state(self, replica: Replica) -> int:
        image = replicas.image_of(replica, keep_records=self._records, keep_offers=self._scope.chunk is not None)
        key = image.key
        number = self._states.number(key, image)
        if number == len(self.facts):
            self.facts.append(facts_of(replica))
            self._hashes.append(hash(key))
        return number

    def _disk(self, records: list[Record]) -> int:
        state = self._state(replicas.start(self._scope, self.node, records))
        disk = self._disks.number(("disk", state), records)
        if disk == len(self._disk_states):
            self._disk_states.append(state)
        return disk


def _bare(peer: int, message: PeerMessage) -> PeerMessage:
    """Decrees without their bodies, which all know, but for those who are always sent them: they take them in."""
    if not isinstance(message, Phase2a) or rules_of(message.kind).carries_bodies(message.kind, peer):
        return message
    return replace(message, bodies=None)


def _place(post: tuple[int, PeerMessage]) -> tuple[object, ...]:
    """Older reports first; beyond that the order does not matter, but must not depend on who numbered what."""
    sender, message = post
    assert isinstance(message, Phase2b)
    return (message.adopted, message.step, len(message.ids), sender, message.ids, message.digests)
