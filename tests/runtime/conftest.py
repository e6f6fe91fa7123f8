from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def import_state() -> Iterator[None]:
    """What a test imports from its own directory is not found by the next."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name == "machine" or name.startswith(("_machine_", "user_")):
            del sys.modules[name]
