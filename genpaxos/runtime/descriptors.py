"""File descriptors: each connection takes one, and so do the journal and each snapshot.

A process that runs out of them can neither write a snapshot nor accept a connection, and ZeroMQ then tries to accept
the same connection over and over, as fast as it can. So a replica turns newcomers away before that, and says so.
Connections that stand are not touched.
"""

import contextlib
import errno
import os
import resource

from genpaxos.errors import ConfigError

RESERVED = 32
"""Descriptors that connections are not to take: the journal, snapshots, connections to peers."""
LIMIT_MIN = 64
"""A replica starts with no fewer: journal, snapshots, and connections to and from twelve peers."""
LIMIT_MAX = 65_536
"""More is not asked for: a copy of the process, which writes a snapshot, has to close them all."""
HYSTERESIS = 16
"""So many must be free again beyond the reserve before the replica listens again."""


def raise_limit() -> int:
    """Ask for as many descriptors as the system lets this process have; returns how many it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, LIMIT_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # a system may have a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**63 if soft == resource.RLIM_INFINITY else soft


def open_count() -> int:
    """How many descriptors this process has open: 0 where the system does not tell, ``LIMIT_MAX`` if not even the look
    gets one."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError as error:
        return LIMIT_MAX if error.errno in (errno.EMFILE, errno.ENFILE) else 0


def check_limit(limit: int) -> None:
    """Raises :class:`ConfigError` if a replica cannot work with so few descriptors."""
    if limit < LIMIT_MIN:
        raise ConfigError(
            f"this process may have only {limit} file descriptors; a replica needs {LIMIT_MIN}, and one more for each "
            "client: raise the limit (`ulimit -n`)"
        )


class DescriptorWatch:
    """Says when a replica must not accept further connections."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.full = False
        """Whether too few descriptors are left."""

    def look(self, used: int) -> bool:
        """Take note of how many are open; says whether ``full`` changed."""
        before = self.full
        reserved = min(RESERVED, self.limit // 4)
        free = self.limit - used - reserved
        self.full = free < min(HYSTERESIS, self.limit // 8) if self.full else free <= 0
        return self.full != before

    def __str__(self) -> str:
        if self.full:
            return (
                f"nearly all of the {self.limit} file descriptors that this process may have are in use: it accepts no "
                "new connections until some are closed. Raise the limit (`ulimit -n`), or close idle clients"
            )
        return "there are file descriptors again: new connections are accepted"
