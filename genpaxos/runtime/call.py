"""Commands typed by people: words of a command line into a command of a machine."""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from commutativity import Command, InvalidCommand, Machine
from commutativity.value.values import Plain, ValueType, codec_of


def parse_command(machine: type[Machine], operation: str, words: Sequence[str]) -> Command[Any]:
    """A command from an operation's name and one word per argument. Raises :class:`InvalidCommand`.

    A word is text for a parameter that takes text alone, else JSON where that fits, else text: ``5`` is a number for
    ``cents: int``, text for ``name: str`` and for ``price: Decimal``, whose values travel as text (docs/values.md).
    """
    made = machine.operations.get(operation)
    if made is None:
        machine.admit(operation, words)  # raises, and says what there is instead
        raise InvalidCommand(f"unknown operation {operation!r}")
    types = [*made.types, *[None] * (len(words) - len(made.types))]
    return made(*(_value(word, kind) for word, kind in zip(words, types, strict=False)))


def parse_call(machine: type[Machine], text: str) -> Command[Any]:
    """A command from one line, such as ``deposit alice 5``. Raises :class:`InvalidCommand`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidCommand(f"cannot read {text!r}: {error}") from None
    if not words:
        raise InvalidCommand("expected an operation and its arguments, such as 'deposit alice 5'")
    return parse_command(machine, words[0], words[1:])


def ask_again(cluster: str, name: str, operation: str, words: Sequence[str]) -> str:
    """The command line that asks again for a command by its id."""
    marked = [word for word in words if word.startswith("-") and not _is_number(word)]
    typed = ["genpaxos", "call", cluster, "--id", name, *(["--"] if marked else []), operation, *words]
    return shlex.join(typed)


def _is_number(word: str) -> bool:
    """Whether argparse takes it for a number in spite of its dash."""
    return re.fullmatch(r"-\d+|-\d*\.\d+", word) is not None


def _value(word: str, kind: ValueType | None) -> Any:
    """The value a word stands for; the word itself where it stands for none, so that the command says why."""
    if kind is None or kind == Plain(str):
        return word
    codec = codec_of(kind)
    try:
        form = json.loads(word, object_pairs_hook=_unique)
    except InvalidCommand:
        raise
    except RecursionError:
        raise InvalidCommand("nested too deeply") from None
    except ValueError:
        return codec.decode(word) if codec.refusal(word) is None else word
    for possible in (form, word):
        if codec.refusal(possible) is None:
            return codec.decode(possible)
    return form  # perhaps the value: an integer beyond 64 bits


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InvalidCommand("a key occurs twice in one object")
    return made
