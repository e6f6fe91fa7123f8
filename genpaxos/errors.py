"""The exceptions a user of genpaxos meets.

::

    GenpaxosError
    ├── ConfigError        the cluster file, a machine's name, or a replica's directory is not as it must be
    │   └── IdentityError  a replica's directory belongs to something else than the cluster file says
    ├── OperationFailed    the operation raised what it had not declared: it had no effect, on no replica
    ├── Rejected           the command was not executed and never will be (unknown operation, wrong type, too large)
    │   ├── NotACommand    … because it is not a command
    │   ├── KeyConflict    … because its idempotency key was used for another command
    │   └── WrongCluster   … because the replicas at these addresses belong to another cluster
    ├── Unknown            no result in time: the command may have run, or may yet; carries its id, safe to resubmit
    │   └── NoQuorum       … because too few replicas were reachable
    ├── ResultForgotten    asked for again: the command was executed, and its result is not kept any more
    ├── SessionEnded       asked for again: too late, the replicas have forgotten the client's session
    ├── InvalidOption      a timeout, a replica's number or a key that is not valid
    ├── UnexpectedResult   the command was executed, but its result is not of the type that this program declares
    └── Disconnected       the client was closed
        └── WrongContext   … or belongs to another process (before a fork) or to another event loop
    RemoteProtocolError    a peer or client sent something that is not a message (inside the runtime only)
    commutativity.OperationError   the operation itself failed, as declared: a result
"""

from typing import Any

from commutativity import JSON, Command


class GenpaxosError(Exception):
    """Base of everything this package raises on purpose. All of them can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, dict(self.__dict__))


def _restored(kind: type[GenpaxosError], args: tuple[Any, ...], attributes: dict[str, Any]) -> GenpaxosError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ConfigError(GenpaxosError):
    """The cluster file, the machine it names or a replica's directory is not as it must be."""


class IdentityError(ConfigError):
    """A replica's directory was made for another replica, cluster or machine; the message says what differs."""


class Rejected(GenpaxosError):  # noqa: N818
    """The command is not acceptable and was not executed: unknown operation, wrong argument, too large."""


class NotACommand(Rejected, TypeError):  # noqa: N818
    """What was submitted is no command; the message says what to pass."""


class KeyConflict(Rejected):
    """The command's idempotency key was used before, for another command: that one was executed, this one is not."""


class WrongCluster(Rejected):
    """The replicas at the client's addresses belong to another cluster, which executes nothing of this client.

    Or they run other commutativity rules than the machine that was given to the client.
    """


class ResultForgotten(GenpaxosError):  # noqa: N818
    """The command was executed exactly once, but its result is gone: its session has acknowledged having it."""


class SessionEnded(GenpaxosError):  # noqa: N818
    """The session of the command has ended, so the replicas do not know any more whether the command was executed."""


class InvalidOption(GenpaxosError, ValueError, TypeError):  # noqa: N818
    """An option has the wrong type or is out of range; the message says what is expected."""


class UnexpectedResult(GenpaxosError):  # noqa: N818
    """The command was executed. Its result does not fit the annotation in this program, which differs from that of the
    replicas; ``result`` is its JSON."""

    def __init__(self, message: str, *, result: JSON) -> None:
        super().__init__(message)
        self.result = result


class OperationFailed(GenpaxosError):  # noqa: N818
    """The operation raised an exception that it does not declare, and so had no effect on any replica.

    It is the command's result: asking again gives the same. The program or the command is to be corrected.
    """

    def __init__(self, operation: str, type_name: str, text: str, *, id: str) -> None:  # noqa: A002
        super().__init__(
            f"{operation} raised {type_name}: {text}, which it does not declare. It had no effect on any replica "
            f"(command {id}). Correct the operation, or declare the error: a subclass of commutativity.OperationError"
        )
        self.operation = operation
        self.type_name = type_name
        """The exception's, with its module unless it is one of Python's own."""
        self.text = text
        """What the exception said, cut if it is very long."""
        self.id = id
        """The command's."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are made again from ``args``, which here hold the message only."""
        return _operation_failed, (self.operation, self.type_name, self.text, self.id)


def _operation_failed(operation: str, type_name: str, text: str, command: str) -> "OperationFailed":
    return OperationFailed(operation, type_name, text, id=command)


class Disconnected(GenpaxosError):  # noqa: N818
    """The client is closed."""


class WrongContext(Disconnected):
    """The client, submission or local cluster belongs to another process (it is older than a fork) or to another event
    loop; the message says what to do."""


class Unknown(GenpaxosError):  # noqa: N818
    """No result in time. The command may have been executed or may still be; it never is twice.

    ``id`` names the operation: ``client.resubmit(error)`` asks again under the same id, which is always safe. So does
    ``client.resubmit(id, command)`` in any process, unless the id ends in ``#`` and a number: then the operation was
    sent together with others, and ``body``, which holds them all, is needed too.
    """

    def __init__(self, message: str, *, id: str, command: Command[Any], body: bytes) -> None:  # noqa: A002
        super().__init__(message)
        self.id = id
        self.command = command
        self.body = body
        """The command exactly as it was sent: what is resubmitted must be the same to the byte."""


class NoQuorum(Unknown):
    """No result in time, and too few replicas were reachable to agree on anything."""


class RemoteProtocolError(GenpaxosError):
    """Bytes that are not a message of this protocol: somebody else's mistake, never a reason to stop."""
