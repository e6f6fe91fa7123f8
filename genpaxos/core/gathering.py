"""How long a replica may gather messages before it handles them, all in one step."""

from collections.abc import Iterable

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.askers import Askers
from genpaxos.core.assembly import Assembly
from genpaxos.core.fastpath import FastPath
from genpaxos.core.messages import Propose
from genpaxos.core.settings import Settings

GATHER_MS = 2.0
"""How long messages are gathered where nobody waits for what they bring."""


class Gathering:
    """Decides it for one replica."""

    def __init__(
        self, settings: Settings, acceptor: Acceptor, assembly: Assembly, askers: Askers, fastpath: FastPath
    ) -> None:
        self._most_ms = min(GATHER_MS, settings.timing.watermark_ms)
        self._acceptor = acceptor
        self._assembly = assembly
        self._askers = askers
        self._fastpath = fastpath

    def for_ms(self, now_ms: float, requests: Iterable[Propose] = ()) -> float:
        """For how long, ``requests`` of clients among the messages.

        Not while it lags, nor when it is asked for a result, now or lately.

        Nobody waits for an acceptor outside the pinned quorum while no client asks here: the pinned quorum decides by
        itself, by either rule. To read what has gathered costs it one step, one record and one sync instead of many,
        and the others have the processors to themselves. For all others it is a message delayed, which is always safe.
        What comes while it gathers waits with the rest, be it the first question of a client.
        """
        acceptor, node, pinned = self._acceptor, self._acceptor.node, self._acceptor.kind.pinned
        lags = acceptor.has_offers or self._assembly.sender is not None
        if not acceptor.current or not pinned or node in pinned or lags or not self._fastpath.quorum_heard:
            return 0.0
        if self._askers.asked(node, now_ms) or any(request.asked >> node & 1 for request in requests):
            return 0.0
        return self._most_ms
