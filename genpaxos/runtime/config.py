"""The cluster file: who the replicas are, what they run, and how they agree. Every process reads the same one."""

import importlib
import importlib.util
import json
import re
import sys
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from commutativity import Machine
from commutativity.value.values import shown
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.core.settings import Settings
from genpaxos.errors import ConfigError, InvalidOption

ADDRESS = re.compile(r"tcp://(?:[^\s:*]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})|ipc://[^\s]+")
CLUSTER_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
SESSION_S = 3_600
SESSION_S_MIN = 10
"""A client that lives is heard four times a second, so it is not taken for gone; one that is cut off may be."""
SNAPSHOT_COMMANDS = 100_000
CHECKSUM_S = 3_600
IPC_PATH_BYTES_MAX = 100
"""A Unix socket's path holds about 107 bytes; longer ones fail with an error that names nothing."""


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """Where one replica listens and where it keeps its data."""

    address: str
    directory: Path


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A cluster file, read and checked."""

    name: str
    machine: str
    """``module:Class`` or ``path/to/file.py:Class``."""
    replicas: tuple[ReplicaConfig, ...]
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    preference: tuple[int, ...] = ()
    """Replicas in the order in which they should coordinate; those left out follow by number."""
    pinned: tuple[int, ...] = ()
    """The majority to pin as the fast quorum while its members are up; whoever answers soonest if empty."""
    timing: Timing = field(default_factory=Timing)
    snapshot_commands: int = SNAPSHOT_COMMANDS
    """A replica takes a snapshot after so many commands, or more if its state is larger than its journal; 0: never."""
    checksum_s: int = CHECKSUM_S
    """The replicas compare their whole states so often, if something was written since the last time; 0: never."""
    session_s: int = SESSION_S
    """A client's session ends when it was silent for so long: its results are dropped, and no command of it runs any
    more; 0: never."""
    base: Path = field(default_factory=Path.cwd)
    """Where the file lies: machines are imported from there, and relative directories count from there."""
    id: str = ""
    """Drawn when the cluster was made: distinguishes it from every other, also of the same name at the same addresses.
    Empty in files older than that."""

    @classmethod
    def load(cls, path: str | Path) -> "ClusterConfig":
        """Read a cluster file; relative directories count from the file. Raises :class:`ConfigError`, and
        :class:`InvalidOption` for what is no path."""
        if not isinstance(path, (str, Path)):
            raise InvalidOption(f"{shown(path)} is no cluster file: expected its path, such as 'cluster.toml'")
        path = Path(path)
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"no cluster file at {path}; `genpaxos init DIR` writes one") from None
        except RecursionError:
            raise ConfigError(f"cannot read the cluster file {path}: nested too deeply") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"cannot read the cluster file {path}: {error}") from None
        return _Reader(path).cluster(document)

    def load_machine(self) -> type[Machine]:
        """Import the machine the file names."""
        return load_machine(self.machine, self.base)

    def settings(self) -> Settings:
        """What the core needs to know."""
        order = (*self.preference, *(node for node in range(len(self.replicas)) if node not in self.preference))
        return Settings(
            len(self.replicas),
            self.policy,
            self.fast,
            self.timing,
            order,
            pinned=self.pinned,
            checksum_ms=1_000 * self.checksum_s,
            session_ms=1_000.0 * self.session_s,
            interruptible=False,
        )

    def replica(self, node: int) -> ReplicaConfig:
        """One replica's part. Raises :class:`ConfigError` for a number the file does not have."""
        if not 0 <= node < len(self.replicas):
            raise ConfigError(f"no replica {node}: the cluster file has replicas 0 to {len(self.replicas) - 1}")
        return self.replicas[node]

    def text(self) -> str:
        """The file's text, complete enough to be read back."""
        timing = "\n".join(f"{f.name} = {getattr(self.timing, f.name)}" for f in fields(Timing))
        replicas = "\n".join(
            f"[[replica]]\naddress = {_toml(r.address)}\ndirectory = {_toml(str(r.directory))}\n" for r in self.replicas
        )
        return (
            f"[cluster]\nname = {_toml(self.name)}\n{self._id_line()}machine = {_toml(self.machine)}\n"
            f'policy = "{self.policy}"        # or: {", ".join(str(p) for p in Policy if p is not self.policy)}\n'
            f'fast_quorum = "{self.fast}"           # pinned: one majority; any: any three quarters\n'
            f"checksum_s = {self.checksum_s}            # compare whole states so often; 0: never\n"
            f"{self._placement()}\n"
            f"[timing]\n{timing}\n\n"
            f"[storage]\nsnapshot_commands = {self.snapshot_commands}   # 0: keep the whole log for ever\n"
            f"session_s = {self.session_s}             # sessions of clients that are gone end; 0: never\n\n{replicas}"
        )

    def _id_line(self) -> str:
        return f"id = {_toml(self.id)}   # this very cluster: clients of any other are refused\n" if self.id else ""

    def _placement(self) -> str:
        """Who coordinates and who is pinned, as far as that is fixed."""
        preference = f"preference = {list(self.preference)}\n" if self.preference else ""
        return preference + (f"pinned = {list(self.pinned)}\n" if self.pinned else "")


