"""The commands as a key-value store takes them: what a command changes by is put under what it changes."""

from typing import Any

from commutativity import Command

Put = tuple[str, int | str]
"""Key and value."""


def put_of(command: Command[Any]) -> Put:
    """A deposit, withdrawal or transfer puts its amount under its first account, so that commands which interfere are
    puts of one key; what a tally adds is put under its key. Raises :class:`ValueError` for what changes nothing.
    """
    match list(command.arguments):
        case [str(key), *_, int(value) | str(value)]:
            return key, value
    raise ValueError(f"{command} has no counterpart in a key-value store: expected a key first and a value last")
