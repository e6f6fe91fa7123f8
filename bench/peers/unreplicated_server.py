"""The engine's own stack without consensus: one process that serves the engine's client, with its codec and journal.

What it costs to replicate is the difference to this. It receives a batch, appends it to a journal, runs it and answers,
exactly once, and takes it all up again when it is restarted. Without ``--sync`` a crash of the machine loses results.
"""

import argparse
import gc
import signal
from pathlib import Path
from typing import Any

from commutativity import Machine, OperationError
from commutativity.declared import as_result
from genpaxos.core.commands import Proposals
from genpaxos.core.ids import split_id
from genpaxos.core.records import Accepted
from genpaxos.core.runs import pairs_of
from genpaxos.core.sessions import Result, Sessions
from genpaxos.errors import RemoteProtocolError
from genpaxos.runtime import replying, wire
from genpaxos.runtime.config import load_machine
from genpaxos.runtime.storage import FILE, Storage
from genpaxos.runtime.transport import Transport

WAIT_S = 0.1
_GREETING = {"node": 0, "cluster": "unreplicated", "coordinator": 0, "ballot": [1, 0], "quorum": True, "fault": None}


class UnsyncedStorage(Storage):
    """Leaves it to the operating system when what is appended reaches the disk."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        super().__init__(directory, create=create)
        self._database.execute("PRAGMA synchronous=OFF")


class UnreplicatedServer:
    """Serves one machine at an address from a directory, until :meth:`stop`."""

    def __init__(self, address: str, directory: Path, machine: type[Machine], *, sync: bool) -> None:
        self._machine = machine()
        self._sessions = Sessions()
        self._proposals = Proposals(machine, self._sessions)
        self._applied = 0
        storage = Storage if sync else UnsyncedStorage
        self._storage = storage(directory, create=not (directory / FILE).exists())
        for record in self._storage.open()[1]:
            assert isinstance(record, Accepted)
            self._proposals.add(record.ids, record.bodies)
            self._execute(record.ids)
        self._transport = Transport([address], 0, b"")
        self._running = True

    def stop(self) -> None:
        """Let :meth:`run` end after the batch it is at."""
        self._running = False

    def run(self) -> None:
        """Serve; the collector is set as the replicas set theirs."""
        gc.freeze()
        gc.set_threshold(20_000, 10, 100)
        try:
            while self._running:
                self._transport.wait(WAIT_S)
                self._serve()
        finally:
            self._transport.close()
            self._storage.close()

    def _serve(self) -> None:
        fresh: list[str] = []
        asked: list[tuple[bytes, list[str]]] = []
        for route, payload in self._transport.receive():
            try:
                self._on_message(route, payload, fresh, asked)
            except RemoteProtocolError as error:
                self._transport.answer(route, wire.dumps(["error", str(error)]))
        if fresh:
            self._storage.append([Accepted(fresh, self._proposals.bodies(fresh))])
        results = self._execute(fresh)
        for route, ids in asked:
            self._reply(route, ids, results)

    def _on_message(self, route: bytes, payload: bytes, fresh: list[str], asked: list[tuple[bytes, list[str]]]) -> None:
        if wire.is_request(payload):
            message, refused = wire.proposal(payload)
            new, not_admitted = self._proposals.add(message.ids, message.bodies, message.origin)
            fresh += new
            asked.append((route, message.ids))
            if refused or not_admitted:
                names, reasons = zip(*refused, *not_admitted, strict=True)
                self._transport.answer(route, wire.dumps(["refused", names, reasons]))
            return
        match wire.loads(payload):
            case ["ping", int(token)]:
                self._transport.answer(route, wire.dumps(["pong", token, _GREETING]))
            case ["state", int(token)]:
                state = {"applied": self._applied, "machine": self._machine.snapshot()}
                self._transport.answer(route, wire.dumps(["answer", token, state]))
            case _:
                raise RemoteProtocolError("expected a request of commands, ['ping', n] or ['state', n]")

    def _execute(self, ids: list[str]) -> dict[str, Result]:
        known, results = self._proposals.known, {}
        for command in ids:
            body, _, client, first, last, _ = known[command]
            done = [self._apply(operation, arguments) for operation, arguments in pairs_of(body)]
            result = results[command] = done[0] if first == last else done
            self._sessions.record(command, client, first, result, body[2])
            self._applied += len(done)
        self._proposals.forget(ids)
        return results

    def _apply(self, operation: str, arguments: list[Any]) -> Result:
        try:
            return [None, self._machine.apply(operation, arguments)]
        except OperationError as error:
            return as_result(error, type(self._machine))

    def _reply(self, route: bytes, ids: list[str], results: dict[str, Result]) -> None:
        """The session knows the results of what ran before this batch, unless its client has acknowledged them."""
        again = self._sessions.result
        found = {command: results.get(command) or again(command, *split_id(command)) for command in ids}
        held = {command: result for command, result in found.items() if result is not None}
        for payload in replying.messages(list(held), list(held.values())):
            self._transport.answer(route, payload)


def main() -> None:
    """``ADDRESS DIRECTORY MACHINE [--sync]``."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.unreplicated_server", description=__doc__)
    parser.add_argument("address", help="tcp://host:port or ipc:///path")
    parser.add_argument("directory", type=Path, help="of the journal; made if it is not there")
    parser.add_argument("machine", type=load_machine, help="what it serves, as module:Class")
    parser.add_argument("--sync", action="store_true", help="answer only what is on the disk")
    arguments = parser.parse_args()
    server = UnreplicatedServer(arguments.address, arguments.directory, arguments.machine, sync=arguments.sync)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.run()


if __name__ == "__main__":
    main()
