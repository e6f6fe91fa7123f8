"""The counting form on digests against the definitions on networkx graphs: ⊑, ⊓, ⊔ and *compatible* (protocol §2.1)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from genpaxos.textbook import algebra, counting
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from tests.textbook.worlds import (
    ENCODINGS,
    digest_algebra,
    disturbed,
    random_relation,
    random_sequence,
    relations,
    sequences,
)

Sequences = list[tuple[str, ...]]


def assert_all_equal(commands: str, relation: InterferingPairs, encoding: str, pairs: list[Any]) -> None:
    """Each operation, done both ways on the histories of two sequences."""
    bottom, digest = CommandHistory.empty(relation), digest_algebra(commands, relation, encoding)
    graphs = {sequence: bottom.extend(sequence) for pair in pairs for sequence in pair}
    labels = {sequence: digest.digests(sequence) for sequence in graphs}
    for v, w in pairs:
        assert (labels[v] == labels[w]) == (graphs[v] == graphs[w])
        assert counting.is_prefix(labels[v], labels[w]) == (graphs[v] <= graphs[w])
        common = counting.glb([labels[v], labels[w]])
        assert common == digest.digests((graphs[v] & graphs[w]).commands)
        assert digest.compatible(labels[v], labels[w]) == graphs[v].compatible(graphs[w])
        if graphs[v].compatible(graphs[w]):
            union = digest.digests((graphs[v] | graphs[w]).commands)
            assert counting.lub([labels[v], labels[w]]) == digest.extended(labels[v], w) == union


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_counting_equals_the_textbook_on_all_sequences_of_three_commands_under_every_relation(encoding: str) -> None:
    """8 relations, 16² pairs of sequences, told by footprints in three ways."""
    pairs = [(v, w) for v in sequences("abc") for w in sequences("abc")]
    assert len(pairs) == 256
    for relation in relations("abc"):
        assert_all_equal("abc", relation, encoding, pairs)


def test_counting_equals_the_textbook_on_all_orders_of_four_commands_under_every_relation() -> None:
    """64 relations, abcd against each of the 65 sequences; any other order against each is a renaming of these."""
    pairs = [(tuple("abcd"), w) for w in sequences("abcd")]
    assert (len(relations("abcd")), len(pairs)) == (64, 65)
    for relation in relations("abcd"):
        assert_all_equal("abcd", relation, "modes", pairs)


@pytest.mark.parametrize("seed", range(3))
def test_counting_equals_the_textbook_on_long_histories(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        commands = "abcdefgh"[: chance.randint(4, 8)]
        relation = random_relation(chance, commands)
        one = random_sequence(chance, commands)
        pairs = [(one, disturbed(chance, one, commands)), (one, random_sequence(chance, commands))]
        assert_all_equal(commands, relation, chance.choice(ENCODINGS), pairs)


@pytest.mark.parametrize("seed", range(2))
def test_bounds_of_several_histories_are_equal_too(seed: int) -> None:
    chance = random.Random(seed)
    compatible = 0
    for _ in range(200):
        relation = random_relation(chance, "abcdef")
        bottom, digest = CommandHistory.empty(relation), digest_algebra("abcdef", relation)
        whole = random_sequence(chance, "abcdef")
        chosen = [disturbed(chance, whole, "abcdef") for _ in range(chance.randint(2, 5))]
        graphs, labels = [bottom.extend(s) for s in chosen], [digest.digests(s) for s in chosen]
        assert counting.glb(labels) == digest.digests(algebra.glb(graphs).commands)
        if algebra.are_compatible(graphs):
            compatible += 1
            assert counting.lub(labels) == digest.digests(algebra.lub(graphs).commands)
    assert compatible > 20, "some of the sets have a ⊔"
