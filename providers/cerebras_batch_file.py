"""The file of a batch, checked and completed before it is sent; what the API says of a batch. Pure.

Source: Cerebras docs, "Batch" and API reference, batches (private preview), 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers.base import Batch
from providers.errors import ErrorKind, ProviderError

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_REQUESTS = 50_000
ENDPOINT = "/v1/chat/completions"

_OVER = frozenset({"completed", "failed", "expired", "cancelled"})


def batch_file(given: bytes) -> bytes:
    """The file to send: `method` and `url` are put in where they are missing. BAD_REQUEST names the line."""
    lines: list[bytes] = []
    seen: set[str] = set()
    for number, line in enumerate(given.splitlines(), start=1):
        if line.strip():
            lines.append(_request(number, line, seen))
    data = b"\n".join(lines) + b"\n"
    if not lines:
        raise _wrong("the file holds no request")
    if len(lines) > MAX_REQUESTS:
        raise _wrong(f"{len(lines)} requests; at most {MAX_REQUESTS} in a batch")
    if len(data) > MAX_FILE_BYTES:
        raise _wrong(f"{len(data)} bytes; at most {MAX_FILE_BYTES} in a batch")
    return data


def _request(number: int, line: bytes, seen: set[str]) -> bytes:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _wrong(f"line {number}: no JSON") from error
    if not isinstance(row, dict):
        raise _wrong(f"line {number}: no object")
    name, body = row.get("custom_id"), row.get("body")
    if not isinstance(name, str) or not name:
        raise _wrong(f"line {number}: custom_id is missing")
    if name in seen:
        raise _wrong(f"line {number}: its custom_id stands on a line before")
    seen.add(name)
    if not isinstance(body, dict):
        raise _wrong(f"line {number}: body is missing")
    for key, kind, words in (("model", str, "the name of a model"), ("messages", list, "a list of messages")):
        if not isinstance(body.get(key), kind) or not body[key]:
            raise _wrong(f"line {number}: body.{key} is not {words}")
    if body.get("stream"):
        raise _wrong(f"line {number}: body.stream has no place in a batch")
    usual = {"method": "POST", "url": ENDPOINT}
    for key, value in usual.items():
        if row.setdefault(key, value) != value:
            raise _wrong(f"line {number}: {key} has to be {value}")
    return orjson.dumps(row)


def read_batch(said: Any) -> Batch:
    """A batch as the API shows it. MALFORMED for anything else."""
    try:
        counts = said.get("request_counts") or {}
        return Batch(
            id=str(said["id"]),
            state=str(said["status"]),
            is_over=said["status"] in _OVER,
            total=int(counts.get("total") or 0),
            completed=int(counts.get("completed") or 0),
            failed=int(counts.get("failed") or 0),
            problems=_problems(said.get("errors")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProviderError(ErrorKind.MALFORMED, "an object that is no batch") from error


def result_files(said: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the files with the answers and with the failures, as far as there are any."""
    return tuple(str(said[key]) for key in ("output_file_id", "error_file_id") if said.get(key))


def _problems(errors: Any) -> tuple[str, ...]:
    """A list of rows with line and message, or one text; the docs show both."""
    if isinstance(errors, Mapping):
        errors = errors.get("data") or []
    if isinstance(errors, str):
        return (errors,)
    rows = errors if isinstance(errors, list) else []
    return tuple(
        f"line {row['line']}: {row.get('message', '')}" if row.get("line") else str(row.get("message", ""))
        for row in rows
    )


def _wrong(text: str) -> ProviderError:
    return ProviderError(ErrorKind.BAD_REQUEST, text)
