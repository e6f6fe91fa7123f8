"""Machines that are wrong, each in one way: ``check`` must find every one, for the reason given."""

# ruff: noqa: ARG002, ARG005, DTZ011, PLW0108, RUF005

from __future__ import annotations

import datetime
import itertools
import os
import random
import time
import unicodedata
import uuid
import zlib
from collections import deque
from typing import Any, ClassVar

from commutativity import JSON, WHOLE, CommutativityTable, Machine, OperationError, operation
from commutativity.fault import Kind

CASES: dict[type[Machine], Kind | None] = {}
"""Every machine with the kind of fault it has; ``None``: two commands do not commute."""


def wrong(kind: Kind | None = None) -> Any:
    def register(machine_type: type[Machine]) -> type[Machine]:
        CASES[machine_type] = kind
        return machine_type

    return register


PUT = CommutativityTable({"put": ["put"]})
FREE = CommutativityTable({"add": [], "read": []})
COUNT = CommutativityTable({"read": ["add"], "add": ["read"]})


class Full(OperationError):  # noqa: N818
    pass


# Names that the program folds together -------------------------------------------------------------------------------


class Folding(Machine):
    """Keeps a value per name, under the name as it folds it."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def fold(self, name: str) -> str:
        raise NotImplementedError

    @operation(name="put")
    def put(self, name: str, value: str) -> None:
        self.values[self.fold(name)] = value


def folding(label: str, fold: Any) -> None:
    made = type(f"Folding{label}", (Folding,), {"fold": lambda self, name: fold(name), "__module__": __name__})
    globals()[made.__name__] = made
    wrong()(made)


folding("Lower", str.lower)
folding("Upper", str.upper)
folding("Casefold", str.casefold)
folding("Title", str.title)
folding("Strip", str.strip)
folding("RightStrip", str.rstrip)
folding("InnerSpaces", lambda name: " ".join(name.split()))
folding("NoSpaces", lambda name: name.replace(" ", ""))
folding("Nfc", lambda name: unicodedata.normalize("NFC", name))
folding("Nfkc", lambda name: unicodedata.normalize("NFKC", name))
folding("Accents", lambda name: "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)))
folding("Ascii", lambda name: name.encode("ascii", "ignore").decode())
folding("First8", lambda name: name[:8])
folding("First37", lambda name: name[:37])
folding("First255Bytes", lambda name: name.encode()[:255].decode(errors="ignore"))
folding("Last4", lambda name: name[-4:])
folding("Initial", lambda name: name[:1])
folding("Length", lambda name: str(len(name)))
folding("LeadingZeros", lambda name: name.lstrip("0"))
folding("Number", lambda name: str(int(name)) if name.strip().isdecimal() else name)
folding("Float", lambda name: str(float(name)) if name.replace(".", "").isdigit() else name)
folding("Dashes", lambda name: name.replace("-", "_"))
folding("Alnum", lambda name: "".join(filter(str.isalnum, name)))
folding("Basename", lambda name: name.rpartition("/")[2])
folding("Directory", lambda name: name.partition("/")[0])
folding("Path", lambda name: os.path.normpath(name))
folding("Tag", lambda name: name.split("@")[0])
folding("DomainCase", lambda name: "@".join([*name.split("@")[:-1], name.split("@")[-1].lower()]))
folding("PlusAddress", lambda name: name.partition("+")[0])
folding("EmptyIsDefault", lambda name: name or "default-account")
folding("Alias", lambda name: {"NYC": "New York"}.get(name, name))
folding("Reserved", lambda name: "total" if name.startswith("tot") else name)
folding("Bucket", lambda name: str(zlib.crc32(name.encode()) % 16))
folding("Anagram", lambda name: "".join(sorted(name)))
folding("Null", lambda name: name.partition("\0")[0])
folding("Zwnj", lambda name: name.replace("\u200b", ""))
folding("Quotes", lambda name: name.strip("\"'"))


@wrong()
class FoldsInOneOperation(Machine):
    """Writes fold case, reads do not."""

    table = CommutativityTable({"read": ["put"], "put": ["read", "put"]})

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(name="put")
    def put(self, name: str, value: str) -> None:
        self.values[name.lower()] = value

    @operation(name="read")
    def get(self, name: str) -> str | None:
        return self.values.get(name)


@wrong()
class FoldsInLists(Machine):
    table = PUT

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    @operation(footprint=lambda names, value: {(name, "put") for name in names})
    def put(self, names: list[str], value: int) -> None:
        for name in names:
            self.last[name.lower()] = value


@wrong()
class KeepsTheFirstSpelling(Machine):
    """The same name twice commutes, two spellings of it do not."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.spelt: dict[str, str] = {}

    @operation(name="add")
    def add(self, name: str) -> None:
        self.spelt.setdefault(name.lower(), name)


