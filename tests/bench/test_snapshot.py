"""``python -m bench.snapshot`` on a small state."""

from __future__ import annotations

from pathlib import Path

from bench.engine.snapshot import measure


def test_snapshots_of_a_replica_under_load_are_timed(tmp_path: Path) -> None:
    found = measure(tmp_path / "0", mb=2, snapshots=2)
    assert found["snapshots"] == 2
    assert found["state_mb"] > 2
    assert 0 < found["fork_ms"]["median"] <= found["still_ms_max"]
    assert 0 < found["adopt_ms"]["median"] <= found["still_ms_max"]
    assert found["step_while_writing_ms"]["max"] > 0