def load_machine(name: str, base: Path | None = None) -> type[Machine]:
    """Import ``module:Class`` or ``file.py:Class``, looking in ``base`` (default: the current directory) first.

    Raises :class:`ConfigError` that says what was not found.
    """
    base = (base or Path.cwd()).resolve()
    source, colon, class_name = name.rpartition(":")
    if not colon or not source or not class_name:
        raise ConfigError(f"{name!r} does not name a machine: expected 'module:Class' or 'file.py:Class'")
    try:
        module = _load_file(base / source) if source.endswith(".py") else _load_module(source, base)
    except Exception as error:
        raise ConfigError(f"cannot import {source!r} for the machine {name!r}: {_failure(error)}") from error
    found: Any = module
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Machine) and found.operations):
        machines = [
            n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Machine) and v.operations
        ]
        has = ", ".join(sorted(machines)) or "no machine at all"
        raise ConfigError(
            f"{source!r} has no machine {class_name!r}: a subclass of Machine with operations; it has {has}"
        )
    return found


def _load_module(source: str, base: Path) -> Any:
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    importlib.invalidate_caches()  # the file may be newer than the last look into its directory
    return importlib.import_module(source)


def file_module_name(path: Path) -> str:
    """The name under which a machine's file is imported; ``path`` is resolved."""
    return f"_machine_{re.sub(r'[^0-9A-Za-z]', '_', str(path))}"


