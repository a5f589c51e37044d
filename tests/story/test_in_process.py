"""A daemon whose model runs in its own process: asked over the page, warmed, cancelled, stopped cleanly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.providers.mlx import tiny
from tests.story.running import daemon
from tests.story.test_web import Page, page

pytestmark = pytest.mark.slow  # each starts a real daemon, which imports mlx

PATIENCE = 60.0
"""Seconds: mlx is imported with the first question, which takes long on a busy machine."""


def configured(models: Path, model: str) -> dict[str, Any]:
    return {
        "server": {"port": 0},
        "webhooks": {"port": 0},
        "models": {"providers": {"mlx": {"directory": str(models), "models": [{"id": model}]}}},
        "agents": {"defaults": {"model": {"primary": f"mlx/{model}"}}},
    }


@pytest.fixture
def models(tmp_path: Path) -> Path:
    tiny.require_mlx()
    folder = tmp_path / "models"
    tiny.write(folder / "brief", script=("I live", " in this", " **daemon**", "."))
    tiny.write(folder / "endless", script=("On", " and", " on", " without end"), loops=True, window=1_000_000)
    return folder


async def ended(shown: Page) -> None:
    """Wait until an answer is whole."""
    await shown.until(lambda frame: frame["t"] == "note", PATIENCE)


async def test_a_model_in_the_daemons_process_answers_on_the_page(tmp_path: Path, models: Path) -> None:
    async with daemon(tmp_path / "home", configured(models, "brief")) as running:
        async with page(running) as shown:
            for number in (1, 2):
                await shown.say(f"who are you, {number}?", number)
                await ended(shown)
            assert set(shown.shown.values()) == {"I live in this **daemon**."}
            assert {note["model"] for note in shown.notes.values()} == {"mlx/brief"}
        assert await running.stop() == 0
        assert "terminate called" not in "".join(running.lines)


async def test_a_daemon_that_is_speaking_stops_cleanly(tmp_path: Path, models: Path) -> None:
    async with daemon(tmp_path / "home", configured(models, "endless")) as running:
        async with page(running) as shown:
            await shown.say("tell me a story", 1)
            await shown.until_shown("On and on without end", PATIENCE)
            await shown.say("/stop", 2)
            await ended(shown)
            await shown.say("another", 3)
            await shown.until(lambda frame: frame["t"] in {"show", "more"})
        assert await running.stop() == 0


async def test_a_model_that_is_missing_is_named_to_the_owner(tmp_path: Path, models: Path) -> None:
    async with daemon(tmp_path / "home", configured(models, "absent")) as running, page(running) as shown:
        await shown.say("hello?", 1)
        await running.logged("absent is not on this machine")
