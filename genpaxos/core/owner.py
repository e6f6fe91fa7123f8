"""The rest of the contract between a replica and its owner, beside steps and snapshots.

The owner has a clock, a disk and a network: the server, or the simulator. What it needs of the inside of a replica is
here; everything else it may only read (:mod:`genpaxos.core.inspect`).
"""

from collections.abc import Callable, Collection, Container, Iterable
from typing import Any

from commutativity import Machine
from genpaxos.core.admission import Admission
from genpaxos.core.checksums import Checksums
from genpaxos.core.disputes import Disputes
from genpaxos.core.executor import Executor
from genpaxos.core.failures import Failures
from genpaxos.core.farewells import Farewells
from genpaxos.core.gathering import Gathering
from genpaxos.core.messages import Propose
from genpaxos.core.serving import Serving
from genpaxos.core.trials import Found


class Owner:
    """What the owner tells one replica, and asks it."""

    def __init__(
        self,
        executor: Executor,
        serving: Serving,
        gathering: Gathering,
        admission: Admission,
        farewells: Farewells,
        checksums: Checksums,
        disputes: Disputes,
    ) -> None:
        self._executor = executor
        self._serving = serving
        self._gathering = gathering
        self._admission = admission
        self._farewells = farewells
        self._checksums = checksums
        self._disputes = disputes

    # The network ----------------------------------------------------------------------------------------------------

    def set_busy(self, peers: Container[int]) -> None:
        """So much is under way to these that nothing large should be added."""
        self._serving.busy = peers

    @property
    def held(self) -> Collection[int]:
        """The replicas that are to be answered as soon as they are not busy: an answer of theirs calls for a step."""
        return self._serving.held

    def gathers_ms(self, now_ms: float, requests: Iterable[Propose] = ()) -> float:
        """For how long messages may be gathered before they are handled in one step."""
        return self._gathering.for_ms(now_ms, requests)

    # Clients --------------------------------------------------------------------------------------------------------

    def client_heard(self, client: str, acknowledged: int) -> None:
        """A client is there, and has all results up to this number."""
        self._farewells.heard(client, acknowledged)

    def client_left(self, client: str, now_ms: float) -> None:
        """A client says that it asks for nothing any more."""
        self._farewells.left(client, now_ms)

    def held_back(self, now_ms: float) -> dict[str, str]:
        """Operations whose commands are taken in slowly, with the reason: clients are told."""
        return self._admission.door.held(now_ms)

    # The machine ----------------------------------------------------------------------------------------------------

    def try_by(self, run: Callable[[Machine, str, list[Any]], Found | None]) -> None:
        """How to run a command in a copy of the machine (:mod:`genpaxos.core.trials`)."""
        self._executor.trials.run = run

    def compare_states(self, now_ms: float) -> None:
        """Have the replicas compare their states: this one's code has changed."""
        self._checksums.want(now_ms)

    @property
    def failures(self) -> Failures:
        """Commands that raised what they had not declared: to be told in the log."""
        return self._executor.failures

    def take_findings(self) -> list[str]:
        """What was found out about others that compute something else, since this was last asked."""
        findings = list(self._disputes.findings)
        self._disputes.findings.clear()
        return findings
