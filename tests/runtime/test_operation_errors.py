"""Declared errors arrive as the class that was raised, with their fields; never as another one of the same name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from commutativity import CommutativityTable, Machine, OperationError, UnknownOperationError, operation
from genpaxos import KeyConflict, LocalCluster, ResultForgotten, SessionEnded
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig, load_machine
from genpaxos.runtime.operation_errors import machine_modules, operation_error


class Users:
    """Every shop has its own ``NotFound``."""

    class NotFound(OperationError):  # noqa: N818
        """Of users."""

        def __init__(self, name: str, *, tried: list[str]) -> None:
            super().__init__(f"no user {name}")
            self.name, self.tried = name, tried


class Orders:
    """As users have."""

    class NotFound(OperationError):  # noqa: N818
        """Of orders."""


class Directory(Machine):
    """Raises the one or the other."""

    table = CommutativityTable("""
              look
        look   x
    """)

    @operation(everything="look")
    def user(self, name: str) -> str:
        """There is none."""
        raise Users.NotFound(name, tried=[name, name.upper()])

    @operation(everything="look")
    def order(self, number: int) -> str:
        """There is none."""
        raise Orders.NotFound(f"no order {number}")

    @operation(everything="look")
    def hidden(self) -> str:
        """An error that only the replicas know."""
        kind = type("Local", (OperationError,), {"__module__": "only.there", "__qualname__": "Local"})
        error = kind("no such class here")
        error.count = 3
        raise error


@pytest.mark.cluster
def test_errors_of_one_name_are_told_apart_and_keep_their_fields() -> None:
    with LocalCluster(Directory, replicas=1) as cluster:
        client = cluster.client_sync()
        with pytest.raises(Users.NotFound, match="no user ann") as user:
            client.submit(Directory.user("ann"))
        assert (user.value.name, user.value.tried, user.value.code) == ("ann", ["ann", "ANN"], "NotFound")
        with pytest.raises(Orders.NotFound, match="no order 7"):
            client.submit(Directory.order(7))
        with pytest.raises(UnknownOperationError, match="no such class here") as hidden:
            client.submit(Directory.hidden())
        assert (hidden.value.code, hidden.value.qualified_code) == ("Local", "only.there.Local")
        assert hidden.value.fields == {"count": 3}


def test_a_class_is_found_by_its_whole_name() -> None:
    here = [__name__]
    assert type(operation_error(".Users.NotFound", "x", {"name": "ann"}, modules=here)) is Users.NotFound
    assert type(operation_error(".Orders.NotFound", "x", modules=here)) is Orders.NotFound
    assert type(operation_error(f"{__name__}.Orders.NotFound", "x")) is Orders.NotFound
    for code in (".NotFound", "NotFound", "elsewhere.Users.NotFound", f"{__name__}.NotFound", ".Users.NotFound"):
        error = operation_error(code, "words", {"n": 1}, modules=["elsewhere"])
        assert isinstance(error, UnknownOperationError)
        assert (error.code, str(error), error.fields) == ("NotFound", "words", {"n": 1})


def test_of_a_module_that_was_loaded_again_the_last_class_is_taken() -> None:
    first = type("Again", (OperationError,), {"__module__": "notebook", "__qualname__": "Again"})
    last = type("Again", (OperationError,), {"__module__": "notebook", "__qualname__": "Again"})
    assert type(operation_error("notebook.Again", "x")) is last is not first


def test_this_packages_own_codes_are_its_own_errors() -> None:
    for kind in (KeyConflict, ResultForgotten, SessionEnded):
        error = operation_error(f"genpaxos.{kind.__name__}", "words")
        assert (type(error), str(error)) == (kind, "words")
    for code in ("genpaxos.Unheard", "genpaxos.Any", "genpaxos.Command", "UnrepresentableResult"):
        error = operation_error(code, "words")
        assert isinstance(error, UnknownOperationError)
        assert error.code == code.rpartition(".")[2]


MACHINE = '''
from commutativity import CommutativityTable, Machine, OperationError, operation

class Full(OperationError):
    """No room."""

class Shelf(Machine):
    table = CommutativityTable({"put": {"put": True}})

    @operation(everything="put")
    def put(self) -> None:
        raise Full("no room")
'''


@pytest.mark.usefixtures("import_state")
def test_the_machines_module_is_known_under_several_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "user_shelf.py"
    file.write_text(MACHINE)
    config = ClusterConfig("c", f"{file}:Shelf", (ReplicaConfig("ipc:///x", tmp_path),), base=tmp_path)
    by_path = load_machine(f"{file}:Shelf").__module__
    assert machine_modules(config) == (by_path,)
    by_name = load_machine("user_shelf:Shelf", tmp_path)
    assert machine_modules(config) == ("user_shelf", by_path)
    error = operation_error(".Full", "no room", modules=machine_modules(config))
    assert type(error) is sys.modules["user_shelf"].Full  # type: ignore[attr-defined]

    script = ModuleType("__main__")
    script.__file__ = str(file)
    exec(compile(MACHINE, str(file), "exec"), vars(script))
    monkeypatch.setitem(sys.modules, "__main__", script)
    assert machine_modules(config) == ("__main__", "user_shelf", by_path)
    assert machine_modules(replace(config, machine="user_shelf:Shelf")) == ("__main__", "user_shelf")
    error = operation_error(".Full", "no room", modules=machine_modules(config))
    assert type(error) is script.Full
    assert type(operation_error("user_shelf.Full", "x")) is sys.modules["user_shelf"].Full  # type: ignore[attr-defined]
    assert by_name.__module__ == "user_shelf"
