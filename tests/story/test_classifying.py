"""Messages judged by their meaning, through the real app and a provider that makes vectors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.classifying import Classifying
from bot.home import Home
from bot.settings import load_settings
from bot.settings.classifying import SemanticSection
from bot.sources import open_models
from bot.till import Unpaid
from providers.base import Credential, ModelSpec
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer
from routing.replay import replay
from tests.mock_model.client import MockModel
from tests.providers.test_embeddings_onnx import folder as folder  # noqa: PLC0414 - a fixture
from tests.story.inside import Inside, inside
from tests.story.running import config

SAMPLES = {"deep": ["prove the theorem", "derive the formula"], "fast": ["good morning"]}


class Embedder(FakeProvider):
    """Answers like any other, and makes vectors: one direction for proofs, one for greetings, one for the rest."""

    def __init__(self, *texts: str) -> None:
        super().__init__("one", *(answer(text) for text in texts))
        self.embedded: list[str] = []
        self.errors: list[ProviderError] = []
        self.gate: asyncio.Event | None = None

    async def embed(
        self, model: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        """See Embeds."""
        if self.errors:
            raise self.errors.pop()
        if self.gate is not None:
            await self.gate.wait()
        self.embedded += texts
        return [_vector(text) for text in texts]


def _vector(text: str) -> tuple[float, float, float]:
    if any(word in text for word in ("theorem", "formula", "lemma")):
        return (1.0, 0.0, 0.0)
    return (0.0, 1.0, 0.0) if "morning" in text else (0.0, 0.0, 1.0)


def configured(folder: Path, **semantic: Any) -> Path:
    home = Home(folder)
    home.prepare()
    section = {"model": "one/vectors", "routes": SAMPLES, "deadline": 1.0, **semantic}
    home.config.write_text(json.dumps({"routing": {"semantic": section}}))
    return folder


async def prepared(world: Inside) -> None:
    """Until the samples have their vectors."""
    async with asyncio.timeout(30):
        while any(task.get_name() == "classifier" for task in asyncio.all_tasks()):
            await asyncio.sleep(0)


async def decided(world: Inside) -> dict[str, Any]:
    (row,) = await world.app.store.turns(None, 1)
    return dict(row.detail)


async def test_a_message_goes_to_the_route_that_it_is_like_and_the_record_replays(tmp_path: Path) -> None:
    one, two = Embedder("hello"), FakeProvider("two", answer("proved"))
    async with inside(configured(tmp_path), one, two=two) as world:
        await prepared(world)
        await world.say("Here is a lemma of mine")
        await world.quiet()
        assert world.channel.visible() == ["proved"]
        detail = await decided(world)
        assert detail["reason"] == "judged"
        assert detail["decision"]["case"]["judged"] == "deep"
        assert replay(detail["decision"]).is_same
        await world.say("/why", 2)
        await world.quiet()
        assert "a classifier said `deep`" in world.channel.visible()[-1]


async def test_what_is_like_nothing_goes_its_usual_way(tmp_path: Path) -> None:
    async with inside(configured(tmp_path), Embedder("hello"), two=FakeProvider("two")) as world:
        await prepared(world)
        await world.say("a word about bananas")
        await world.quiet()
        assert world.channel.visible() == ["hello"]
        assert "judged" not in (await decided(world))["decision"]["case"]


async def test_a_late_classifier_is_noted_and_nobody_waits_for_it(tmp_path: Path) -> None:
    one = Embedder("hello")
    async with inside(configured(tmp_path, deadline=0.005), one, two=FakeProvider("two")) as world:
        await prepared(world)
        one.gate = asyncio.Event()
        await world.say("the theorem again")
        await world.quiet()
        assert world.channel.visible() == ["hello"]
        assert (await decided(world))["decision"]["case"]["judged"] == "late"


async def test_a_classifier_that_fails_changes_nothing(tmp_path: Path) -> None:
    one = Embedder("hello")
    async with inside(configured(tmp_path), one, two=FakeProvider("two")) as world:
        await prepared(world)
        one.errors.append(ProviderError(ErrorKind.SERVER, "made up"))
        await world.say("the theorem again")
        await world.quiet()
        assert world.channel.visible() == ["hello"]


@pytest.mark.parametrize("ref", ["nobody/vectors", "two/vectors"])
async def test_a_provider_without_vectors_costs_nobody_an_answer(tmp_path: Path, ref: str) -> None:
    async with inside(configured(tmp_path, model=ref), Embedder("hello"), two=FakeProvider("two")) as world:
        await world.say("the theorem again")
        await world.quiet()
        assert world.channel.visible() == ["hello"]


async def test_only_the_person_s_own_words_are_judged(tmp_path: Path) -> None:
    one = Embedder("hello")
    async with inside(configured(tmp_path), one, two=FakeProvider("two")) as world:
        await prepared(world)
        await world.say("> the theorem says\n\nbananas, please")
        await world.quiet()
        assert world.channel.visible() == ["hello"]
        assert "theorem" not in one.embedded[-1]


def section(ref: str, routes: dict[str, tuple[str, ...]]) -> SemanticSection:
    return SemanticSection.model_validate({"model": ref, "routes": routes, "deadline": 1.0})


async def test_vectors_of_a_model_on_this_machine_tell_the_route(folder: Path) -> None:
    home = Home(folder / "home")
    home.prepare()
    providers = {"onnx": {"api": "onnx-embeddings", "directory": str(folder)}}
    home.config.write_text(json.dumps({"models": {"providers": providers, "detectLocal": False}}))
    async with open_models(load_settings(home, home.config, {})) as models:
        judging = Classifying(section("onnx/tiny", {"deep": ("cat",), "fast": ("sea",)}), models, Unpaid())
        assert await judging.judge("dog") is None  # nothing is known yet
        await judging.prepare()
        assert await judging.judge("dog") == "deep"
        assert await judging.judge("sea sea") == "fast"


async def test_vectors_of_an_api_tell_the_route(tmp_path: Path, mock_model: MockModel) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.config.write_text(json.dumps(config(mock_model.base_url)))
    async with open_models(load_settings(home, home.config, {})) as models:
        judging = Classifying(section("mock/vectors", {"deep": ("prove the theorem",)}), models, Unpaid())
        await judging.prepare()
        assert await judging.judge("prove the theorem") == "deep"
        assert await judging.judge("something else entirely, about bananas") is None
