"""One run of a plan: everything fails, then everything heals, and all the while everything is checked."""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from commutativity import Command, OperationError
from genpaxos.core.ballot import Ballot
from genpaxos.core.commands import size_bytes
from genpaxos.core.election import Timing
from genpaxos.core.ids import operation_ids
from genpaxos.core.policies import rules_of
from genpaxos.core.replica import Replica
from genpaxos.core.serving import CHUNK_BYTES_MAX
from genpaxos.linearizability import check_linearizable
from genpaxos.simulation.clients import Pending, as_calls
from genpaxos.simulation.clock import EndlessRunError
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.injector import Injector
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.tape import Tape
from genpaxos.simulation.violations import LIVE, Invariant, ViolationError
from genpaxos.simulation.workload import WORKLOADS

LINEARIZABILITY_STEPS_MAX = 200_000
QUIET_ELECTIONS = 10
QUIET_BALLOTS_MAX = 2
"""While some links stay cut, after a command was committed: one for who should coordinate, one to pin anew."""
FALLBACK_BALLOTS = 2
"""Beside those, where acceptors order: one in which the coordinator does, and one to return (``core/fallback.py``).
Whether a fast quorum is up may show after the first of them only, as a replica that is cut off was heard until then."""
DELAYS = 20
"""Message delays that a command takes at most if it collides: its votes, reports, a ballot and its recovery."""
SUBMITTED_MS = 1.0
"""After the last submission, everything is under way."""
REST_ROUNDS = 20
"""Election times after which the healed cluster must be at rest: what lags fetches what it lacks chunk by chunk."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    plan: Plan
    violation: ViolationError | None
    marks: dict[str, int]
    simulated_ms: float
    events: int
    log: list[str] = field(default_factory=list)
    """The committed commands."""
    recovery_ms: float | None = None
    """How long the healed majority took to commit a fresh command."""
    recovery_bound_ms: float = 0.0
    answer_worst: float = 0.0
    """The longest that a client waited for an answer when all had healed, as a share of the bound."""
    state: Any = None
    """The machine's, at the end."""

    @property
    def ok(self) -> bool:
        """Whether every invariant held."""
        return self.violation is None

    def failure(self) -> dict[str, Any] | None:
        """One entry of ``failures``."""
        if self.violation is None:
            return None
        return {
            "seed": self.plan.seed,
            "invariant": self.violation.invariant.name.lower(),
            "what": self.violation.what,
            "at_ms": round(self.simulated_ms, 3),
        }

    def to_json(self) -> dict[str, Any]:
        """For ``genpaxos simulate --seed --json``."""
        return {
            "plan": self.plan.to_json(),
            "violations": 0 if self.ok else 1,
            "failure": self.failure(),
            "marks": self.marks,
            "committed": len(self.log),
            "simulated_seconds": round(self.simulated_ms / 1000, 3),
            "events": self.events,
            "recovery_ms": self.recovery_ms,
            "recovery_bound_ms": round(self.recovery_bound_ms, 1),
            "answer_worst": round(self.answer_worst, 3),
            "state": self.state,
        }


def recovery_bound_ms(timing: Timing, replicas: int, drift: float = 0.0, chunks: int = 0, losses: int = 0) -> float:
    """How long a healed majority may take until a fresh command is committed, by the clock of the slowest replica.

    One election time until a coordinator that is gone is no longer heard, one of patience for the ballot that is under
    way, one more for a phase 1 that waited for a report that is not to come and starts anew, with its own patience; two
    heartbeats until all know who is quorum-connected; the head start of each rank; and four retries for promises,
    decrees, bodies and the relay of the command.

    Where logs are cut, a member of the majority may first need a state of ``chunks`` chunks. A transfer that was
    interrupted is noticed after two retries and begun again; or its sender must first be found silent, for an election
    time. A replica that rejoins is no member of the majority, but for its sake the coordinator starts another ballot: a
    retry until it is announced, one until it has its floor and says so, one for a phase 1 that is asked again, for each
    of the ``losses``.
    """
    rounds_ms: float = (
        4 * timing.election_ms + 2 * timing.heartbeat_ms + replicas * timing.stagger_ms + 4 * timing.retry_ms
    )
    if chunks:
        rounds_ms += timing.election_ms + 3 * timing.retry_ms + chunks * ROUND_TRIP_MS
    rounds_ms += losses * 3 * timing.retry_ms
    return (rounds_ms + timing.watermark_ms + MESSAGES_MS) * (1 + drift)


