"""The commands as a key-value store takes them: the deposit's amount is put under its account."""

from typing import Any

from commutativity import Command


def put_of(command: Command[Any]) -> tuple[str, int]:
    """Key and value. Raises :class:`ValueError` for what is no deposit."""
    match command.operation, list(command.arguments):
        case "deposit", [str(account), int(cents)]:
            return account, cents
    raise ValueError(f"{command} is no deposit: only deposits have a counterpart in a key-value store")
