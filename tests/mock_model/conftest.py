"""The mock's own tests use its own fixtures."""

from __future__ import annotations

from tests.mock_model.fixtures import mock_model, mock_model_process, start_mock_model

__all__ = ["mock_model", "mock_model_process", "start_mock_model"]
