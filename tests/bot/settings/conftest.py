"""A home of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot.settings.places import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A temporary home without a configuration."""
    return Place(tmp_path)