@wrong()
class NumbersByRemainder(Machine):
    table = PUT

    def __init__(self) -> None:
        self.slots: dict[str, str] = {}

    @operation(slot="put")
    def put(self, slot: int, value: str) -> None:
        self.slots[str(slot % 64)] = value


@wrong()
class NumbersBySign(Machine):
    table = PUT

    def __init__(self) -> None:
        self.slots: dict[str, str] = {}

    @operation(slot="put")
    def put(self, slot: int, value: str) -> None:
        self.slots[str(abs(slot))] = value


@wrong()
class NumbersClamped(Machine):
    table = PUT

    def __init__(self) -> None:
        self.slots: dict[str, str] = {}

    @operation(slot="put")
    def put(self, slot: int, value: str) -> None:
        self.slots[str(min(slot, 5000))] = value


@wrong()
class FixedAccount(Machine):
    """Every withdrawal pays into an account that no footprint names."""

    table = CommutativityTable({"change": ["change"], "read": ["change"]} | {"change": ["change", "read"]})

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}

    @operation(account="change")
    def withdraw(self, account: str) -> None:
        self.cents[account] = self.cents.get(account, 0) - 2
        self.cents["house-fees"] = self.cents.get("house-fees", 0) + 1

    @operation(account="read")
    def balance(self, account: str) -> int:
        return self.cents.get(account, 0)


@wrong()
class InternalKey(Machine):
    """Keeps the total among the accounts, under a name that an account can have."""

    table = COUNT

    def __init__(self) -> None:
        self.cents: dict[str, int] = {"total": 0}

    @operation(account="add")
    def deposit(self, account: str, cents: int) -> None:
        self.cents[account] = self.cents.get(account, 0) + cents
        self.cents["total"] += cents

    @operation(account="read")
    def balance(self, account: str) -> int:
        return self.cents.get(account, 0)


@wrong()
class InternalKeyMade(Machine):
    """The key is nowhere in the code as it is: only the state shows it."""

    table = COUNT

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}

    @operation(account="add")
    def deposit(self, account: str) -> None:
        key = "-".join(["all", "accounts"])
        for name in (account, key):
            self.cents[name] = self.cents.get(name, 0) + 1

    @operation(account="read")
    def balance(self, account: str) -> int:
        return self.cents.get(account, 0)


@wrong()
class JoinedKey(Machine):
    table = PUT

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    @operation(footprint=lambda folder, file, text: {((folder + "\0" + file), "put")})
    def write(self, folder: str, file: str, text: str) -> None:
        self.files[f"{folder}/{file}"] = text


@wrong()
class JoinedWithoutSeparator(Machine):
    table = PUT

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    @operation(footprint=lambda folder, file, text: {((folder + "\0" + file), "put")})
    def write(self, folder: str, file: str, text: str) -> None:
        self.files[folder + file] = text


# Limits and capacities -----------------------------------------------------------------------------------------------


class Opening(Machine):
    table = FREE

    def __init__(self) -> None:
        self.names: list[str] = []

    def room(self) -> bool:
        raise NotImplementedError

    @operation(name="add")
    def open(self, name: str) -> bool:
        if name in self.names:
            return True
        if not self.room():
            return False
        self.names = sorted([*self.names, name])
        return True


@wrong()
class AtMost3(Opening):
    def room(self) -> bool:
        return len(self.names) < 3


@wrong()
class AtMost10(Opening):
    def room(self) -> bool:
        return len(self.names) < 10


@wrong()
class AtMost100(Opening):
    def room(self) -> bool:
        return len(self.names) < 100


ROOM = 250


@wrong()
class AtMostOfAConstant(Opening):
    def room(self) -> bool:
        return len(self.names) < ROOM


@wrong()
class AtMostOfAnAttribute(Opening):
    room_for: ClassVar[int] = 40

    def room(self) -> bool:
        return len(self.names) < self.room_for


