"""Who may use a client: the event loop it was entered in, in the process it was entered in.

After a fork the child has copies of everything a client consists of, while the sockets, their threads and the session
are the parent's. A child that went on would number its commands in the parent's session, and its commands would be
taken for the parent's. So whatever is connected is cut off in the child, before anything can use it there.
"""

import os
import weakref
from abc import ABC, abstractmethod


class Forkable(ABC):
    """Something connected; registered by :func:`watch_forks` while it is."""

    @abstractmethod
    def cut_off(self) -> None:
        """This process is a fork: let go of what belongs to the parent without touching it. Must not raise."""


_connected: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def watch_forks(thing: Forkable) -> None:
    """Have it cut off in every child that is forked from now on."""
    _connected.add(thing)


def _in_child() -> None:
    for thing in list(_connected):
        thing.cut_off()
    _connected.clear()


os.register_at_fork(after_in_child=_in_child)

AFTER_FORK = (
    "process {pid} connected this client, and this is a fork of it (process {here}): a session belongs to one process. "
    "Make a client after the fork, with connect(...) or connect_sync(...); one that is not entered yet may be older"
)
OTHER_LOOP = (
    "this client was entered in another event loop: a client belongs to the loop it is entered in. Make another one "
    "here, with `async with connect(...)`, or use connect_sync(...), which may be called from any thread"
)
OTHER_LOOP_SUBMISSION = (
    "this submission belongs to another event loop: await it in the loop of the client that started it, or send it "
    "there with asyncio.run_coroutine_threadsafe"
)


def after_fork(pid: int) -> str:
    """Why something of process ``pid`` cannot be used here."""
    return AFTER_FORK.format(pid=pid, here=os.getpid())
