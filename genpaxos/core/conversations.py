"""The conversations of one replica, each with the roles it has to do with: the one place that knows them all."""

from dataclasses import dataclass

from genpaxos.core.admission import Admission
from genpaxos.core.askers import Askers
from genpaxos.core.campaign import Campaign
from genpaxos.core.catchup import CatchUp
from genpaxos.core.checksums import Checksums
from genpaxos.core.collision import Reports
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.disputes import Disputes
from genpaxos.core.election import Election
from genpaxos.core.fallback import Fallback
from genpaxos.core.farewells import Farewells
from genpaxos.core.fastpath import FastPath
from genpaxos.core.gathering import Gathering
from genpaxos.core.limits import Limits
from genpaxos.core.now import Now
from genpaxos.core.ordering import Ordering
from genpaxos.core.relay import Relay
from genpaxos.core.requests import Requests
from genpaxos.core.roles import Roles
from genpaxos.core.serving import Serving
from genpaxos.core.settings import Settings
from genpaxos.core.telling import Telling
from genpaxos.core.transfer import Transfer
from genpaxos.core.truncation import Truncation
from genpaxos.core.upkeep import Upkeep
from genpaxos.core.voting import Voting


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes that a replica is made of. A driver without a clock puts others in."""

    election: type[Election] = Election
    coordinator: type[Coordinator] = Coordinator
    requests: type[Requests] = Requests
    serving: type[Serving] = Serving
    campaign: type[Campaign] = Campaign
    upkeep: type[Upkeep] = Upkeep


class Conversations:
    """Who handles which message, and asks again for what did not come."""

    def __init__(self, node: int, settings: Settings, roles: Roles, parts: Parts, now: Now) -> None:
        acceptor, executor = roles.acceptor, roles.executor
        replicas, timing = settings.replicas, settings.timing
        self.fastpath = FastPath()
        self.truncation = Truncation(roles.history, now.ms)
        self.disputes = Disputes(node, replicas, executor.agreement, roles.history, timing)
        self.checksums = Checksums(settings, acceptor, roles.coordinator, roles.election, executor, now.ms)
        self.farewells = Farewells(
            settings,
            acceptor,
            roles.coordinator,
            roles.learner,
            roles.election,
            executor,
            roles.proposals,
            roles.pool,
            now.ms,
        )
        self.requests = parts.requests(acceptor, roles.assembly, replicas, timing.retry_ms, now)
        self.serving = parts.serving(acceptor, roles.coordinator, roles.proposals, timing.retry_ms / 2)
        self.reports = Reports(roles.proposals.known, type(executor.machine).table)
        self._agree(node, settings, roles, now)
        self._coordinate(node, settings, roles, parts, now)
        self._catch_up(settings, roles, now)
        self._keep_time(node, settings, roles, parts, now)

    def _agree(self, node: int, settings: Settings, roles: Roles, now: Now) -> None:
        """How commands come in, are voted for and told."""
        proposals, acceptor, coordinator = roles.proposals, roles.acceptor, roles.coordinator
        learner, executor, pool, fastpath = roles.learner, roles.executor, roles.pool, self.fastpath
        askers, limits = Askers(settings.replicas, now.ms), Limits(proposals, roles.history, settings.replicas)
        self.gathering = Gathering(settings, acceptor, roles.assembly, askers, fastpath)
        self.admission = Admission(node, proposals, executor, pool, limits, askers, roles.answers)
        self.telling = Telling(node, settings, acceptor, coordinator, learner, askers, fastpath)
        self.voting = Voting(
            node,
            settings,
            acceptor,
            coordinator,
            learner,
            executor,
            roles.election,
            roles.incarnations,
            pool,
            self.admission,
            self.requests,
            Ordering(settings, acceptor, coordinator, learner, executor, self.reports, fastpath),
            self.telling,
            now,
        )

    def _coordinate(self, node: int, settings: Settings, roles: Roles, parts: Parts, now: Now) -> None:
        """Who starts a ballot, and when."""
        acceptor, learner, election = roles.acceptor, roles.learner, roles.election
        self.campaign = parts.campaign(
            node,
            settings,
            acceptor,
            roles.coordinator,
            election,
            roles.incarnations,
            learner,
            self.voting,
            self.requests,
            self.serving,
            self.truncation,
            self.fastpath,
            Fallback(node, settings, acceptor, learner, election, roles.pool, now.ms),
            now,
        )

    def _catch_up(self, settings: Settings, roles: Roles, now: Now) -> None:
        """How one that lags gets what it lacks."""
        self.transfer = Transfer(
            roles.acceptor,
            roles.coordinator,
            roles.election,
            roles.executor,
            roles.proposals,
            roles.answers,
            self.farewells,
            self.campaign,
            self.requests,
            roles.assembly,
            self.truncation,
            now,
        )
        self.catchup = CatchUp(
            roles.acceptor,
            roles.coordinator,
            roles.election,
            settings,
            self.admission,
            self.voting,
            self.campaign,
            self.requests,
            roles.assembly,
            now,
        )

    def _keep_time(self, node: int, settings: Settings, roles: Roles, parts: Parts, now: Now) -> None:
        """What happens when nothing arrives."""
        acceptor, coordinator, election = roles.acceptor, roles.coordinator, roles.election
        self.upkeep = parts.upkeep(
            settings,
            acceptor,
            coordinator,
            roles.learner,
            roles.executor,
            election,
            roles.incarnations,
            self.disputes,
            self.fastpath,
            self.campaign,
            self.catchup,
            self.transfer,
            Relay(node, settings, acceptor, coordinator, roles.proposals, election, roles.pool, self.fastpath),
            now,
        )
