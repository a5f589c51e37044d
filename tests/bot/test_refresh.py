"""What the command line may ask a running daemon about keys and models, and the daily look at lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.credentials import Stored, write_credentials
from bot.errors import BotError
from bot.home import Home
from bot.refresh import FIRST_LOOK, LOOK_EVERY, keep_lists_fresh, model_methods
from bot.settings import Settings, load_settings
from bot.sources import Models, open_models
from providers.errors import ErrorKind
from routing.health import Health

CONFIG = {
    "models": {"detectLocal": False},
    "auth": {"profiles": {"a": {"provider": "cerebras"}, "b": {"provider": "cerebras"}}},
}


@dataclass
class Running:
    """A daemon's models and what it would answer over its control socket."""

    home: Home
    models: Models
    health: Health = field(default_factory=Health)
    hidden: list[str] = field(default_factory=list)

    def settings(self) -> Settings:
        return load_settings(self.home, self.home.config, {})

    def keys(self, **secrets: str) -> None:
        write_credentials(self.home.credentials, {name: Stored(secret) for name, secret in secrets.items()})

    async def ask(self, method: str, **params: Any) -> Any:
        methods = model_methods(
            self.models, self.health, lambda: 10.0, self.settings, lambda *each: self.hidden.extend(each)
        )
        return await methods[method](params)

    def fail(self, key: str, kind: ErrorKind, model: str = "gpt-oss-120b") -> None:
        self.health.failed(("cerebras", model, key), kind, None, 5.0)

    async def states(self) -> dict[str, tuple[str | None, list[str]]]:
        rows = (await self.ask("credentials"))["cerebras"]
        return {row["id"]: (row["refused"], sorted(set(row["resting"].values()))) for row in rows}


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    home = Home(folder)
    home.config.write_text(json.dumps(CONFIG))
    write_credentials(home.credentials, {"a": Stored("secret-a"), "b": Stored("secret-b")})
    async with open_models(load_settings(home, home.config, {})) as models:
        yield Running(home, models)


async def test_it_tells_which_keys_are_refused_or_rest(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        daemon.fail("cerebras:a", ErrorKind.AUTH)
        daemon.fail("cerebras:b", ErrorKind.RATE_LIMIT)
        assert await daemon.states() == {"cerebras:a": ("auth", []), "cerebras:b": (None, ["rate_limit"])}


async def test_a_key_that_was_changed_is_tried_again_and_hidden_from_the_log(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        for key in ("cerebras:a", "cerebras:b"):
            daemon.fail(key, ErrorKind.AUTH)
        daemon.keys(a="secret-new", b="secret-b")
        answer = await daemon.ask("reload")
        assert answer["changed"] == [["cerebras", "cerebras:a"]]
        assert await daemon.states() == {"cerebras:a": (None, []), "cerebras:b": ("auth", [])}
        assert "secret-new" in daemon.hidden
        assert "secret" not in json.dumps(answer)


async def test_a_key_that_was_seen_to_work_is_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        daemon.fail("cerebras:b", ErrorKind.PERMISSION)
        await daemon.ask("reload", proved=[["cerebras", "cerebras:b"]])
        assert (await daemon.states())["cerebras:b"] == (None, [])


async def test_a_configuration_that_became_wrong_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        daemon.home.config.write_text('{"models": 1}')
        with pytest.raises(BotError):
            await daemon.ask("reload")
        assert daemon.models.catalog().primary.model.ref == "cerebras/gpt-oss-120b"


async def test_lists_are_looked_at_after_the_start_and_then_every_hour(tmp_path: Path) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            enough.set()
            await asyncio.Event().wait()

    async with running(tmp_path) as daemon:
        daemon.models.providers.clear()  # nobody is asked
        task = asyncio.create_task(keep_lists_fresh(daemon.models, sleep))
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pauses == [FIRST_LOOK, LOOK_EVERY, LOOK_EVERY]
