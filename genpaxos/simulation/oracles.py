"""The invariants of protocol.md, checked after every step of every replica.

What a step learns and runs may rest on a vote of its own that is not written yet, because nothing leaves; a crash takes
all of that back. So news of a step count only once the replica has no unwritten records.
"""

import struct
from collections.abc import Iterable, Sequence

from xxhash import xxh3_64_intdigest

from commutativity import Footprint, Machine, interferes
from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.commands import footprint_of
from genpaxos.core.effects import Effects, LearnedFast, Ran
from genpaxos.core.ids import OWN_SESSIONS, split_id
from genpaxos.core.keys import KEY_PREFIX
from genpaxos.core.log import MASK
from genpaxos.core.messages import PeerMessage, Phase2a, Phase2b
from genpaxos.core.records import Entered, Record
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import ENDED, Result
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import State
from genpaxos.simulation.disk import Found
from genpaxos.simulation.durability import Durability
from genpaxos.simulation.rejoining import Floors
from genpaxos.simulation.reporting import misreported
from genpaxos.simulation.tally import Tally
from genpaxos.simulation.violations import Invariant, ViolationError


class Oracles:
    """What has been chosen, learned and run anywhere, and one :class:`Witness` per replica."""

    def __init__(self, machine: type[Machine], settings: Settings) -> None:
        self.log: list[tuple[str, int]] = []
        """The committed decrees with their digests, as far as any replica has seen them committed."""
        self.chosen: dict[str, int] = {}
        """The same by command."""
        self.indices: dict[str, int] = {}
        """Where each of them stands."""
        self.log_sums = [0]
        """What :meth:`genpaxos.core.history.History.log_sum` is to give at each index."""
        self._numbers: dict[tuple[str, int], str] = {}
        """In which command each operation of a client is committed."""
        self.floors = Floors(settings.replicas)
        self.tally = Tally(settings, self.floors)
        self.learned: dict[str, int] = {}
        """What any replica learned by the fast rule, with its digest."""
        self.results: dict[str, Result] = {}
        """What each command gave, on whichever replica ran it first."""
        self.order = Order(machine)
        self.witnesses = [Witness(self, node) for node in range(settings.replicas)]

    def committed(self, node: int, index: int, command: str, digest: int) -> None:
        """A replica holds V[index] for committed."""
        if index > len(self.log):
            if command in self.chosen:
                raise ViolationError(Invariant.ONCE, f"{command} is committed at two indices, {index} is the second")
            self._note_numbers(command)
            self.log.append((command, digest))
            self.chosen[command] = digest
            self.indices[command] = index
            self.log_sums.append((self.log_sums[-1] + xxh3_64_intdigest(_PACK(index, digest))) & MASK)
            self._same_digest(command)
        elif self.log[index - 1] != (command, digest):
            raise ViolationError(
                Invariant.COMMITTED,
                f"index {index} is committed as {_shown(*self.log[index - 1])}; replica {node} has "
                f"{_shown(command, digest)}",
            )

    def _note_numbers(self, command: str) -> None:
        """No number of a client's stands in two of its commands: an operation would run twice."""
        client, first, last = split_id(command)
        if client.startswith((OWN_SESSIONS, KEY_PREFIX)):
            return  # two coordinators may give one number to two commands; under a key the first alone runs
        for number in range(first, last + 1):
            other = self._numbers.setdefault((client, number), command)
            if other != command:
                raise ViolationError(
                    Invariant.ONCE, f"operation {number} of {client} is committed in {other} and in {command}"
                )

    def cut(self, node: int, index: int, log_sum: int) -> None:
        """A replica has cut V[1..index] off its log, or goes on from a snapshot at index."""
        if index >= len(self.log_sums):
            raise ViolationError(
                Invariant.COMMITTED, f"replica {node} holds V[1..{index}] for cut; only {len(self.log)} are committed"
            )
        if self.log_sums[index] != log_sum:
            raise ViolationError(
                Invariant.COMMITTED, f"replica {node} has cut another V[1..{index}] off its log than was committed"
            )

    def left(self, replica: Replica, receiver: int, message: PeerMessage) -> None:
        """A message leaves a replica for another."""
        self.witnesses[replica.node].durability.left(message)
        self.floors.left(replica.node, replica.incarnations.own, receiver, message)
        self.tally.left(replica.node, replica.incarnations.own, message)

    def leaving(self, replica: Replica, effects: Effects) -> None:
        """A step is over, and these are to leave."""
        wrong = misreported(replica, effects.messages, self.chosen)
        if wrong is not None:
            raise ViolationError(Invariant.REPORTED, wrong)

    def learn(self, node: int, command: str, digest: int) -> None:
        """A replica learned a command by the fast rule."""
        if self.learned.setdefault(command, digest) != digest:
            raise ViolationError(
                Invariant.LEARNED,
                f"replica {node} learned {_shown(command, digest)}; another learned "
                f"{_shown(command, self.learned[command])}",
            )
        self._same_digest(command)

    def ran(self, node: int, command: str, result: Result) -> None:
        """A replica ran a command."""
        if result == ENDED or ENDED in result:
            raise ViolationError(Invariant.ONCE, f"replica {node} ran {command} behind the end of its client's session")
        if self.results.setdefault(command, result) != result:
            raise ViolationError(
                Invariant.RESULTS, f"replica {node} computed {result} for {command}; another {self.results[command]}"
            )

    def _same_digest(self, command: str) -> None:
        learned = self.learned.get(command)
        committed = self.chosen.get(command, learned)
        if learned is not None and committed is not None and learned != committed:
            raise ViolationError(
                Invariant.LEARNED,
                f"{command} was learned with another digest than it is committed with: "
                f"{_shown(command, learned)}, {_shown(command, committed)}",
            )


