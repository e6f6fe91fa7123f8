"""The rules of ARCHITECTURE.md, checked on the source: who may import whom, and how large."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("commutativity", "genpaxos")
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60

DECLARED = {"genpaxos.errors", "genpaxos.faults", "commutativity"}
"""What says something of commands and errors, and does nothing."""
UPON_CORE = {"genpaxos.core", *DECLARED}
"""What the rooms beside each other stand on."""
MAY_IMPORT = {
    "commutativity": set[str](),
    "genpaxos.errors": {"commutativity"},
    "genpaxos.faults": set[str](),
    "genpaxos.core": DECLARED,
    "genpaxos.runtime": UPON_CORE,
    "genpaxos.view": DECLARED,
    "genpaxos.plan": {"genpaxos.core", "genpaxos.errors"},
    "genpaxos.examples": {"commutativity"},
    "genpaxos.textbook": UPON_CORE,
    "genpaxos.linearizability": UPON_CORE,
    "genpaxos.simulation": {"genpaxos.linearizability", "genpaxos.examples", *UPON_CORE},
    "genpaxos.explore": {"genpaxos.simulation", *UPON_CORE},
    "genpaxos.family": {"genpaxos.examples", *UPON_CORE},
    "genpaxos.local": {"genpaxos.runtime", "genpaxos.view"},  # processes, and what shows them
    "genpaxos": {"genpaxos.local", "genpaxos.runtime", "genpaxos.errors"},
}
"""The arrows, all downwards: cli and demo, which may import everything -> the rooms beside each other -> core ->
commutativity. Each room may import itself. ``LocalCluster.history()`` draws what the runtime knows: ``genpaxos.local``
stands above both."""

LABORATORY = {
    "genpaxos.demo", "genpaxos.explore", "genpaxos.linearizability", "genpaxos.simulation", "genpaxos.textbook",
}  # fmt: skip
"""What tries the engine out; no replica and no client needs it."""

IO = {
    "asyncio", "datetime", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "selectors",
    "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "uuid", "zmq",
}  # fmt: skip
"""What a pure and deterministic core has no use for."""


BENCH_MAY_IMPORT = {
    "bench.errors": set[str](),
    "bench.harness": {"bench.errors"},
    "bench.peers": {"bench.harness", "bench.errors"},
    "bench.engine": {"bench.peers", "bench.harness", "bench.errors"},
    "bench.wan": {"bench.peers", "bench.harness", "bench.errors"},
    "bench.publish": {"bench.engine", "bench.wan", "bench.peers", "bench.harness", "bench.errors"},
}
"""Of the measurements; their command lines may import everything."""


def modules(*packages: str) -> dict[str, Path]:
    """Every module of the packages, by dotted name."""
    found = {}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules(*PACKAGES)
BENCH = modules("bench")


def imports(name: str, known: Mapping[str, Path] = MODULES) -> Iterator[tuple[str, bool]]:
    """What a module imports, as dotted names, and whether that is for type checkers only."""
    path = known[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in known else base), id(node) in typing_only


def layer(name: str) -> str:
    """The part of the house a module lives in: its package, or a module of its own at the top."""
    parts = name.split(".")
    if parts[0] not in ("genpaxos", "bench"):
        return parts[0]
    return ".".join(parts[:2])


def ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


def test_the_modules_are_found() -> None:
    assert {"commutativity", "genpaxos.core.replica", "genpaxos.runtime.server", "genpaxos.cli"} <= MODULES.keys()
    assert ("genpaxos.core.roles", False) in set(imports("genpaxos.core.replica"))


@pytest.mark.parametrize("name", MODULES)
def test_imports_follow_the_arrows(name: str) -> None:
    allowed = MAY_IMPORT.get(layer(name))
    if allowed is None:  # the top of the house
        assert layer(name) in ("genpaxos.cli", "genpaxos.__main__", "genpaxos.demo"), "a layer without a rule"
        return
    for imported, _ in imports(name):
        if ours(imported):
            assert layer(imported) in {layer(name), *allowed}, f"{name} imports {imported}"


@pytest.mark.parametrize("name", [name for name in BENCH if layer(name) in BENCH_MAY_IMPORT])
def test_measurements_follow_their_arrows(name: str) -> None:
    for imported, _ in imports(name, BENCH):
        if imported.startswith("bench"):
            assert layer(imported) in {layer(name), *BENCH_MAY_IMPORT[layer(name)]}, f"{name} imports {imported}"


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) in ("genpaxos.core", "genpaxos.textbook")])
def test_the_core_does_no_io(name: str) -> None:
    for imported, _ in imports(name):
        assert imported.split(".")[0] not in IO, f"{name} imports {imported}"


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) not in LABORATORY])
def test_production_code_never_imports_what_checks_it(name: str) -> None:
    if layer(name) == "genpaxos.cli":  # the command line runs it
        return
    for imported, _ in imports(name):
        assert layer(imported) not in LABORATORY, f"{name} imports {imported}"


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_tests_or_the_bench(name: str) -> None:
    for imported, _ in imports(name):
        assert imported.split(".")[0] not in ("tests", "bench"), f"{name} imports {imported}"
        if layer(imported) == "genpaxos.examples":
            users = ("genpaxos.demo", "genpaxos.examples", "genpaxos.family", "genpaxos.simulation")
            assert layer(name) in users, f"{name} imports {imported}"


@pytest.mark.parametrize("name", MODULES)
def test_modules_stay_small(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MODULE_LINES_MAX


CORE = [name for name in MODULES if name.startswith("genpaxos.core")]
CORE_LINES_MAX = 350
CORE_METHODS_MAX = 20


def test_the_map_of_the_core_names_every_module() -> None:
    """Who is new to it reads ``genpaxos/core/__init__.py`` first."""
    text = ast.get_docstring(ast.parse(MODULES["genpaxos.core"].read_text(encoding="utf-8"))) or ""
    listed = set(re.findall(r"^- ``(\w+)``", text, re.MULTILINE))
    assert listed == {name.split(".")[2] for name in CORE if name.count(".") >= 2}


@pytest.mark.parametrize("name", CORE)
def test_modules_of_the_core_stay_smaller(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= CORE_LINES_MAX


@pytest.mark.parametrize("name", CORE)
def test_no_class_of_the_core_has_too_many_methods(name: str) -> None:
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            methods = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
            assert len(methods) <= CORE_METHODS_MAX, f"{node.name} has {len(methods)} methods"


def kinds_looked_at(condition: ast.expr) -> Iterator[str]:
    """What a condition says of a policy or of a ballot's kind, instead of asking the rules.

    ``kind.pinned`` names acceptors: a value of the ballot, no variant of the protocol.
    """
    inside = {id(part) for node in ast.walk(condition) if _asks(node) for part in ast.walk(node)}
    for node in ast.walk(condition):
        if id(node) not in inside:
            if isinstance(node, ast.Name) and node.id in ("Policy", "policy"):
                yield node.id
            if isinstance(node, ast.Attribute) and node.attr in ("policy", "kind"):
                yield ast.unparse(node)


def _asks(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "pinned":
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rules_of"


@pytest.mark.parametrize("name", [name for name in CORE if not name.startswith("genpaxos.core.policies")])
def test_what_a_policy_decides_is_asked_of_its_rules(name: str) -> None:
    """Who adds a policy writes one file under core/policies, and changes nothing elsewhere in the core."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        conditions = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else []
        conditions += [node] if isinstance(node, ast.Compare) else []
        for condition in conditions:
            assert not [*kinds_looked_at(condition)], f"{name}, line {condition.lineno}: {ast.unparse(condition)}"


