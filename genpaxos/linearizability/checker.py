"""Is there one order of the clients' calls that explains every result and keeps real time?

>>> from genpaxos.linearizability import Call, check_linearizable
>>> verdict = check_linearizable(Bank, [Call("c1", "deposit", ("alice", 5), 0, 1, None), ...])  # doctest: +SKIP
>>> assert verdict, str(verdict)  # doctest: +SKIP

Source: Herlihy & Wing, *Linearizability: a correctness condition for concurrent objects* (TOPLAS 12(3), 1990): the
definition, and Theorem 1 (locality), by which resources that no call joins are checked apart. The search is Lowe's
just-in-time linearization with memoised configurations (:mod:`~genpaxos.linearizability.search`).

**What is assumed of the machine.** Its commutativity table: nothing. Its footprints: which calls share a resource, to
check the others apart; when several parts are explained apart, the whole order is run once more on one machine, and if
that fails all calls are searched together. So "linearizable" never rests on a declaration. "Not linearizable" of one
part rests on that part's calls not being touched by the others'.

**What it costs.** With a hint that is right, one run of the calls. Without one, about ten steps a call for eight
clients; many more clients or dozens of unknown outcomes can exhaust ``steps_max``: undecided, so pass the order in
which a replica executed. To refute costs most, for every order must fail: 5,000 calls of eight clients, seconds; a
wrong read after dozens of different overlapping calls on one resource, out of reach (2^n states a black box may tell
apart).

**Equal times** of two clients mean that the calls overlap (the lenient reading); of one client, that they
follow each other, as they do when a simulated client calls again in the instant in which it was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import orjson

from genpaxos.linearizability.search import Entry, History, Search
from genpaxos.linearizability.states import Specification, States, canonical, canonical_error
from genpaxos.linearizability.verdict import Call, Culprit, Failed, Rival, Verdict

NOT_LOCAL: Final = "searched all together: a footprint is wrong, or one client's calls follow each other at equal times"
STEPS_MAX: Final = 2_000_000
"""Commands run before the search gives up: tens of seconds, hundreds of megabytes."""


def check_linearizable(
    machine_type: Callable[[], Specification],
    calls: Iterable[Call],
    *,
    initial: Any = None,
    hint: Sequence[int] | None = None,
    steps_max: int = STEPS_MAX,
    progress: Callable[[int, int, int], None] | None = None,
) -> Verdict:
    """Look for a linearization (Herlihy & Wing, section 2) of the calls by a machine.

    ``initial`` is the snapshot the history starts from. ``hint``, indices of calls, is an order to try first, such as
    the one a replica executed; right or wrong it changes how long the search takes, and which witness or whether
    ``steps_max`` is reached, never a yes into a no. ``progress`` is told (steps, returns explained, returns) of the
    part at hand.
    """
    checker = _Checker(machine_type(), tuple(calls), initial, steps_max, progress)
    order = _usable(() if hint is None else hint, len(checker.calls))
    if order and checker.explains(order):
        return checker.verdict(True, order=order, note="the hint explains it")
    parts = checker.parts()
    verdict = checker.search(parts, order)
    if verdict and len(parts) > 1 and not checker.explains(verdict.order):
        everything = list(range(len(checker.calls)))
        verdict = checker.search([everything], order, NOT_LOCAL)
    if verdict and not checker.explains(verdict.order):
        raise RuntimeError(
            "the order found fails when it is run from the start: "
            "the machine is not deterministic, or its snapshot leaves out what its results depend on"
        )
    return verdict


class _Checker:
    """One history with its specification: the parts, their searches, and the replay of a whole order."""

    def __init__(
        self,
        machine: Specification,
        calls: tuple[Call, ...],
        initial: Any,
        steps_max: int,
        progress: Callable[[int, int, int], None] | None,
    ) -> None:
        self.calls = calls
        self._machine = machine
        self._states = States(machine, initial)
        self._steps_max = steps_max
        self._progress = progress
        self._part_count = 0
        after = _tied(calls)
        self._entries = [self._entry(index, call, after.get(index, ())) for index, call in enumerate(calls)]

    def _entry(self, index: int, call: Call, after: tuple[int, ...]) -> Entry:
        if call.returned_at is not None and call.returned_at < call.invoked_at:
            raise ValueError(f"call #{index} returned before it was invoked: {call}")
        return Entry(
            index=index,
            command=self._states.command(call.operation, call.arguments),
            outcome=None if call.returned_at is None else _outcome(call.result),
            invoked_at=call.invoked_at,
            returned_at=call.returned_at,
            after=after,
        )

    def parts(self) -> list[list[int]]:
        """Calls grouped by the resources they share, small groups first. A whole-machine call joins all that touch."""
        parents = list(range(len(self.calls)))

        def root(index: int) -> int:
            while parents[index] != index:
                parents[index] = index = parents[parents[index]]
            return index

        first: dict[str | None, int] = {}
        for index, call in enumerate(self.calls):
            for resource, _ in self._machine.admit(call.operation, call.arguments):
                parents[root(index)] = root(first.setdefault(resource, index))
        if None in first:
            for index in first.values():
                parents[root(index)] = root(first[None])
        groups: dict[int, list[int]] = {}
        for index in range(len(self.calls)):
            groups.setdefault(root(index), []).append(index)
        return sorted(groups.values(), key=len)

    def explains(self, order: Sequence[int]) -> bool:
        """Is this whole order a linearization? Independent of the search."""
        chosen = set(order)
        if any(call.returned_at is not None and index not in chosen for index, call in enumerate(self.calls)):
            return False
        place = {index: position for position, index in enumerate(order)}
        latest = None  # the latest invocation so far: whatever returned before it should have come before it
        for index in order:
            call = self.calls[index]
            latest = call.invoked_at if latest is None else max(latest, call.invoked_at)
            if call.returned_at is not None and call.returned_at < latest:
                return False
            if any(place[earlier] > place[index] for earlier in self._entries[index].after):
                return False
        entries = [self._entries[index] for index in order]
        return self._states.run([entry.command for entry in entries], [entry.outcome for entry in entries])

    def search(self, parts: list[list[int]], hint: Sequence[int], note: str = "") -> Verdict:
        """Search each part; the first without an order settles it, an undecided one does not end the search."""
        self._part_count = len(parts)
        ranks = {index: rank for rank, index in enumerate(hint)}
        orders: list[list[int]] = []
        undecided: Culprit | None = None
        for part in parts:
            search = Search(self._states, History([self._entries[index] for index in part]), ranks)
            found = search.run(self._steps_max, self._progress)
            if found is False:
                return self.verdict(False, culprit=self._culprit(search), note=note)
            if found is None:
                undecided = undecided or self._culprit(search)
            orders.append(search.order())
        if undecided is not None:
            limit = f"gave up after {self._steps_max} steps"
            return self.verdict(None, culprit=undecided, note=f"{note}; {limit}" if note else limit)
        return self.verdict(True, order=self._merge(orders), note=note)

    def verdict(
        self,
        linearizable: bool | None,
        *,
        order: Sequence[int] = (),
        culprit: Culprit | None = None,
        note: str = "",
    ) -> Verdict:
        """With the counts as they are now."""
        parts = self._part_count or len(self.parts())
        return Verdict(linearizable, self.calls, tuple(order), culprit, parts, self._states.steps, note)

    def _merge(self, orders: Iterable[Sequence[int]]) -> list[int]:
        """One order of all parts that keeps real time (locality, constructively).

        A call takes effect at the latest invocation among it and those before it in its part. That lies between its own
        invocation and its return, so calls apart in time are in that order whatever their parts.
        """
        points: list[tuple[Any, int]] = []
        for order in orders:
            latest = None
            for index in order:
                invoked_at = self.calls[index].invoked_at
                latest = invoked_at if latest is None else max(latest, invoked_at)
                points.append((latest, index))
        return [index for _, index in sorted(points, key=lambda point: point[0])]  # stable: parts keep their order

    def _culprit(self, search: Search) -> Culprit:
        history, configuration = search.history, search.deepest.configuration
        rivals = [
            Rival(
                history.entries[n].index,
                _result(self._states.step(configuration.state, history.commands[n])[0]),
            )
            for n in search.available(configuration)
        ]
        return Culprit(
            index=history.entries[configuration.frontier].index,
            would_return=tuple(map(_result, search.deepest.outcomes)),
            before=tuple(search.order()),
            state=self._states.snapshot(configuration.state),
            rivals=tuple(rivals),
        )


def _tied(calls: Sequence[Call]) -> dict[int, tuple[int, ...]]:
    """For a call made in the instant its client got an answer: the calls answered then."""
    answered: dict[tuple[str, Any], list[int]] = {}
    order = [index for index, call in enumerate(calls) if call.returned_at is not None]
    order.sort(key=lambda index: (calls[index].returned_at, calls[index].invoked_at, index))
    for index in order:
        answered.setdefault((calls[index].client, calls[index].returned_at), []).append(index)
    place = {index: position for position, index in enumerate(order)}
    ties: dict[int, tuple[int, ...]] = {}
    for index, call in enumerate(calls):
        earlier = answered.get((call.client, call.invoked_at), ())
        tied = tuple(other for other in earlier if other != index and place[other] < place.get(index, len(calls)))
        if tied:
            ties[index] = tied
    return ties


def _usable(hint: Sequence[int], count: int) -> list[int]:
    """The hint without repeats and without what is no call's index."""
    return [index for index in dict.fromkeys(hint) if 0 <= index < count]


def _outcome(result: Any) -> bytes:
    return canonical_error(result.code, result.message) if isinstance(result, Failed) else canonical(result)


def _result(outcome: bytes) -> Any:
    """An outcome's bytes read back. A fault (no result at all) reads as an error named after the exception."""
    if outcome.startswith((b"!", b"?")):
        code, message = orjson.loads(outcome[1:])
        return Failed(code if outcome.startswith(b"!") else f"fault {code}", message)
    return orjson.loads(outcome)
