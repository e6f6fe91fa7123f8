"""Results on their way to those who wait for them: replies of replicas, whole or in parts, and refusals."""

import time
from abc import abstractmethod
from collections.abc import Collection
from typing import Any

from commutativity import Command, OperationError
from commutativity.codec import Codec
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.runs import NOT_ADMITTED
from genpaxos.core.sessions import ENDED
from genpaxos.errors import GenpaxosError, OperationFailed, Rejected, UnexpectedResult
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.connections import Connections
from genpaxos.runtime.operation_errors import machine_modules, operation_error
from genpaxos.runtime.packing import Packing
from genpaxos.runtime.pending import Pending, Sent, Session
from genpaxos.runtime.submitting import Submitting

LARGE_REPLY_BYTES = 64 * 1024
"""Who has read so much says so at once."""


class Delivering(Submitting):
    """A client's part that gives results to those who wait for them."""

    def __init__(
        self, config: ClusterConfig, packing: Packing, connections: Connections, timeout_s: float, retry_s: float
    ) -> None:
        super().__init__(connections, timeout_s, retry_s)
        self.config = config
        self._packing = packing
        self._modules: tuple[str, ...] | None = None
        """The names of the machine's module in this process, once they were needed."""
        self._born: int | None = None
        """The commit index that a replica told last."""

    @abstractmethod
    def _ping(self) -> None:
        """Tell the replicas what was read."""

    def _on_reply(self, ids: list[str], results: list[list[Any]]) -> None:
        take = self._pending.pop
        for name, result in zip(ids, results, strict=True):
            sent = take(name, None)
            if sent is None:
                continue
            self._deliver(sent, 0, [result] if sent.first == sent.last else result)
            sent.end()
        self._made_room()

    def _on_part(self, node: int, name: str, start: int, results: list[list[Any]]) -> None:
        """Results of a run that are too large for one message; the replica that told them is asked for the next."""
        sent = self._pending.get(name)
        if sent is None:
            return
        end = min(start + len(results), len(sent.waiting))
        if not any(sent.waiting[start:end]):
            return  # it came twice: the next is asked for already
        self._packing.saw_part(sent, start, results)
        self._deliver(sent, start, results)
        sent.waiting[start:end] = [None] * (end - start)
        sent.retry_s, sent.read_in_part = time.monotonic() + self._retry_s, True
        self._ping()
        if any(sent.waiting):
            self._ask_for_more(sent, (node,))
        else:
            del self._pending[name]
            sent.end()
        self._made_room()

    def _ask_for_more(self, sent: Sent, of: Collection[int] | None) -> None:
        """Ask for the results of a run from the first on that is not here."""
        left = next(place for place, pending in enumerate(sent.waiting) if pending is not None)
        self._connections.send(wire.dumps(["more", sent.name, left]), of)

    def _deliver(self, sent: Sent, start: int, results: list[list[Any]]) -> None:
        """Results of operations, from one place on."""
        for place, (pending, result) in enumerate(zip(sent.waiting[start:], results, strict=False), start):
            if pending is None:
                continue
            self._outstanding -= 1
            if result[0] is not None:
                if result[0] == ENDED[0]:
                    self._retire(sent.session)
                pending.fail(self._error(sent.name_of(place), pending.command, *result))
            elif (returns := pending.command.returns) is None:
                pending.succeed(result[1])
            else:
                _deliver(pending, returns, result[1])

    def _error(
        self, name: str, command: Command[Any], code: str, message: str, *fields: Any
    ) -> OperationError | GenpaxosError:
        """What a result that is an error stands for."""
        if code == OPERATION_FAILED:
            self._packing.failed(command.operation, time.monotonic())
            return OperationFailed(command.operation, *_parted(message), id=name)
        if code == NOT_ADMITTED:
            return Rejected(message)
        if self._modules is None:
            self._modules = machine_modules(self.config)
        error = operation_error(code, message, *fields, modules=self._modules)
        if isinstance(error, GenpaxosError):
            error.args = (f"{command} (id {name}): {message}",)
        return error

    def _refuse(self, name: str, why: str) -> None:
        sent = self._pending.pop(name, None)
        if sent is not None:
            self._retire(sent.session)  # its numbers will never be executed: a hole in the session
            for pending in sent.waiting:
                if pending is not None:
                    self._outstanding -= 1
                    pending.fail(Rejected(why))
            self._made_room()

    def _retire(self, session: Session) -> None:
        """Go on in a new session: the old one has a command that is not to be acknowledged, so it can be asked for."""
        session.retired = True
        if session is self._session:
            self._session = Session.born(self._born)


def _parted(failure: str) -> tuple[str, str]:
    """The exception's type and text."""
    name, _, text = failure.partition(": ")
    return name, text


def _deliver(pending: Pending, returns: Codec, value: Any) -> None:
    """Give a result as what it is here. The caller goes on with other results, whatever this one is."""
    try:
        result = returns.decode(value)
    except Exception as error:  # of the user's class too, which makes itself of its fields
        pending.fail(
            UnexpectedResult(
                f"{pending.command} was executed, but its result is not the {returns.kind} that this program declares: "
                f"{error}. Do the replicas run the same version?",
                result=value,
            )
        )
    else:
        pending.succeed(result)
