"""When decrees leave for those to which they carry the bodies (protocol §3, Phase 2a).

The pinned quorum decides by itself, by either rule, while it is heard and is a classic quorum. So nobody waits for the
others, unless a client asks one of them for results. Their decrees gather for some milliseconds: that costs them one
message, one step and one sync instead of many, and the coordinator encodes no body while others wait for its decrees.
It is a message delayed, which is always safe. What gathers are indices of V; nothing is kept twice.
"""

from math import inf

from genpaxos.core.ballot import ZERO, Ballot

CARRY_MS = 10.0
"""How long decrees gather at most."""
CARRY_COMMANDS_MAX = 256
"""So many leave at once."""
UNHEARD_MS = 1_000.0
"""After so long clients have heard which quorum is pinned in a ballot; they ask several times a second."""


class Carrying:
    """Keeps which decrees gather, and when they are to leave."""

    def __init__(self, patience_ms: float) -> None:
        self.due_ms: float = inf
        """When the decrees that gather must leave."""
        self._patience_ms = min(CARRY_MS, patience_ms)
        self._ballot: Ballot = ZERO
        self._began_ms = -inf
        """When the first decrees of the ballot were made."""
        self._first = 0
        """V[first..] gathers; 0: nothing does."""

    def note(self, ballot: Ballot, first: int, now_ms: float) -> None:
        """V[first..] was decreed."""
        if ballot != self._ballot:
            self._ballot, self._began_ms, self._first = ballot, now_ms, 0
        self._first = self._first or first
        self.due_ms = min(self.due_ms, now_ms + self._patience_ms)

    def gathers(self, ballot: Ballot) -> bool:
        """Whether decrees of the ballot gather."""
        return self._first > 0 and ballot == self._ballot

    def take(self, length: int, urgent: bool, now_ms: float) -> int:
        """From where on the decrees of V[1..length] leave now; 0: none do."""
        if not (urgent or now_ms >= self.due_ms or length - self._first >= CARRY_COMMANDS_MAX):
            return 0
        first = self._first
        self.forget()
        return first

    def forget(self) -> None:
        """Nothing gathers."""
        self._first, self.due_ms = 0, inf

    def unheard(self, now_ms: float) -> bool:
        """Whether clients may still go by the ballot before the last that was noted."""
        return now_ms - self._began_ms < UNHEARD_MS
