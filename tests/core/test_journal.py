"""Sealed batches: what was written is read back, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genpaxos.core import records as kinds_of_records
from genpaxos.core.ballot import Ballot
from genpaxos.core.journal import _DECODERS, SEAL_BYTES, START, DamageError, Place, _seal, read, seal, unseal
from genpaxos.core.records import CommitIndex, Promised, Readmitted, Record, Rejoining
from tests.runtime.test_storage import ONE_OF_EACH, records

EVERY_KIND: list[Record] = [*ONE_OF_EACH, Rejoining(3), Readmitted(12, 2)]
some = st.lists(st.sampled_from(EVERY_KIND), max_size=3)
batches = st.lists(some, min_size=1, max_size=5)


def written(batches: list[list[Record]], place: Place = START) -> list[tuple[int, bytes]]:
    rows = []
    for batch in batches:
        data, place = seal(place, batch)
        rows.append((place.batch, data))
    return rows


def read_back(rows: list[tuple[int, bytes]], place: Place = START) -> list[list[Record]]:
    return [found for found, _ in read(place, rows)]


@settings(max_examples=30)
@given(st.lists(st.lists(records(), max_size=3), max_size=3))
def test_batches_are_read_back_as_they_were_written(batches: list[list[Record]]) -> None:
    assert read_back(written(batches)) == batches


def test_every_kind_of_record_has_a_form_of_its_own() -> None:
    assert read_back(written([EVERY_KIND])) == [EVERY_KIND]
    assert {type(record) for record in EVERY_KIND} == set(kinds_of_records.Record.__args__)  # type: ignore[attr-defined]
    assert len(_DECODERS) == len(EVERY_KIND)


@given(batches, st.integers(0, 2**64 - 1), st.integers(0, 2**62))
def test_a_journal_that_goes_on_from_a_snapshot_is_chained_to_its_place(
    batches: list[list[Record]], chain: int, batch: int
) -> None:
    place = Place(batch, chain)
    rows = written(batches, place)
    assert read_back(rows, place) == batches
    with pytest.raises(DamageError, match="seal does not fit"):
        read_back(rows, Place(batch, chain ^ 1))
    with pytest.raises(DamageError, match="missing"):
        read_back(rows, Place(batch + 1, chain))


@given(batches, st.data())
def test_any_flipped_bit_is_damage(batches: list[list[Record]], data: st.DataObject) -> None:
    rows = written(batches)
    which = data.draw(st.integers(0, len(rows) - 1))
    number, content = rows[which]
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    rows[which] = (number, bytes(changed))
    with pytest.raises(DamageError, match=f"batch {number} is not what was written"):
        read_back(rows)


@given(batches, st.data())
def test_a_batch_cut_short_is_damage(batches: list[list[Record]], data: st.DataObject) -> None:
    rows = written(batches)
    number, content = rows[-1]
    rows[-1] = (number, content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DamageError, match=f"batch {number} is not what was written"):
        read_back(rows)


@given(st.lists(some, min_size=2, max_size=6), st.data())
def test_a_batch_that_is_missing_or_out_of_place_is_damage(batches: list[list[Record]], data: st.DataObject) -> None:
    rows = written(batches)
    which = data.draw(st.integers(0, len(rows) - 2))
    with pytest.raises(DamageError, match=f"batch {which + 1} is missing"):
        read_back(rows[:which] + rows[which + 1 :])
    renumbered = [(number - (number > which + 1), content) for number, content in rows if number != which + 1]
    with pytest.raises(DamageError, match="seal does not fit"):
        read_back(renumbered)


def test_two_batches_of_one_content_are_not_taken_for_each_other() -> None:
    """The number and the seal before it are part of the seal."""
    rows = written([[CommitIndex(1)], [CommitIndex(1)]])
    assert rows[0][1] != rows[1][1]
    with pytest.raises(DamageError, match="seal does not fit"):
        read_back([(1, rows[1][1])])


def test_a_missing_end_is_not_seen_by_the_seals() -> None:
    """A crash loses what was not synced; that what was synced is there, the storage checks by the last place."""
    rows = written([[Promised(Ballot(1, 0))], [Promised(Ballot(2, 0))]])
    assert read_back(rows[:1]) == [[Promised(Ballot(1, 0))]]


@pytest.mark.parametrize("payload", [b"", b"[[]]", b'[["nonesuch",1]]', b'[["promised"]]', b'[["commit",1,2]]', b"[1]"])
def test_a_sealed_batch_of_another_format_is_damage_and_no_other_error(payload: bytes) -> None:
    data = _seal(START, payload).to_bytes(SEAL_BYTES, "little") + payload
    with pytest.raises(DamageError, match="is not of this format"):
        unseal(START, 1, data)
