"""What a person may set, and what the start says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main
from bot.errors import BotError, SettingsError
from bot.home import Home
from bot.settings import AccountSettings, load_settings
from channels.api import SPEC
from channels.api.channel import ApiChannel
from channels.fake_daemon import RecordingHost
from providers.fake import FakeProvider
from tests.channels.api.site import TOKEN, settings
from tests.story.inside import inside


def accounts(
    folder: Path, environ: Mapping[str, str] | None = None, **more: Any
) -> dict[str, AccountSettings]:
    """The accounts that a configuration opens."""
    (folder / "config.json").write_text(json.dumps(more))
    found = load_settings(Home(folder), folder / "config.json", environ or {}).accounts
    return {each.name: each for each in found if each.channel == "api"}


def test_without_a_token_there_is_no_endpoint(tmp_path: Path) -> None:
    assert accounts(tmp_path) == {}
    with pytest.raises(SettingsError, match=r"channels.api.accounts.main.token"):
        accounts(tmp_path, channels={"api": {"accounts": {"main": {}}}})
    with pytest.raises(SettingsError, match="16 characters"):
        accounts(tmp_path, channels={"api": {"accounts": {"main": {"token": "short"}}}})


def test_the_variable_switches_it_on(tmp_path: Path) -> None:
    (account,) = accounts(tmp_path, {"FIRSTWORD_API_TOKEN": TOKEN}).values()
    assert account.settings.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(account)


@pytest.mark.parametrize("path", ["v1", "/v1/", "/v{1}", "/", "//v1"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        settings(path=path)


async def test_two_accounts_need_two_paths(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        for name in ("main", "team"):
            row = accounts(tmp_path, channels={"api": {"accounts": {name: {"token": TOKEN}}}})[name]
            world.app.open_account(row)
        with pytest.raises(BotError, match="another account serves /v1/chat/completions"):
            world.app.routes()
        team = {"token": TOKEN, "path": "/team/v1"}
        world.app.open_account(accounts(tmp_path, channels={"api": {"accounts": {"team": team}}})["team"])
        assert {route.path for route in world.app.routes()} >= {"/v1/models", "/team/v1/models"}


def test_the_list_of_channels_says_who_may_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTWORD_API_TOKEN", TOKEN)
    assert main(["--home", str(tmp_path), "channels", "list"]) == 0
    assert "api/main: API for programs, on; whoever shows its token\n" in capsys.readouterr().out
    assert main(["--home", str(tmp_path), "channels", "capabilities", "api"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^raw +yes$", shown, re.MULTILINE) and TOKEN not in shown


def test_no_route_is_public(tmp_path: Path) -> None:
    channel = SPEC.open("main", settings(), RecordingHost(tmp_path))
    assert isinstance(channel, ApiChannel)
    assert not any(route.is_public for route in channel.routes())
