"""Secrets are referred to, followed, ordered, and shown to nobody."""

from __future__ import annotations

import pytest

from bot.errors import SettingsError
from bot.settings import load_settings
from tests.bot.settings.places import Place

SECRET = "sk-canary0123456789abcdef"
OTHER = "sk-other00123456789abcdef"


def radio(token: str) -> dict[str, object]:
    """A configuration with one account of the channel that needs a token."""
    return {"channels": {"radio": {"accounts": {"main": {"token": token}}}}}


@pytest.mark.parametrize("written", ["${THE_TOKEN}", "profile:the-token"])
def test_a_reference_leads_to_the_secret(place: Place, written: str) -> None:
    place.store(**{"the-token": SECRET})
    settings = place.load(radio(written), {"THE_TOKEN": SECRET})
    [account] = [each for each in settings.accounts if each.channel == "radio"]
    assert account.settings.token.get_secret_value() == SECRET
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("written", "says"),
    [("${THE_TOKEN}", "the variable THE_TOKEN is not set"), ("profile:gone", "firstword auth add gone")],
)
def test_a_reference_that_leads_nowhere_stops_the_start(place: Place, written: str, says: str) -> None:
    assert says in place.problems(radio(written))["channels.radio.accounts.main.token"]


def test_a_secret_in_the_file_works_and_is_warned_about(place: Place) -> None:
    [warning] = place.load(radio(SECRET)).warnings
    assert "channels.radio.accounts.main.token" in warning
    assert "auth add" in warning
    assert SECRET not in warning


def test_settings_print_no_secret(place: Place) -> None:
    place.store(kept=OTHER)
    config = radio(SECRET) | {
        "server": {"token": SECRET + "-of-the-server"},
        "models": {"providers": {"cerebras": {"apiKey": SECRET}}},
    }
    settings = place.load(config, {"CEREBRAS_API_KEY": OTHER})
    assert SECRET not in repr(settings)
    assert OTHER not in repr(settings)


def test_every_secret_is_known_to_the_redactor(place: Place) -> None:
    place.store(kept=OTHER)
    config = radio(SECRET) | {"server": {"token": "${SERVER}"}}
    settings = place.load(
        config, {"SERVER": "secret-of-the-server", "ANTHROPIC_API_KEY": "sk-ant-from-environment"}
    )
    assert {SECRET, OTHER, "secret-of-the-server", "sk-ant-from-environment"} <= set(settings.secrets())


def test_keys_are_tried_in_the_order_of_auth_then_config_then_environment(place: Place) -> None:
    place.store(first="key-first", second="key-second")
    config = {
        "auth": {
            "profiles": {"second": {"provider": "cerebras"}, "first": {"provider": "cerebras"}},
            "order": {"cerebras": ["first", "second"]},
        },
        "models": {"providers": {"cerebras": {"apiKey": "${MINE}"}}},
    }
    settings = place.load(config, {"MINE": "key-mine", "CEREBRAS_API_KEY": "key-usual"})
    found = [each.secret.get_secret_value() for each in settings.keys("cerebras").credentials if each.secret]
    assert found == ["key-first", "key-second", "key-mine", "key-usual"]


def test_profiles_without_an_order_are_tried_as_they_stand(place: Place) -> None:
    place.store(a="key-a", b="key-b")
    config = {"auth": {"profiles": {"b": {"provider": "cerebras"}, "a": {"provider": "cerebras"}}}}
    found = [each.id for each in place.load(config).keys("cerebras").credentials]
    assert found == ["cerebras:b", "cerebras:a"]


def test_a_damaged_credentials_file_says_so_without_its_content(place: Place) -> None:
    place.home.credentials.write_text('{"profiles": {"a": "' + SECRET + '"}}')
    with pytest.raises(SettingsError, match="damaged") as caught:
        place.load({})
    assert SECRET not in str(caught.value)


def test_a_reference_that_leads_nowhere_hides_no_other_problem(place: Place) -> None:
    config = {"channels": {"radio": {"accounts": {"main": {"token": "${GONE}", "retries": 77}}}}}
    problems = place.problems(config)
    assert set(problems) == {"channels.radio.accounts.main.token", "channels.radio.accounts.main.retries"}
    assert "GONE is not set" in problems["channels.radio.accounts.main.token"]


def test_the_server_s_token_guards_local_channels_that_set_none(place: Place) -> None:
    place.write({"server": {"host": "0.0.0.0", "token": "${PAGE_TOKEN}"}})
    settings = load_settings(place.home, place.home.config, {"PAGE_TOKEN": "a-token-of-the-server"})
    tokens = {
        each.channel: each.settings.token.get_secret_value()
        for each in settings.accounts
        if getattr(each.settings, "token", None) is not None
    }
    assert tokens == {"web": "a-token-of-the-server"}
