"""Machines that take two names for one, and such as refuse the usual names."""

# ruff: noqa: ARG005, PLW0108

from __future__ import annotations

import os
import unicodedata
import zlib
from typing import Any, ClassVar

from commutativity import CommutativityTable, Machine, operation
from commutativity.checking.fault import Kind
from tests.commutativity.faulty.cases import COUNT, FREE, PUT, Full, Refused, wrong

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


# What refuses the usual small values ---------------------------------------------------------------------------------


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
