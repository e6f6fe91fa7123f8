"""A hash of the code that a machine runs, so that a replica notices at its start that it has changed."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType

from commutativity import Machine


def code_hash(machine: type[Machine]) -> str:
    """A hash of the source files of the machine's module, of those that it is derived from, and of the modules beside
    or below them that they use.

    Packages installed elsewhere and the interpreter do not count: their versions are a matter of the installation.
    """
    digest = hashlib.sha256()
    for file in sorted(_files(machine)):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(machine: type[Machine]) -> set[Path]:
    found: set[Path] = set()
    own = [module for kind in machine.__mro__ if kind is not Machine and (module := sys.modules.get(kind.__module__))]
    waiting = [(module, file.parent) for module in own if (file := _file(module)) is not None]
    while waiting:
        module, root = waiting.pop()
        file = _file(module)
        if file is None or file in found or not file.is_relative_to(root):
            continue
        found.add(file)
        waiting += [(used, root) for used in _used(module)]
    return found


def _used(module: ModuleType) -> list[ModuleType]:
    """The modules that a module's names come from."""
    values = vars(module).values()
    names = {
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) for value in values
    }
    return [used for name in names if isinstance(name, str) and (used := sys.modules.get(name)) is not None]


def _file(module: ModuleType) -> Path | None:
    """A module's source, if it has one that is a file of the user's."""
    name = getattr(module, "__file__", None)
    if name is None or not name.endswith(".py"):
        return None
    file = Path(name).resolve()
    return file if file.is_file() and "site-packages" not in file.parts else None
