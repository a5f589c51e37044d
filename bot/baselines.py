"""What is usual of the models, kept in HOME/data/route-baselines.json, and what `models bench` lets expect of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import orjson
import structlog

from bot.errors import SettingsError
from bot.files import write_private
from bot.home import Home
from bot.priors import Prior
from routing.health import Expectation, Health

log = structlog.get_logger()

SAVE_EVERY = 600.0
VERSION = 1
_MOST_BYTES = 20_000_000


def baselines_path(home: Home) -> Path:
    """Where they are kept."""
    return home.data / "route-baselines.json"


def read_baselines(path: Path, health: Health) -> bool:
    """Take up what was usual before. False: nothing is there, or it cannot be read and was set aside. Blocks (disk)."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        held = orjson.loads(path.read_bytes())
        if held["version"] != VERSION:
            raise ValueError(f"version {held['version']}")
        health.take_plain(held["models"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        aside = path.with_suffix(".broken")
        log.warning(
            "usual times set aside",
            reason=f"{path.name} cannot be read ({type(error).__name__}: {str(error)[:100]})",
            todo=f"nothing: they are measured anew; the file is kept as {aside.name}",
        )
        _set_aside(path, aside)
        return False
    return True


def _set_aside(path: Path, aside: Path) -> None:
    try:
        path.replace(aside)
    except OSError as error:
        log.warning("file not set aside", reason=error.strerror or type(error).__name__)


def write_baselines(path: Path, health: Health) -> None:
    """Replace the file in one step, mode 0600; a full disk is only logged. Blocks (disk)."""
    _write(path, orjson.dumps({"version": VERSION, "models": health.to_plain()}).decode())


def _write(path: Path, text: str) -> None:
    try:
        write_private(path, text + "\n")
    except SettingsError as error:
        log.warning("usual times not written", reason=str(error))


async def keep_baselines(
    path: Path, health: Health, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> None:
    """Write them down every ten minutes, for ever."""
    while True:
        await sleep(SAVE_EVERY)
        text = orjson.dumps({"version": VERSION, "models": health.to_plain()}).decode()
        await asyncio.to_thread(_write, path, text)


def expectations(priors: Mapping[str, Prior]) -> dict[tuple[str, str], Expectation]:
    """What `models bench` measured, as the router takes it: (provider, model) -> what to expect."""
    found: dict[tuple[str, str], Expectation] = {}
    for ref, prior in priors.items():
        provider, _, model = ref.partition("/")
        found[provider, model] = Expectation(prior.ttft_p50, prior.ttft_p95, prior.speed)
    return found