ROUND_TRIP_MS = 4.0
"""In a calm network."""
MESSAGES_MS = 50.0
"""What the dozen messages of an election and a command take in a calm network, and what is still on its way."""


def run(plan: Plan, *, tape: Tape | None = None, live: bool = True) -> Outcome:
    """Run a plan; never raises for a violation. With ``live`` false, a lack of progress is none."""
    machine = WORKLOADS[plan.workload].machine
    cluster = SimulatedCluster(
        machine,
        plan.settings,
        seed=plan.seed,
        weather=plan.weather,
        batch_ms=plan.batch_ms,
        clock_rates=plan.clock_rates,
        retry_ms=plan.retry_ms,
        thrifty=plan.thrifty,
        snapshots=plan.snapshots,
        tape=tape,
    )
    course = Course(plan, cluster)
    violation: ViolationError | None = None
    try:
        course.run()
    except ViolationError as error:
        violation = error if live or error.invariant not in LIVE else None
    except EndlessRunError as error:
        violation = ViolationError(Invariant.REST, str(error)) if live else None
    if violation is not None:
        cluster.note(f"violated: {violation.what}")
    _count_messages(cluster)
    return Outcome(
        plan,
        violation,
        cluster.marks.to_json(),
        cluster.now_ms,
        cluster.scheduler.events,
        [command for command, _ in cluster.oracles.log],
        course.recovery_ms,
        course.bound_ms,
        course.answer_worst,
        cluster.alive()[0].executor.machine.snapshot() if cluster.alive() else None,
    )


