"""The exceptions a user of genpaxos meets.

::

    GenpaxosError
    ├── ConfigError        the cluster file, a machine's name, or a replica's directory is not as it must be
    │   └── IdentityError  a replica's directory belongs to something else than the cluster file says
    ├── Rejected           the replicas refuse the command, and always will (unknown operation, wrong type, too large)
    ├── Unknown            no result in time: the command may have run, or may yet; carries its id, safe to resubmit
    │   └── NoQuorum       … because too few replicas were reachable
    ├── UnexpectedResult   the command was executed, but its result is not of the type that this program declares
    └── Disconnected       the client was closed
    RemoteProtocolError    a peer or client sent something that is not a message (inside the runtime only)
    commutativity.OperationError   the operation itself failed, as declared: a result
"""

from typing import Any

from commutativity import JSON, Command


class GenpaxosError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(GenpaxosError):
    """The cluster file, the machine it names or a replica's directory is not as it must be."""


class IdentityError(ConfigError):
    """A replica's directory was made for another replica, cluster or machine; the message says what differs."""


class Rejected(GenpaxosError):  # noqa: N818
    """The command is not acceptable and was not executed: unknown operation, wrong argument, too large."""


class UnexpectedResult(GenpaxosError):  # noqa: N818
    """The command was executed. Its result does not fit the annotation in this program, which differs from that of the
    replicas; ``result`` is its JSON."""

    def __init__(self, message: str, *, result: JSON) -> None:
        super().__init__(message)
        self.result = result


class Disconnected(GenpaxosError):  # noqa: N818
    """The client is closed."""


class Unknown(GenpaxosError):  # noqa: N818
    """No result in time. The command may have been executed or may still be; it never is twice.

    ``id`` names the command: ``client.resubmit(error)`` asks again under the same id, which is always safe.
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
