"""The two peers of the rows that compare with the 60-line bot, and the bot under test, as three processes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.bench.daemon import START_SECONDS, Daemon, open_daemon, open_process
from tests.bench.processes import cores, pinned
from tests.channels.telegram.peer.client import Peer, start_peer
from tests.mock_model.client import MockModel, running


class Kind(StrEnum):
    """Which bot is measured."""

    FIRSTWORD = "firstword"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Rig:
    """The mock model and the fake Bot API server, running."""

    model: MockModel
    telegram: Peer


@asynccontextmanager
async def open_rig(*telegram_flags: str) -> AsyncIterator[Rig]:
    """Both peers on their core; each row has fresh ones. Their collector would stop them for longer than is measured."""
    with pinned(cores()[1]), running("--steady") as model:
        async with start_peer("--steady", *telegram_flags) as telegram:
            yield Rig(model, telegram)


@asynccontextmanager
async def open_bot(
    kind: Kind, rig: Rig, *, edit_every: float | None = None, keeps_limits: bool = False
) -> AsyncIterator[Daemon]:
    """The bot on its core, polling.

    `edit_every` None: as it streams when nothing is set. `keeps_limits`: Telegram's flood limits are kept.
    """

    async def holds() -> None:
        await rig.telegram.wait(timeout=START_SECONDS, holding=True)

    if kind is Kind.FIRSTWORD:
        channels = {"telegram": {"main": account(rig.telegram, edit_every, keeps_limits=keeps_limits)}}
        async with open_daemon(rig.model.base_url, channels, holds) as daemon:
            yield daemon
        return

    async def polls(ended: asyncio.Task[int]) -> None:
        held = asyncio.create_task(holds())
        await asyncio.wait((held, ended), return_when=asyncio.FIRST_COMPLETED)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)

    with tempfile.TemporaryDirectory(prefix="firstword-bench-") as home:
        async with open_process(_floor(rig, edit_every or 1.0), Path(home), polls, kind) as daemon:
            yield daemon


def account(telegram: Peer, edit_every: float | None, *, keeps_limits: bool) -> dict[str, Any]:
    """What a person would write for a self-hosted Bot API server."""
    found: dict[str, Any] = {
        "token": telegram.token,
        "baseUrl": f"{telegram.base_url}/bot",
        "allow": ["*"],
        "stopLoops": False,  # its people are programs
        "limits": "telegram" if keeps_limits else "none",
    }
    if edit_every is not None:
        found |= {"stream": "edits", "editInterval": edit_every}
    return found


def _floor(rig: Rig, edit_every: float) -> list[str]:
    telegram = rig.telegram
    given = (telegram.base_url, rig.model.base_url, telegram.token, str(edit_every))
    return [sys.executable, "-W", "ignore", "-m", "tests.bench.floor_bot", *given]
