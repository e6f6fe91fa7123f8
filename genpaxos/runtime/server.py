"""One replica process: receive a batch, step the core, make its records durable, send. In that order, always; only
results that rest on no record of the step (:attr:`genpaxos.core.effects.Effects.early`) do not wait for the disk.

The loop is synchronous on purpose: with one sync per batch there is nothing to overlap that a second thread would not
make harder to reason about, and under load batches grow by themselves.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

from commutativity import Machine
from commutativity.value.values import shown
from genpaxos.core import inspect
from genpaxos.core.effects import Effects, Route
from genpaxos.core.executor import MachineFaultError
from genpaxos.core.history import DivergenceError
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import PeerMessage, Propose, Reply, SnapshotChunk
from genpaxos.core.replica import Replica
from genpaxos.core.snapshot import CHUNK_BYTES
from genpaxos.errors import ConfigError, RemoteProtocolError
from genpaxos.runtime import replying, wire
from genpaxos.runtime.code import code_hash
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.descriptors import DescriptorWatch, check_limit, open_count, raise_limit
from genpaxos.runtime.greeter import Greeter
from genpaxos.runtime.identity import open_directory, parse_routing_id, refuse_damage
from genpaxos.runtime.links import LinkWatch
from genpaxos.runtime.log import RateLimitedLog
from genpaxos.runtime.snapshots import SnapshotTaker
from genpaxos.runtime.splitting import payloads
from genpaxos.runtime.storage import StorageError
from genpaxos.runtime.transport import Transport
from genpaxos.runtime.trials import try_in_copy

HALTED_WAIT_S = 0.1
GC_THRESHOLDS = (20_000, 20, 100)
"""Young objects are walked through often and little: no collection takes more than some milliseconds."""
_DIRECTORY_OF = "directory of "
_CODE = "code"
"""The fact that keeps the hash of the machine's code."""


