"""Models that are made once a run, and providers over them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from providers.base import Credential, ModelSpec
from providers.http import Pools
from providers.mlx import SPEC
from providers.mlx_client import Mlx
from providers.profile import ModelProfile
from tests.providers.mlx import tiny

NOBODY = Credential("mlx:none")
UNCOMPILED = "MLX_DISABLE_COMPILE"
SAYING = ("Hello", " **you**", ", this", " is an", " answer.")

Opened = Callable[..., Mlx]


def spec(name: str, *, prefill: bool = False) -> ModelSpec:
    """A model of these tests."""
    return ModelSpec("mlx", name, context_window=4096, profile=ModelProfile(prefill=prefill))


@pytest.fixture(scope="session", autouse=True)
def uncompiled() -> Iterator[None]:
    """Without g++ at work: test processes side by side would write the same files in the temporary folder."""
    before = os.environ.get(UNCOMPILED)
    os.environ[UNCOMPILED] = "1"
    yield
    os.environ.pop(UNCOMPILED)
    os.environ.update({} if before is None else {UNCOMPILED: before})


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`random` and a `draft` for it, `says` and `endless` by a script, and a folder for each."""
    tiny.require_mlx()
    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder / "random", size=tiny.BIG)
    tiny.write(folder / "draft", seed=1)
    tiny.write(folder / "says", script=SAYING)
    tiny.write(folder / "endless", script=("Hello", " on"), loops=True, window=1_000_000)
    return folder


@pytest.fixture
async def opened(shelf: Path) -> AsyncIterator[Opened]:
    """Opens providers; closes them at the end."""
    made: list[Mlx] = []

    def open_one(**settings: object) -> Mlx:
        given = {"directory": str(shelf), "promptCacheMemory": 0.05, **settings}
        provider = SPEC.open("mlx", SPEC.settings.model_validate(given), Pools(trust_env=False))
        assert isinstance(provider, Mlx)
        made.append(provider)
        return provider

    yield open_one
    for each in made:
        await each.aclose()
