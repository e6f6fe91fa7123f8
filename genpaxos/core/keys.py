"""Idempotency keys that applications give to their commands: one key runs one command (protocol §7).

A command with a key is the first and only one of a session whose name is a hash of the key. So the same command under
the same key has the same id, whichever process sends it, and the session table runs an id once. *Another* command under
the key has another id, and would run as well. Therefore commands with a key also touch a resource of the key's own, in
modes that interfere: all of one key are ordered, every replica runs the same one first, and the others get
:data:`KEY_CONFLICT` as their result without being applied.
"""

import hashlib
from base64 import b32encode
from typing import Any, Final

from commutativity import CommutativityTable, Footprint, Machine
from genpaxos.core.builtins import admit

KEY_PREFIX: Final = "key."
"""How the names of keys' sessions begin; no other client's name holds a dot."""
_HASH_BYTES: Final = 14
"""112 bits of BLAKE2b: nobody finds two keys with one hash. In base 32 they are 23 characters."""
KEY_CONFLICT: Final[list[Any]] = [
    "genpaxos.KeyConflict",
    "another command was executed under the same key; this one was not executed and never will be",
]


def key_client(key: str) -> str:
    """The name of a key's session. Any text that is UTF-8 is a key."""
    hashed = hashlib.blake2b(key.encode(), digest_size=_HASH_BYTES).digest()
    return KEY_PREFIX + b32encode(hashed).decode().rstrip("=").lower()


def admitted(machine: type[Machine], client: str, sequence: int, operation: str, arguments: list[Any]) -> Footprint:
    """The footprint of one client's command, a built-in one too. Raises :class:`InvalidCommand`."""
    footprint = admit(machine, operation, arguments)
    if sequence == 1 and client.startswith(KEY_PREFIX):
        return guarded(machine.table, client, footprint)
    return footprint


def guarded(table: CommutativityTable, client: str, footprint: Footprint) -> Footprint:
    """A footprint that interferes with all others of this key, and apart from those with as little as the table allows.

    The key's resource may happen to have the name of one of the machine's: then it interferes with more than it must.
    """
    undeclared: Footprint = ((None, len(table.modes)),)
    modes = _guard(table)
    if footprint == undeclared or not modes:
        return undeclared
    wholes = [touch for touch in footprint if touch[0] is None]
    named = {(resource, mode) for resource, mode in footprint if resource is not None}
    return (*wholes, *sorted(named | {(client, mode) for mode in modes}))


def _guard(table: CommutativityTable) -> tuple[int, ...]:
    """The modes in which a key's resource is touched: one that interferes with itself, or two with each other; of
    these the ones that interfere with the fewest others. Empty if everything commutes."""
    alone = [(len(others), mode) for mode, others in enumerate(table.interfering) if mode in others]
    if alone:
        return (min(alone)[1],)
    pairs = [
        (len(others) + len(table.interfering[other]), mode, other)
        for mode, others in enumerate(table.interfering)
        for other in others
    ]
    return min(pairs)[1:] if pairs else ()
