"""The status of a cluster: what it concludes from the replicas, and the table at several widths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genpaxos.view.cluster import ClusterStatus
from genpaxos.view.snapshot import SnapshotError
from genpaxos.view.status import StatusView, percent
from tests.view.snapshots import console, drawn, names, text_of


def replica(node: int, **changes: Any) -> dict[str, Any]:
    """A healthy replica of five in ballot (3, 1), with changes."""
    return {
        "node": node, "address": f"tcp://10.0.0.{node}:7000", "reachable": True,
        "role": "coordinator" if node == 1 else "acceptor",
        "promised": [3, 1], "ballot": [3, 1], "kind": "leader-ordered", "pinned": [0, 1, 2],
        "quorum": True, "quorum_reason": "hears 4 of 5, needs 3", "coordinator": 1,
        "committed": 1200, "learned": 1234, "executed": 1234, "fast": 1000, "classic": 234, "lag": 0,
        "last_seen_ms": {"0": 12, "2": 40.2}, "error": None,
    } | changes  # fmt: skip


def silent(node: int, **more: Any) -> dict[str, Any]:
    return {"node": node, "reachable": False, **more}


def bank(*replicas: dict[str, Any]) -> ClusterStatus:
    head = {"cluster": "bank", "machine": "genpaxos.examples.bank:Bank", "policy": "leader-ordered"}
    return ClusterStatus.from_json({**head, "replicas": list(replicas)})


TROUBLED = bank(
    replica(0),
    replica(1),
    silent(2, address="tcp://10.0.0.2:7000", error="connection refused"),
    replica(3, coordinator=2, ballot=[2, 2], lag=14),
    replica(4, quorum=False, quorum_reason="hears 1 of 5, needs 3"),
)


def test_the_table_at_80_columns() -> None:
    assert drawn(StatusView(TROUBLED)) == text_of(
        """
bank · genpaxos.examples.bank:Bank · leader-ordered
quorum ✓ yes: hears 4 of 5, needs 3 · coordinator 1 · ballot (3, 1)
pinned 0 1 2 · fast path ████████████████████░░░░░ 81 %
node  role         ballot  quorum  committed  executed  lag  fast  silence
   0  acceptor     (3, 1)  yes         1,200     1,234    0  81 %    40 ms
   1  coordinator  (3, 1)  yes         1,200     1,234    0  81 %    40 ms
   2  unreachable
   3  acceptor     (2, 2)  yes         1,200     1,234   14  81 %    40 ms
   4  acceptor     (3, 1)  NO          1,200     1,234    0  81 %    40 ms
✗ replica 2 unreachable: connection refused
✗ replica 3 still follows coordinator 2
✗ replica 4 hears no quorum: hears 1 of 5, needs 3
"""
    )


def test_the_table_at_40_columns_keeps_what_matters() -> None:
    assert drawn(StatusView(TROUBLED), width=40) == text_of(
        """
bank · genpaxos.examples.bank:Bank
leader-ordered
quorum ✓ yes: hears 4 of 5, needs 3
coordinator 1 · ballot (3, 1)
pinned 0 1 2
fast path ████████████████████░░░░░ 81 %
node  role         executed  lag  fast
   0  acceptor        1,234    0  81 %
   1  coordinator     1,234    0  81 %
   2  unreachable
   3  acceptor        1,234   14  81 %
   4  acceptor        1,234    0  81 %
✗ replica 2 unreachable: connection
refused
✗ replica 3 still follows coordinator 2
✗ replica 4 hears no quorum: hears 1 of
5, needs 3
"""
    )


def test_a_wide_table_shows_addresses() -> None:
    assert any("tcp://10.0.0.2:7000" in line and "unreachable" in line for line in drawn(StatusView(TROUBLED), 130))


def test_no_replica_answers() -> None:
    status = bank(silent(0), silent(1), silent(2))
    assert status.quorum == (False, "none of 3 replicas answers")
    assert drawn(StatusView(status, ascii=True), width=60) == text_of(
        """
bank - genpaxos.examples.bank:Bank - leader-ordered
quorum x NO: none of 3 replicas answers - no coordinator
fast path: nothing learned yet
node  role
   0  unreachable
   1  unreachable
   2  unreachable
