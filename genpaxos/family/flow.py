"""A protocol of the family with one of its message flows: settings of the core, who plays which role, and a script."""

from collections.abc import Callable
from dataclasses import dataclass

from commutativity import Machine
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.policies import rules_of
from genpaxos.core.settings import Settings
from genpaxos.errors import GenpaxosError
from genpaxos.family.cast import Cast
from genpaxos.family.lockstep import LockStep
from genpaxos.family.trace import Trace


class FlowError(GenpaxosError):
    """There is no such flow, or it does not run under that policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One configuration of the family."""

    name: str
    protocol: str
    title: str
    """What happens, in a line."""
    structure: str
    """The c-struct: ``value``, ``sequence``, ``set`` or ``history``. The machine's table makes it."""
    machine: type[Machine]
    policies: tuple[Policy, ...]
    """The recovery policies it runs under, the protocol's own first; ``classic`` has classic ballots only."""
    cast: Cast
    script: Callable[[LockStep], None]
    fast: FastQuorums = FastQuorums.ANY
    distinguished: bool = False
    """Whether acceptors tell only the first learner what they adopted."""
    digests: bool = False
    """Whether votes are shown with the hashes they carry."""

    @property
    def ballots(self) -> str:
        """The kind of its ballots, under its own policy."""
        return "fast" if rules_of(self.policies[0]).acceptors_vote else "classic"

    def to_json(self) -> dict[str, object]:
        """One entry of the list."""
        return {
            "name": self.name,
            "protocol": self.protocol,
            "title": self.title,
            "structure": self.structure,
            "ballots": self.ballots,
            "policies": [str(policy) for policy in self.policies],
            "lanes": list(self.cast.lanes),
        }

    def run(self, policy: Policy | None = None) -> Trace:
        """Play the script on the real replicas."""
        policy = policy or self.policies[0]
        if policy not in self.policies:
            allowed = ", ".join(self.policies)
            raise FlowError(f"flow {self.name!r} does not run under policy {str(policy)!r}; it does under: {allowed}")
        cast = self.cast
        settings = Settings(
            len(cast.names),
            policy,
            self.fast,
            acceptors=() if cast.collapsed else cast.acceptors,
            distinguished=cast.learners[0] if self.distinguished else None,
        )
        run = LockStep(
            self.machine, settings, cast, Trace(self.name, self.title, str(policy), cast.lanes), digests=self.digests
        )
        self.script(run)
        return run.finish()
