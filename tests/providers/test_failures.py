"""What a failed answer means, by status and body; one row a case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind, ProviderError
from providers.failures import (
    DETAIL_CHARS,
    error_from_answer,
    error_from_object,
    kind_of_error,
    kind_of_status,
    list_of,
    read_body,
    retry_after,
)
from tests.generated import generated

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def openai(message: str = "", kind: str = "", code: str | int | None = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code, "param": None} | more}


STATUSES = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.PERMISSION,
    408: ErrorKind.SERVER,
    409: ErrorKind.SERVER,
    410: ErrorKind.MODEL_GONE,
    413: ErrorKind.TOO_LARGE,
    418: ErrorKind.BAD_REQUEST,
    422: ErrorKind.BAD_REQUEST,
    429: ErrorKind.RATE_LIMIT,
    500: ErrorKind.SERVER,
    502: ErrorKind.SERVER,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.SERVER,
    520: ErrorKind.SERVER,
    529: ErrorKind.OVERLOADED,
    302: ErrorKind.MALFORMED,
    404: ErrorKind.MALFORMED,
    405: ErrorKind.MALFORMED,
    407: ErrorKind.CONNECT,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_a_status_alone_has_a_kind(status: int, kind: ErrorKind) -> None:
    assert kind_of_status(status) is kind


ANSWERS: dict[str, tuple[int, Any, ErrorKind]] = {
    "OpenAI, quota": (
        429,
        openai("You exceeded…", "insufficient_quota", "insufficient_quota"),
        ErrorKind.QUOTA,
    ),
    "OpenAI, a limit of the account": (
        429,
        openai("Billing hard limit has been reached", "insufficient_quota", "billing_hard_limit_reached"),
        ErrorKind.QUOTA,
    ),
    "Gemini, requests a minute": (
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "You exceeded your current quota, please check your plan and billing details.",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        ErrorKind.RATE_LIMIT,
    ),
    "a rate limit that speaks of billing": (
        429,
        openai("Rate limit reached. To raise it, visit the billing page.", "requests", "rate_limit_exceeded"),
        ErrorKind.RATE_LIMIT,
    ),
    "billing without a code": (429, {"error": "please check your billing details"}, ErrorKind.QUOTA),
    "OpenAI, rate": (429, openai("Rate limit", "tokens", "rate_limit_exceeded"), ErrorKind.RATE_LIMIT),
    "OpenAI, context": (
        400,
        openai(
            "This model's maximum context length is 8 tokens",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        ErrorKind.CONTEXT_LENGTH,
    ),
    "OpenAI, model": (
        404,
        openai("The model `x` does not exist", code="model_not_found"),
        ErrorKind.MODEL_GONE,
    ),
    "Azure, filter": (400, openai("…", code="content_filter"), ErrorKind.CONTENT_FILTER),
    "Anthropic, context": (
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
        ErrorKind.CONTEXT_LENGTH,
    ),
    "Anthropic, no credit": (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"},
        },
        ErrorKind.QUOTA,
    ),
    "Anthropic, overloaded": (529, {"error": {"type": "overloaded_error"}}, ErrorKind.OVERLOADED),
    "Cerebras, tokens a minute": (
        429,
        {
            "message": "Tokens per minute limit exceeded",
            "type": "too_many_tokens_error",
            "code": "token_quota_exceeded",
        },
        ErrorKind.RATE_LIMIT,
    ),
    "Cerebras, tokens a day": (
        429,
        {
            "message": "Tokens per day limit exceeded",
            "type": "too_many_tokens_error",
            "code": "token_quota_exceeded",
        },
        ErrorKind.QUOTA,
    ),
    "Cerebras, wrong key": (401, {"message": "Wrong API Key", "code": "wrong_api_key"}, ErrorKind.AUTH),
    "Gemini, wrong key, in a list": (
        400,
        [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
        ErrorKind.AUTH,
    ),
    "Gemini, context": (
        400,
        [{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum"}}],
        ErrorKind.CONTEXT_LENGTH,
    ),
    "OpenRouter, no model": (404, openai("No endpoints found for a/b.", code=404), ErrorKind.MODEL_GONE),
    "OpenRouter, flagged": (403, openai("Your input was flagged", code=403), ErrorKind.CONTENT_FILTER),
    "OpenRouter, free models a day": (
        429,
        openai("Rate limit exceeded: free-models-per-day", code=429),
        ErrorKind.QUOTA,
    ),
    "Ollama, no model": (404, {"error": "model 'x' not found, try pulling it first"}, ErrorKind.MODEL_GONE),
    "mlx_lm.server, no model": (
        404,
        {"error": "Cannot find an appropriate cached snapshot folder for the specified revision"},
        ErrorKind.MODEL_GONE,
    ),
    "llama.cpp, context": (400, openai("…", "exceed_context_size_error", 400), ErrorKind.CONTEXT_LENGTH),
    "llama.cpp, loading": (503, openai("Loading model", "unavailable_error", 503), ErrorKind.OVERLOADED),
    "vLLM, flat": (
        400,
        {"object": "error", "message": "bad", "type": "BadRequestError"},
        ErrorKind.BAD_REQUEST,
    ),
    "FastAPI": (422, {"detail": [{"loc": ["body", "x"], "msg": "Field required"}]}, ErrorKind.BAD_REQUEST),
    "a wrong path": (404, {"error": {"message": "Not Found"}}, ErrorKind.MALFORMED),
    "LM Studio, a wrong path": (
        404,
        {"error": "Unexpected endpoint or method. (POST /completions)"},
        ErrorKind.MALFORMED,
    ),
    "a proxy's page": (502, "<html>Bad gateway</html>", ErrorKind.SERVER),
    "a page that says it is overloaded": (503, "<html>busy</html>", ErrorKind.OVERLOADED),
    "a page that limits the size": (413, "<html>413 Request Entity Too Large</html>", ErrorKind.TOO_LARGE),
    "a page that limits the rate": (429, "<html>429</html>", ErrorKind.RATE_LIMIT),
    "a page that wants a key": (401, "<html>401 Authorization Required</html>", ErrorKind.AUTH),
    "a firewall's page": (403, "\n<!DOCTYPE html><title>Attention</title>", ErrorKind.MALFORMED),
    "a page that is not there": (404, "<title>No such model agency</title>", ErrorKind.MALFORMED),
    "a storage's XML": (400, '<?xml version="1.0"?><Error/>', ErrorKind.MALFORMED),
    "plain text": (500, "upstream model overloaded", ErrorKind.OVERLOADED),
    "nothing": (500, "", ErrorKind.SERVER),
}


@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS.values(), ids=ANSWERS)
def test_the_body_makes_the_kind_precise(status: int, body: Any, kind: ErrorKind) -> None:
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    error = error_from_answer(status, {}, raw, NOW, str)
    assert error.kind is kind
    assert error.status == status


IN_A_STREAM: dict[str, tuple[dict[str, Any], ErrorKind]] = {
    "overloaded": ({"type": "overloaded_error"}, ErrorKind.OVERLOADED),
    "rate": ({"type": "rate_limit_error"}, ErrorKind.RATE_LIMIT),
    "the server's fault": ({"type": "api_error"}, ErrorKind.SERVER),
    "ours": ({"type": "invalid_request_error"}, ErrorKind.BAD_REQUEST),
    "key": ({"type": "authentication_error"}, ErrorKind.AUTH),
    "permission": ({"type": "permission_error"}, ErrorKind.PERMISSION),
    "model": ({"type": "not_found_error"}, ErrorKind.MODEL_GONE),
    "a status as a number": ({"code": 429, "message": "slow down"}, ErrorKind.RATE_LIMIT),
    "a status as text": ({"code": "503"}, ErrorKind.OVERLOADED),
    "context": ({"code": "context_length_exceeded"}, ErrorKind.CONTEXT_LENGTH),
    "quota": ({"code": "insufficient_quota"}, ErrorKind.QUOTA),
    "filter": ({"code": "content_filter"}, ErrorKind.CONTENT_FILTER),
    "unknown": ({"message": "something"}, ErrorKind.SERVER),
}


@pytest.mark.parametrize(("error", "kind"), IN_A_STREAM.values(), ids=IN_A_STREAM)
def test_an_error_inside_a_200_has_a_kind(error: dict[str, Any], kind: ErrorKind) -> None:
    assert error_from_object({"error": error}, str).kind is kind


def test_an_error_inside_a_200_may_be_a_plain_text() -> None:
    assert kind_of_error(read_body({"error": "model overloaded"})) is ErrorKind.OVERLOADED


HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "milliseconds first": ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5),
    "a date": ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
    "a date by the server's clock": (
        {"retry-after": "Sat, 21 Nov 2026 13:00:30 GMT", "date": "Sat, 21 Nov 2026 13:00:00 GMT"},
        30.0,
    ),
    "a date in the past": ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 1.0),
    "too little": ({"retry-after": "0"}, 1.0),
    "too much": ({"retry-after": "86400"}, 600.0),
    "nothing": ({}, None),
    "nonsense": ({"retry-after": "soon"}, None),
    "a negative number": ({"retry-after": "-5"}, None),
    "not a number": ({"retry-after": "nan"}, None),
}


@pytest.mark.parametrize(("headers", "seconds"), HEADERS.values(), ids=HEADERS)
def test_the_asked_for_wait_is_read_and_kept_within_bounds(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_detail_is_short_and_in_one_line() -> None:
    error = error_from_answer(500, {}, orjson.dumps(openai("a\nlong " * 500)), NOW, str)
    assert len(error.detail) <= DETAIL_CHARS
    assert "\n" not in error.detail


def test_the_message_passes_through_the_scrubber() -> None:
    body = orjson.dumps(openai("no such key: sesame", "invalid_request_error"))
    error = error_from_answer(401, {}, body, NOW, lambda text: text.replace("sesame", "[...]"))
    assert error.detail == "HTTP 401: invalid_request_error: no such key: [...]"


def test_codes_are_told_where_the_message_must_not_be() -> None:
    body = orjson.dumps(openai("anything", "invalid_request_error", "invalid_api_key"))
    error = error_from_answer(401, {}, body, NOW, lambda _: "[...]")
    assert error.detail == "HTTP 401: invalid_request_error invalid_api_key: [...]"


def test_a_page_is_told_by_its_title() -> None:
    page = b"\n<!DOCTYPE html><html><head><title>\n 502 Bad&nbsp;Gateway </title></head><body>secret</body></html>"
    error = error_from_answer(502, {}, page, NOW, str)
    assert error.detail == "HTTP 502: a web page instead of an answer (502 Bad Gateway)"
    assert (
        error_from_answer(500, {}, b"<html>", NOW, str).detail == "HTTP 500: a web page instead of an answer"
    )


def test_a_title_passes_through_the_scrubber() -> None:
    page = b"<title>sesame</title>"
    assert (
        "sesame" not in error_from_answer(502, {}, page, NOW, lambda text: text.replace("sesame", "")).detail
    )


def test_a_redirect_is_told_without_what_may_be_secret_in_an_address() -> None:
    headers = {"location": "https://ann:pass@login.example:8443/v1?key=abc#def"}
    error = error_from_answer(302, headers, b"", NOW, str, "/v1/chat/completions")
    assert (error.kind, error.detail) == (
        ErrorKind.MALFORMED,
        "HTTP 302; leads to https://login.example:8443/v1",
    )
    assert error_from_answer(301, {"location": "http://["}, b"", NOW, str).detail == "HTTP 301"


PATHS = {
    "/chat/completions": "there is nothing at /chat/completions: the address may lack /v1 at its end",
    "/v1/v1/messages": "there is nothing at /v1/v1/messages: the address says /v1 twice",
    "/v1/chat/completions": "there is nothing at /v1/chat/completions",
}


@pytest.mark.parametrize(("path", "said"), PATHS.items())
def test_a_path_that_is_not_there_is_named_with_what_is_odd_about_it(path: str, said: str) -> None:
    assert error_from_answer(404, {}, b"404 page not found", NOW, str, path).detail == (
        f"HTTP 404: 404 page not found; {said}"
    )
    assert (
        "nothing at" not in error_from_answer(404, {}, b'{"error": "no such model"}', NOW, str, path).detail
    )


def test_a_long_error_leaves_room_for_where_it_was() -> None:
    error = error_from_answer(404, {}, b"x" * 2000, NOW, str, "/chat/completions")
    assert error.detail.endswith("may lack /v1 at its end")
    assert len(error.detail) <= DETAIL_CHARS


LISTS: dict[str, tuple[bytes, ErrorKind, str]] = {
    "a page": (
        b"<html><title>Sign in</title>",
        ErrorKind.MALFORMED,
        "no list of models: a web page instead of an answer (Sign in)",
    ),
    "no JSON": (b"pong", ErrorKind.MALFORMED, "no list of models"),
    "an error inside a 200": (
        b'{"error": "Unexpected endpoint or method. (GET /models)"}',
        ErrorKind.MALFORMED,
        "error in the answer: Unexpected endpoint or method. (GET /models)",
    ),
}


@pytest.mark.parametrize(("body", "kind", "detail"), LISTS.values(), ids=LISTS)
def test_what_came_instead_of_a_list_is_told(body: bytes, kind: ErrorKind, detail: str) -> None:
    with pytest.raises(ProviderError) as caught:
        list_of(body, str)
    assert (caught.value.kind, caught.value.detail) == (kind, detail)


def test_a_code_that_looks_like_a_key_is_masked() -> None:
    assert "abcdef" not in error_from_object(openai("x", code="sk-abcdef123456"), str).detail


def test_a_code_that_is_no_name_is_not_told() -> None:
    assert "secret words" not in error_from_object(openai("x", code="secret words"), str).detail


@generated
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "message", "code", "type"]), inner)
        ),
        max_leaves=9,
    )
)
def test_no_body_breaks_the_table(body: Any) -> None:
    for raw in (orjson.dumps(body), str(body).encode()):
        assert isinstance(error_from_answer(429, {}, raw, NOW, str), ProviderError)
