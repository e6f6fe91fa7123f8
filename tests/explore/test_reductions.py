"""What the explorer leaves out, it loses nothing by: replicas that remember everything stay within what it visits."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, FastQuorums, Policy
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Nack, PeerMessage, Phase1b, Phase2b, Propose
from genpaxos.core.replica import Replica
from genpaxos.explore import Scope, Votes, explore, replicas
from genpaxos.explore.ledger import Ledger
from genpaxos.explore.search import NEVER
from genpaxos.explore.shard import Shard
from tests.explore import mutations
from tests.explore.mutations import put_in

STEPS_MAX = 70


class Remembering:
    """Real replicas that forget nothing, a network in which all messages ever sent stay, and chance."""

    def __init__(self, scope: Scope, seed: int) -> None:
        self.scope = scope
        self.chance = random.Random(seed)
        self.replicas = [replicas.start(scope, node) for node in range(scope.acceptors)]
        self.network: list[tuple[int, int, PeerMessage]] = []
        self.ballots = scope.ballot_list()

    def step(self) -> None:
        """A random event: mostly the delivery of a message, of the newer ones rather than the older."""
        draw = self.chance.random()
        if draw < 0.15:
            command, body = self.chance.choice(self.scope.command_list())
            self.run(self.chance.choice(self.replicas), clients=[(None, Propose([command], [body]))])
        elif draw < 0.2 and self.ballots:
            self.campaign()
        elif self.network:
            recent = self.network[-12:] if self.chance.random() < 0.7 else self.network
            sender, receiver, message = self.chance.choice(recent)
            self.run(self.replicas[receiver], peers=[(sender, message)])

    def campaign(self) -> None:
        ballot = self.ballots[0]
        replica = self.replicas[ballot.coordinator]
        assert isinstance(replica.upkeep, replicas.TimelessUpkeep)
        assert isinstance(replica.election, replicas.ScriptedElection)
        del self.ballots[0]
        if replica.acceptor.promised < ballot:
            replica.upkeep.campaigns, replica.election.scripted = True, ballot
            self.run(replica)
            replica.upkeep.campaigns, replica.election.scripted = False, ZERO

    def run(
        self,
        replica: Replica,
        peers: Iterable[tuple[int, PeerMessage]] = (),
        clients: Iterable[tuple[Hashable, Propose]] = (),
    ) -> None:
        replica.fastpath.quorum_heard = self.chance.random() < 0.7
        self.send(replica.node, replica.step(0.0, peers, clients))

    def send(self, node: int, effects: Effects) -> None:
        others = [peer for peer in range(self.scope.acceptors) if peer != node]
        posts = [*((peer, message) for message in effects.broadcasts for peer in others), *effects.sends]
        self.network += [(node, peer, message) for peer, message in posts if not isinstance(message, Nack)]

    def seen(self) -> tuple[object, ...]:
        """What they would resume from."""
        return tuple(replicas.image_of(one, keep_records=False, keep_offers=False).key for one in self.replicas)


def visited(scope: Scope) -> set[tuple[object, ...]]:
    """The states of all replicas, taken together, in every state of the scope."""
    shard = Shard(scope)
    keys: set[tuple[object, ...]] = set()
    while shard.frontier:
        for packed in shard.frontier:
            state = shard.unpacked(packed)
            pairs = zip(shard.boxes, state, strict=False)
            keys.add(tuple(boxes.steps.images[boxes[box].state].key for boxes, box in pairs))
        assert shard.level(NEVER, lambda: None) is None
    return keys


ALL: dict[str, dict[str, Any]] = {
    "classic": {"policy": Policy.CLASSIC, "votes": Votes.EVERYBODY},
    "leader-ordered": {"policy": Policy.LEADER_ORDERED, "votes": Votes.EVERYBODY},
    "leader-ordered, any f": {"policy": Policy.LEADER_ORDERED, "fast": FastQuorums.ANY, "votes": Votes.EVERYBODY},
    "coordinated": {"policy": Policy.COORDINATED, "votes": Votes.EVERYBODY},
    "uncoordinated": {"policy": Policy.UNCOORDINATED, "votes": Votes.EVERYBODY},
    "coordinated, one ballot on four": {
        "policy": Policy.COORDINATED, "acceptors": 4, "ballots": 1, "votes": Votes.EVERYBODY
    },
}  # fmt: skip


def leading(tail: list[str]) -> Replica:
    """Coordinator of a coordinated ballot, with what one promise reported as its decrees."""
    replica = replicas.start(Scope(policy=Policy.COORDINATED), 0)
    assert isinstance(replica.upkeep, replicas.TimelessUpkeep)
    assert isinstance(replica.election, replicas.ScriptedElection)
    replica.upkeep.campaigns, replica.election.scripted = True, Ballot(1, 0)
    replica.step(0.0)
    replica.upkeep.campaigns = False
    replica.step(0.0, peers=[(2, Phase1b(Ballot(1, 0), ZERO, CLASSIC, 0, 1, [], [], tail))])
    assert replica.coordinator.leading
    return replica


def test_a_coordinator_does_not_order_commands_by_reports_of_another_ballot() -> None:
    replica = leading([])
    for command, body in Scope(policy=Policy.COORDINATED).command_list():
        replica.step(0.0, clients=[(None, Propose([command], [body]))])
    replica.fastpath.quorum_heard = False
    ids, digests = list(replica.history.tail), list(replica.history.tail.values())
    replica.step(0.0, peers=[(1, Phase2b(Ballot(2, 1), ids, digests, 0))])
    assert replica.history.ids == []  # in ballot 1 nobody but itself has voted


def test_a_coordinator_does_not_decree_twice_what_it_hears_of_in_a_higher_ballot() -> None:
    replica = leading(["a:1"])
    replica.fastpath.quorum_heard = False
    vote = Phase2b(Ballot(2, 1), ["a:1"], replica.history.digests[:], 1)
    replica.step(0.0, peers=[(1, vote), (2, vote)])
    assert replica.history.ids == ["a:1"]


@pytest.mark.parametrize("name", ALL)
def test_replicas_that_remember_everything_do_nothing_that_is_not_explored(name: str) -> None:
    scope = Scope(**ALL[name])
    keys = visited(scope)
    reached: set[tuple[object, ...]] = set()
    for seed in range(40):
        run = Remembering(scope, seed)
        for _ in range(STEPS_MAX):
            run.step()
            assert run.seen() in keys, f"seed {seed}"
            reached.add(run.seen())
    assert len(reached) > 100  # the runs go somewhere


def test_two_workers_visit_the_states_that_one_visits() -> None:
    scope = Scope(policy=Policy.COORDINATED, commands=1)
    one, two = explore(scope), explore(scope, workers=2)
    assert one.complete
    assert two.complete
    assert (one.states, one.transitions, one.depth) == (two.states, two.transitions, two.depth)


def test_two_workers_find_a_shortest_trace_as_one_does() -> None:
    scope = Scope(policy=Policy.LEADER_ORDERED, pinned=(0, 1), commands=1, crashes=1)
    one, two = (
        explore(scope, workers=workers, mutation=put_in(mutations.promises_are_not_persisted)).violation
        for workers in (1, 2)
    )
    assert one is not None
    assert two is not None
    assert len(one.trace) == len(two.trace)


def test_a_failure_in_a_worker_is_told() -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    @contextmanager
    def broken() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ledger, "pruned", fail)
            yield

    with pytest.raises(RuntimeError, match="on purpose"):
        explore(Scope(policy=Policy.CLASSIC), workers=2, mutation=broken)


ACCEPTOR = {
    "node",
    "promised",
    "accepted",
    "_kind",
    "rules",
    "_may_vote",
    "history",
    "outbox",
    "proposals",
    "step",
    "queued",
    "_reported",
    "unvoted",
    "abstains",
}
COORDINATOR = {
    "ballot",
    "phase",
    "recovered",
    "_acceptor",
    "_proposals",
    "_quorums",
    "policy",
    "scope",
    "_fast",
    "promises",
}
ROLES = {"proposals", "history", "acceptor", "learner", "executor", "coordinator", "election", "outbox", "pool"}
CONVERSATIONS = {"voting", "campaign", "serving", "upkeep", "telling", "reports", "answers", "fastpath", "admission"}
REPLICA = {"node", "settings", "_handlers", "_now"}
UNEXPLORED = {
    "incarnations",
    "assembly",
    "truncation",
    "disputes",
    "checksums",
    "farewells",
    "gathering",
    "rebuild_from",
    "owner",
}
"""Nothing is settled, cut, sent as a snapshot or lost in a scope, no session ends and no result is large, and no
heartbeat tells what was computed: the simulator's matter. No command fails, so the door is open. No time passes either,
so that all replicas have just been asked, and votes go to all: whether they arrive is for the exploration to choose."""


def test_an_image_holds_all_that_a_replica_is_but_for_what_it_may_be_told_again() -> None:
    """Whoever gives a role another attribute must decide whether :class:`~replicas.Image` needs it."""
    replica = replicas.start(Scope(policy=Policy.CLASSIC), 0)
    assert set(vars(replica.acceptor)) == ACCEPTOR | {"_offer"}
    held = {"ids", "digests", "positions", "tail", "committed", "_index", "_known", "revision"}
    settled = {"base", "_base_sum", "settled", "_bodies", "_forget", "closing", "has_run"}
    assert set(vars(replica.history)) == held | settled
    assert set(vars(replica.acceptor._offer)) == {"ballot", "kind", "recovered", "committed", "first", "ids", "digests"}
    assert set(vars(replica.coordinator)) == COORDINATOR | {
        "_unsent",
        "_incarnations",
        "fixed",
        "_lagging",
        "newly_pinned",
    }
    assert set(vars(replica)) == ROLES | CONVERSATIONS | REPLICA | UNEXPLORED