@wrong()
class QueueOfTen(Machine):
    """Whole queues commute; one counter over all of them does not."""

    table = PUT

    def __init__(self) -> None:
        self.queues: dict[str, list[str]] = {}

    @operation(queue="put")
    def push(self, queue: str, item: str) -> None:
        if sum(map(len, self.queues.values())) >= 10:
            raise Full
        self.queues.setdefault(queue, []).append(item)


@wrong()
class Evicts(Machine):
    """A cache of five entries: what is put out depends on the order."""

    table = PUT

    def __init__(self) -> None:
        self.entries: list[list[str]] = []

    @operation(key="put")
    def put(self, key: str, value: str) -> None:
        kept = [entry for entry in self.entries if entry[0] != key]
        self.entries = sorted([*kept, [key, value]])[-5:]
        if len(kept) >= 5:
            self.entries = sorted([*kept, [key, value]])[:4] + [[key, value]]


@wrong()
class AmountRefused(Machine):
    """The sum may not pass a thousand: which of two additions fits depends on the order."""

    table = FREE

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        if amount < 0 or self.sum + amount > 1000:
            raise Full
        self.sum += amount


@wrong()
class Large(Machine):
    """Only amounts from 5,000 on tell the order."""

    table = FREE

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> int:
        self.sum += amount
        return self.sum if amount >= 5000 else 0


@wrong()
class ExactlyOneValue(Machine):
    table = PUT

    def __init__(self) -> None:
        self.log: list[str] = []

    @operation(name="put")
    def put(self, name: str, code: int) -> None:
        if code == 777:
            self.log.append(name)


@wrong()
class LongNames(Machine):
    """Names of twenty characters and more are kept in one list."""

    table = PUT

    def __init__(self) -> None:
        self.log: list[str] = []

    @operation(name="put")
    def put(self, name: str) -> None:
        if len(name) >= 20:
            self.log.append(name)


# What leaves snapshots, and what snapshots miss ----------------------------------------------------------------------


class Counting(Machine):
    table = CommutativityTable({"add": ["add", "read"], "read": ["add"]})

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(everything="add")
    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    @operation(everything="read")
    def read(self, name: str) -> int:
        return self.counts.get(name, 0)


@wrong(Kind.MISSED)
class SnapshotLeavesOut(Counting):
    def snapshot(self) -> JSON:
        return {"names": sorted(self.counts)}  # type: ignore[dict-item]

    def restore(self, snapshot: JSON) -> None:
        self.counts = dict.fromkeys(snapshot["names"], 1)  # type: ignore[index,call-overload,misc]


@wrong(Kind.MISSED)
class HiddenCounter(Counting):
    """Reads are counted, and the tenth fails; no snapshot tells."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    @operation(everything="read")
    def read(self, name: str) -> int:
        self.reads += 1
        return -1 if self.reads > 10 else super().counts.get(name, 0) if False else self.counts.get(name, 0)

    def snapshot(self) -> JSON:
        return dict(self.counts)

    def restore(self, snapshot: JSON) -> None:
        self.counts = dict(snapshot)  # type: ignore[arg-type,assignment]


@wrong(Kind.MISSED)
class LastName(Counting):
    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    @operation(everything="add")
    def add(self, name: str) -> str:  # type: ignore[override]
        before, self.last = self.last, name
        return before

    def snapshot(self) -> JSON:
        return dict(self.counts)

    def restore(self, snapshot: JSON) -> None:
        self.__init__()  # type: ignore[misc]
        self.counts = dict(snapshot)  # type: ignore[arg-type,assignment]


@wrong(Kind.RESTORE)
class RestoreAddsTo(Counting):
    """Restoring leaves in place what was there."""

    def restore(self, snapshot: JSON) -> None:
        self.counts.update(snapshot["counts"])  # type: ignore[index,call-overload,arg-type]


@wrong(Kind.ALIASED)
class SnapshotIsTheState(Counting):
    """Set after the class was made, so that what it gives is not converted, and so not copied."""


SnapshotIsTheState.snapshot = lambda self: vars(self)  # type: ignore[method-assign]


@wrong(Kind.SNAPSHOT)
class LeavesSnapshotsWithAnObject(Machine):
    table = PUT

    def __init__(self) -> None:
        self.names: Any = []

    @operation(name="put")
    def put(self, name: str, code: int) -> None:
        if code == 31:
            self.names = complex(1, 2)


@wrong(Kind.SNAPSHOT)
class Deep(Machine):
    """One list more around the state each time."""

    table = PUT

    def __init__(self) -> None:
        self.value: list[Any] = []

    @operation
    def put(self) -> None:
        self.value = [self.value]


@wrong(Kind.RESTORE)
class TuplesComeBackAsLists(Machine):
    table = CommutativityTable({"put": ["put"]})

    def __init__(self) -> None:
        self.pairs: list[Any] = []

    @operation
    def put(self, name: str) -> None:
        self.pairs.append((name, 1))

    def snapshot(self) -> JSON:
        return [[*pair, len(self.pairs) if isinstance(pair, tuple) else -1] for pair in self.pairs]

    def restore(self, snapshot: JSON) -> None:
        self.pairs = [pair[:2] for pair in snapshot]  # type: ignore[union-attr,index,misc]


@wrong(Kind.MISSED)
class KeysBecomeText(Machine):
    """Looks for the integer that came back as text."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[Any, str] = {}

    @operation
    def put(self, number: int) -> bool:
        known = number in self.values
        self.values[number] = "x"
        return known

    def snapshot(self) -> JSON:
        return {str(key): value for key, value in self.values.items()}

    def restore(self, snapshot: JSON) -> None:
        self.values = dict(snapshot)  # type: ignore[arg-type]


