"""When to connect to a peer anew.

A connection can be dead at one end only: a firewall forgot it, one side was reset, or another connection took its
routing id over (``ROUTER_HANDOVER=1``). The one who sends does not notice. But the peer's heartbeats say that it does
not hear this replica; so this replica introduces itself anew, under another routing id.
"""

from genpaxos.core.election import Election

LOOK_MS = 200.0
PATIENCE_MS = 1_000.0
"""How long a peer must say that it hears nothing before a new connection is made to it, and again before the next."""


class LinkWatch:
    """Watches what the peers say of hearing this replica."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._look_ms = 0.0
        self._unheard_ms: dict[int, float] = {}

    def is_due(self, now_ms: float) -> bool:
        """Whether it is time to look at the links again; if so, the next time is later."""
        if now_ms < self._look_ms:
            return False
        self._look_ms = now_ms + LOOK_MS
        return True

    def to_redial(self, election: Election, now_ms: float) -> list[int]:
        """Peers that are heard and say that they have not heard this replica for a while."""
        found, heard = [], election.heard_mask(now_ms)
        for peer, beat in enumerate(election.beats):
            # A replica that rejoins says that it hears nobody, not even itself.
            if beat is None or not heard >> peer & 1 or not beat.heard or beat.heard >> self._node & 1:
                self._unheard_ms.pop(peer, None)
            elif now_ms - self._unheard_ms.setdefault(peer, now_ms) >= PATIENCE_MS:
                self._unheard_ms[peer] = now_ms
                found.append(peer)
        return found
