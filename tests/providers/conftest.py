"""What the provider tests share: model servers of their own processes, pools, and peers that send exact bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.http import Pools
from tests.mock_model.fixtures import mock_model, mock_model_process, start_mock_model
from tests.providers.aimock import aimock, aimock_process
from tests.providers.peer import Peer

__all__ = ["aimock", "aimock_process", "mock_model", "mock_model_process", "start_mock_model"]


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    async with Pools(trust_env=False) as opened:
        yield opened


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer() as serving:
        yield serving
