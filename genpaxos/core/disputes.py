"""Replicas whose results differ notice it at the next heartbeat, find the first difference, and the minority stops.

Every heartbeat carries the sender's running sum (:mod:`genpaxos.core.agreement`) at the index up to which it has
executed. Whoever has executed as much compares it with its own sum *at that index*; whoever has not does so as soon as
it has, and meanwhile compares the mark before it. So of any two replicas that hear each other one compares at every
heartbeat, however far apart they are, and a replica that lags, was cut off or restarts has nothing to compare that
could differ: at equal indices the sums of machines that compute the same are equal, whoever is slow.

When two sums differ a *dispute* begins. Its members tell all others their sums at the marks they remember and at the
index in question (:class:`~genpaxos.core.messages.Results`) and ask for theirs; where the sums begin to differ, they do
the same for each index of that one block. That gives the first index at which two replicas differ. There each replica
has one vote: the sum it computed. A value that a majority of *all* replicas computed is taken as right. Whoever has
another raises :class:`~genpaxos.core.history.DivergenceError`; if no value can have a majority, or none is found to
have one in time, everybody does, since nobody can say whose results are right. A replica that goes on from a state it
received does not vote on what that state contains.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from genpaxos.core.agreement import BLOCK_COMMANDS, Agreement
from genpaxos.core.builtins import CHECKSUM
from genpaxos.core.effects import Effects
from genpaxos.core.election import Timing
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.messages import Heartbeat, Results
from genpaxos.core.runs import pairs_of

DECIDE_ELECTIONS = 4
"""How many election times the votes of all are waited for, once two of them differ."""
INDICES_MAX = 2_048
"""In one message: all marks that are remembered, and some more."""
SHOWN_COMMAND = 300
"""Characters of a command and of its results in a fault's text."""


@dataclass(slots=True)
class _Dispute:
    """What is known while it lasts."""

    began_ms: float
    indices: list[int]
    """What the others are asked for, and told."""
    narrow: bool = False
    """They are those of one block, and the others were told."""
    asked_ms: float = -inf
    sums: dict[int, dict[int, int]] = field(default_factory=dict)
    """By replica: the sums it told, by index."""
    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    """The results they told, by replica and index."""
    since: dict[int, int] = field(default_factory=dict)


