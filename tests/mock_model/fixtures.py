"""Fixtures for any test folder: `from tests.mock_model.fixtures import *` in its conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.mock_model.client import MockModel, running

__all__ = ["mock_model", "mock_model_process", "start_mock_model"]


@pytest.fixture(scope="session")
def mock_model_process() -> Iterator[MockModel]:
    """The session's one server; tests use `mock_model`, which starts clean."""
    with running() as server:
        yield server


@pytest.fixture
def mock_model(mock_model_process: MockModel) -> Iterator[MockModel]:
    """A clean server: empty record, default script, no open answer left behind."""
    mock_model_process.reset()
    yield mock_model_process
    mock_model_process.reset()


@pytest.fixture
def start_mock_model() -> Iterator[Callable[..., MockModel]]:
    """Starts further servers: `start_mock_model("--kind", "ollama", "--models", "a,b")`."""
    with ExitStack() as stack:

        def start(*flags: str) -> MockModel:
            return stack.enter_context(running(*flags))

        yield start
