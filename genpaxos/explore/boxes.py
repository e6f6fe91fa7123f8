"""One replica and the messages sent to it, as one number; and which of those messages can still have an effect.

The network is the set of all messages ever sent, so delivering one does not remove it. Two boxes that differ only in
messages without any effect from now on are one (``Scope.prune``).
"""

from typing import NamedTuple

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Committed, Nack, Phase1a, Phase1b, Phase2a, Phase2b
from genpaxos.core.quorum import QuorumSystem
from genpaxos.explore import hearing
from genpaxos.explore.ledger import Outlook
from genpaxos.explore.local import Event, LocalSteps, Outcome
from genpaxos.explore.numbering import Mailbox, Numbers, bits_of
from genpaxos.explore.observations import Facts
from genpaxos.explore.scope import Scope


class Box(NamedTuple):
    """A replica in the global state."""

    state: int
    disk: int
    inbox: int
    """Bit mask of the messages that may be delivered to it."""


class Move(NamedTuple):
    """One step of one replica, as the search needs it."""

    box: int
    sends: tuple[tuple[int, int], ...]
    deeds: int
    broken: str | None
    event: int


class Boxes:
    """All boxes of one replica."""

    def __init__(self, scope: Scope, steps: LocalSteps, mailbox: Mailbox, events: Numbers) -> None:
        self.steps = steps
        self._scope = scope
        self._mailbox = mailbox
        self._events = events
        self._boxes = Numbers()
        self._live: dict[int, tuple[int, int]] = {}
        self.outlook: list[int] = []
        """Per box, what its acceptor may still do."""
        self.outlooks = Numbers()
        self.hashes: list[int] = []
        """Per box, a hash of what it stands for."""
        self._moves: dict[int, list[Move]] = {}
        self._received: dict[tuple[int, int], int] = {}
        self._ballots = scope.ballot_list()
        self._quorums = QuorumSystem.majority(scope.acceptors)
        self.first = self.box(steps.first, steps.first_disk, 0)

    def __getitem__(self, box: int) -> Box:
        found: Box = self._boxes.values[box]
        return found

    @property
    def values(self) -> list[Box]:
        """The boxes, by number."""
        return self._boxes.values

    def facts(self, box: int) -> Facts:
        """What can be seen of the replica."""
        return self.steps.facts[self[box].state]

    def receive(self, box: int, messages: int) -> int:
        """The box with messages added."""
        key = (box, messages)
        found = self._received.get(key)
        if found is None:
            state, disk, inbox = self[box]
            found = self._received[key] = self.box(state, disk, inbox & ~self._mailbox.replaced(messages) | messages)
        return found

    def moves(self, box: int) -> list[Move]:
        """What the replica may do: take a client's command or any message of its box."""
        found = self._moves.get(box)
        if found is None:
            inbox = self[box].inbox
            events: list[Event] = [("command", index) for index in range(self._scope.commands)]
            facts = self.facts(box)
            if self._scope.crashes:
                events.append(("ask", (self.steps.node + 1) % self._scope.acceptors))
            events += [
                ("deliver", bit) for bit in bits_of(inbox) if not isinstance(self._mailbox[bit][1], Phase1b | Phase2b)
            ]
            for heard in self._hearings(facts, inbox):
                events.append(("hear", heard))
                if facts.leading and facts.kind.policy is Policy.COORDINATED:
                    events.append(("wait", heard))
            if facts.asking is not None:
                events += [("promises", heard) for heard in self._promises(facts, inbox)]
            if self._scope.together:
                events += self._together(events)
            found = self._moves[box] = self._distinct(box, events)
        return found

    def campaign(self, box: int, ballot: int) -> Move | None:
        """Start a ballot, unless a higher one is promised."""
        if self.facts(box).promised >= self._ballots[ballot]:
            return None
        event = ("campaign", ballot)
        return self._move(box, event, self.steps.step(self[box].state, self[box].disk, event))

    def restart(self, box: int) -> Move:
        """Crash, and start from the disk."""
        _, disk, inbox = self[box]
        after = self.box(self.steps.restarted(disk), disk, inbox)
        return Move(after, (), -1, None, self._events.number((self.steps.node, ("restart", 0))))

    def _distinct(self, box: int, events: list[Event]) -> list[Move]:
        """The moves that differ in what they do: of events with the same effect, the first stands for all."""
        state, disk, _ = self[box]
        moves: dict[tuple[object, ...], Move] = {}
        for event in events:
            move = self._move(box, event, self.steps.step(state, disk, event))
            if move is not None:
                moves.setdefault(move[:-1], move)
        return list(moves.values())

    def _move(self, box: int, event: Event, outcome: Outcome | None) -> Move | None:
        if outcome is None:
            return None
        after = self.box(outcome.state, outcome.disk, self[box].inbox)
        number = self._events.number((self.steps.node, event))
        return Move(after, outcome.sends, outcome.deeds, outcome.broken, number)

    def box(self, state: int, disk: int, inbox: int) -> int:
        """The number of a box, without messages that have no effect on it."""
        if self._scope.prune:
            alive = self._alive(state, disk, inbox)
            if self._scope.crashes:
                alive |= self._alive(self.steps.restarted(disk), disk, inbox)
            inbox &= alive
        number = self._boxes.number(Box(state, disk, inbox))
        if number == len(self.outlook):
            kept = self.steps.facts[self.steps.restarted(disk) if self._scope.crashes else state]
            here = kept.accepted == kept.promised
            ahead = Outlook(kept.promised.number, kept.step if here else 0, kept.decreed if here else frozenset())
            self.outlook.append(self.outlooks.number(ahead))
            messages = frozenset([self._mailbox.hashes[bit] for bit in bits_of(inbox)])
            self.hashes.append(
                hash((self.steps.image_hash(state), self.steps.image_hash(self.steps.restarted(disk)), messages))
            )
        return number

    def _alive(self, state: int, disk: int, inbox: int) -> int:
        """Those of the messages that are alive in a state, and perhaps others."""
        asked, alive = self._live.get(state, (0, 0))
        fresh = inbox & ~asked
        if fresh:
            for bit in bits_of(fresh):
                if self._may_matter(state, disk, bit):
                    alive |= 1 << bit
            self._live[state] = (asked | fresh, alive)
        return alive

    def _may_matter(self, state: int, disk: int, bit: int) -> bool:
        """Whether a message can still have an effect on a replica in this state or in one that comes after it."""
        _, message = self._mailbox[bit]
        facts = self.steps.facts[state]
        match message:
            case Phase1a(ballot):
                return (ballot >= facts.promised and facts.accepted < ballot) or self._scope.nacks
            case Phase1b(ballot):
                return facts.asking == ballot
            case Phase2a(ballot):
                if ballot < facts.promised:
                    return self._scope.nacks
                if self._scope.chunk is None:
                    if facts.accepted != ballot:
                        return True
                    return len(message.ids) > facts.length or message.committed > facts.committed
                reached = message.first + len(message.ids) - 1 <= facts.length
                settled = facts.accepted == facts.promised == ballot and reached
                return not settled or self.steps.step(state, disk, ("deliver", bit)) is not None
            case Phase2b():
                return hearing.may_matter(self.steps.node, facts, message, self._scope)
            case Committed(ballot, first, ids):
                return ballot > facts.promised or first + len(ids) - 1 > facts.committed
            case Nack():
                return message.promised > facts.promised
            case _:
                return True

    def _hearings(self, facts: Facts, inbox: int) -> list[hearing.Bits]:
        parts = ((bit, *self._mailbox[bit]) for bit in bits_of(inbox))
        heard = [(bit, sender, part) for bit, sender, part in parts if isinstance(part, Phase2b)]
        return hearing.combinations(facts, heard)

    def _together(self, events: list[Event]) -> list[Event]:
        """A client's command comes in one step with what is delivered, or with what is heard."""
        singly = [(bit,) for kind, bit in events if kind == "deliver"]
        heard = [bits for kind, bits in events if kind == "hear" and bits]
        return [("with", (index, bits)) for index in range(self._scope.commands) for bits in (*singly, *heard)]

    def _promises(self, facts: Facts, inbox: int) -> list[hearing.Bits]:
        parts = ((bit, *self._mailbox[bit]) for bit in bits_of(inbox))
        heard = [(bit, sender, m) for bit, sender, m in parts if isinstance(m, Phase1b) and m.ballot == facts.asking]
        leads = self._scope.policy_of(facts.asking) is Policy.LEADER_ORDERED if facts.asking is not None else False
        pins = leads and self._scope.fast is FastQuorums.PINNED
        return hearing.quorums(self.steps.node, heard, self._quorums, pins=pins)