def _load_file(path: Path) -> Any:
    path = path.resolve()
    name = file_module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise ImportError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _failure(error: Exception) -> str:
    """What went wrong in the user's module, and in which line of it."""
    if isinstance(error, ImportError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {error.filename}, line {error.lineno}: {error.msg}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    modules = [f.filename for f in frames if f.name == "<module>"]
    lines = [f.lineno for f in frames if f.filename == modules[-1]] if modules else []
    place = f"{modules[-1]}, line {lines[-1]}: " if modules else ""
    return f"{place}{type(error).__name__}: {error}"


def _toml(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class _Reader:
    """Takes a parsed document apart; every complaint names the file and the place in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cluster(self, document: Mapping[str, Any]) -> ClusterConfig:
        self._known(document, {"cluster", "timing", "storage", "replica"}, "the file")
        cluster = self._table(document, "cluster")
        known = {"name", "id", "machine", "policy", "fast_quorum", "preference", "pinned", "checksum_s"}
        self._known(cluster, known, "[cluster]")
        replicas = self._replicas(document.get("replica"))
        policy = self._choice(Policy, cluster.get("policy", Policy.LEADER_ORDERED), "policy")
        fast = self._choice(FastQuorums, cluster.get("fast_quorum", FastQuorums.PINNED), "fast_quorum")
        preference = self._nodes(cluster, "preference", len(replicas))
        pinned = self._nodes(cluster, "pinned", len(replicas))
        if pinned:
            self._check_pinned(pinned, (*preference, 0)[0], len(replicas), policy, fast)
        return ClusterConfig(
            name=self._text(cluster, "name", "[cluster]"),
            machine=self._text(cluster, "machine", "[cluster]"),
            replicas=replicas,
            policy=policy,
            fast=fast,
            preference=preference,
            pinned=tuple(sorted(pinned)),
            timing=self._timing(document.get("timing", {})),
            snapshot_commands=self._snapshot_commands(document.get("storage", {})),
            checksum_s=self._checksum_s(cluster),
            session_s=self._session_s(document.get("storage", {})),
            base=self._path.parent.resolve(),
            id=self._id(cluster),
        )

    def _id(self, cluster: Mapping[str, Any]) -> str:
        value = cluster.get("id", "")
        if not isinstance(value, str) or ("id" in cluster and CLUSTER_ID.fullmatch(value) is None):
            self._fail(f"[cluster] id = {value!r}: expected 1 to 64 letters, digits and dashes, as `init` draws them")
        return value

    def _nodes(self, cluster: Mapping[str, Any], key: str, replicas: int) -> tuple[int, ...]:
        """A list of replicas by their numbers, each once."""
        listed = cluster.get(key, [])
        wanted = f"expected a list of replicas, by number from 0 to {replicas - 1}"
        if not isinstance(listed, list):
            self._fail(f"[cluster] {key} = {listed!r}: {wanted}")
        for place, node in enumerate(listed):
            if type(node) is not int or not 0 <= node < replicas:
                self._fail(f"[cluster] {key} names {node!r}: {wanted}")
            if node in listed[:place]:
                self._fail(f"[cluster] {key} names replica {node} twice")
        return tuple(listed)

    def _check_pinned(self, pinned: tuple[int, ...], first: int, replicas: int, policy: Policy, fast: Any) -> None:
        """Any majority with the coordinator in it is safe to pin (protocol §3, Quorums)."""
        listed, majority = list(pinned), replicas // 2 + 1
        if policy is not Policy.LEADER_ORDERED or fast is not FastQuorums.PINNED:
            self._fail(
                f'[cluster] pinned = {listed} means nothing with policy = "{policy}" and fast_quorum = "{fast}": '
                f'a quorum is pinned with "{Policy.LEADER_ORDERED}" and "{FastQuorums.PINNED}"'
            )
        if len(pinned) < majority:
            self._fail(
                f"[cluster] pinned = {listed} is no majority: name {majority} of the {replicas} replicas, or more"
            )
        if first not in pinned:
            self._fail(
                f"[cluster] pinned = {listed} leaves out replica {first}, the first to coordinate: the coordinator is "
                f"part of every fast quorum. Put {first} into it, or let preference begin with one of its members"
            )

    def _replicas(self, listed: Any) -> tuple[ReplicaConfig, ...]:
        if not isinstance(listed, list) or not 1 <= len(listed) <= REPLICAS_MAX:
            self._fail(f"expected 1 to {REPLICAS_MAX} [[replica]] tables")
        replicas = tuple(self._replica(number, table) for number, table in enumerate(listed))
        for what in ("address", "directory"):
            seen: dict[Any, int] = {}
            for number, replica in enumerate(replicas):
                other = seen.setdefault(getattr(replica, what), number)
                if other != number:
                    self._fail(f"replicas {other} and {number} have the same {what}: {getattr(replica, what)}")
        return replicas

    def _replica(self, number: int, table: Any) -> ReplicaConfig:
        where = f"[[replica]] {number}"
        if not isinstance(table, dict):
            self._fail(f"{where} is not a table")
        self._known(table, {"address", "directory"}, where)
        address = self._text(table, "address", where)
        match = ADDRESS.fullmatch(address)
        if match is None or not 1 <= int(match["port"] or 1) <= 65_535:
            self._fail(f"{where}: address {address!r} is neither tcp://host:port nor ipc:///path")
        if address.startswith("ipc://") and len(address.encode()) - 6 > IPC_PATH_BYTES_MAX:
            self._fail(f"{where}: the socket path is longer than {IPC_PATH_BYTES_MAX} bytes: {address}")
        directory = Path(self._text(table, "directory", where)).expanduser()
        return ReplicaConfig(address, self._path.parent.resolve() / directory)

    def _snapshot_commands(self, table: Any) -> int:
        if not isinstance(table, dict):
            self._fail("[storage] is not a table")
        self._known(table, {"snapshot_commands", "session_s"}, "[storage]")
        value = table.get("snapshot_commands", SNAPSHOT_COMMANDS)
        if type(value) is not int or not 0 <= value <= 10**9:
            self._fail(f"[storage] snapshot_commands = {value!r}: expected a number of commands, or 0 for never")
        return value

    def _checksum_s(self, cluster: Mapping[str, Any]) -> int:
        value = cluster.get("checksum_s", CHECKSUM_S)
        if type(value) is not int or not 0 <= value <= 10**9:
            self._fail(f"[cluster] checksum_s = {value!r}: expected a number of seconds, or 0 for never")
        return value

    def _session_s(self, table: Mapping[str, Any]) -> int:
        value = table.get("session_s", SESSION_S)
        if type(value) is not int or not (value == 0 or SESSION_S_MIN <= value <= 10**9):
            self._fail(f"[storage] session_s = {value!r}: expected seconds, at least {SESSION_S_MIN}, or 0 for never")
        return value

    def _timing(self, table: Any) -> Timing:
        if not isinstance(table, dict):
            self._fail("[timing] is not a table")
        self._known(table, {f.name for f in fields(Timing)}, "[timing]")
        for name, value in table.items():
            least = 0 if name == "watermark_ms" else 1
            if type(value) is not int or not least <= value <= 3_600_000:
                self._fail(f"[timing] {name} = {value!r}: expected milliseconds, from {least} to 3600000")
        timing = Timing(**table)
        if timing.election_ms < 2 * timing.heartbeat_ms:
            self._fail(
                f"[timing] election_ms = {timing.election_ms} must be at least twice heartbeat_ms = "
                f"{timing.heartbeat_ms}: a single late beat would start an election"
            )
        return timing

    def _table(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        table = document.get(name)
        if not isinstance(table, dict):
            self._fail(f"the table [{name}] is missing")
        return table

    def _text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            self._fail(f'{where} needs {key} = "...", not {value!r}')
        return value

    def _choice(self, kind: Any, value: Any, key: str) -> Any:
        try:
            return kind(value)
        except ValueError:
            self._fail(f"[cluster] {key} = {value!r}: expected one of {', '.join(map(repr, map(str, kind)))}")

    def _known(self, table: Mapping[str, Any], names: set[str], where: str) -> None:
        unknown = sorted(set(table) - names)
        if unknown:
            self._fail(f"{where} has {unknown[0]!r}, which means nothing; known: {', '.join(sorted(names))}")

    def _fail(self, what: str) -> NoReturn:
        raise ConfigError(f"cluster file {self._path}: {what}")
