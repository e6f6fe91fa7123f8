"""Small worlds for the c-struct tests: every interference relation, every c-struct over a few commands."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import networkx as nx

from commutativity import CommutativityTable, Footprint
from genpaxos.core.quorum import mask_of
from genpaxos.textbook.algebra import CStruct, Scope
from genpaxos.textbook.commandset import CommandSet
from genpaxos.textbook.counting import DigestAlgebra
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from genpaxos.textbook.sequence import CommandSequence
from genpaxos.textbook.value import SingleValue

ENCODINGS = ("modes", "resources", "whole machine")
"""How a relation can be told by footprints: one resource and a mode per command; a resource per pair; no resource."""


def relations(commands: str) -> list[InterferingPairs]:
    """Every interference relation between these commands."""
    pairs = list(combinations(commands, 2))
    return [
        InterferingPairs.of(*chosen) for size in range(len(pairs) + 1) for chosen in combinations(pairs, size)
    ]  # fmt: skip


def relations_by_shape(commands: str) -> list[InterferingPairs]:
    """One relation of each kind: renaming the commands leads to all others."""
    found: dict[frozenset[frozenset[frozenset[str]]], InterferingPairs] = {}
    for relation in relations(commands):
        renamings = [dict(zip(commands, names, strict=True)) for names in permutations(commands)]
        shape = frozenset(
            frozenset(frozenset(names[c] for c in pair) for pair in relation.pairs) for names in renamings
        )
        found.setdefault(shape, relation)
    return list(found.values())


def told(relation: InterferingPairs) -> str:
    """The name of a relation in the name of a test."""
    return " ".join(sorted("".join(sorted(pair)) for pair in relation.pairs)) or "nothing interferes"


def sequences(commands: Sequence[str], longest: int | None = None) -> list[tuple[str, ...]]:
    """Every sequence of different commands, up to some length."""
    sizes = range((len(commands) if longest is None else longest) + 1)
    return [sequence for size in sizes for sequence in permutations(commands, size)]


def all_histories(commands: str, relation: InterferingPairs) -> list[CommandHistory]:
    """Every history, made without • : the acyclic orientations of the interfering pairs of every subset."""
    found = []
    for size in range(len(commands) + 1):
        for chosen in combinations(commands, size):
            pairs = [(a, b) for a, b in combinations(chosen, 2) if relation(a, b)]
            for turned in product((False, True), repeat=len(pairs)):
                order: nx.DiGraph[str] = nx.DiGraph()
                order.add_nodes_from(chosen)
                order.add_edges_from((b, a) if turn else (a, b) for (a, b), turn in zip(pairs, turned, strict=True))
                if nx.is_directed_acyclic_graph(order):
                    found.append(CommandHistory(relation, nx.freeze(order)))
    return found


def value_scope(commands: str) -> Scope[SingleValue]:
    return Scope(SingleValue(), commands, [SingleValue(), *map(SingleValue, commands)])


def sequence_scope(commands: str) -> Scope[CommandSequence]:
    return Scope(CommandSequence(), commands, map(CommandSequence, sequences(commands)))


def set_scope(commands: str) -> Scope[CommandSet]:
    subsets = [frozenset(c) for size in range(len(commands) + 1) for c in combinations(commands, size)]
    return Scope(CommandSet(), commands, map(CommandSet, subsets))


def history_scope(commands: str, relation: InterferingPairs) -> Scope[CommandHistory]:
    return Scope(CommandHistory.empty(relation), commands, all_histories(commands, relation))


def scopes(commands: str, by_shape: bool = False) -> dict[str, Scope[CStruct]]:
    """The four c-struct sets over these commands, histories under every relation, or one of each shape."""
    found: dict[str, Scope[CStruct]] = {
        "value": value_scope(commands),
        "sequence": sequence_scope(commands),
        "set": set_scope(commands),
    }  # type: ignore[dict-item]
    for relation in relations_by_shape(commands) if by_shape else relations(commands):
        found[f"history, {told(relation)}"] = history_scope(commands, relation)  # type: ignore[assignment]
    return found


def digest_algebra(commands: str, relation: InterferingPairs, encoding: str = "modes") -> DigestAlgebra:
    """Footprints under which just these commands interfere."""
    if encoding == "resources":
        pairs = {c: sorted("".join(sorted(pair)) for pair in relation.pairs if c in pair) or [c] for c in commands}
        return DigestAlgebra(
            CommutativityTable({"use": {"use": True}}), {c: tuple((r, 0) for r in pairs[c]) for c in commands}
        )
    table = CommutativityTable({a: {b: a != b and relation(a, b) for b in commands} for a in commands})
    resource = "x" if encoding == "modes" else None
    footprints: dict[str, Footprint] = {c: ((resource, table.index(c)),) for c in commands}
    return DigestAlgebra(table, footprints)


@dataclass(frozen=True)
class Family:
    """Classic quorums of ⌊N/2⌋ + 1, and the fast quorums of ballot k."""

    name: str
    replicas: int
    fast: tuple[int, ...]

    @property
    def classic(self) -> tuple[int, ...]:
        return masks(self.replicas, self.replicas // 2 + 1)

    def asked(self, larger: bool = True) -> Iterator[int]:
        """Every Q: the classic quorums, and the sets that contain one."""
        for size in range(self.replicas // 2 + 1, self.replicas + 1 if larger else self.replicas // 2 + 2):
            yield from masks(self.replicas, size)

    def __str__(self) -> str:
        return self.name


def masks(replicas: int, size: int) -> tuple[int, ...]:
    """Every set of that many acceptors."""
    return tuple(map(mask_of, combinations(range(replicas), size)))


def fast_size(replicas: int) -> int:
    """f = ⌈3N/4⌉ (protocol §3)."""
    return -(-3 * replicas // 4)


def any_f(replicas: int) -> Family:
    size = fast_size(replicas)
    return Family(f"any {size} of {replicas}", replicas, masks(replicas, size))


def any_f_with_coordinator(replicas: int) -> Family:
    size = fast_size(replicas)
    fast = tuple(quorum for quorum in masks(replicas, size) if quorum & 1)
    return Family(f"any {size} of {replicas} with 0", replicas, fast)


def pinned(replicas: int) -> Family:
    members = range(replicas // 2 + 1)
    return Family(f"pinned {len(members)} of {replicas}", replicas, (mask_of(members),))


def random_relation(chance: random.Random, commands: str) -> InterferingPairs:
    density = chance.choice((0.2, 0.5, 0.8))
    return InterferingPairs.of(*[pair for pair in combinations(commands, 2) if chance.random() < density])


def random_sequence(chance: random.Random, commands: str) -> tuple[str, ...]:
    return tuple(chance.sample(commands, chance.randint(0, len(commands))))


def disturbed(chance: random.Random, sequence: tuple[str, ...], commands: str) -> tuple[str, ...]:
    """Much like the sequence: what another acceptor may have seen."""
    found = list(sequence)
    for _ in range(chance.choice((0, 0, 1, 2))):
        match chance.randint(0, 2):
            case 0 if len(found) > 1:
                place = chance.randrange(len(found) - 1)
                found[place], found[place + 1] = found[place + 1], found[place]
            case 1 if found:
                found.pop(chance.randrange(len(found)))
            case _:
                found.insert(chance.randint(0, len(found)), chance.choice(commands))
    return tuple(dict.fromkeys(found))
