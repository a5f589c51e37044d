"""What does not start: a door without a key, with a weak or a used one, and a listener that others reach unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.errors import BotError, SettingsError
from bot.home import Home
from bot.server import Health, open_servers
from bot.settings import load_settings
from channels.guessing import LEAST, fault_of

SERVER = "server-token-that-nobody-guesses-01"
HOOK = "webhook-secret-that-nobody-guesses_01"
OTHER = "webhook-secret-that-nobody-guesses_02"
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
BOT = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"
KEY = "sk-key-of-a-provider-0123456789abcdef"

WEBHOOK = "channels.telegram.accounts.main.webhook.secret"
SIGNED = "channels.slack.accounts.main.signingSecret"
ANYWHERE = (
    "0.0.0.0",
    "::",
    "*",
    "0",
    "0.0",
    "0x0",
    "",
    "localhost.",
    "bot.example.org",
    "192.0.2.7",
    "::ffff:0.0.0.0",
)


def problems(folder: Path, config: dict[str, Any], **environ: str) -> dict[str, str]:
    """Path -> text of all that keeps these settings from starting."""
    home = Home(folder)
    home.config.write_text(json.dumps(config))
    try:
        load_settings(home, home.config, environ)
    except SettingsError as error:
        said = str(error)
        assert not [each for each in (SERVER, HOOK, OTHER, SIGNING, BOT, KEY) if each in said]
        return dict(error.problems)
    return {}


def telegram(secret: str, name: str = "main", token: str = BOT) -> dict[str, Any]:
    """A Telegram account behind a webhook."""
    return {name: {"token": token, "webhook": {"url": "https://bot.example.org", "secret": secret}}}


def slack(secret: Any) -> dict[str, Any]:
    """A Slack account in http mode."""
    found = {"botToken": "xoxb-111111111111-a", "mode": "http"}
    return {"main": found if secret is None else {**found, "signingSecret": secret}}


def channels(**accounts: dict[str, Any]) -> dict[str, Any]:
    """The section `channels`."""
    return {"channels": {name: {"accounts": rows} for name, rows in accounts.items()}}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (channels(telegram=telegram("")), WEBHOOK),
        (channels(telegram=telegram(" " * 40)), WEBHOOK),
        (channels(telegram=telegram(HOOK[:31])), WEBHOOK),
        (channels(telegram=telegram("ab" * 20)), WEBHOOK),
        (channels(slack=slack(None)), "channels.slack.accounts.main"),
        (channels(slack=slack("")), SIGNED),
        (channels(slack=slack(" " * 40)), SIGNED),
        (channels(slack=slack(SIGNING[:31])), SIGNED),
        (channels(slack=slack("01" * 16)), SIGNED),
        (channels(api={"main": {}}), "channels.api.accounts.main.token"),
        (channels(api={"main": {"token": " " * 20}}), "channels.api.accounts.main.token"),
        (channels(web={"main": {"token": "short"}}), "channels.web.accounts.main.token"),
        ({"server": {"token": ""}}, "server.token"),
        ({"server": {"token": SERVER[: LEAST - 1]}}, "server.token"),
    ],
)
def test_a_door_whose_key_is_missing_blank_or_weak_does_not_start(
    tmp_path: Path, config: dict[str, Any], path: str
) -> None:
    assert path in problems(tmp_path, config)


@pytest.mark.parametrize(
    ("config", "path", "first"),
    [
        ({"server": {"token": HOOK}, **channels(telegram=telegram(HOOK))}, WEBHOOK, "server.token"),
        (
            channels(telegram=telegram(HOOK) | telegram(HOOK, "second", BOT.replace("1", "2"))),
            "channels.telegram.accounts.second.webhook.secret",
            WEBHOOK,
        ),
        (channels(telegram=telegram(SIGNING), slack=slack(SIGNING)), SIGNED, WEBHOOK),
        (
            channels(telegram=telegram(HOOK), api={"main": {"token": HOOK}}),
            "channels.api.accounts.main.token",
            WEBHOOK,
        ),
        (
            {"models": {"providers": {"openai": {"apiKey": HOOK}}}, **channels(telegram=telegram(HOOK))},
            WEBHOOK,
            "of openai",
        ),
        (
            {
                "mcp": {"servers": {"files": {"command": "files", "env": {"API_KEY": HOOK}}}},
                **channels(telegram=telegram(HOOK)),
            },
            WEBHOOK,
            "mcp.servers.files.env.API_KEY",
        ),
        (
            channels(telegram=telegram(HOOK)) | {"server": {"token": BOT}},
            "server.token",
            "channels.telegram.accounts.main.token",
        ),
    ],
)
def test_a_key_that_opens_something_else_too_does_not_start(
    tmp_path: Path, config: dict[str, Any], path: str, first: str
) -> None:
    found = [f"{where} {text}" for where, text in problems(tmp_path, config).items() if "same secret" in text]
    assert [each for each in found if path in each and first in each]


def test_a_key_of_the_environment_is_a_used_one_too(tmp_path: Path) -> None:
    config = channels(telegram=telegram("${HOOK_SECRET}"))
    assert WEBHOOK in problems(tmp_path, config, HOOK_SECRET=KEY, OPENAI_API_KEY=KEY)
    assert problems(tmp_path, config, HOOK_SECRET=HOOK, OPENAI_API_KEY=KEY) == {}


def test_doors_with_keys_of_their_own_start(tmp_path: Path) -> None:
    config = {
        "server": {"host": "0.0.0.0", "token": SERVER},
        **channels(
            telegram=telegram(HOOK) | telegram(OTHER, "second", BOT.replace("1", "2")), slack=slack(SIGNING)
        ),
    }
    assert problems(tmp_path, config) == {}, "the page takes the server's token for its own"


@pytest.mark.parametrize("host", ANYWHERE)
def test_no_other_machine_is_let_in_without_a_token(tmp_path: Path, host: str) -> None:
    assert "server.host" in problems(tmp_path, {"server": {"host": host}})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(tmp_path: Path, host: str) -> None:
    assert problems(tmp_path, {"server": {"host": host}}) == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "0.0", "", "*"])
async def test_where_a_host_leads_is_looked_at_once_more_when_it_is_bound(host: str) -> None:
    """A name says nothing about its addresses, and "0" is every one of them."""
    health = Health(lambda: None, lambda: (b"", "text/plain"))
    with pytest.raises(BotError, match=r"server\.(host|port)"):
        async with open_servers((), health, (host, 0), ("127.0.0.1", 0)):
            raise AssertionError("it listens")
    guarded = Health(lambda: None, lambda: (b"", "text/plain"), lambda: SecretStr(SERVER))
    if host in ("0.0.0.0", "0"):
        async with open_servers((), guarded, (host, 0), ("127.0.0.1", 0)) as listening:
            assert listening.private.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    "secret", ["", "   ", "\t" * 20, "qwerty", "a" * 40, "abcdefg" * 5, f" {SERVER}", f"{SERVER}\n"]
)
def test_what_can_be_guessed_is_named_without_being_repeated(secret: str) -> None:
    fault = fault_of(secret)
    assert fault is not None and (not secret.strip() or secret.strip() not in fault)


def test_what_is_long_and_varied_is_fit() -> None:
    assert fault_of(SERVER) is None and fault_of(SIGNING, 32) is None
