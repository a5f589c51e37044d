"""The peers as processes, and a daemon that serves all the tests of a file: each fault heals before the next."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.channels.telegram.fixtures import peer_process
from tests.faults.scene import Scene, open_scene
from tests.mock_model.client import MockModel
from tests.mock_model.fixtures import mock_model, mock_model_process

__all__ = ["mock_model", "mock_model_process", "peer_process"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_scene(
    peer_process: dict[str, object],
    mock_model_process: MockModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    """One life for a whole file."""
    home = tmp_path_factory.mktemp("faults") / "home"
    async with open_scene(home, peer_process, mock_model_process) as scene:
        yield scene


@pytest_asyncio.fixture(loop_scope="module")
async def scene(whole_scene: Scene) -> AsyncIterator[Scene]:
    """Healthy before, and healthy again afterwards without a hand: that is part of every test."""
    await whole_scene.forgive()
    whole_scene.all_well()
    yield whole_scene
    await whole_scene.healthy()
