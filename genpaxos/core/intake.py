"""What is taken up at a client's request: no more than its results may take while nobody has acknowledged them.

A result is kept on every replica until its client acknowledges it. So beside what is kept of a client's results
already, those of its commands under way are estimated, by what their operations returned lately. What goes beyond the
limit is not taken up now. That is a message lost, which is always safe: the client sends it again.
"""

from collections.abc import Sequence
from typing import Final

from genpaxos.core.commands import Proposals
from genpaxos.core.effects import Route
from genpaxos.core.messages import Propose
from genpaxos.core.sizes import Sizes

TAKEN_BYTES_MAX: Final = 8 * 1024 * 1024
"""Results one client may leave unacknowledged, unless a single one takes more."""
UNKNOWN_BYTES: Final = 1024 * 1024
"""What is reckoned for an operation that has returned nothing here yet."""
HELD_BACK_MAX: Final = 10_000
"""Commands that wait for the first result of their operation; further ones are left to be sent again."""


class Intake:
    """The door of one replica."""

    def __init__(self, sizes: Sizes, proposals: Proposals) -> None:
        self._sizes = sizes
        self._proposals = proposals
        self._expected: dict[str, tuple[str, int]] = {}
        """Commands under way whose results may be large: the client and an estimate."""
        self._held_back: list[tuple[Route, Propose]] = []
        self._waits_for: set[str] = set()
        """The operations they wait for."""

    def released(self, clients: Sequence[tuple[Route, Propose]]) -> Sequence[tuple[Route, Propose]]:
        """These requests, behind those that waited for a first result that has come."""
        if not self._held_back or self._waits_for <= self._sizes.unknown:
            return clients
        released, self._held_back, self._waits_for = self._held_back, [], set()
        return [*released, *clients]

    def taken(self, route: Route, message: Propose) -> Propose:
        """What may be taken up of a request now."""
        sizes = self._sizes
        if message.origin is None or not (sizes.large or sizes.unknown):
            return message
        estimates = [
            sizes.large.get(body[0], 0) or (UNKNOWN_BYTES if body[0] in sizes.unknown else 0) for body in message.bodies
        ]
        return self._within_limit(route, message, estimates) if any(estimates) else message

    def _within_limit(self, route: Route, message: Propose, estimates: Sequence[int]) -> Propose:
        assert message.origin is not None
        client, sequences = message.origin
        known, sessions = self._proposals.known, self._proposals.sessions
        settled = self._proposals.settled
        self._expected = {c: made for c, made in self._expected.items() if self._is_under_way(c)}
        used = sessions.held(client) + sum(size for owner, size in self._expected.values() if owner == client)
        kept, later = [], []
        for place, (command, size) in enumerate(zip(message.ids, estimates, strict=True)):
            if not size or command in known or settled(command):
                kept.append(place)
            elif not used or used + size <= TAKEN_BYTES_MAX:
                used += size
                self._expected[command] = client, size
                kept.append(place)
            elif message.bodies[place][0] in self._sizes.unknown:
                later.append(place)
        if later and sum(len(held.ids) for _, held in self._held_back) + len(later) <= HELD_BACK_MAX:
            self._held_back.append((route, _part(message, later)))
            self._waits_for.update(message.bodies[place][0] for place in later)
        return message if len(kept) == len(sequences) else _part(message, kept)

    def _is_under_way(self, command: str) -> bool:
        """Whether its result is still to come; what has run is in the session table."""
        made = self._proposals.known.get(command)
        return made is not None and not self._proposals.sessions.executed(command, made[2], made[3])


def _part(message: Propose, places: Sequence[int]) -> Propose:
    assert message.origin is not None
    client, sequences = message.origin
    return Propose(
        [message.ids[place] for place in places],
        [message.bodies[place] for place in places],
        message.asked,
        (client, [sequences[place] for place in places]),
    )
