"""The page that walks through the family shows what the program prints today."""

from __future__ import annotations

import pytest

from tests.family.page import PAGE, page_text


def test_the_page_about_the_family_is_current(request: pytest.FixtureRequest) -> None:
    text = page_text()
    if request.config.getoption("--rewrite-scenarios"):
        PAGE.write_text(text, encoding="utf-8")
    assert text == PAGE.read_text(encoding="utf-8"), "pytest tests/family --rewrite-scenarios writes it anew"
