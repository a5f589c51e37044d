"""A terminal in a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal
from tests.mock_model.fixtures import mock_model, mock_model_process, start_mock_model

__all__ = ["mock_model", "mock_model_process", "start_mock_model"]


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose home does not exist yet."""
    return Terminal(tmp_path, capsys, monkeypatch)
