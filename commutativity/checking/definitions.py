"""Getting a machine class in another process: by import, or from those statements of its file that define it.

The second way is for scripts, whose other statements must not run again, and for classes that a function defines.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from commutativity.machine import Machine


class NotFound(Exception):  # noqa: N818  # it says why a class cannot be had
    """The class is not available in another process; the text says why."""


def described(machine_type: type[Machine]) -> dict[str, str]:
    """Where a class is defined. Raises :class:`NotFound`."""
    module = sys.modules.get(machine_type.__module__)
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).exists():
        raise NotFound(f"{machine_type.__module__} has no source file")
    return {"module": machine_type.__module__, "file": str(Path(file).resolve()), "name": machine_type.__qualname__}


def found(place: dict[str, str]) -> type[Machine]:
    """The class at a place. Raises :class:`NotFound`."""
    module, file, name = place["module"], place["file"], place["name"]
    try:
        if module == "__main__" or "<locals>" in name:
            made: Any = _defined(Path(file), name)
        else:
            made = _module(module, file)
            for part in name.split("."):
                made = getattr(made, part)
    except Exception as error:
        raise NotFound(f"{name} cannot be defined again from {file}: {type(error).__name__}: {error}") from error
    if not (isinstance(made, type) and issubclass(made, Machine)):
        raise NotFound(f"{name} of {file} is no machine class")
    return made


def _module(name: str, file: str) -> Any:
    try:
        module = importlib.import_module(name)
        if getattr(module, "__file__", None) == file:
            return module
    except ImportError:
        pass
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NotFound(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _defined(file: Path, name: str) -> Any:
    """Run the statements that the class needs, from the outermost scope inwards, as one module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    *functions, target = name.split(".<locals>.")
    scopes: list[list[ast.stmt]] = [tree.body]
    for function in functions:
        scopes.append(_body_of(scopes[-1], function.split(".")))
    needed, chosen = {target.split(".")[0]}, list[ast.stmt]()
    for scope in reversed(scopes):
        chosen[:0] = _needed(scope, needed)
    future = [s for s in tree.body if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
    module = ast.Module([*future, *(s for s in chosen if s not in future)], [])
    names: dict[str, Any] = {"__name__": "__checked__", "__file__": str(file)}
    exec(compile(module, str(file), "exec"), names)
    made = names[target.split(".")[0]]
    for part in target.split(".")[1:]:
        made = getattr(made, part)
    return made


def _body_of(scope: list[ast.stmt], path: list[str]) -> list[ast.stmt]:
    """The statements of a function, or of a method of a class."""
    for part in path:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [s for outer in scope for s in ast.walk(outer) if isinstance(s, kinds) and s.name == part]
        if not found:
            raise NotFound(f"there is no {part}")
        scope = found[-1].body
    return scope


def _needed(scope: list[ast.stmt], needed: set[str]) -> list[ast.stmt]:
    """The statements of a scope that define what is needed, and what those need; ``needed`` grows."""
    chosen: set[int] = set()
    grew = True
    while grew:
        grew = False
        for place, statement in enumerate(scope):
            if place not in chosen and needed.intersection(_bound(statement)):
                chosen.add(place)
                needed.update(n.id for n in ast.walk(statement) if isinstance(n, ast.Name))
                grew = True
    return [scope[place] for place in sorted(chosen)]


def _bound(statement: ast.stmt) -> Iterable[str]:
    """The names that a statement gives a meaning to, at the level where it stands."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
    elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
    elif isinstance(statement, (ast.If, ast.Try)) and not _is_main_guard(statement):
        for inner in ast.iter_child_nodes(statement):
            if isinstance(inner, ast.stmt):
                yield from _bound(inner)


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in {
        n.id for n in ast.walk(statement.test) if isinstance(n, ast.Name)
    }
