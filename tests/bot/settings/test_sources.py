"""Where values come from, and who wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.settings import load_settings
from tests.bot.settings.places import Place, plugins

TOKEN = "radio-token-0123456789"


def test_the_defaults_are_in_force_without_a_file(place: Place) -> None:
    settings = place.load()
    assert (settings.server.host, settings.server.port, settings.webhooks.port) == ("127.0.0.1", 8420, 8421)
    assert [(account.channel, account.name) for account in settings.accounts] == [("porch", "main")]


def test_command_line_beats_environment_beats_dotenv_beats_file(place: Place, tmp_path: Path) -> None:
    config = {
        "server": {"port": 1, "host": "127.0.0.2"},
        "webhooks": {"port": 1},
        "logging": {"level": "error"},
    }
    place.home.dotenv.write_text(
        "FIRSTWORD_SERVER__PORT=3\nFIRSTWORD_WEBHOOKS__PORT=3\nFIRSTWORD_LOGGING__LEVEL=info"
    )
    (tmp_path / ".env").write_text("FIRSTWORD_LOGGING__LEVEL=debug\nFIRSTWORD_LOGGING__FORMAT=json")
    environ = {"FIRSTWORD_SERVER__PORT": "4", "FIRSTWORD_WEBHOOKS__PORT": "5"}
    settings = place.load(config, environ, folder=tmp_path, overrides={"server": {"port": 6}})
    assert (settings.server.port, settings.webhooks.port) == (6, 5)
    assert (settings.logging.level, settings.logging.format) == ("info", "json")
    assert settings.server.host == "127.0.0.2"


def test_the_process_s_own_environment_is_not_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTWORD_SERVER__PORT", "1")
    monkeypatch.setenv("RADIO_TOKEN", TOKEN)
    settings = place.load({})
    assert settings.server.port == 8420
    assert [account.channel for account in settings.accounts] == ["porch"]


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("FIRSTWORD_SERVER__PORT", "9000", "server.port", 9000),
        ("firstword_server__port", "9000", "server.port", 9000),
        ("FIRSTWORD_SERVER", '{"port": 9000}', "server.port", 9000),
        ("FIRSTWORD_MODELS__DETECTLOCAL", "no", "models.detect_local", False),
        ("FIRSTWORD_DIAGNOSTICS__CACHETRACE__ENABLED", "1", "diagnostics.cache_trace.enabled", True),
        ("FIRSTWORD_AGENTS__DEFAULTS__MODEL__PRIMARY", "cerebras/x", "agents.defaults.model.primary", "cerebras/x"),
        ("FIRSTWORD_AGENTS__DEFAULTS__MODEL__FALLBACKS", "mlx/x, mlx/y", "agents.defaults.model.fallbacks", ("mlx/x", "mlx/y")),
        ("FIRSTWORD_AGENTS__DEFAULTS__SYSTEMPROMPT", "17", "agents.defaults.system_prompt", "17"),
    ],
)  # fmt: skip
def test_a_variable_sets_what_its_name_says(
    place: Place, variable: str, text: str, path: str, value: Any
) -> None:
    found: Any = place.load({}, {variable: text})
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


def test_variables_reach_an_adapter_s_own_keys(place: Place) -> None:
    environ = {
        "FIRSTWORD_CHANNELS__RADIO__ACCOUNTS__MAIN__TOKEN": TOKEN,
        "FIRSTWORD_CHANNELS__RADIO__ACCOUNTS__MAIN__BASEURL": "http://127.0.0.1:1",
        "FIRSTWORD_CHANNELS__RADIO__ACCOUNTS__MAIN__ALLOW": "4711,12",
        "FIRSTWORD_CHANNELS__RADIO__ACCOUNTS__MAIN__HOOK__PUBLICURL": "https://x",
    }
    [radio] = [each for each in place.load({}, environ).accounts if each.channel == "radio"]
    assert radio.settings.token.get_secret_value() == TOKEN
    assert radio.settings.base_url == "http://127.0.0.1:1"
    assert radio.settings.hook.public_url == "https://x"
    assert radio.allow == ("4711", "12")


def test_a_variable_joins_the_account_that_the_file_spells_in_capitals(place: Place) -> None:
    config = {"channels": {"radio": {"accounts": {"Work": {"token": "t"}}}}}
    settings = place.load(config, {"FIRSTWORD_CHANNELS__RADIO__ACCOUNTS__WORK__RETRIES": "1"})
    [radio] = [each for each in settings.accounts if each.channel == "radio"]
    assert (radio.name, radio.settings.retries) == ("Work", 1)


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("FIRSTWORD_SERVER__PROT", "1", "nearest: FIRSTWORD_SERVER__PORT"),
        ("FIRSTWORD_SEVER__PORT", "1", "there is no setting"),
        ("FIRSTWORD_SERVER__PORT__X", "1", "there is no setting"),
        ("FIRSTWORD_SERVER", "{", "takes an object"),
    ],
)
def test_a_variable_that_sets_nothing_stops_the_start(
    place: Place, variable: str, text: str, says: str
) -> None:
    problems = place.problems({}, {variable: text})
    assert says in problems[variable]


def test_a_wrong_value_of_a_variable_names_the_variable(place: Place) -> None:
    problems = place.problems({}, {"FIRSTWORD_SERVER__PORT": "eighty"})
    assert "set by FIRSTWORD_SERVER__PORT" in problems["server.port"]


def test_a_wrong_value_of_a_usual_variable_names_it_and_one_of_the_file_does_not(place: Place) -> None:
    problems = place.problems({}, {"RADIO_TOKEN": TOKEN, "RADIO_RETRIES": "many"})
    assert "set by RADIO_RETRIES" in problems["channels.radio.accounts.main.retries"]
    config = {"channels": {"radio": {"accounts": {"main": {"token": TOKEN, "retries": "some"}}}}}
    problems = place.problems(config, {"RADIO_TOKEN": TOKEN, "RADIO_RETRIES": "1"})
    assert "set by" not in problems["channels.radio.accounts.main.retries"]


def test_variables_of_ours_that_are_no_settings_are_left_alone(place: Place) -> None:
    place.load({}, {"FIRSTWORD_HOME": "/x", "FIRSTWORD_REQUIRE_PEERS": "1", "OTHER__THING": "1"})


def test_the_usual_variable_enables_a_channel_for_the_account_main(place: Place) -> None:
    [radio] = [each for each in place.load({}, {"RADIO_TOKEN": TOKEN}).accounts if each.channel == "radio"]
    assert (radio.name, radio.settings.token.get_secret_value()) == ("main", TOKEN)
    assert radio.allow == radio.owner == radio.groups == ()


def test_the_usual_variable_in_dotenv_counts_too(place: Place) -> None:
    place.home.dotenv.write_text(f"export RADIO_TOKEN='{TOKEN}'\n")
    assert {each.channel for each in place.load({}).accounts} == {"radio", "porch"}


def test_an_empty_usual_variable_counts_as_none(place: Place) -> None:
    assert {each.channel for each in place.load({}, {"RADIO_TOKEN": " "}).accounts} == {"porch"}


def test_the_usual_variable_adds_no_second_account_beside_a_named_one(place: Place) -> None:
    """Otherwise one token would run twice, and the platform would break both off."""
    config = {"channels": {"radio": {"accounts": {"work": {"token": "${RADIO_TOKEN}"}}}}}
    settings = place.load(config, {"RADIO_TOKEN": TOKEN})
    assert [each.name for each in settings.accounts if each.channel == "radio"] == ["work"]


def test_an_ids_list_takes_numbers_and_texts(place: Place) -> None:
    config = {
        "channels": {"radio": {"accounts": {"main": {"token": "t", "owner": [4711, "u-1"], "groups": ["*"]}}}}
    }
    [radio] = [each for each in place.load(config).accounts if each.channel == "radio"]
    assert (radio.owner, radio.groups) == (("4711", "u-1"), ("*",))


def test_an_account_that_is_off_does_not_run(place: Place) -> None:
    config = {
        "channels": {"radio": {"accounts": {"a": {"token": "t"}, "b": {"token": "t", "enabled": False}}}}
    }
    assert [each.name for each in place.load(config).accounts if each.channel == "radio"] == ["a"]


def test_a_provider_s_own_adapter_wins_over_api(place: Place) -> None:
    config = {"models": {"providers": {"speaker": {"api": "openai-completions", "voice": "deep"}}}}
    [provider] = place.load(config).providers
    assert (provider.spec.name, provider.settings.voice) == ("speaker", "deep")


def test_any_name_with_a_base_url_becomes_a_provider(place: Place) -> None:
    row = {"baseUrl": "http://127.0.0.1:9/v1", "headers": {"X-Team": "${TEAM}"}}
    settings = place.load({"models": {"providers": {"mine": row}}}, {"TEAM": "blue"})
    [provider] = settings.providers
    assert (provider.spec.name, provider.settings.base_url) == ("dialect", "http://127.0.0.1:9/v1")
    assert provider.settings.headers == {"X-Team": "blue"}


def test_an_agent_takes_what_it_does_not_say_from_the_defaults(place: Place) -> None:
    config = {
        "agents": {
            "defaults": {"model": "cerebras/a", "systemPrompt": "be kind"},
            "list": {"terse": {"systemPrompt": "be brief"}, "other": {"model": "cerebras/b"}},
        }
    }
    settings = place.load(config)
    assert settings.agent("terse").model.primary == "cerebras/a"
    assert settings.agent("terse").system_prompt == "be brief"
    assert settings.agent("other").system_prompt == "be kind"
    assert settings.agent(None) is settings.agents.defaults


def test_an_alias_may_be_one_ref_or_a_list_of_choices(place: Place) -> None:
    aliases = {
        "quick": "cerebras/a",
        "slow": ["cerebras/b", {"model": "cerebras/c", "params": {"effort": "high"}}],
    }
    found = place.load({"agents": {"defaults": {"aliases": aliases}}}).agents.defaults.aliases
    assert [row.model for row in found["quick"]] == ["cerebras/a"]
    assert [row.model for row in found["slow"]] == ["cerebras/b", "cerebras/c"]
    assert [dict(row.params) for row in found["slow"]] == [{}, {"effort": "high"}]


def test_settings_cannot_be_changed_afterwards(place: Place) -> None:
    settings = place.load({})
    with pytest.raises(AttributeError):
        settings.models = settings.models  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


def test_loading_changes_nothing_on_disk(tmp_path: Path) -> None:
    from bot.home import Home

    home = Home(tmp_path / "never")
    load_settings(home, home.config, {}, plugins=plugins())
    assert not home.root.exists()
