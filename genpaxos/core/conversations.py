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
    """Of which classes a replica is made. A driver without a clock puts others in."""

    election: type[Election] = Election
    coordinator: type[Coordinator] = Coordinator
    requests: type[Requests] = Requests
    serving: type[Serving] = Serving
    campaign: type[Campaign] = Campaign
    upkeep: type[Upkeep] = Upkeep


class Conversations:
    """Who handles which message, and asks again for what did not come."""

    def __init__(self, node: int, settings: Settings, roles: Roles, parts: Parts, now: Now) -> None:
        proposals, history, acceptor, learner = roles.proposals, roles.history, roles.acceptor, roles.learner
        coordinator, executor, election = roles.coordinator, roles.executor, roles.election
        incarnations, pool, assembly, answers = roles.incarnations, roles.pool, roles.assembly, roles.answers
        timing = settings.timing
        self.fastpath = fastpath = FastPath()
        self.truncation = truncation = Truncation(history, now.ms)
        self.disputes = Disputes(node, settings.replicas, executor.agreement, history, timing)
        self.checksums = Checksums(settings, acceptor, coordinator, election, executor, now.ms)
        self.farewells = Farewells(
            settings, acceptor, coordinator, learner, election, executor, proposals, pool, now.ms
        )
        askers, limits = Askers(settings.replicas, now.ms), Limits(proposals, history, settings.replicas)
        self.gathering = Gathering(settings, acceptor, assembly, askers, fastpath)
        self.admission = admission = Admission(node, proposals, executor, pool, limits, askers, answers)
        self.requests = requests = parts.requests(acceptor, assembly, settings.replicas, timing.retry_ms, now)
        self.serving = serving = parts.serving(acceptor, coordinator, proposals, timing.retry_ms / 2)
        self.reports = Reports(proposals.known, type(executor.machine).table)
        ordering = Ordering(settings, acceptor, coordinator, learner, executor, self.reports, fastpath)
        self.telling = Telling(node, settings, acceptor, coordinator, learner, askers, fastpath)
        self.voting = voting = Voting(
            node,
            settings,
            acceptor,
            coordinator,
            learner,
            executor,
            election,
            incarnations,
            pool,
            admission,
            requests,
            ordering,
            self.telling,
            now,
        )
        self.campaign = campaign = parts.campaign(
            node,
            settings,
            acceptor,
            coordinator,
            election,
            incarnations,
            learner,
            voting,
            requests,
            serving,
            truncation,
            fastpath,
            Fallback(node, settings, acceptor, learner, election, pool, now.ms),
            now,
        )
        self.transfer = Transfer(
            acceptor,
            coordinator,
            election,
            executor,
            proposals,
            answers,
            self.farewells,
            campaign,
            requests,
            assembly,
            truncation,
            now,
        )
        self.catchup = CatchUp(
            acceptor,
            coordinator,
            election,
            settings,
            admission,
            voting,
            campaign,
            requests,
            assembly,
            now,
        )
        self.upkeep = parts.upkeep(
            settings,
            acceptor,
            coordinator,
            learner,
            executor,
            election,
            incarnations,
            self.disputes,
            fastpath,
            campaign,
            self.catchup,
            self.transfer,
            Relay(node, settings, acceptor, coordinator, proposals, election, pool, fastpath),
            now,
        )
