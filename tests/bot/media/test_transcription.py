"""Who writes down speech: the model that the settings name, with its provider's keys, and nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import BotError, SettingsError
from bot.home import Home
from bot.settings import load_settings
from bot.sources import look_at_models
from tests.bot.test_sources import models

OURS = {
    "providers": {
        "ours": {"baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions", "models": [{"id": "a"}]}
    }
}


def naming(model: str) -> dict[str, Any]:
    return {"models": {"detectLocal": False, **OURS}, "media": {"transcription": {"model": model}}}


async def test_nobody_writes_down_speech_unless_named(tmp_path: Path) -> None:
    async with models(tmp_path, {"models": {"detectLocal": False, **OURS}}) as found:
        assert found.speech is None


async def test_the_named_model_is_asked_with_its_keys_and_is_none_to_chat_with(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "k1"}
    async with models(tmp_path, naming("openai/whisper-1"), environ) as found:
        assert found.speech is not None
        assert found.speech.model.ref == "openai/whisper-1"
        assert [each.secret.get_secret_value() for each in found.speech.credentials if each.secret] == ["k1"]
        assert "openai/whisper-1" not in found.catalog().models
        assert "k1" not in repr(found.speech)
        changed = load_settings(Home(tmp_path), tmp_path / "config.json", {"OPENAI_API_KEY": "k2"})
        await found.renew(changed)
        assert [each.secret.get_secret_value() for each in found.speech.credentials if each.secret] == ["k2"]


async def test_a_server_of_ones_own_needs_no_key(tmp_path: Path) -> None:
    async with models(tmp_path, naming("ours/whisper")) as found:
        assert found.speech is not None
        assert len(found.speech.credentials) == 1


async def test_a_provider_that_does_not_write_down_speech_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BotError, match=r'media\.transcription\.model: "demo" does not write down speech'):
        async with models(tmp_path, naming("demo/demo")):
            pass


async def test_a_look_opens_nobody(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        '{"models": {"detectLocal": false}, "media": {"transcription": {"model": "openai/whisper-1"}}}'
    )
    assert (await look_at_models(load_settings(Home(tmp_path), path, {}))).speech is None


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("whisper", 'allowed: a model as "provider/model"'),
        ("opnai/whisper-1", 'nearest: "openai"'),
        (7, "allowed"),
    ],
)
def test_a_wrong_name_is_said_with_what_is_allowed(model: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"media": {"transcription": {"model": model}}}))
    with pytest.raises(SettingsError, match=r"media\.transcription\.model") as raised:
        load_settings(Home(tmp_path), path, {})
    assert says in str(raised.value)
