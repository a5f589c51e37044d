"""The rules of every provider, kept by a real model in this process that says what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_asyncio

from providers.base import Credential, ModelSpec
from providers.conformance import ProviderConformance, Scene
from providers.http import Pools
from providers.mlx import SPEC
from providers.mlx_client import Mlx
from tests.providers.mlx import tiny
from tests.providers.mlx.conftest import NOBODY, SAYING, spec

THINKING = ("<think>", "The person", " greets me.", "</think>")
HALF_A_CHARACTER = "â"  # how byte-level vocabularies write the byte 0xE2, the first of three
SCENES = frozenset(
    {
        *(Scene.ANSWER, Scene.THOUGHTS, Scene.ONLY_THOUGHTS, Scene.NOTHING, Scene.TOO_MUCH),
        *(Scene.ENDLESS, Scene.SILENT, Scene.STALLED, Scene.TOO_LONG, Scene.NO_MODEL),
    }
)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for each scene."""
    tiny.require_mlx()
    folder = tmp_path_factory.mktemp("scenes")
    endless = {"loops": True, "window": 1_000_000}
    tiny.write(folder / Scene.ANSWER, script=SAYING)
    tiny.write(folder / Scene.THOUGHTS, script=(*THINKING, *SAYING))
    tiny.write(folder / Scene.ONLY_THOUGHTS, script=THINKING)
    tiny.write(folder / Scene.NOTHING, script=())
    limit = {"max_new_tokens": len(SAYING)}
    tiny.write(folder / Scene.TOO_MUCH, script=(*SAYING, " More"), generation=limit)
    tiny.write(folder / Scene.ENDLESS, script=("Hello", " on"), **endless)  # type: ignore[arg-type]
    tiny.write(folder / Scene.SILENT, script=(" \n ",), **endless)  # type: ignore[arg-type]
    tiny.write(folder / Scene.STALLED, script=(*SAYING[:2], HALF_A_CHARACTER), **endless)  # type: ignore[arg-type]
    tiny.write(folder / Scene.TOO_LONG, script=SAYING, window=4)
    return folder


class Here:
    """The other end is a folder: what lies behind its link is the model that answers."""

    def __init__(self, scenes: Path, folder: Path) -> None:
        self.folder = folder
        self.provider: Mlx | None = None
        self._scenes = scenes
        self._link = folder / "m"
        self.play(Scene.ANSWER)

    def play(self, scene: Scene) -> None:
        self._link.unlink(missing_ok=True)
        if scene is not Scene.NO_MODEL:
            self._link.symlink_to(self._scenes / scene)

    async def until_asked(self, count: int) -> None:
        while self.provider is None or self.provider.tally.asked < count:
            await asyncio.sleep(0.005)

    async def until_closed(self) -> None:
        while self.provider is None or not self.provider.tally.dropped:
            await asyncio.sleep(0.005)

    def connections(self) -> None:
        return None


class TestMlx(ProviderConformance):
    scenes: ClassVar[frozenset[Scene]] = SCENES

    @pytest_asyncio.fixture
    async def peer(self, scenes: Path, tmp_path: Path) -> Here:
        return Here(scenes, tmp_path)

    @pytest_asyncio.fixture
    async def provider(self, peer: Here) -> AsyncIterator[Mlx]:
        given = {"directory": str(peer.folder), "maxOutput": 100_000, "maxContext": 200_000, "waiting": 64}
        async with Pools(trust_env=False) as pools:
            opened = SPEC.open("mlx", SPEC.settings.model_validate(given), pools)
            assert isinstance(opened, Mlx)
            peer.provider = opened
            yield opened
            await opened.aclose()

    @pytest.fixture
    def model(self) -> ModelSpec:
        return spec("m")

    @pytest.fixture
    def credential(self) -> Credential:
        return NOBODY
