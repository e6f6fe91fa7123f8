"""Results that are errors, back into exceptions: of the class that was raised, where this process knows it.

A class is found by its qualified name among the subclasses of :class:`OperationError` that exist here; nothing is
imported because a replica names it. Codes that begin with ``genpaxos.`` are this package's own.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from commutativity import JSON, OperationError
from commutativity.declared import read_fields, rebuilt, unknown
from genpaxos import errors
from genpaxos.errors import GenpaxosError
from genpaxos.runtime.config import ClusterConfig, file_module_name

OWN = "genpaxos."


def operation_error(
    code: str, message: str, fields: dict[str, JSON] | None = None, *, modules: Sequence[str] = ()
) -> OperationError | GenpaxosError:
    """The error that a result ``[code, message, fields]`` stands for (:mod:`commutativity.declared`).

    ``modules`` are the names that the machine's own module has here (:func:`machine_modules`), the likeliest first.
    """
    fields = None if fields is None else read_fields(fields, modules)
    if code.startswith(OWN):
        own = getattr(errors, code.removeprefix(OWN), None)
        if isinstance(own, type) and issubclass(own, GenpaxosError):
            return own(message)
        if isinstance(own, type) and issubclass(own, OperationError):
            return rebuilt(own, message, fields)
    kind = _known(code, modules)
    return unknown(code, message, fields) if kind is None else rebuilt(kind, message, fields)


def machine_modules(config: ClusterConfig) -> tuple[str, ...]:
    """The names under which this process may know the module of a cluster's machine.

    It may know it twice: as the script that it runs, and as what a :class:`LocalCluster` imported to look at the rules.
    The script's classes come first: they are those that the script catches.
    """
    source, _, _ = config.machine.rpartition(":")
    if not source.endswith(".py"):
        return ("__main__", source) if _main_name() == source else (source,)
    path = (config.base / source).resolve()
    return (*(name for name in ("__main__", path.stem) if _file_of(name) == path), file_module_name(path))


def _known(code: str, modules: Sequence[str]) -> type[OperationError] | None:
    """The class with this code; of several (a module that was loaded again) the last one made."""
    found: dict[str, type[OperationError]] = {}
    for kind in _subclasses(OperationError):
        if code.endswith(f".{kind.__qualname__}"):
            found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    if code.startswith("."):
        names = [f"{module}{code}" for module in modules]
    else:
        names = [code]
        if (script := _main_name()) is not None and code.startswith(f"{script}."):
            names.append(f"__main__{code.removeprefix(script)}")
    return next((found[name] for name in names if name in found), None)


def _subclasses(kind: type[OperationError]) -> Iterator[type[OperationError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _main_name() -> str | None:
    """The name under which others import the script that this process runs."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name)
    return None if file is None else Path(file).stem


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return None if file is None else Path(file).resolve()