# State that sits elsewhere -------------------------------------------------------------------------------------------


@wrong(Kind.SHARED)
class OnTheClass(Machine):
    table = COUNT
    counts: dict[str, int] = {}  # noqa: RUF012

    @operation(name="add")
    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    @operation(name="read")
    def read(self, name: str) -> int:
        return self.counts.get(name, 0)


@wrong(Kind.SHARED)
class RebindsTheClass(Counting):
    total: ClassVar[int] = 0

    @operation(everything="add")
    def add(self, name: str) -> int:  # type: ignore[override]
        type(self).total += 1
        return self.total % 50


MODULE_LOG: list[str] = []


@wrong(Kind.SHARED)
class OnTheModule(Counting):
    @operation(everything="read")
    def read(self, name: str) -> int:
        return len(MODULE_LOG) // 20

    @operation(everything="add")
    def add(self, name: str) -> None:
        MODULE_LOG.append(name)


@wrong(Kind.SHARED)
class InADefault(Counting):
    def _seen(self, name: str, seen: set[str] = set()) -> bool:  # noqa: B006
        known = name in seen
        seen.add(name)
        return known

    @operation(everything="add")
    def add(self, name: str) -> bool:  # type: ignore[override]
        return self._seen(name)


# Chance, clocks, hash seeds ------------------------------------------------------------------------------------------


class Asking(Machine):
    table = PUT

    def __init__(self) -> None:
        self.value: Any = ""

    def ask(self, name: str) -> Any:
        raise NotImplementedError

    @operation
    def put(self, name: str) -> None:
        self.value = self.ask(name)


def asking(label: str, ask: Any, kind: Kind) -> None:
    made = type(f"Asking{label}", (Asking,), {"ask": lambda self, name: ask(name), "__module__": __name__})
    globals()[made.__name__] = made
    wrong(kind)(made)


asking("Random", lambda name: random.random(), Kind.CHANCE)
asking("Dice", lambda name: random.randint(1, 6), Kind.OUTSIDE)
asking("FreshGenerator", lambda name: random.Random().random(), Kind.CHANCE)
asking("Clock", lambda name: time.time(), Kind.OUTSIDE)
asking("Seconds", lambda name: int(time.time()), Kind.OUTSIDE)
asking("Today", lambda name: datetime.date.today().isoformat(), Kind.OUTSIDE)
asking("Now", lambda name: datetime.datetime.now(datetime.UTC).year, Kind.OUTSIDE)
asking("Uuid", lambda name: str(uuid.uuid4()), Kind.CHANCE)
asking("Urandom", lambda name: os.urandom(4).hex(), Kind.CHANCE)
asking("Process", lambda name: os.getpid(), Kind.OUTSIDE)
asking("Environment", lambda name: os.environ.get("HOME"), Kind.OUTSIDE)
asking("Hash", lambda name: hash(name), Kind.HASH_SEED)
asking("HashBucket", lambda name: hash(name) % 8, Kind.HASH_SEED)
asking("Letters", lambda name: list(set(name)), Kind.HASH_SEED)

COUNTER = itertools.count()
asking("Counter", lambda name: next(COUNTER), Kind.CHANCE)