class Server:
    """Serves replica ``node`` of a cluster until :meth:`stop`; raises :class:`ConfigError` if it cannot start."""

    def __init__(self, config: ClusterConfig, node: int, *, report: Callable[[str], None] = print) -> None:
        machine = config.load_machine()
        self.config = config
        self._greeter = Greeter(config, machine)
        self.fault: str | None = None
        """Why this replica no longer takes part, once it does not."""
        self._log = RateLimitedLog(report)
        limit = raise_limit()
        check_limit(limit)
        self._descriptors = DescriptorWatch(limit)
        self._storage, self._identity = open_directory(config, node, machine)
        try:
            self._directories = self._known_directories()
            now_ms = time.monotonic() * 1000
            snapshot, records = self._storage.open()
            self.replica = Replica(node, machine(), config.settings(), now_ms, records, snapshot)
            self.replica.rebuild_from(self._storage.read_state)
            self.replica.owner.try_by(try_in_copy)
            self._failures, self._failed_at = 0, set[str]()
            self._snapshots = SnapshotTaker(self.replica, self._storage, config.snapshot_commands, self._complain)
            addresses = [replica.address for replica in config.replicas]
            self._transport = Transport(addresses, node, self._identity.routing_id())
        except BaseException as error:
            self._storage.close()
            if isinstance(error, (DivergenceError, MachineFaultError)):
                raise ConfigError(f"replica {node} cannot start from its journal: {error}") from error
            if isinstance(error, DamageError):
                raise refuse_damage(config, node, error) from error
            raise
        self._senders: dict[bytes, tuple[int, int]] = {}
        """Routing ids of peers whose introduction was checked: replica and incarnation."""
        self._links = LinkWatch(node)
        self._running = True
        if self._identity.hash_seed == "random":
            self._say(f"replica {node}: PYTHONHASHSEED is not fixed: its sets may be walked through in their own order")
        self._look_at_code(machine, now_ms)

    def stop(self) -> None:
        """Let :meth:`run` end after the step it is in; safe to call from a signal handler."""
        self._running = False

    def run(self) -> None:
        """Serve. A fault (disk, divergence, machine) ends the replica's part in the protocol, not the process."""
        gc.collect()
        gc.freeze()  # what the journal held lives as long as the process
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            while self._running:
                wait_s = HALTED_WAIT_S if self.fault else self.replica.due_ms / 1000 - time.monotonic()
                self._transport.wait(wait_s, self.replica.owner.held)
                self._serve_guarded()
        finally:
            self._snapshots.close()
            self._transport.close()
            self._storage.close()

    def _serve_guarded(self) -> None:
        try:
            if self.fault is None:
                self._serve()
            else:
                self._receive()  # questions are still answered: the first of them will be what went wrong
        except (StorageError, DivergenceError, MachineFaultError) as error:
            if self.fault is None:
                self.fault = f"{type(error).__name__}: {error}"
                self._say(f"replica {self.replica.node} stops taking part: {self.fault}", whole=True)

    def _serve(self) -> None:
        peers, clients = self._gather()
        self.replica.owner.set_busy(self._transport.busy())
        now_ms = time.monotonic() * 1000
        effects = self.replica.step(now_ms, peers, clients)
        self._answer_clients(effects.early)
        if effects.records:
            self._storage.append(effects.records)
        if effects.capture:
            self._snapshots.store_now()
        self._send(effects)
        self._snapshots.take_if_due()
        self._say_findings()
        if self.replica.owner.failures.count > self._failures:
            self._tell_failures()
        if self._links.is_due(now_ms):
            self._look_at_links(now_ms)

    def _look_at_code(self, machine: type[Machine], now_ms: float) -> None:
        """Other code than last time may compute something else: have the states compared."""
        before, now = self._storage.get(_CODE), code_hash(machine)
        if before == now:
            return
        self._storage.put(_CODE, now)
        if before is not None:
            self._say(
                f"replica {self.replica.node}: the machine's code has changed since it last started; the replicas will "
                "compare their states"
            )
            self.replica.owner.compare_states(now_ms)

    def _say_findings(self) -> None:
        """Other replicas computed something else than the majority; they stop, and say the same."""
        for text in self.replica.owner.take_findings():
            self._say(f"replica {self.replica.node}: {text}", whole=True)

    def _tell_failures(self) -> None:
        """One of the commands that failed at each place of the program: a client may send thousands that do."""
        failures = self.replica.owner.failures
        self._failures, last = failures.count, failures.last
        if last is not None and last.place not in self._failed_at and len(self._failed_at) < 1_000:
            self._failed_at.add(last.place)
            self._complain(
                f"{last.operation} raised what it does not declare at {last.place}: its command has no effect. Correct "
                f"the operation, or declare the error. {last.text}"
            )

    def _look_at_links(self, now_ms: float) -> None:
        """Log what peers complain of, and connect anew to those that do not hear this replica."""
        self._transport.remind()
        for peer, payload in self._transport.receive_answers():
            self._complain(f"replica {peer} refuses this one: {payload[:500].decode(errors='replace')}")
        for peer in self._links.to_redial(self.replica.election, now_ms):
            self._complain(f"replica {peer} does not hear this one: dialling it anew")
            self._transport.redial(peer, self._identity.routing_id())
        self._log.catch_up(now_ms / 1000)
        if self._descriptors.look(open_count()):
            self._complain(str(self._descriptors))
            self._transport.listening.set_open(not self._descriptors.full)

    def _send(self, effects: Effects) -> None:
        transport = self._transport
        before: PeerMessage | None = None
        parts: list[bytes] = []
        for peer, message in effects.letters(transport.peers):
            if message is not before:  # one may go to several
                before, parts = message, payloads(message)
            for payload in parts:
                transport.send(peer, payload)
        for peer, offset in effects.chunks:
            transport.send(peer, wire.encode(self._chunk(offset)))
        self._answer_clients(effects.replies)
        for route, refusal in effects.refusals.items():
            transport.answer(route, wire.dumps(["refused", refusal.ids, refusal.reasons]))  # type: ignore[arg-type]

    def _answer_clients(self, replies: dict[Route, Reply]) -> None:
        for route, reply in replies.items():
            for payload in replying.messages(reply.ids, reply.results):
                self._transport.answer(route, payload)  # type: ignore[arg-type]

    def _chunk(self, offset: int) -> SnapshotChunk:
        stored = self._storage.snapshot
        assert stored is not None, "the log is cut only behind a stored snapshot"
        data = stored.read(offset, CHUNK_BYTES)
        return SnapshotChunk(self.replica.acceptor.promised, stored.index, offset, stored.state_bytes, data)

    # What arrives ---------------------------------------------------------------------------------------------------

    def _gather(self) -> tuple[list[tuple[int, PeerMessage]], list[tuple[bytes, Propose]]]:
        """What has arrived, and a little later also what follows, if nobody waits for this replica."""
        peers, clients = self._receive()
        requests = (message for _, message in clients)
        if (peers or clients) and (ms := self.replica.owner.gathers_ms(time.monotonic() * 1000, requests)):
            time.sleep(ms / 1000)
            more_peers, more_clients = self._receive()
            peers += more_peers
            clients += more_clients
        return peers, clients

    def _receive(self) -> tuple[list[tuple[int, PeerMessage]], list[tuple[bytes, Propose]]]:
        peers: list[tuple[int, PeerMessage]] = []
        clients: list[tuple[bytes, Propose]] = []
        for routing_id, payload in self._transport.receive():
            try:
                sender = self._senders.get(routing_id)
                if sender is None:
                    sender = self._introduced(routing_id)
                if sender is not None:
                    node, incarnation = sender
                    message = wire.decode(payload)
                    if self.replica.incarnations.admits(node, incarnation, message):
                        peers.append((node, message))
                else:
                    self._on_client(routing_id, payload, clients)
            except RemoteProtocolError as error:
                self._complain(f"refused a message: {error}")
                self._transport.answer(routing_id, wire.dumps(["error", str(error)]))
        return peers, clients

    def _introduced(self, routing_id: bytes) -> tuple[int, int] | None:
        """Replica and incarnation behind a routing id not seen before, once that is checked; ``None`` for a client."""
        introduction = parse_routing_id(routing_id)
        if introduction is None:
            return None
        node, fingerprint, directory, incarnation = introduction
        if not 0 <= node < len(self.config.replicas) or node == self.replica.node:
            raise RemoteProtocolError(f"there is no other replica {node} in this cluster")
        if fingerprint != self._identity.fingerprint:
            raise RemoteProtocolError(
                f"replica {node} was started with another cluster file, other commutativity rules, another version or "
                f"another PYTHONHASHSEED than replica {self.replica.node} ({self._identity.hash_seed}): compare the "
                "files, `genpaxos check` of the machine, packages, and the environment"
            )
        peer = (node, incarnation)
        if incarnation < self.replica.incarnations.known[node]:
            raise RemoteProtocolError(f"replica {node} has come back as a later incarnation: this one must not go on")
        if self._directories.setdefault(peer, directory) != directory:
            raise RemoteProtocolError(
                f"replica {node} comes back with another directory than it had: it has lost its promises and must not "
                f"vote as itself. Restore its old directory, or let it come back by `genpaxos rejoin CLUSTER {node}`."
            )
        self._remember(peer, directory)
        self._senders[routing_id] = peer
        return peer

    def _on_client(self, routing_id: bytes, payload: bytes, clients: list[tuple[bytes, Propose]]) -> None:
        if wire.is_request(payload):
            if not payload.startswith(self._greeter.starts):
                self._transport.answer(routing_id, self._greeter.turned_away(payload))
                return
            message, refused = wire.proposal(payload)
            if refused:
                self._transport.answer(routing_id, wire.dumps(["refused", *map(list, zip(*refused, strict=True))]))
            if self.fault is None:
                clients.append((routing_id, message))
            return
        match wire.loads(payload):
            case ["ping", int(token)]:
                self._transport.answer(routing_id, wire.dumps(["pong", token, self._greeting()]))
            case ["ping", int(token), str(client), int(acknowledged), int(seen)]:
                self.replica.owner.client_heard(client, acknowledged)
                self._transport.echoed(routing_id, seen)
                self._transport.answer(routing_id, wire.dumps(["pong", token, self._greeting()]), token)
            case ["more", str(command), int(place)] if place >= 0:
                found = inspect.ran(self.replica, command)["result"]
                if found is not None and type(found[0]) is list and place < len(found):
                    self._transport.answer(routing_id, replying.part(command, found, place))
            case ["bye", str(client)]:
                self.replica.owner.client_left(wire.client_name(client), time.monotonic() * 1000)
            case [str(question), int(token), *details]:
                self._transport.answer(routing_id, self._answer(question, token, details))
            case _:
                raise RemoteProtocolError("expected a request of commands, or [question, number, ...]")

    def _answer(self, question: str, token: int, details: list[Any]) -> bytes:
        try:
            answer = wire.dumps(["answer", token, self._found(question, details), self._greeter.card])
        except TypeError as error:  # the machine's own snapshot
            raise RemoteProtocolError(f"the answer to {question!r} is not JSON: {error}") from error
        if len(answer) > wire.MESSAGE_BYTES_MAX:
            raise RemoteProtocolError(
                f"the answer to {question!r} takes {len(answer)} bytes; the limit is {wire.MESSAGE_BYTES_MAX}"
            )
        return answer

    def _found(self, question: str, details: list[Any]) -> Any:
        match question, details:
            case "status", []:
                return self._status()
            case "graph", [int(limit)]:
                return inspect.graph(self.replica, limit)
            case "log", [int(first)] if first >= 1:
                return inspect.log(self.replica, first)
            case "state", []:
                return self._state()
            case "ran", [str(command)]:
                return {**inspect.ran(self.replica, command), "error": self.fault}
        raise RemoteProtocolError(f"no such question: {shown(question)} with {len(details)} details")

    def _status(self) -> dict[str, Any]:
        status = inspect.status(self.replica, time.monotonic() * 1000)
        if self.fault is not None:  # whatever it led or heard, it takes part in nothing any more
            halted = {"role": "stopped", "quorum": False, "quorum_reason": self.fault, "coordinator": None}
            status = {**status, **halted}
        return {
            **status,
            "error": self.fault,
            "dropped": self._transport.dropped,
            "incarnations": self._heard_of(),
        }

    def _state(self) -> Any:
        try:
            return inspect.state(self.replica)
        except Exception as error:  # the user's own snapshot(): a question must not stop the replica
            raise RemoteProtocolError(f"the machine gives no snapshot: {type(error).__name__}: {error}") from error

    def _greeting(self) -> dict[str, Any]:
        replica = self.replica
        election, leads = replica.election, replica.coordinator.leading
        now_ms = time.monotonic() * 1000
        coordinator = replica.node if leads else election.highest.coordinator
        followed = leads or election.hears_coordinator(now_ms)
        return {
            "node": replica.node,
            **self._greeter.card,
            "coordinator": coordinator if followed and self.fault is None else None,
            "ballot": list(election.highest),
            "pinned": inspect.voters(replica),
            "quorum": election.has_quorum(now_ms) and self.fault is None,
            "fault": self.fault,
            "held": replica.owner.held_back(now_ms),
            "committed": replica.history.committed,
        }

    # Peers' directories ---------------------------------------------------------------------------------------------

    def _known_directories(self) -> dict[tuple[int, int], str]:
        known: dict[tuple[int, int], str] = {}
        for key, directory in self._storage.facts(_DIRECTORY_OF).items():
            node, incarnation = key.removeprefix(_DIRECTORY_OF).split(".")
            known[int(node), int(incarnation)] = directory
        return known

    def _heard_of(self) -> list[int]:
        """The latest incarnation of each replica that introduced itself: the next one must be later than that."""
        latest = list(self.replica.incarnations.known)
        for node, incarnation in self._directories:
            latest[node] = max(latest[node], incarnation)
        return latest

    def _remember(self, peer: tuple[int, int], directory: str) -> None:
        key = f"{_DIRECTORY_OF}{peer[0]}.{peer[1]}"
        if self._storage.get(key) is None:
            self._storage.put(key, directory)

    def _complain(self, what: str) -> None:
        self._say(f"replica {self.replica.node}: {what}")

    def _say(self, what: str, *, whole: bool = False) -> None:
        try:
            if whole:
                self._log.say_whole(what)
            else:
                self._log.say(what, time.monotonic())
        except OSError:  # the log is on the disk that is full; a question for the status still gets the answer
            return