class Course:
    """The course of one run."""

    def __init__(self, plan: Plan, cluster: SimulatedCluster) -> None:
        self.recovery_ms: float | None = None
        self.bound_ms = self._bound_ms(plan, chunks=0, backlog=0, losses=0)
        """How long a healed majority may take to commit a command."""
        self.answer_worst = 0.0
        """The longest that a client waited for an answer when all had healed, as a share of the bound."""
        self._plan = plan
        self._cluster = cluster
        self._injector = Injector(cluster, plan.faults)
        for submission in plan.submissions:
            cluster.scheduler.at(submission.at_ms, self._submit, submission)
        for resumption in plan.resumptions:
            cluster.scheduler.at(resumption.at_ms, self._resume, resumption.client)
        for departure in plan.departures:
            cluster.scheduler.at(departure.at_ms, self._leave, departure.client)

    def run(self) -> None:
        """Raises :class:`ViolationError`."""
        self._cluster.scheduler.run_until(self._plan.chaos_ms)
        self._injector.end()
        self._cluster.note("all faults end")
        core = self._core()
        if core:
            self._heal(core)
            self._recover(f"the core {core} of {self._plan.replicas} replicas")
            self._cluster.marks.hit(Mark.CORE_RECOVERED)
            self._heal()
        elif self._plan.lasting and all(process.whole for process in self._cluster.processes):  # _core() started all
            self._heal()
            self._cluster.network.sever(self._plan.lasting)
            self._recover("the cluster with links that stay cut")
            self._keep_quiet()
            self._heal()
        else:
            self._heal()
            self._recover("the healed cluster")
        self._settle()
        self._judge()

    def _submit(self, submission: Any) -> None:
        self._cluster.client(submission.client).submit(submission)

    def _resume(self, client: int) -> None:
        self._cluster.client(client).resume()

    def _leave(self, client: int) -> None:
        self._cluster.client(client).leave()

    # Healing --------------------------------------------------------------------------------------------------------

    def _core(self) -> tuple[int, ...]:
        """The majority that is healed first, if the plan says so and that leaves anybody out."""
        processes = self._cluster.processes
        for process in processes:
            process.start()  # only a start tells whether a disk is damaged
        able = [node for node in self._plan.core if processes[node].whole]
        return tuple(able[: self._plan.replicas // 2 + 1])

    def _heal(self, nodes: tuple[int, ...] | None = None) -> None:
        """End all faults; if ``nodes`` are given, the others stay cut off from everybody."""
        cluster = self._cluster
        network = cluster.network
        network.heal()
        everyone = range(self._plan.replicas)
        if nodes is not None:
            addresses = [*everyone, *cluster.clients, self._plan.replicas + self._plan.clients]
            outside = [node for node in everyone if node not in nodes]
            network.sever(
                (one, other) for node in outside for peer in addresses for one, other in ((node, peer), (peer, node))
            )
        for node in everyone if nodes is None else nodes:
            process = cluster.processes[node]
            process.doom = None
            process.disk.full = False
            process.disk.sync_fails = None
            process.resume()
            process.start()
        for process in cluster.processes:
            if process.lost and nodes is None:
                self._rejoin(process.node)

    def _rejoin(self, node: int) -> None:
        """Enough others are up, unless they are rejoining as well."""
        cluster = self._cluster
        if not cluster.rejoin(node):
            cluster.scheduler.at(cluster.now_ms + self._plan.timing.retry_ms, self._rejoin, node)

    def _recover(self, who: str) -> None:
        """A majority must commit a fresh command within the bound."""
        cluster = self._cluster
        lost = sum(not process.whole for process in cluster.processes)
        self.bound_ms = self._bound_ms(self._plan, self._chunks(), self._backlog(), lost)
        start_ms = cluster.now_ms
        # A client that knows of no ballot sends to all: what is bounded is how long the replicas take, not its retry.
        pending = cluster.submit(self._fresh(), to=range(self._plan.replicas), client=self._plan.clients)
        if not cluster.run_until(lambda: pending.result is not None, self.bound_ms):
            raise ViolationError(
                Invariant.LIVENESS,
                f"{who} did not commit a command within {self.bound_ms:.0f} ms after the faults ended",
            )
        assert pending.answered_ms is not None
        self.recovery_ms = pending.answered_ms - start_ms

    def _keep_quiet(self) -> None:
        """Elections come to rest although links stay cut (Omni-Paxos §2: partial partitions must not thrash)."""
        cluster = self._cluster
        before = self._highest()
        cluster.run_for(QUIET_ELECTIONS * self._plan.timing.election_ms)
        started = self._highest().number - before.number
        policy = self._plan.settings.policy
        if started > QUIET_BALLOTS_MAX + FALLBACK_BALLOTS * rules_of(policy).reports_tails:
            raise ViolationError(
                Invariant.QUIET,
                f"{started} ballots started within {QUIET_ELECTIONS} election times, while the same links stayed cut",
            )
        cluster.marks.hit(Mark.LASTING_SURVIVED)

    def _highest(self) -> Ballot:
        return max(replica.acceptor.promised for replica in self._cluster.alive())

    @staticmethod
    def _bound_ms(plan: Plan, chunks: int, backlog: int, losses: int) -> float:
        drift = max((1 / rate for rate in plan.clock_rates), default=1.0) - 1.0
        # A chunk and the question for it wait half of a batch each, on average.
        waits_ms = (chunks + backlog) * plan.batch_ms + backlog * ROUND_TRIP_MS
        return recovery_bound_ms(plan.timing, plan.replicas, drift, chunks, losses) + waits_ms

    def _transfer_ms(self) -> float:
        """What a replica that still lacks the whole state waits for it: a chunk is asked for when the last has come."""
        return self._chunks() * (2 * self._plan.calm.delay_ms[1] + self._plan.batch_ms)

    def _chunks(self) -> int:
        """How many the largest state that is stored takes."""
        sizes = [process.disk.snapshot.state_bytes for process in self._cluster.processes if process.disk.snapshot]
        return -(-max(sizes, default=0) // self._plan.snapshots.chunk_bytes)

    def _backlog(self) -> int:
        """How many full chunks a majority still needs of what is decreed: a fresh command comes behind all that."""
        replicas = sorted(self._cluster.alive(), key=lambda replica: replica.history.length, reverse=True)
        ahead, behind = replicas[0].history, replicas[min(len(replicas), self._plan.replicas // 2 + 1) - 1].history
        first = max(behind.length, ahead.base) + 1
        return sum(map(size_bytes, ahead.bodies(first, ahead.length))) // CHUNK_BYTES_MAX

    def _fresh(self) -> Command[Any]:
        return WORKLOADS[self._plan.workload].draw(random.Random(self._plan.seed), "a", "b", 1.0)

    def _settle(self) -> None:
        """Everything is answered, and everybody has everything."""
        cluster = self._cluster
        limit_ms = REST_ROUNDS * self._plan.timing.election_ms + 10 * self._plan.retry_ms
        healed_ms, cluster.network.weather = cluster.now_ms, self._plan.calm
        last_ms = max((submission.at_ms for submission in self._plan.submissions), default=0.0)
        cluster.scheduler.run_until(max(last_ms + SUBMITTED_MS, cluster.now_ms))
        calls = [pending for client in cluster.clients.values() for pending in client.calls]
        if not cluster.run_until(lambda: not any(pending.waits for pending in calls), limit_ms):
            waiting = [pending.id for pending in calls if pending.waits]
            raise ViolationError(Invariant.REST, f"no answer to {', '.join(waiting[:5])} after {limit_ms:.0f} ms")
        self._answered_in_time(calls, healed_ms)
        if not cluster.run_until(self._at_rest, limit_ms + self._transfer_ms()):
            raise ViolationError(Invariant.REST, f"the replicas do not come to rest: {self._unrest()}")

    def _answered_in_time(self, calls: list[Pending], healed_ms: float) -> None:
        """No command waits longer than a bounded time after everything has healed, whatever else goes on.

        The client may have to send it once more; if it collides with others it may take a ballot of another kind, for
        which it must stand undecided for up to an election time.
        """
        slow_ms = DELAYS * self._plan.calm.delay_ms[1]
        bound_ms = self.bound_ms + 2 * self._plan.retry_ms + 2 * self._plan.timing.election_ms + slow_ms
        for pending in calls:
            if pending.answered_ms is None or pending.gave_up:
                continue
            took_ms = pending.answered_ms - max(pending.invoked_ms, healed_ms)
            self.answer_worst = max(self.answer_worst, took_ms / bound_ms)
            if took_ms > bound_ms:
                raise ViolationError(
                    Invariant.LIVENESS,
                    f"{pending.id} was answered {took_ms:.0f} ms after it was sent and all faults had ended; the bound "
                    f"is {bound_ms:.0f} ms",
                )

    def _at_rest(self) -> bool:
        alive, processes = self._cluster.alive(), self._cluster.processes
        committed = alive[0].history.committed
        return all(process.rests for process in processes) and all(
            r.history.committed == r.history.length == committed and not r.history.tail for r in alive
        )

    def _unrest(self) -> str:
        restless = [process.node for process in self._cluster.processes if not process.rests]
        return "; ".join(
            [f"replicas {restless} have not rejoined, or still take snapshots"] * bool(restless)
            + [
                f"replica {r.node} has committed {r.history.committed} of {r.history.length} decrees, and a tail of "
                f"{len(r.history.tail)}"
                for r in self._cluster.alive()
            ]
        )

    # Judgement ------------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """After healing: all equal, every answered command committed, and the clients' history linearizable."""
        cluster = self._cluster
        judge_identical(cluster.alive(), sum(len(operation_ids(name)) for name, _ in cluster.oracles.log))
        self._judge_kept()
        calls = [pending for client in cluster.clients.values() for pending in client.calls]
        for pending in calls:
            if pending.result is not None and pending.id not in cluster.oracles.chosen:
                raise ViolationError(Invariant.COMMITTED, f"{pending.id} was answered, but is not committed")
        judge_replayed(cluster, calls)
        judge_linearizable(cluster, calls)

    def _judge_kept(self) -> None:
        """Where snapshots are taken, the log that is kept lies within what two of them are apart."""
        every = self._plan.snapshots.every_commands
        for process in self._cluster.processes:
            stored = 0 if process.disk.snapshot is None else process.disk.snapshot.index
            assert process.replica is not None
            committed = process.replica.history.committed
            if every and committed >= stored + every and not process.snapshot_failed:
                raise ViolationError(
                    Invariant.BOUNDED,
                    f"replica {process.node} has committed {committed}; its last snapshot is at {stored}, and one was "
                    f"to be taken every {every}",
                )


def judge_identical(replicas: list[Replica], operations: int | None = None) -> None:
    """All logs equal, all machines and session tables equal, nothing left over. ``operations``: how many the log holds
    if there are runs in it."""
    first, *others = replicas
    committed, base = first.history.committed, max(replica.history.base for replica in replicas)
    for replica in replicas:
        executor = replica.executor
        expected = committed if operations is None else operations
        if executor.applied != expected or executor.ahead or executor.waiting:
            raise ViolationError(
                Invariant.IDENTICAL,
                f"replica {replica.node} applied {executor.applied} operations of {expected} committed; ahead "
                f"{sorted(executor.ahead)}, waiting {executor.waiting}",
            )
    compared: dict[str, Callable[[Replica], Any]] = {
        "logs": lambda replica: replica.history.decrees(base + 1, replica.history.committed),
        "sums of the logs": lambda replica: replica.history.log_sum(replica.history.committed),
        "machines": lambda replica: replica.executor.machine.snapshot(),
        "sums of the results": lambda replica: replica.executor.agreement.told(),
        "session tables": lambda replica: replica.executor.sessions.to_json(),
    }
    for what, of in compared.items():
        for replica in others:
            if of(replica) != of(first):
                raise ViolationError(
                    Invariant.IDENTICAL, f"the {what} of replicas {first.node} and {replica.node} differ"
                )


def judge_replayed(cluster: SimulatedCluster, calls: list[Pending]) -> None:
    """The state is what the committed commands make one by one, where one that raises what it has not declared is as
    though it had never run: here it runs in a copy."""
    commands = {pending.id: pending.commands for pending in calls}
    machine = cluster.machine()
    for name, _ in cluster.oracles.log:
        for command in commands.get(name, ()):  # a built-in one the machine never sees
            trial = deepcopy(machine)
            try:
                trial.apply(command.operation, command.arguments)
            except OperationError:
                pass  # a result: what it changed before stays
            except KeyboardInterrupt:
                raise
            except BaseException:
                continue
            machine = trial
    if machine.snapshot() != cluster.alive()[0].executor.machine.snapshot():
        raise ViolationError(
            Invariant.IDENTICAL, "the machines are not what the log makes without the commands that failed"
        )


def judge_linearizable(cluster: SimulatedCluster, calls: list[Pending]) -> None:
    """The order of the log is a hint where to look first; it cannot turn a no into a yes."""
    seen = [call for pending in calls for call in as_calls(pending)]
    position = {call.client: index for index, call in enumerate(seen)}
    logged = (name for command, _ in cluster.oracles.log for name in operation_ids(command))
    hint = [position[name] for name in logged if name in position]  # checksums are no calls
    verdict = check_linearizable(cluster.machine, seen, hint=hint, steps_max=LINEARIZABILITY_STEPS_MAX)
    if not verdict:
        raise ViolationError(Invariant.LINEARIZABLE, str(verdict))


def _count_messages(cluster: SimulatedCluster) -> None:
    network, marks = cluster.network, cluster.marks
    for mark, count in (
        (Mark.LOST, network.losses + network.blocked),
        (Mark.DUPLICATED, network.duplicates),
        (Mark.CLOGGED, network.held),
    ):
        if count:
            marks.hit(mark, count)
    learned = len(cluster.oracles.learned)
    if learned:
        marks.hit(Mark.LEARNED_FAST, learned)