class Order:
    """Independent of digests: each command runs behind the same set of interfering commands, on every replica."""

    def __init__(self, machine: type[Machine]) -> None:
        self.numbers: dict[str, int] = {}
        """Commands, as bits of a set."""
        self.before: dict[str, int] = {}
        """Which interfering commands came before it, on whichever replica ran it first."""
        self.footprints: dict[str, Footprint] = {}
        """The footprint of everything that ran."""
        self._table = machine.table
        self._interferes: dict[tuple[Footprint, Footprint], bool] = {}

    def bit(self, command: str) -> int:
        """The command's bit in a set of commands."""
        return 1 << self.numbers.setdefault(command, len(self.numbers))

    def interferes(self, one: Footprint, other: Footprint) -> bool:
        """As the table says, remembered."""
        known = self._interferes.get((one, other))
        if known is None:
            known = self._interferes[one, other] = interferes(self._table, one, other)
        return known

    def names(self, commands: int) -> str:
        """A set of commands in words."""
        return ", ".join(command for command, number in self.numbers.items() if commands >> number & 1) or "none"


class Witness:
    """Watches one replica, life after life."""

    def __init__(self, oracles: Oracles, node: int) -> None:
        self.durability = Durability(node, oracles.indices)
        self.executed: set[str] = set()
        """What has run here, or came with a snapshot as run."""
        self._oracles = oracles
        self._node = node
        self._promised: Ballot = ZERO
        self._accepted: Ballot = ZERO
        self._committed = 0
        self._base = 0
        self._cut_to: tuple[int, int] = (0, 0)
        """The indices of the snapshot before the newest, and of the newest."""
        self._sets: dict[Footprint, int] = {}
        """The same by footprint, as sets of commands."""
        self._learned: list[LearnedFast] = []
        self._done: list[Ran | State] = []
        """News that no synced record carries yet: commands that ran, states that took the place of all that ran."""

    def started(self, replica: Replica, found: Found) -> None:
        """A new life: everything is judged again from the first index on that is there."""
        self.durability.started(replica, found)
        self._promised, self._accepted = replica.acceptor.promised, replica.acceptor.accepted
        self._learned, self._done = [], []
        self._committed = self._base = 0
        self._cut_to = (replica.history.base, replica.history.base)
        self._check_log(replica)
        self._check_committed(replica)
        self._stand_at(found.state)
        ran = replica.executor.executed - replica.history.base
        for command in replica.history.ids[:ran]:
            if command not in self.executed:  # it ran ahead of the snapshot
                self._place(self._footprint(replica, command), command)

    def lost(self) -> None:
        """It comes back with a new disk, as a new incarnation: what it said before does not bind it."""
        self.durability = Durability(self._node, self._oracles.indices)

    def adopted(self, index: int) -> None:
        """A snapshot of this replica is durable: the log behind the one before it is to be cut."""
        self.durability.stored(index)
        self._cut_to = (self._cut_to[1], index)

    def wrote(self, records: Sequence[Record]) -> None:
        """Records of this replica were synced."""
        self.durability.wrote(records)
        for record in records:
            if type(record) is Entered and record.ballot.coordinator == self._node:
                self._oracles.tally.started(record.ballot, self.durability.incarnation)

    def acted(self, effects: Effects) -> None:
        """A step did this, and nothing of it is synced. What it learned is judged by the votes that there were when it
        learned it: of its own votes in this step those alone that were queued by then, though they have not left."""
        tally, incarnation = self._oracles.tally, self.durability.incarnation
        broadcasts = sends = 0
        for news in effects.learned:
            own = [*effects.broadcasts[broadcasts : news.told[0]], *(m for _, m in effects.sends[sends : news.told[1]])]
            broadcasts, sends = news.told
            for message in own:
                if type(message) in (Phase2a, Phase2b):
                    tally.left(self._node, incarnation, message)
            tally.learned(self._node, news.ballot, news.kind, news.ids, news.digests, news.step)

    def noted(self, effects: Effects) -> None:
        """A step did this, and its records are synced."""
        self._learned += effects.learned
        self._done += effects.executed

    def stepped(self, replica: Replica) -> None:
        """Judge a step whose records are synced."""
        acceptor = replica.acceptor
        if acceptor.promised < self._promised or acceptor.accepted < self._accepted:
            raise ViolationError(
                Invariant.BALLOTS,
                f"replica {self._node} went from promised {self._promised}, accepted {self._accepted} back to "
                f"{acceptor.promised}, {acceptor.accepted}",
            )
        if acceptor.accepted > acceptor.promised:
            raise ViolationError(
                Invariant.BALLOTS, f"replica {self._node} accepted {acceptor.accepted}, promised {acceptor.promised}"
            )
        if acceptor.accepted != self._accepted:
            self._committed = 0  # a ballot was entered: look at the whole log again
        self._promised, self._accepted = acceptor.promised, acceptor.accepted
        self._bounded(replica)
        if replica.disputes.under_way:
            raise ViolationError(Invariant.AGREED, f"replica {self._node} takes another's results for different ones")
        if not acceptor.records:
            if replica.history.base != self._base:
                self._committed = 0  # digests do not change by a cut
                self._check_log(replica)
            if replica.history.committed > self._committed:
                self._check_committed(replica)
            if self._learned or self._done:
                self._judge_news(replica)

    def _bounded(self, replica: Replica) -> None:
        """What is kept of the log lies behind the snapshot before the newest."""
        if replica.history.base < self._cut_to[0]:
            raise ViolationError(
                Invariant.BOUNDED,
                f"replica {self._node} keeps its log from {replica.history.base} on; the last snapshots are at "
                f"{self._cut_to[0]} and {self._cut_to[1]}",
            )

    def _judge_news(self, replica: Replica) -> None:
        learned, self._learned = self._learned, []
        done, self._done = self._done, []
        for fast in learned:
            for command, digest in zip(fast.ids, fast.digests, strict=True):
                self._oracles.learn(self._node, command, digest)
        for news in done:
            if isinstance(news, State):
                self._stand_at(news)
                continue
            for command, result in zip(*news, strict=True):
                self._oracles.ran(self._node, command, result)
                self._place(self._footprint(replica, command), command)

    def _stand_at(self, state: State | None) -> None:
        """All that ran is what this state holds."""
        self.executed, self._sets = set(), {}
        if state is not None:
            log = (command for command, _ in self._oracles.log[: state.index])
            self._ran_before(log)
            self._ran_before(command for command, _, _ in state.ahead)

    def _ran_before(self, commands: Iterable[str]) -> None:
        order = self._oracles.order
        for command in commands:
            if command in self.executed:
                raise ViolationError(Invariant.ONCE, f"the state that replica {self._node} has holds {command} twice")
            self.executed.add(command)
            footprint = order.footprints[command]
            self._sets[footprint] = self._sets.get(footprint, 0) | order.bit(command)

    def _footprint(self, replica: Replica, command: str) -> Footprint:
        """What a command touches: one that ran in the step that is judged may be settled, or cut off already."""
        known = replica.proposals.known.get(command)
        if known is not None:
            return known[1]
        settled = replica.history.settled_bodies([command])
        if command not in settled:
            return self._oracles.order.footprints[command]
        return footprint_of(type(replica.executor.machine), command, settled[command])

    def _check_log(self, replica: Replica) -> None:
        """What is cut off is what was committed, and what is left stands where it stood."""
        history = replica.history
        self._base = history.base
        self._oracles.cut(self._node, history.base, history.log_sum(history.base))
        under_way = history.ids[history.settled - history.base :]
        placed = {command: index for index, command in enumerate(under_way, history.settled + 1)}
        if placed != history.positions:
            raise ViolationError(Invariant.COMMITTED, f"replica {self._node} has lost count of its log at a cut")

    def _check_committed(self, replica: Replica) -> None:
        history, oracles = replica.history, self._oracles
        if history.committed > history.length:
            raise ViolationError(
                Invariant.COMMITTED,
                f"replica {self._node} holds V[1..{history.committed}] for committed; it has {history.length} decrees",
            )
        for index in range(max(self._committed, history.base), history.committed):
            at = index - history.base
            oracles.committed(self._node, index + 1, history.ids[at], history.digests[at])
        self._committed = history.committed
        if replica.executor.executed > history.committed:
            raise ViolationError(Invariant.ONCE, f"replica {self._node} ran beyond its commit index")

    def _place(self, footprint: Footprint, command: str) -> None:
        """The command ran now: once, and behind the commands it must follow."""
        if command in self.executed:
            raise ViolationError(Invariant.ONCE, f"replica {self._node} ran {command} twice")
        self.executed.add(command)
        order = self._oracles.order
        order.footprints[command] = footprint
        before = 0
        for other, commands in self._sets.items():
            if order.interferes(footprint, other):
                before |= commands
        self._sets[footprint] = self._sets.get(footprint, 0) | order.bit(command)
        expected = order.before.setdefault(command, before)
        if expected != before:
            raise ViolationError(
                Invariant.ORDER,
                f"replica {self._node} ran {command} after {order.names(before & ~expected)} and before "
                f"{order.names(expected & ~before)}; another did not",
            )


def _shown(command: str, digest: int) -> str:
    return f"{command} {digest >> 48:04x}"


_PACK = struct.Struct("<QQ").pack