@pytest.mark.parametrize("name", MODULES)
def test_nobody_replaces_methods_of_others(name: str) -> None:
    """Who watches a replica reads its effects and its state."""
    assert "ignore[" + "method-assign" not in MODULES[name].read_text(encoding="utf-8")


CHANGED_ELSEWHERE = {
    "genpaxos.core.offer": {"made"}, "genpaxos.core.disputes": {"dispute"}, "genpaxos.core.sessions": {"session"},
    "genpaxos.core.outbox": {"effects"}, "genpaxos.core.telling": {"effects"}, "genpaxos.core.transfer": {"effects"},
    "genpaxos.core.replica": {"self._now"},
    "genpaxos.core.roles": {"self.history", "self.executor.undo"},
    "genpaxos.core.owner": {"self._serving", "self._executor.trials"},
}  # fmt: skip
"""Whose attributes a module sets beside ``self``'s: of objects that it makes or keeps itself, of a step's effects, and
what roles and owner connect."""


def changed_from_outside(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        targets = list(getattr(node, "targets", ())) if isinstance(node, (ast.Assign, ast.Delete)) else []
        targets += [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else []
        for target in [part for one in targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])]:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self":
                yield ast.unparse(target.value)


@pytest.mark.parametrize("name", CORE)
def test_state_has_one_owner(name: str) -> None:
    """No role sets an attribute of another."""
    found = set(changed_from_outside(ast.parse(MODULES[name].read_text(encoding="utf-8"))))
    assert found == CHANGED_ELSEWHERE.get(name, set())


def functions(name: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("name", MODULES)
def test_functions_stay_small(name: str) -> None:
    assert [(f, lines) for f, lines in functions(name) if lines > FUNCTION_LINES_MAX] == []


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_named_after_what_they_do(name: str) -> None:
    assert not {"utils", "util", "helpers", "helper", "misc", "common"} & set(name.split("."))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))), f"{name} has no docstring"


def loaded_after(statement: str) -> set[str]:
    """The modules that are loaded once a fresh interpreter has run a statement."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


def test_the_core_loads_neither_sockets_nor_databases_nor_graphs() -> None:
    loaded = loaded_after("import genpaxos.core.replica")
    assert not loaded & {"zmq", "asyncio", "sqlite3", "socket", "networkx", "rich", "genpaxos.runtime"}


def test_commutativity_is_usable_alone() -> None:
    loaded = loaded_after("import commutativity, commutativity.check, commutativity.explain")
    assert not [name for name in loaded if name.split(".")[0] in ("genpaxos", "zmq")]


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) == "commutativity"])
def test_rules_are_declared_without_the_checker(name: str) -> None:
    part = name.split(".")[1:2]
    if part in (["check"], ["checking"], ["drawing"]):  # what puts the checker together, it, and what draws reports
        return
    for imported, _ in imports(name):
        assert not imported.startswith("commutativity.checking"), f"{name} imports {imported}"


def test_importing_the_package_loads_no_runtime() -> None:
    loaded = loaded_after("import genpaxos")
    assert not loaded & {"zmq", "asyncio", "sqlite3", "networkx", "rich", "hypothesis", "genpaxos.runtime"}
