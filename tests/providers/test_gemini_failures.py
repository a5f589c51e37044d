"""Google's errors: what their details say. Bodies in the shapes that the API sends, 2026-11."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from providers.errors import ErrorKind, ProviderError
from providers.failures import error_from_answer
from providers.gemini_failures import sharpen

RPC = "type.googleapis.com/google.rpc."
BILLING = "You exceeded your current quota, please check your plan and billing details."


def failed(
    status: int, message: str, code: str, *details: dict[str, Any], listed: bool = False
) -> ProviderError:
    value: Any = {"error": {"code": status, "message": message, "status": code, "details": list(details)}}
    body = orjson.dumps([value] if listed else value)
    return sharpen(error_from_answer(status, {}, body, datetime.now(UTC), str), body)


def quota(name: str) -> dict[str, Any]:
    return {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": name, "quotaValue": "20"}]}


def reason(name: str) -> dict[str, Any]:
    return {"@type": f"{RPC}ErrorInfo", "reason": name, "domain": "googleapis.com"}


RETRY = {"@type": f"{RPC}RetryInfo", "retryDelay": "36.429760048s"}


@pytest.mark.parametrize("listed", [False, True])
def test_a_minutes_quota_is_a_rate_limit_and_a_days_is_used_up(listed: bool) -> None:
    minute = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    error = failed(429, BILLING, "RESOURCE_EXHAUSTED", minute, RETRY, listed=listed)
    assert error.kind is ErrorKind.RATE_LIMIT
    assert error.retry_after == pytest.approx(36.43, abs=0.01)
    day = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
    assert failed(429, BILLING, "RESOURCE_EXHAUSTED", day, RETRY, listed=listed).kind is ErrorKind.QUOTA


def test_without_details_the_code_decides_and_not_the_word_billing() -> None:
    assert failed(429, BILLING, "RESOURCE_EXHAUSTED").kind is ErrorKind.RATE_LIMIT
    exhausted = failed(429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED")
    assert exhausted.kind is ErrorKind.RATE_LIMIT


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", ErrorKind.AUTH),
        (400, "User location is not supported for the API use.", "FAILED_PRECONDITION", ErrorKind.PERMISSION),
        (
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "INVALID_ARGUMENT",
            ErrorKind.CONTEXT_LENGTH,
        ),
        (400, "Invalid value at 'contents'", "INVALID_ARGUMENT", ErrorKind.BAD_REQUEST),
        (403, "The caller does not have permission", "PERMISSION_DENIED", ErrorKind.PERMISSION),
        (404, "models/gemini-1.5-pro is not found for API version v1beta", "NOT_FOUND", ErrorKind.MODEL_GONE),
        (500, "An internal error has occurred.", "INTERNAL", ErrorKind.SERVER),
        (503, "The model is overloaded. Please try again later.", "UNAVAILABLE", ErrorKind.OVERLOADED),
        (504, "The request timed out.", "DEADLINE_EXCEEDED", ErrorKind.SERVER),
    ],
)
def test_status_and_words_give_the_kind(status: int, message: str, code: str, kind: ErrorKind) -> None:
    assert failed(status, message, code).kind is kind


def test_an_expired_key_is_told_by_the_reason() -> None:
    expired = failed(400, "API key expired. Please renew it.", "INVALID_ARGUMENT", reason("API_KEY_INVALID"))
    assert expired.kind is ErrorKind.AUTH
    off = failed(
        403, "It has not been used in this project.", "PERMISSION_DENIED", reason("SERVICE_DISABLED")
    )
    assert off.kind is ErrorKind.PERMISSION


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"[1]",
        b"7",
        b'{"error": 7}',
        b'{"error": {"details": {}}}',
        b'{"error": {"details": [1]}}',
    ],
)
def test_a_body_of_another_shape_leaves_the_error_as_it_was(body: bytes) -> None:
    error = ProviderError(ErrorKind.SERVER, "HTTP 500", status=500)
    assert sharpen(error, body) is error


def test_an_odd_delay_is_no_delay_and_a_long_one_is_cut() -> None:
    assert failed(503, "", "UNAVAILABLE", {"retryDelay": "soon"}).retry_after is None
    assert failed(503, "", "UNAVAILABLE", {"retryDelay": "99999s"}).retry_after == 600.0
