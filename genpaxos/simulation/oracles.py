"""The invariants of protocol.md, checked after every step of every replica.

What a step learns and runs may rest on a vote of its own that is not written yet, because nothing leaves; a crash takes
all of that back. So news of a step count only once the replica has no unwritten records.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from commutativity import Footprint, Machine, interferes
from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.learner import Learned, Learner
from genpaxos.core.messages import PeerMessage
from genpaxos.core.records import Entered, Record
from genpaxos.core.replica import Replica
from genpaxos.core.roles import Settings
from genpaxos.core.sessions import Result
from genpaxos.simulation.durability import Durability
from genpaxos.simulation.tally import Tally
from genpaxos.simulation.violations import Invariant, ViolationError


class Oracles:
    """What has been chosen, learned and run anywhere, and one :class:`Witness` per replica."""

    def __init__(self, machine: type[Machine], settings: Settings) -> None:
        self.log: list[tuple[str, int]] = []
        """The committed decrees with their digests, as far as any replica has seen them committed."""
        self.chosen: dict[str, int] = {}
        """The same by command."""
        self.learned: dict[str, int] = {}
        """What any replica learned by the fast rule, with its digest."""
        self.results: dict[str, Result] = {}
        """What each command gave, on whichever replica ran it first."""
        self.order = Order(machine)
        self.tally = Tally(settings)
        self.witnesses = [Witness(self, node) for node in range(settings.replicas)]

    def left(self, node: int, message: PeerMessage) -> None:
        """A message of a replica to another leaves now."""
        self.witnesses[node].durability.left(message)
        self.tally.left(node, message)

    def committed(self, node: int, index: int, command: str, digest: int) -> None:
        """A replica holds V[index] for committed."""
        if index > len(self.log):
            if command in self.chosen:
                raise ViolationError(Invariant.ONCE, f"{command} is committed at two indices, {index} is the second")
            self.log.append((command, digest))
            self.chosen[command] = digest
            self._same_digest(command)
        elif self.log[index - 1] != (command, digest):
            raise ViolationError(
                Invariant.COMMITTED,
                f"index {index} is committed as {_shown(*self.log[index - 1])}; replica {node} has "
                f"{_shown(command, digest)}",
            )

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
        self.durability = Durability(node)
        self.executed: set[str] = set()
        """What ran in this life."""
        self._oracles = oracles
        self._node = node
        self._promised: Ballot = ZERO
        self._accepted: Ballot = ZERO
        self._committed = 0
        self._sets: dict[Footprint, int] = {}
        """What ran in this life, by footprint, as sets of commands."""
        self._learned: list[Learned] = []
        self._done: list[tuple[list[str], list[Result]]] = []
        """News that no synced record carries yet."""

    def started(self, replica: Replica, records: Sequence[Record]) -> None:
        """A new life: everything is judged again from the first index on."""
        self.durability.started(replica, records)
        self._promised, self._accepted = replica.acceptor.promised, replica.acceptor.accepted
        self.executed, self._sets = set(), {}
        self._learned, self._done = [], []
        self._committed = 0
        self._check_committed(replica)
        for command in replica.history.ids[: replica.executor.executed]:
            self._place(replica, command)
        votes, take = replica.learner.on_votes, replica.executor.take_done
        replica.learner.on_votes = partial(self._on_votes, replica.learner, votes)  # type: ignore[method-assign]
        replica.executor.take_done = partial(self._take_done, take)  # type: ignore[method-assign]

    def wrote(self, records: Sequence[Record]) -> None:
        """Records of this replica were synced."""
        self.durability.wrote(records)
        for record in records:
            if type(record) is Entered and record.ballot.coordinator == self._node:
                self._oracles.tally.started(record.ballot)

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
        if not acceptor.records:
            if replica.history.committed > self._committed:
                self._check_committed(replica)
            if self._learned or self._done:
                self._judge_news(replica)

    def _judge_news(self, replica: Replica) -> None:
        learned, self._learned = self._learned, []
        done, self._done = self._done, []
        for ids, digests in learned:
            for command, digest in zip(ids, digests, strict=True):
                self._oracles.learn(self._node, command, digest)
        for commands, results in done:
            for command, result in zip(commands, results, strict=True):
                self._oracles.ran(self._node, command, result)
                self._place(replica, command)

    def _check_committed(self, replica: Replica) -> None:
        history, oracles = replica.history, self._oracles
        for index in range(self._committed, history.committed):
            oracles.committed(self._node, index + 1, history.ids[index], history.digests[index])
        self._committed = history.committed
        if replica.executor.executed > history.committed:
            raise ViolationError(Invariant.ONCE, f"replica {self._node} ran beyond its commit index")

    def _place(self, replica: Replica, command: str) -> None:
        """The command ran now: once, and behind the commands it must follow."""
        if command in self.executed:
            raise ViolationError(Invariant.ONCE, f"replica {self._node} ran {command} twice")
        self.executed.add(command)
        order = self._oracles.order
        footprint = replica.proposals.known[command][1]
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

    # Hooks ----------------------------------------------------------------------------------------------------------

    def _on_votes(
        self,
        learner: Learner,
        honest: Any,
        acceptor: int,
        ballot: Ballot,
        ids: Sequence[str],
        digests: Sequence[int],
        step: int = 0,
    ) -> Learned:
        tally = self._oracles.tally
        if acceptor == self._node:
            tally.voted(acceptor, ballot, ids, digests, step)
        learned: Learned = honest(acceptor, ballot, ids, digests, step)
        if learned[0]:
            tally.learned(self._node, learner.ballot, learner.kind, *learned, step)
            self._learned.append(([*learned[0]], [*learned[1]]))
        return learned

    def _take_done(self, honest: Any) -> tuple[list[str], list[Result]]:
        done: tuple[list[str], list[Result]] = honest()
        if done[0]:
            self._done.append(done)
        return done


def _shown(command: str, digest: int) -> str:
    return f"{command} {digest >> 48:04x}"
