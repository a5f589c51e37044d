"""A daemon, a Bot API server and a model server, each a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.channels.matrix.fixtures import synapse
from tests.channels.telegram.fixtures import peer, peer_process
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.mock_model.fixtures import mock_model, mock_model_process, start_mock_model
from tests.story.running import Daemon, config, daemon

__all__ = ["mock_model", "mock_model_process", "peer", "peer_process", "start_mock_model", "synapse"]

ANN, BOB, OWNER, STRANGER, GROUP = 7, 8, 9, 66, -1001


def telegram(peer: Peer, **more: Any) -> dict[str, Any]:
    """The channel's configuration: Ann and Bob may talk, the owner owns, one group is open."""
    account = {
        "token": peer.token,
        "baseUrl": peer.base_url,
        "allow": [ANN, BOB],
        "owner": [OWNER],
        "groups": [GROUP],
        **more,
    }
    return {"accounts": {"main": account}}


async def speak(peer: Peer, chat: int, text: str, user: int) -> dict[str, Any]:
    """Somebody says something to the bot in a group, by its name."""
    name = f"@firstword_{peer.token.partition(':')[0]}_bot"
    entity = {"type": "mention", "offset": 0, "length": len(name)}
    return await peer.say(chat, f"{name} {text}", user=user, entities=[entity])


async def seen(peer: Peer, chat: int, contains: str = "", timeout: float = 30.0) -> dict[str, Any]:
    """The bot's newest message that holds these words, once there is one."""
    found = await peer.wait(chat=chat, contains=contains, timeout=timeout)
    fitting = [each for each in found["messages"] if each["from_bot"] and contains in each["text"]]
    return dict(fitting[-1])


Start = Callable[..., Any]


@pytest_asyncio.fixture
async def start(tmp_path: Path, peer: Peer, mock_model: MockModel) -> AsyncIterator[Start]:
    """Starts a ready daemon on Telegram; keywords go into the account, `changes` over the configuration."""
    async with AsyncExitStack() as stack:

        async def begin(changes: dict[str, Any] | None = None, **account: Any) -> Daemon:
            settings = config(mock_model.base_url, telegram=telegram(peer, **account)) | (changes or {})
            return await stack.enter_async_context(daemon(tmp_path / "home", settings))

        yield begin
