"""Replicate a program's commands with Generalized Paxos. ::

from genpaxos import LocalCluster, connect

async with connect("cluster.toml") as client:
    print(await client.submit(Bank.balance("alice")))
"""

from typing import TYPE_CHECKING

from genpaxos.errors import (
    ConfigError,
    Disconnected,
    GenpaxosError,
    IdentityError,
    InvalidOption,
    KeyConflict,
    NoQuorum,
    NotACommand,
    OperationFailed,
    Rejected,
    ResultForgotten,
    SessionEnded,
    UnexpectedResult,
    Unknown,
    WrongCluster,
    WrongContext,
)

if TYPE_CHECKING:
    from genpaxos.local import LocalCluster
    from genpaxos.runtime.blocking import BlockingClient, connect_sync
    from genpaxos.runtime.client import Client, connect

__all__ = [
    "BlockingClient",
    "Client",
    "ConfigError",
    "Disconnected",
    "GenpaxosError",
    "IdentityError",
    "InvalidOption",
    "KeyConflict",
    "LocalCluster",
    "NoQuorum",
    "NotACommand",
    "OperationFailed",
    "Rejected",
    "ResultForgotten",
    "SessionEnded",
    "UnexpectedResult",
    "Unknown",
    "WrongCluster",
    "WrongContext",
    "connect",
    "connect_sync",
]

_LAZY = {
    "BlockingClient": "genpaxos.runtime.blocking",
    "connect_sync": "genpaxos.runtime.blocking",
    "Client": "genpaxos.runtime.client",
    "connect": "genpaxos.runtime.client",
    "LocalCluster": "genpaxos.local",
}


def __getattr__(name: str) -> object:
    """Load the runtime when it is first asked for: ``genpaxos --help`` needs neither sockets nor asyncio."""
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'genpaxos' has no attribute {name!r}")