@wrong(Kind.HASH_SEED)
class ListOfASet(Machine):
    table = CommutativityTable({"add": ["read"], "read": ["add"]})

    def __init__(self) -> None:
        self.members: set[str] = set()

    @operation(name="add")
    def add(self, name: str) -> None:
        self.members.add(name)

    @operation(everything="read")
    def all(self) -> list[str]:
        return list(self.members)

    def snapshot(self) -> JSON:
        return sorted(self.members)  # type: ignore[return-value]

    def restore(self, snapshot: JSON) -> None:
        self.members = set(snapshot)  # type: ignore[arg-type]


@wrong(Kind.HASH_SEED)
class DictOfASet(Machine):
    table = CommutativityTable({"all": ["all"]})

    @operation
    def all(self, names: list[str]) -> str:
        return ",".join(dict.fromkeys(set(names), 1))


@wrong(Kind.HASH_SEED)
class PopsFromASet(Machine):
    table = PUT

    def __init__(self) -> None:
        self.free = ["n1", "n2", "n3", "n4", "n5", "n6"]

    @operation
    def put(self) -> str:
        chosen = set(self.free).pop()
        self.free.remove(chosen)
        return chosen


# Results as they travel ----------------------------------------------------------------------------------------------


class Answering(Machine):
    table = CommutativityTable({"read": []})

    def answer(self, name: str) -> Any:
        raise NotImplementedError

    @operation(name="read")
    def read(self, name: str) -> JSON:
        return self.answer(name)  # type: ignore[no-any-return]


def answering(label: str, answer: Any, kind: Kind = Kind.RESULT) -> None:
    made = type(f"Answering{label}", (Answering,), {"answer": lambda self, name: answer(name), "__module__": __name__})
    globals()[made.__name__] = made
    wrong(kind)(made)


class Custom:
    pass


answering("Custom", lambda name: Custom())
answering("NaN", lambda name: float("nan"))
answering("Infinity", lambda name: [1.0, float("inf")])
answering("Surrogate", lambda name: "\ud800" + name)
answering("Generator", lambda name: (letter for letter in name))
answering("Iterator", lambda name: deque([name]).__iter__())
answering("Complex", lambda name: 1j)
answering("Nested", lambda name: {"a": [Custom()]})
answering("KeyError", lambda name: {}[name], Kind.UNDECLARED)
answering("Assertion", lambda name: [][len(name)], Kind.UNDECLARED)
answering("Exit", lambda name: exit(1), Kind.UNDECLARED)


@wrong(Kind.UNDECLARED)
class RaisesInSomeStates(Machine):
    table = CommutativityTable({"push": ["push", "pop"], "pop": ["push", "pop"]})

    def __init__(self) -> None:
        self.items: list[str] = []

    @operation
    def push(self, item: str) -> None:
        self.items.append(item)

    @operation
    def pop(self) -> str:
        return self.items.pop()


@wrong(Kind.UNDECLARED)
class RaisesAtAConstant(Machine):
    table = CommutativityTable({"read": []})

    @operation(everything="read")
    def read(self, amount: int) -> int:
        return 10 // (4321 - amount)


@wrong(Kind.UNDECLARED)
class RaisesOnWords(Machine):
    table = CommutativityTable({"read": []})

    @operation(everything="read")
    def read(self, text: str) -> int:
        return {"": 1}.get(text, 2) if text != "stop-word" else int(text)


# Plain mistakes in tables and footprints -----------------------------------------------------------------------------


@wrong()
class RaisesDependingOnOrder(Machine):
    """Undeclared exceptions are results too: which of two removals fails shows the order."""

    table = CommutativityTable({"add": ["take"], "take": ["add"]})

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names[name] = 1

    @operation(name="take")
    def take(self, name: str) -> None:
        del self.names[name]


@wrong()
class MessageTells(Machine):
    """The message of a declared error tells the order."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        self.sum += amount
        raise Full(f"{self.sum}")


@wrong()
class ErrorFieldTells(Machine):
    """A field of a declared error tells the order."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        self.sum += amount
        error = Full("full")
        error.left = self.sum  # type: ignore[attr-defined]
        raise error


@wrong()
class SnapshotTellsTheOrder(Machine):
    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.names: list[str] = []

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names.append(name)