x replica 0 unreachable
x replica 1 unreachable
x replica 2 unreachable
"""
    )


def test_a_coordinator_that_does_not_answer_is_said_to_be_unreachable() -> None:
    lines = drawn(StatusView(bank(replica(0), silent(1), replica(2))))
    assert "coordinator 1 is unreachable" in lines[1]


def test_the_highest_ballot_names_the_coordinator() -> None:
    status = bank(replica(0, ballot=[2, 2], coordinator=2), replica(1), replica(2, ballot=None, coordinator=None))
    assert status.coordinator == 1
    assert status.doubts == ("replica 0 still follows coordinator 2",)


def test_a_fault_that_several_tell_is_shown_once() -> None:
    stopped = [replica(n, role="stopped", error="they computed different results") for n in (0, 2)]
    assert bank(stopped[0], replica(1), stopped[1]).doubts == ("replicas 0, 2: they computed different results",)


def test_one_replica_that_hears_a_quorum_is_enough_for_yes() -> None:
    cut_off = replica(0, quorum=False, quorum_reason="hears 1 of 5, needs 3")
    assert bank(cut_off, replica(1)).quorum == (True, "hears 4 of 5, needs 3")
    assert bank(cut_off, silent(1)).quorum == (False, "hears 1 of 5, needs 3")


def test_the_fast_share_is_that_of_all_who_answer() -> None:
    assert bank(replica(0, fast=1, classic=1), replica(1, fast=1, classic=1), silent(2)).fast_share == 0.5
    assert bank(replica(0, fast=0, classic=0)).fast_share is None


def test_percent_says_all_or_nothing_only_when_it_is() -> None:
    assert [percent(share) for share in (None, 0.0, 0.001, 0.5, 0.999, 1.0)] == [
        "-", "0 %", "<1 %", "50 %", ">99 %", "100 %"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ballot": [3]}, r"replica 0.ballot must be a ballot \[number, coordinator\], not \[3\]"),
        ({"committed": None}, "replica 0.committed must be an integer, not null"),
        ({"lag": -1}, "replica 0.lag counts something"),
        ({"last_seen_ms": {"x": 1}}, "the keys are nodes"),
        ({"reachable": "yes"}, "replica 0.reachable must be true or false, not 'yes'"),
    ],
)
def test_a_malformed_status_names_the_replica_and_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SnapshotError, match=message):
        bank(replica(0, **change))


counts = st.integers(0, 10**12)
ballots = st.none() | st.lists(st.integers(0, 10**6), min_size=2, max_size=2)
replicas = st.fixed_dictionaries(
    {"node": st.integers(0, 99), "reachable": st.booleans(), "role": names, "fast": counts, "classic": counts,
     "committed": counts, "learned": counts, "executed": counts},
    optional={
        "address": names, "promised": ballots, "ballot": ballots, "kind": names, "lag": counts,
        "error": st.none() | names,
        "pinned": st.none() | st.lists(st.integers(0, 9), max_size=5), "quorum": st.booleans(), "quorum_reason": names,
        "coordinator": st.none() | st.integers(0, 9),
        "last_seen_ms": st.dictionaries(st.sampled_from("0123"), st.none() | counts | st.floats(0, 1e12), max_size=3),
    },
)  # fmt: skip
statuses = st.fixed_dictionaries(
    {"cluster": names, "replicas": st.lists(replicas, max_size=6)}, optional={"machine": names, "policy": names}
)


@settings(deadline=None, max_examples=100)
@given(statuses, st.integers(40, 200), st.booleans())
def test_any_status_is_drawn_within_the_console(data: dict[str, Any], width: int, plain: bool) -> None:
    on = console(width)
    view = StatusView(ClusterStatus.from_json(data), ascii=plain)
    lines = on.render_lines(view, on.options, pad=False)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    text = "".join(segment.text for line in lines for segment in line)
    assert "\x1b" not in text
    assert not plain or text.isascii()


def test_commands_that_failed_are_counted_and_no_fault_is_cut_off() -> None:
    """Not even on a narrow terminal: only lines are broken."""
    failure, fault = "take (command c:1) at shop.py:31: LookupError: " + "x" * 500, "MachineFaultError: " + "y" * 500
    status = bank(
        replica(0, failed=3, last_failure=failure),
        replica(1, role="stopped", quorum=False, quorum_reason=fault, error=fault),
    )
    text = "".join("".join(drawn(StatusView(status), width=40)).split())
    assert "".join(f"replica 0: failed commands: 3, last: {failure}".split()) in text
    assert "".join(f"replica 1: {fault}".split()) in text
    assert text.count("MachineFaultError") == 1
    alone = bank(replica(1, role="stopped", quorum=False, quorum_reason=fault, error=fault, coordinator=None))
    text = "".join("".join(drawn(StatusView(alone), width=40)).split())
    assert "NO:replica1hasstopped" in text
    assert "".join(f"replica 1: {fault}".split()) in text
