"""Nothing that is a secret, or looks like one, comes through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redact import MIN_SECRET, Redactor
from tests.generated import generated

TELEGRAM = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"


@pytest.mark.parametrize(
    "line",
    [
        f"POST https://api.telegram.org/bot{TELEGRAM}/getUpdates",
        f"https://api.telegram.org/bot{TELEGRAM.replace(':', '%3A')}/getMe",
        "Authorization: Bearer abcdef0123456789",
        '{"authorization": "Basic dXNlcjpwYXNzd29yZA=="}',
        "basic dXNlcjpw",
        "key sk-ant-api03-abcdefghij0123456789",
        "csk-abcdefghij0123456789abcdef",
        "gsk_abcdefghij0123456789",
        "AIza" + "SyA0123456789abcdefghijklmnopqrstuv",
        "xoxb-1234567890-abcdefghij",
        "xapp-1-A0123456789-abcdef",
        "syt_Ym90_abcdefghij0123456789",
        "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "https://x/?api_key=abcdefghij&y=1",
        "GET https://x/v1beta/models?pageSize=1&key=abcdefghij HTTP/1.1",
        "https://x/blob?sig=abcdefghij%3D&se=1",
        '{"api_key":"abcdefghij"}',
        "{'token': 'abcdefghij'}",
        '{\\"password\\": \\"abcdefghij\\"}',
        "postgres://bob:abcdefghij@db/x",
        "-----BEGIN PRIVATE KEY-----\\nMIIabcdefghij\\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_key_is_masked(line: str) -> None:
    masked = Redactor().text(line)
    assert "***" in masked
    for part in ("abcdefghij", TELEGRAM.partition(":")[2], "dXNlcjpw", "SyA0123456789", "dozjgNry"):
        assert part not in masked


@pytest.mark.parametrize(
    "line",
    [
        "at 12:30:45 model llama-3.3-70b answered",
        '{"input_tokens":12,"output_tokens":300,"tokens_per_s":80.5}',
        "a risk-free-and-very-long-hyphenated-word",
        "http://127.0.0.1:8420/healthz",
        "telegram:main:4711:9",
        "no token was sent; the password is wrong",
        "mail bob@example.org",
        "make one at https://api.slack.com/apps (Basic Information, App-Level Tokens); see Basic Information)",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert Redactor().text(line) == line


@generated
@given(st.text(min_size=MIN_SECRET), st.text(), st.text())
def test_a_known_secret_is_masked_in_every_form(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    for ensure_ascii in (True, False):
        line = json.dumps({"a": before + secret + after}, ensure_ascii=ensure_ascii).encode(errors="replace")
        inner = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1].encode(errors="replace")
        assert inner not in redactor.line(line).replace(b"***", b"")


def test_secrets_may_become_known_later() -> None:
    redactor = Redactor()
    assert redactor.text("say hunter2x") == "say hunter2x"
    redactor.add("hunter2x")
    assert redactor.text("say hunter2x") == "say ***"


def test_short_values_are_left_alone() -> None:
    assert Redactor(["", "a", "12345"]).text("a 12345") == "a 12345"
