"""Where keys come from, in which order, and that they show nowhere."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from providers.credentials import Finding, Found, Trouble, find, keyless

VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")


def look(api_key: str | None = None, **environ: str) -> Found:
    secret = None if api_key is None else SecretStr(api_key)
    return find("gemini", secret, environ, VARIABLES, {"work": SecretStr("from-profile")})


def secrets(found: Found) -> list[tuple[str, str]]:
    return [(one.id, one.secret.get_secret_value()) for one in found.credentials if one.secret]


def test_the_setting_comes_before_the_environment_and_variables_keep_their_order() -> None:
    found = look("literal-key", GOOGLE_API_KEY="b", GEMINI_API_KEY="a")
    assert secrets(found) == [
        ("gemini:config", "literal-key"),
        ("gemini:env:GEMINI_API_KEY", "a"),
        ("gemini:env:GOOGLE_API_KEY", "b"),
    ]


def test_a_literal_works_and_is_told() -> None:
    where = "models.providers.gemini.apiKey"
    assert look("literal-key").findings == (Finding(Trouble.LITERAL, "gemini", where),)


def test_a_reference_is_followed_without_a_word() -> None:
    found = look("${MY_KEY}", MY_KEY="mine")
    assert secrets(found) == [("gemini:env:MY_KEY", "mine")]
    assert found.findings == ()


def test_a_reference_to_nothing_is_told() -> None:
    found = look("${MY_KEY}", MY_KEY=" ")
    assert found == Found((), (Finding(Trouble.VARIABLE_EMPTY, "gemini", "MY_KEY"),))


def test_a_profile_is_followed_or_told() -> None:
    assert secrets(look("profile:work")) == [("gemini:work", "from-profile")]
    assert look("profile:play").findings == (Finding(Trouble.PROFILE_UNKNOWN, "gemini", "play"),)


def test_the_same_key_is_tried_once() -> None:
    assert len(look("${GEMINI_API_KEY}", GEMINI_API_KEY="a", GOOGLE_API_KEY="a").credentials) == 1


@pytest.mark.parametrize("value", ["a b", "a\nb", "schlüssel", "a\x00b"])
def test_what_no_header_can_carry_is_no_key(value: str) -> None:
    found = look(GEMINI_API_KEY=value)
    assert found == Found((), (Finding(Trouble.NOT_A_KEY, "gemini", "GEMINI_API_KEY"),))


def test_space_around_a_key_is_not_part_of_it() -> None:
    assert secrets(look(GEMINI_API_KEY=" a\n")) == [("gemini:env:GEMINI_API_KEY", "a")]


def test_nothing_configured_is_nothing_found() -> None:
    assert look() == Found()
    assert look("", GEMINI_API_KEY="") == Found()


def test_a_secret_shows_nowhere() -> None:
    found = look("literal-key", GEMINI_API_KEY="other-key")
    assert "literal-key" not in repr(found) and "other-key" not in repr(found)
    assert "literal-key" not in str(found.credentials[0])


def test_a_server_without_keys_has_a_credential_without_a_secret() -> None:
    assert keyless("ollama").secret is None
    assert keyless("ollama").id == "ollama:none"
