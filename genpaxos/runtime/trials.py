"""Running an operation in a copy of the process, to see whether it fails (:mod:`genpaxos.core.trials`)."""

import gc
import os
import warnings
from typing import Any, NoReturn

import orjson

from commutativity import Machine
from genpaxos.core.trials import Found, failure_of


def try_in_copy(machine: Machine, operation: str, arguments: list[Any]) -> Found | None:
    """How the operation fails, or ``None`` if it does not, or the copy could not be made or did not answer."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking beside other threads. Those are libzmq's; the copy has no use for their sockets.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            pid = os.fork()
        except OSError:  # no memory, or no process left: then it is run and undone
            os.close(reader)
            os.close(writer)
            return None
    if pid == 0:
        _answer_and_exit(machine, operation, arguments, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    found: list[str] | None = orjson.loads(said) if said else None
    return None if found is None else (found[0], found[1])


def _answer_and_exit(machine: Machine, operation: str, arguments: list[Any], pipe: int) -> NoReturn:
    """In the copy: nothing of the process it was copied from may be touched or cleaned up."""
    try:
        gc.disable()
        os.write(pipe, orjson.dumps(failure_of(machine, operation, arguments)))
    finally:
        os._exit(0)
