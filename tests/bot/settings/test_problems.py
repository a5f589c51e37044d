"""What is wrong is said at once and whole: path, value, what is allowed, the nearest key; never a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SettingsError
from bot.home import Home
from bot.settings import load_settings
from bot.settings.edit import ConfigFile
from tests.bot.settings.places import Place

CANARY = "sk-canary0123456789abcdef"


def test_every_problem_is_listed_in_one_error(place: Place) -> None:
    problems = place.problems(
        {
            "server": {"port": "eighty", "prot": 1},
            "channels": {"radio": {"accounts": {"main": {"retries": 12}}}, "radoi": {}},
            "models": {"providers": {"cerebras": {"models": [{"contextWindow": 0}]}}},
            "agents": {"defaults": {"model": {"primary": "cerebrs/llama"}}},
        }
    )
    assert set(problems) == {
        "server.port",
        "server.prot",
        "channels.radio.accounts.main.retries",
        "channels.radio.accounts.main.token",
        "channels.radoi",
        "models.providers.cerebras.models[0].id",
        "models.providers.cerebras.models[0].contextWindow",
        "agents.defaults.model.primary",
    }


@pytest.mark.parametrize(
    ("config", "path", "says"),
    [
        ({"server": {"port": "x"}}, "server.port", '"x" is not allowed; allowed: a whole number from 0 to 65535'),
        ({"server": {"port": 70000}}, "server.port", "70000 is not allowed"),
        ({"server": {"port": True}}, "server.port", "true is not allowed"),
        ({"server": {"port": None}}, "server.port", "null is not allowed"),
        ({"server": []}, "server", "[] is not allowed; allowed: an object"),
        ({"sever": {}}, "sever", "there is no such key; nearest: server"),
        ({"server": {"PORT": 1}}, "server.PORT", "nearest: server.port"),
        ({"logging": {"level": "loud"}}, "logging.level", 'allowed: one of "debug", "info", "warning", "error"'),
        ({"channels": {"radio": {"enabled": "yes"}}}, "channels.radio.enabled", "allowed: true or false"),
        ({"models": {"providers": {"x": {}}}}, "models.providers.x.baseUrl", "is missing"),
        (
            {"models": {"providers": {"x": {"baseUrl": "ftp://x"}}}},
            "models.providers.x.baseUrl",
            "allowed: a URL that starts with http:// or https://",
        ),
        (
            {"models": {"providers": {"cerebras": {"api": "smoke"}}}},
            "models.providers.cerebras.api",
            'allowed: one of "openai-completions"',
        ),
        (
            {"agents": {"defaults": {"models": {"a b": {}}}}},
            'agents.defaults.models["a b"]',
            "allowed",
        ),
        (
            {"agents": {"defaults": {"models": {"cerebras/x": {"params": {"cacheControlTtl": "2h"}}}}}},
            'agents.defaults.models["cerebras/x"].params.cacheControlTtl',
            'one of "5m", "1h"',
        ),
        (
            {"agents": {"defaults": {"models": {"cerebras/x": {"alias": "a"}, "cerebras/y": {"alias": "A"}}}}},
            'agents.defaults.models["cerebras/y"].alias',
            "is the alias of cerebras/x already",
        ),
        ({"agents": {"defaults": {"model": {"primary": "nobody/x"}}}}, "agents.defaults.model.primary", "no provider"),
        ({"auth": {"order": {"cerebras": ["gone"]}}}, "auth.order.cerebras[0]", "a key of auth.profiles"),
        ({"server": {"host": "0.0.0.0"}}, "server.host", "set server.token"),
        ({"server": {"port": 8421}}, "webhooks.port", "is server.port too"),
        (
            {"channels": {"radio": {"accounts": {"main": {"token": "t", "allow": [""]}}}}},
            "channels.radio.accounts.main.allow[0]",
            "an id as text or number",
        ),
        (
            {"channels": {"porch": {"accounts": {"main": {"agent": "bob"}}}}},
            "channels.porch.accounts.main.agent",
            'one of "defaults"',
        ),
        (
            {"channels": {"radio": {"accounts": {"main": {"token": "t", "hook": {"publicUrl": 1}}}}}},
            "channels.radio.accounts.main.hook.publicUrl",
            "allowed: text",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_place_and_what_is_allowed(
    place: Place, config: dict[str, Any], path: str, says: str
) -> None:
    problems = place.problems(config)
    assert path in problems
    assert says in problems[path]
    assert len(problems) == 1


def test_keys_that_do_not_fit_together_are_told_in_the_settings_own_words_and_nothing_else(
    place: Place,
) -> None:
    account = {"token": "t0p-secret", "retries": 0, "hook": {"publicUrl": "https://x.example"}}
    problems = place.problems({"channels": {"radio": {"accounts": {"main": account}}}})
    assert problems == {"channels.radio.accounts.main": "retries is 0: a hook needs at least one"}


def test_a_missing_token_names_the_variable_that_would_do(place: Place) -> None:
    problems = place.problems({"channels": {"radio": {"enabled": True}}})
    assert problems == {
        "channels.radio.accounts.main.token": "is missing; set it, or the variable RADIO_TOKEN"
    }


def test_for_a_look_an_account_that_lacks_a_token_is_left_out_and_one_that_is_wrong_is_not(
    place: Place,
) -> None:
    accounts: dict[str, Any] = {"main": {}, "team": {"token": "t"}, "old": {"token": "${GONE}"}}
    settings = place.load({"channels": {"radio": {"accounts": accounts}}}, is_looking=True)
    assert [row.name for row in settings.accounts if row.channel == "radio"] == ["team"]
    assert [text.partition(": ")[0] for text in settings.lacking] == [
        "channels.radio.accounts.main.token",
        "channels.radio.accounts.old.token",
    ]
    accounts["team"]["retries"] = 99
    with pytest.raises(SettingsError, match=r"team\.retries"):
        place.load({"channels": {"radio": {"accounts": accounts}}}, is_looking=True)


def test_a_usual_variable_that_no_account_takes_is_told(place: Place) -> None:
    radio = {"accounts": {"team": {"token": "t"}}}
    environ = {"RADIO_TOKEN": "mine"}
    settings = place.load({"channels": {"radio": radio}}, environ)
    assert [row.name for row in settings.accounts if row.channel == "radio"] == ["team"]
    [warning] = [text for text in settings.warnings if "RADIO_TOKEN" in text]
    assert "channels.radio.accounts.main" in warning and "mine" not in warning
    for other in ({"enabled": False, **radio}, {"accounts": {**radio["accounts"], "main": {}}}):
        assert not any(
            "RADIO_TOKEN" in text for text in place.load({"channels": {"radio": other}}, environ).warnings
        )


@pytest.mark.parametrize(
    "config",
    [
        {"channels": {"radio": {"accounts": {"main": {"token": [CANARY]}}}}},
        {"channels": {"radio": {"accounts": {"main": {"apiKey": CANARY, "token": "t"}}}}},
        {"models": {"providers": {"cerebras": {"apiKey": {"a": CANARY}}}}},
        {"models": {"providers": {"unknown": {"apiKey": CANARY}}}},
        {"server": {"token": 5, "secret": CANARY}},
        {"server": {"host": CANARY}},
        {"logging": {"level": CANARY}},
    ],
    ids=str,
)
def test_no_error_repeats_a_secret(place: Place, config: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        place.load(config)
    assert CANARY not in str(caught.value)
    assert CANARY not in str(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"server": {"port": 1,}\n}', "line 1, column 23"),
        ('{\n  "server": {\n    port: 1\n}}', "line 3, column 5"),
        ('{"server": 1', "line 1, column 13"),
        ("// hello\n{}", "comments are not allowed"),
        ("{'server': {}}", "double quotes"),
        ('{"server": {}, "server": {}}', 'the key "server" stands twice'),
        ("[]", "must hold one JSON object, not a list"),
        ("null", "must hold one JSON object"),
        ('{"server": {"port": NaN}}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": "' + "\x00" + '"}', "line 1"),
    ],
)
def test_a_file_that_is_no_json_says_where(place: Place, text: str, says: str) -> None:
    place.write(text)
    with pytest.raises(SettingsError, match=r"config\.json") as caught:
        place.load()
    assert says in str(caught.value)


def test_a_file_that_is_no_utf_8_says_where(place: Place) -> None:
    place.home.config.write_bytes(b'{"server":\n"\xff"}')
    with pytest.raises(SettingsError, match="line 2: not UTF-8"):
        place.load()


def test_a_file_of_many_megabytes_is_refused_unread(place: Place) -> None:
    place.write(" " * 4_000_001)
    with pytest.raises(SettingsError, match="at most"):
        place.load()


def test_an_empty_file_is_no_configuration(place: Place) -> None:
    """It is what an editor or a full disk leaves of one; taken for the defaults it would open what was closed."""
    with pytest.raises(SettingsError, match=r"config\.json: is empty; write \{\} for the defaults"):
        place.load("\n")
    assert place.load("{}").server.port == 8420


def test_a_broken_plug_in_is_one_sentence_and_stops_nobody(place: Place) -> None:
    from tests.bot.settings.places import plugins

    settings = place.load({}, plugins=plugins(broken=True))
    assert [account.channel for account in settings.accounts] == ["porch"]
    assert len([text for text in settings.warnings if "'ruin'" in text or "'wrong'" in text]) == 2


def test_a_broken_plug_in_that_is_configured_stops_the_start(place: Place) -> None:
    from tests.bot.settings.places import plugins

    with pytest.raises(SettingsError, match="'ruin'"):
        place.load({"channels": {"ruin": {"enabled": True}}}, plugins=plugins(broken=True))


def test_a_channel_that_is_off_is_not_looked_at(place: Place) -> None:
    settings = place.load({"channels": {"gone": {"enabled": False}, "porch": {"enabled": False}}})
    assert settings.accounts == ()


@pytest.mark.parametrize("channel", ["radio", "ruin", "gone"])
def test_a_channel_is_switched_off_with_all_that_stands_under_it(place: Place, channel: str) -> None:
    """One that is there, one that cannot be loaded, one that is no longer installed."""
    from tests.bot.settings.places import plugins

    account = {"token": CANARY, "allow": ["1"]}
    config = {"channels": {channel: {"enabled": False, "accounts": {"main": account}}}}
    settings = place.load(config, plugins=plugins(broken=True))
    assert [row.channel for row in settings.accounts] == ["porch"]
    assert not [text for text in settings.warnings if f"{channel!r}" in text]
    file = ConfigFile(place.home, place.home.config, {}, plugins=plugins(broken=True))
    assert CANARY not in json.dumps(file.get(f"channels.{channel}"))


def test_a_provider_takes_the_settings_of_the_dialect_that_it_names(tmp_path: Path) -> None:
    home = Home(tmp_path)
    row = {"baseUrl": "http://127.0.0.1:9", "api": "anthropic-messages", "caching": "off"}
    home.config.write_text(json.dumps({"models": {"providers": {"proxy": row}}}))
    assert load_settings(home, home.config, {}).provider("proxy").settings.caching == "off"
    home.config.write_text(json.dumps({"models": {"providers": {"proxy": {**row, "cachin": 1}}}}))
    with pytest.raises(SettingsError, match=r"nearest: models\.providers\.proxy\.caching"):
        load_settings(home, home.config, {})