@wrong()
class WholeForgotten(Machine):
    """Clears everything and says that it touches one name."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(name="put")
    def put(self, name: str, value: str) -> None:
        self.values[name] = value
        if value == "clear-all":
            self.values = {}


@wrong()
class WholeInOneMode(Machine):
    table = CommutativityTable({"read": [], "put": ["put"]})

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(footprint=lambda name, value: {(name, "put")})
    def put(self, name: str, value: str) -> None:
        self.values[name] = value

    @operation(footprint=lambda: {(WHOLE, "read")})
    def names(self) -> list[str]:
        return sorted(self.values)


# What refuses the usual small values ---------------------------------------------------------------------------------


class Refused(OperationError):  # noqa: N818
    pass


@wrong()
class LongNamesFolded(Machine):
    """Names have at least three letters."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(name="put")
    def put(self, name: str, value: str) -> None:
        if len(name) < 3:
            raise Refused(name)
        self.values[name.lower()] = value


@wrong()
class AddressesFolded(Machine):
    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(address="put")
    def put(self, address: str, value: str) -> None:
        if "@" not in address or "." not in address.split("@")[1]:
            raise Refused(address)
        self.values[address.upper()] = value


@wrong()
class KnownNamesOnly(Machine):
    """Only three names are known, and two of them are one."""

    table = PUT
    known: ClassVar[dict[str, str]] = {"EUR": "euro", "USD": "dollar", "EURO": "euro"}

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    @operation(currency="put")
    def put(self, currency: str, rate: int) -> None:
        if currency not in self.known:
            raise Refused(currency)
        self.values[self.known[currency]] = rate


@wrong()
class RoundAmounts(Machine):
    """Amounts are whole hundreds, and the answer tells the order."""

    table = FREE

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> int:
        if amount <= 0 or amount % 100:
            raise Refused(str(amount))
        self.sum += amount
        return self.sum


@wrong()
class LongNamesCapacity(Machine):
    """At most seven rooms, whose names have five letters or more."""

    table = FREE

    def __init__(self) -> None:
        self.rooms: list[str] = []

    @operation(room="add")
    def open(self, room: str) -> None:
        if len(room) < 5:
            raise Refused(room)
        if room not in self.rooms:
            if len(self.rooms) == 7:
                raise Full
            self.rooms = sorted([*self.rooms, room])


@wrong(Kind.ENDLESS)
class Loops(Machine):
    table = CommutativityTable({"read": []})

    @operation(everything="read")
    def read(self, count: int) -> int:
        total = 0
        for n in range(count):
            total ^= n
        return total


# Combinations --------------------------------------------------------------------------------------------------------


@wrong()
class NamesInsideDicts(Machine):
    table = PUT

    def __init__(self) -> None:
        self.records: dict[str, dict[str, str]] = {}

    @operation(footprint=lambda record: {(record.get("id", "?"), "put")})
    def put(self, record: dict[str, str]) -> None:
        self.records[record.get("id", "?").lower()] = record


@wrong()
class TwoRules(Machine):
    """Passwords have eight letters, users are identifiers, and ten letters of them count."""

    table = PUT

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}

    @operation(user="put")
    def put(self, user: str, password: str) -> None:
        if len(password) < 8 or not user.isidentifier():
            raise Refused(user)
        self.passwords[user[:10]] = password


@wrong()
class EvictsTheOldest(Machine):
    """Which of two names goes first shows only after three more."""

    table = PUT

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}

    @operation(key="put")
    def put(self, key: str, value: int) -> None:
        self.entries.pop(key, None)
        self.entries[key] = value
        while len(self.entries) > 4:
            del self.entries[next(iter(self.entries))]


@wrong(Kind.MISSED)
class ForgetsItsLength(Machine):
    """The restored log has no bound any more."""

    table = PUT

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=30)

    @operation
    def put(self, line: str) -> int:
        self.log.append(line)
        return len(self.log)

    def snapshot(self) -> JSON:
        return list(self.log)

    def restore(self, snapshot: JSON) -> None:
        self.log = deque(snapshot)  # type: ignore[arg-type]


asking("Year", lambda name: time.strftime("%Y"), Kind.OUTSIDE)
asking("Tie", lambda name: max(set(name + "abc"), key=lambda letter: 0), Kind.HASH_SEED)


@wrong(Kind.RESTORE)
class SnapshotOfASet(Machine):
    table = COUNT

    def __init__(self) -> None:
        self.names: set[str] = set()

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names.add(name)

    def snapshot(self) -> JSON:
        return list(self.names)

    def restore(self, snapshot: JSON) -> None:
        self.names = set(snapshot)  # type: ignore[arg-type]
