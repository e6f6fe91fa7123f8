"""An acceptor's records: what rebuilds it behind a snapshot, and how it is rebuilt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commutativity import InvalidCommand
from genpaxos.core.ballot import ZERO
from genpaxos.core.commands import Body
from genpaxos.core.history import DivergenceError
from genpaxos.core.records import Accepted, Adopted, CommitIndex, Entered, Learned, Promised, Record, Resolved

if TYPE_CHECKING:
    from genpaxos.core.acceptor import Acceptor


def records_behind(acceptor: "Acceptor", index: int) -> list[Record]:
    """What rebuilds the acceptor from V[1..index]: its part of a snapshot."""
    history, bodies = acceptor.history, acceptor.proposals.bodies
    made: list[Record] = []
    if acceptor.accepted != ZERO:
        ids, digests = history.decrees(index + 1)
        made.append(Entered(acceptor.accepted, acceptor.kind, index + 1, ids, digests, bodies(ids)))
    if history.tail:
        made.append(Accepted(list(history.tail), bodies(history.tail)))
    if acceptor.step:
        made.append(Resolved(acceptor.step, []))
    made.append(Promised(acceptor.promised))
    return made


def replay(acceptor: "Acceptor", record: Record) -> None:
    """Apply a record read back from stable storage. Raises :class:`DivergenceError`."""
    history = acceptor.history
    match record:
        case Promised(ballot):
            acceptor.promised = max(acceptor.promised, ballot)
        case Accepted(ids, bodies):
            _readmit(acceptor, ids, bodies)
            history.accept(ids)
        case Entered(ballot, kind, first, ids, digests, bodies):
            _readmit(acceptor, ids, bodies)
            history.replace(first, ids, digests)
            acceptor.accepted, acceptor.kind, acceptor.step = ballot, kind, 0
            acceptor.promised = max(acceptor.promised, ballot)
        case Adopted(ids, digests, bodies):
            known = [(i, body) for i, body in zip(ids, bodies, strict=True) if body is not None]
            _readmit(acceptor, [i for i, _ in known], [body for _, body in known])
            history.adopt(ids, digests)
            if acceptor.rules.reports_tails:
                history.reorder([])
        case Resolved(step, ids):
            acceptor.step = step
            history.reorder(ids)
        case Learned(first, ids, digests, bodies):
            _readmit(acceptor, ids, bodies)
            acceptor.take_over(first, ids, digests)
        case CommitIndex(index):
            history.commit(max(history.committed, index))


def _readmit(acceptor: "Acceptor", ids: Sequence[str], bodies: Sequence[Body]) -> None:
    """What is stored lies behind the cut, whatever its number was acknowledged for since."""
    try:
        acceptor.proposals.readmit(ids, bodies)
    except InvalidCommand as error:
        raise DivergenceError(f"a stored command is not one of this machine's: {error}") from error
