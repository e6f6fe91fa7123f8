"""What is taken up at a client's request: no more than its results may take while nobody has acknowledged them.

A result is kept on every replica until its client acknowledges it. So beside what is kept of a client's results
already, those of its commands under way are estimated, by what their operations returned lately. What goes beyond the
limit waits here for a little while, and is tried again. If there is still no room it is dropped: a message lost, which
is always safe, as the client sends it again.
"""

from collections.abc import Sequence
from typing import Final

from genpaxos.core.commands import Proposals
from genpaxos.core.effects import Route
from genpaxos.core.messages import Propose
from genpaxos.core.runs import operations_of
from genpaxos.core.sizes import Sizes

TAKEN_BYTES_MAX: Final = 8 * 1024 * 1024
"""Results one client may leave unacknowledged, unless a single one takes more."""
UNKNOWN_BYTES: Final = 1024 * 1024
"""The estimate for an operation that has returned nothing here yet."""
WAITING_MAX: Final = 2_000
"""Commands that wait for room; further ones are left to be sent again."""
AGAIN_MS: Final = 50.0
"""Between two tries."""
WAITING_MS: Final = 2_000.0
"""How long they wait: by then their client, if it is still there, has sent them again."""


class Intake:
    """Limits what one replica takes up."""

    def __init__(self, sizes: Sizes, proposals: Proposals) -> None:
        self._sizes = sizes
        self._proposals = proposals
        self._expected: dict[str, tuple[str, int]] = {}
        """Commands under way whose results may be large: the client and an estimate."""
        self._waiting: dict[str, float] = {}
        """Commands that wait for room, and since when."""
        self._requests: list[tuple[Route, Propose]] = []
        """The requests that they are of."""
        self._again_ms = 0.0

    def released(self, clients: Sequence[tuple[Route, Propose]], now_ms: float) -> Sequence[tuple[Route, Propose]]:
        """These requests, behind those that have waited for room and are to be tried now."""
        if not self._requests or now_ms < self._again_ms:
            return clients
        requests, self._requests, since = self._requests, [], self._waiting
        self._again_ms = now_ms + AGAIN_MS
        self._waiting = {command: at_ms for command, at_ms in since.items() if now_ms - at_ms < WAITING_MS}
        parts = [(route, _part(m, [i for i, c in enumerate(m.ids) if c in self._waiting])) for route, m in requests]
        return [*((route, part) for route, part in parts if part.ids), *clients]

    def taken(self, route: Route, message: Propose, now_ms: float) -> Propose:
        """What may be taken up of a request now."""
        sizes = self._sizes
        if message.origin is None or not sizes.watches:
            return message
        estimates = [sum(map(self._estimate, operations_of(body))) for body in message.bodies]
        return self._within_limit(route, message, estimates, now_ms) if any(estimates) else message

    def _estimate(self, operation: str) -> int:
        sizes = self._sizes
        return sizes.large.get(operation, 0) or (UNKNOWN_BYTES if operation in sizes.unknown else 0)

    def _within_limit(self, route: Route, message: Propose, estimates: Sequence[int], now_ms: float) -> Propose:
        assert message.origin is not None
        client, known, settled = message.origin[0], self._proposals.known, self._proposals.settled
        self._expected = {command: made for command, made in self._expected.items() if self._is_under_way(command)}
        # What the client acknowledges by these very commands goes when they run: it must not keep them out.
        acknowledged = max(body[2] for body in message.bodies)
        used = self._proposals.sessions.held(client, acknowledged)
        used += sum(size for owner, size in self._expected.values() if owner == client)
        kept, later = [], []
        for place, (command, size) in enumerate(zip(message.ids, estimates, strict=True)):
            if not size or command in known or settled(command):
                kept.append(place)
            elif not used or used + size <= TAKEN_BYTES_MAX:
                used += size
                self._expected[command] = client, size
                kept.append(place)
            else:
                later.append(place)
        for place in kept:
            self._waiting.pop(message.ids[place], None)
        self._put_off(route, message, later, now_ms)
        return message if len(kept) == len(message.ids) else _part(message, kept)

    def _put_off(self, route: Route, message: Propose, places: Sequence[int], now_ms: float) -> None:
        """Keep these commands of a request, unless they wait already, by a request that was sent before."""
        held = {command for _, request in self._requests for command in request.ids}
        places = [place for place in places if message.ids[place] not in held][: WAITING_MAX - len(held)]
        for place in places:
            self._waiting.setdefault(message.ids[place], now_ms)
        if places:
            self._requests.append((route, _part(message, places)))

    def _is_under_way(self, command: str) -> bool:
        """Whether its result is still to come; what has run is in the session table."""
        made = self._proposals.known.get(command)
        return made is not None and not self._proposals.sessions.executed(command, *made[2:5])


def _part(message: Propose, places: Sequence[int]) -> Propose:
    assert message.origin is not None
    client, sequences = message.origin
    return Propose(
        [message.ids[place] for place in places],
        [message.bodies[place] for place in places],
        message.asked,
        (client, [sequences[place] for place in places]),
    )
