"""Keys and people's words stay out of logs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.privacy import MASK, MAX_PROMPT_CHARS, WINDOW, redact, without

KEYS = [
    "sk-proj-abcDEF1234567890",
    "csk-9xk2m4v8",
    "gsk_abcdef123456",
    "AIzaSyA1234567890abcdef",
    "Authorization: Bearer abcdef123456",
    "bearer abcdef.123456-xyz",
    '"api_key": "hunter2hunter2"',
    "x-api-key=hunter2hunter2",
    "token: abcdefghijk",
    "Incorrect API key provided: abcd************wxyz",
    "0123456789abcdef0123456789abcdef",
    "GET https://x.example/v1beta/models?pageSize=1&key=hunter2hunter2",
]


@pytest.mark.parametrize("text", KEYS)
def test_what_looks_like_a_key_is_masked(text: str) -> None:
    masked = redact(f"it failed with {text} today")
    assert MASK in masked
    secret = text.rsplit(maxsplit=1)[-1].strip('"').rpartition("=")[2]
    assert secret not in masked
    assert masked.startswith("it failed with") and masked.endswith("today")


@pytest.mark.parametrize(
    "text",
    [
        "The model qwen-3-235b-a22b-instruct-2507 does not exist",
        "Rate limit reached for gpt-4o in organization on tokens per min (TPM): Limit 30000",
        "This model's maximum context length is 131072 tokens",
        "API key not valid. Please pass a valid API key.",
        "Cannot connect to host 127.0.0.1:8000 ssl:default [Connect call failed ('127.0.0.1', 8000)]",
    ],
)
def test_what_an_owner_needs_to_read_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_known_secret_is_masked_whatever_it_looks_like() -> None:
    assert redact("no plain words here", ["plain words"]) == f"no {MASK} here"


def test_user_and_password_of_an_address_are_masked() -> None:
    assert redact("http://me:pass@proxy:3128 refused") == f"http://{MASK}proxy:3128 refused"


def test_a_piece_of_the_prompt_is_masked() -> None:
    prompt = "please tell nobody that I dislike my neighbour's cat"
    told = "invalid message: 'I dislike my neighbour's cat' (field content)"
    assert without(told, [prompt]) == f"invalid message: '{MASK}' (field content)"


def test_a_short_prompt_is_masked_as_a_word() -> None:
    assert without("cannot answer hello, unlike hellos", ["hello"]) == f"cannot answer {MASK}, unlike hellos"


def test_an_endless_prompt_leaves_nothing() -> None:
    assert without("anything", ["x" * (MAX_PROMPT_CHARS + 1)]) == MASK


@given(st.text(min_size=WINDOW, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_long_piece_of_a_prompt_survives(prompt: str, before: str, after: str) -> None:
    shown = without(before + prompt + after, [prompt])
    pieces = (prompt[at : at + WINDOW] for at in range(len(prompt) - WINDOW + 1))
    assert not prompt.strip() or not any(piece in shown for piece in pieces if MASK not in piece)
