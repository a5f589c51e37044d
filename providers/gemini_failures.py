"""What Google's errors say beyond status and message: `google.rpc` details. Pure.

Source: google.rpc.error_details (RetryInfo, QuotaFailure, ErrorInfo); Gemini API docs, troubleshooting, 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from providers.errors import ErrorKind, ProviderError
from providers.failures import RETRY_AFTER_RANGE

_REASONS: Mapping[str, ErrorKind] = {
    "API_KEY_INVALID": ErrorKind.AUTH,  # comes as 400, also for a key that has expired
    "API_KEY_EXPIRED": ErrorKind.AUTH,
    "SERVICE_DISABLED": ErrorKind.PERMISSION,
    "BILLING_DISABLED": ErrorKind.QUOTA,
    "MODEL_NOT_FOUND": ErrorKind.MODEL_GONE,
}
"""`ErrorInfo.reason`, where it is more precise than the status."""

_WORDS: Mapping[str, ErrorKind] = {
    "user location is not supported": ErrorKind.PERMISSION,  # 400 FAILED_PRECONDITION
}

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def sharpen(error: ProviderError, body: bytes | Mapping[str, Any]) -> ProviderError:
    """The same error, with the kind and the wait that the details of `body` tell; as it was where they tell none.

    A 429 always speaks of "plan and billing", whether a minute's requests are used up or the month's money: only
    the name of the quota tells them apart.
    """
    details = list(_details(body))
    kind = _kind(error, details)
    wait = error.retry_after
    if wait is None:
        wait = next((each for each in map(_retry_delay, details) if each is not None), None)
    if kind is error.kind and wait == error.retry_after:
        return error
    return ProviderError(kind, error.detail, retry_after=wait, status=error.status)


def _kind(error: ProviderError, details: list[Mapping[str, Any]]) -> ErrorKind:
    for detail in details:
        if (kind := _REASONS.get(str(detail.get("reason")))) is not None:
            return kind
    if error.kind in {ErrorKind.QUOTA, ErrorKind.RATE_LIMIT}:
        quotas = [quota for detail in details for quota in _quotas(detail)]
        if any("perday" in quota or "permonth" in quota for quota in quotas):
            return ErrorKind.QUOTA
        if quotas or any(_retry_delay(detail) is not None for detail in details):
            return ErrorKind.RATE_LIMIT
    said = error.detail.lower()
    return next((kind for words, kind in _WORDS.items() if words in said), error.kind)


def _details(body: bytes | Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    try:
        value: Any = orjson.loads(body) if isinstance(body, bytes) else body
    except orjson.JSONDecodeError:
        return
    if isinstance(value, list) and value:  # a stream's error comes as a list of one
        value = value[0]
    error = value.get("error") if isinstance(value, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    yield from (each for each in (details if isinstance(details, list) else ()) if isinstance(each, Mapping))


def _quotas(detail: Mapping[str, Any]) -> Iterator[str]:
    violations = detail.get("violations")
    for each in violations if isinstance(violations, list) else ():
        if isinstance(each, Mapping) and (quota := each.get("quotaId")):
            yield str(quota).lower()


def _retry_delay(detail: Mapping[str, Any]) -> float | None:
    found = _DURATION.fullmatch(str(detail.get("retryDelay", "")))
    if found is None:
        return None
    low, high = RETRY_AFTER_RANGE
    return min(max(float(found[1]), low), high)