class Disputes:
    """The disputes of one replica with the others."""

    def __init__(self, node: int, replicas: int, agreement: Agreement, history: History, timing: Timing) -> None:
        self.findings: list[str] = []
        """What was found out about others since the owner last took it."""
        self.outvoted: dict[int, str] = {}
        """Replicas that a majority disagrees with, and the outcome."""
        self._node = node
        self._replicas = replicas
        self._agreement = agreement
        self._history = history
        self._timing = timing
        self._ahead: dict[int, tuple[int, int]] = {}
        """By replica: a sum at an index that this one has not reached."""
        self._dispute: _Dispute | None = None
        self._next_ms = -inf
        """When another dispute may begin."""

    @property
    def under_way(self) -> bool:
        """Whether some replica's results differ from this one's, as far as is known."""
        return self._dispute is not None

    @property
    def due_ms(self) -> float:
        """When :meth:`advance` next has something to do though nothing arrives."""
        return inf if self._dispute is None else self._dispute.asked_ms + self._timing.retry_ms

    def on_beat(self, sender: int, beat: Heartbeat, now_ms: float) -> None:
        """Compare the sums in a heartbeat with this replica's."""
        index = beat.executed
        if index > self._agreement.index:
            self._ahead.setdefault(sender, (index, beat.sum))
            index = beat.executed - beat.executed % BLOCK_COMMANDS
            self._compare(sender, index, beat.mark_sum, now_ms)
        elif not self._compare(sender, index, beat.sum, now_ms):
            self._compare(sender, index - index % BLOCK_COMMANDS, beat.mark_sum, now_ms)

    def on_results(self, sender: int, message: Results, now_ms: float, effects: Effects) -> None:
        """Another replica is in a dispute, and tells its sums."""
        if message.asks:
            if self._dispute is None and now_ms >= self._next_ms:
                self._begin(message.indices, now_ms)
            answer = self._told(message.indices, asks=False)
            if answer.indices:
                effects.send(sender, answer)
        dispute = self._dispute
        if dispute is not None:
            dispute.since[sender] = message.since
            dispute.sums.setdefault(sender, {}).update(zip(message.indices, message.sums, strict=True))
            for index, shown in zip(message.indices, message.shown, strict=True):
                if shown:
                    dispute.shown[sender, index] = shown

    def advance(self, now_ms: float, effects: Effects) -> None:
        """Compare what can be compared by now, and go on with the dispute, if there is one.

        Raises :class:`DivergenceError` if this replica must stop.
        """
        if self._ahead:
            reached = [peer for peer, (index, _) in self._ahead.items() if index <= self._agreement.index]
            for peer in reached:
                self._compare(peer, *self._ahead.pop(peer), now_ms)
        dispute = self._dispute
        if dispute is None:
            return
        parting = self._parting(dispute)
        if parting is None:
            if now_ms - dispute.began_ms > self._timing.election_ms:
                self._end(now_ms)  # whoever differed says so no more: it has stopped, or has another state by now
        elif not dispute.narrow or parting not in dispute.indices:
            # Told in a step before any vote: a replica that stops sends nothing of its last step, and the others, too,
            # are to name what it computed.
            dispute.indices, dispute.narrow, dispute.asked_ms = self._agreement.block_of(parting), True, -inf
        elif self._is_first(dispute, parting) or now_ms - dispute.began_ms > self._timing.election_ms:
            self._vote(dispute, parting, now_ms)
        if self._dispute is not None and now_ms - dispute.asked_ms >= self._timing.retry_ms:
            dispute.asked_ms = now_ms
            effects.broadcast(self._told(dispute.indices, asks=True))

    # Comparing ------------------------------------------------------------------------------------------------------

    def _compare(self, peer: int, index: int, theirs: int, now_ms: float) -> bool:
        """Compare a sum with this replica's at the same index; whether that is remembered."""
        mine = self._agreement.sum_at(index)
        if mine is None:
            return False
        if mine == theirs:
            if index > 0 and self.outvoted and index >= self._agreement.index:
                self.outvoted.pop(peer, None)  # it was rebuilt
        elif self._dispute is None and now_ms >= self._next_ms:
            self._begin([index], now_ms)
        return True

    def _begin(self, indices: Sequence[int], now_ms: float) -> None:
        mine = self._agreement
        asked = {index for index in indices if index <= mine.index}
        listed = sorted({*mine.marks(), mine.index, *asked} - {0})
        self._dispute = _Dispute(now_ms, listed[-INDICES_MAX:])

    def _end(self, now_ms: float) -> None:
        self._dispute, self._next_ms = None, now_ms + self._timing.election_ms

    def _told(self, indices: Sequence[int], *, asks: bool) -> Results:
        mine = self._agreement
        found = [(index, total) for index in indices if (total := mine.sum_at(index)) is not None]
        listed = [index for index, _ in found]
        in_block = len(indices) <= BLOCK_COMMANDS + 1
        shown = [mine.result_at(index) if in_block else "" for index in listed]
        return Results(asks, mine.since, listed, [total for _, total in found], shown)

    # Deciding -------------------------------------------------------------------------------------------------------

    def _parting(self, dispute: _Dispute) -> int | None:
        """The lowest index known at which another replica's sum is not this one's."""
        mine, lowest = self._agreement, None
        for sums in dispute.sums.values():
            for index, total in sums.items():
                if (lowest is None or index < lowest) and (own := mine.sum_at(index)) is not None and own != total:
                    lowest = index
        return lowest

    def _is_first(self, dispute: _Dispute, parting: int) -> bool:
        """Whether nobody who differs at that index could be found to differ before it."""
        mine = self._agreement
        before = parting - 1
        if before and mine.sum_at(before) is None:
            return True  # single results are not remembered that far back
        for sums in dispute.sums.values():
            if sums.get(parting, mine.sum_at(parting)) != mine.sum_at(parting) and before and before not in sums:
                return False
        return True

    def _vote(self, dispute: _Dispute, index: int, now_ms: float) -> None:
        """Decide on V[index], if that can be decided."""
        mine = self._agreement
        own = mine.sum_at(index)
        assert own is not None
        told = {peer: sums[index] for peer, sums in dispute.sums.items() if index in sums}
        votes = Counter(total for peer, total in told.items() if index > dispute.since[peer])
        if mine.vouches(index):
            votes[own] += 1
        majority = self._replicas // 2 + 1
        right = next((total for total, count in votes.items() if count >= majority), None)
        if right is not None and right != own:
            raise DivergenceError(self._text(dispute, index, {**told, self._node: own}, right))
        if right is not None:
            self._outvote(dispute, index, {**told, self._node: own}, right)
            self._end(now_ms)
            return
        silent = self._replicas - 1 - len(told)
        hopeless = max(votes.values(), default=0) + silent < majority
        if hopeless or now_ms - dispute.began_ms > DECIDE_ELECTIONS * self._timing.election_ms:
            raise DivergenceError(self._text(dispute, index, {**told, self._node: own}, None))

    def _outvote(self, dispute: _Dispute, index: int, told: dict[int, int], right: int) -> None:
        text = self._text(dispute, index, told, right)
        for peer, total in told.items():
            if total != right:
                if self.outvoted.get(peer) != text:
                    self.findings.append(text)
                self.outvoted[peer] = text

    def _text(self, dispute: _Dispute, index: int, told: dict[int, int], right: int | None) -> str:
        """What differs, between whom, and what to do."""
        groups: dict[int, list[int]] = {}
        for peer, total in sorted(told.items()):
            groups.setdefault(total, []).append(peer)
        results = "; ".join(f"{_replicas(peers)}: {self._shown(dispute, peers, index)}" for peers in groups.values())
        if right is None:
            verdict = (
                f"No result is that of a majority of the {self._replicas} replicas, so nobody can say which is right "
                "and all of them stop."
            )
        else:
            wrong = [peer for peer, total in sorted(told.items()) if total != right]
            verdict = f"The majority computed the same; {_replicas(wrong)} stop{'s' if len(wrong) == 1 else ''}."
        command = self._command(index)
        what = "are in different states" if command.startswith(CHECKSUM) else "computed different results"
        return (
            f"replicas {what} at index {index}, {command}. {results}. {verdict} "
            "An operation must depend on nothing but the state and its arguments, on the same code everywhere, and "
            "commute as the table says (`genpaxos check`). Correct the machine, then start the replicas again; one "
            "whose state is wrong is rebuilt by `genpaxos rejoin`."
        )

    def _shown(self, dispute: _Dispute, peers: list[int], index: int) -> str:
        if self._node in peers:
            shown = self._agreement.result_at(index)
        else:
            shown = next((text for peer in peers if (text := dispute.shown.get((peer, index)))), "")
        return shown[:SHOWN_COMMAND] or "a result that is not remembered"

    def _command(self, index: int) -> str:
        """The command at an index in words, or the block it is in."""
        history = self._history
        exact = self._agreement.result_at(index)
        since = "" if exact else " or up to 63 before it"
        if not history.base < index <= history.length:
            return f"a command that is cut off the log{since}"
        (body,) = history.bodies(index, index)
        command = "; ".join(f"{operation}{tuple(given)}" for operation, given in pairs_of(body))[:SHOWN_COMMAND]
        return f"{command} (command {history.decrees(index, index)[0][0]}){since}"


def _replicas(nodes: Sequence[int]) -> str:
    numbers = [str(node) for node in nodes]
    if len(numbers) == 1:
        return f"replica {numbers[0]}"
    return f"replicas {', '.join(numbers[:-1])} and {numbers[-1]}"
