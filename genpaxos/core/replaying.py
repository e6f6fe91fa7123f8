"""An acceptor's records: what rebuilds it behind a snapshot, and how it is rebuilt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commutativity import InvalidCommand
from genpaxos.core.ballot import ZERO
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.history import DivergenceError, History
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


def rebuild(history: History, proposals: Proposals, record: Record, *, reports_tails: bool) -> None:
    """What a record read back from stable storage did to the history. Raises :class:`DivergenceError`.

    ``reports_tails``: in the ballot that the acceptor had entered by then.
    """
    match record:
        case Accepted(ids, bodies):
            _readmit(proposals, ids, bodies)
            history.accept(ids)
        case Entered(_, _, first, ids, digests, bodies):
            _readmit(proposals, ids, bodies)
            history.replace(first, ids, digests)
        case Adopted(ids, digests, bodies):
            known = [(i, body) for i, body in zip(ids, bodies, strict=True) if body is not None]
            _readmit(proposals, [i for i, _ in known], [body for _, body in known])
            history.adopt(ids, digests)
            if reports_tails:
                history.reorder([])
        case Resolved(_, ids):
            history.reorder(ids)
        case Learned(first, ids, digests, bodies):
            _readmit(proposals, ids, bodies)
            history.take_over(first, ids, digests)
        case CommitIndex(index):
            history.commit(max(history.committed, index))


def _readmit(proposals: Proposals, ids: Sequence[str], bodies: Sequence[Body]) -> None:
    """What is stored lies behind the cut, whatever its number was acknowledged for since."""
    try:
        proposals.readmit(ids, bodies)
    except InvalidCommand as error:
        raise DivergenceError(f"a stored command is not one of this machine's: {error}") from error
