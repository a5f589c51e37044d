"""Uploaded files and batches over them, as Cerebras and OpenAI have them.

Shapes and limits: Cerebras docs, "Upload file", "Create batch", "Batch" (private preview), 2026-11.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Refusal
from tests.mock_model.multipart import parts
from tests.mock_model.servers import Answer

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_REQUESTS = 50_000
KEPT_SECONDS = 7 * 24 * 3600
_STAMPS = """in_progress_at expires_at finalizing_at completed_at failed_at expired_at cancelling_at
    cancelled_at""".split()

Line = Callable[[Any], tuple[int, Any]]
"""Answers the body of one request of a batch: status and body."""


@dataclass(slots=True)
class Batch:
    """A batch on its way; each time it is looked at it is one step further."""

    shown: dict[str, Any]
    input: bytes
    polls: int = 0
    done: bool = False
    wrong: list[dict[str, Any]] = field(default_factory=list)


class Files:
    """All files and batches since the last reset."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._batches: dict[str, Batch] = {}
        self._numbers = itertools.count(1)

    def answer(self, http: Http, body: Any, config: Config, line: Line) -> Answer | Refusal:
        """The answer to a request under /v1/files or /v1/batches."""
        what, *rest = http.path.partition("/v1/")[2].split("/")
        if what == "files":
            return self._file(http, rest)
        return self._batch(http, rest, body, config, line)

    def _file(self, http: Http, rest: list[str]) -> Answer | Refusal:
        if not rest and http.method == "POST":
            return self._upload(http)
        if not rest:
            return Answer(200, {"object": "list", "data": [shown for shown, _ in self._files.values()]})
        if rest[0] not in self._files:
            return Refusal(404, {"message": "No such file", "code": "file_not_found", "param": "file_id"})
        shown, data = self._files[rest[0]]
        if http.method == "DELETE":
            del self._files[rest[0]]
            return Answer(200, {"id": rest[0], "object": "file", "deleted": True})
        if rest[1:] == ["content"]:
            return Answer(200, data, {"Content-Type": "application/jsonl"})
        return Answer(200, shown)

    def _upload(self, http: Http) -> Answer | Refusal:
        form = parts(http.headers.get("content-type", ""), http.raw)
        if "file" not in form or not form["file"].filename:
            return Refusal(400, {"message": "file is required", "param": "file"})
        if "purpose" not in form or form["purpose"].data != b"batch":
            return Refusal(400, {"message": "purpose must be batch", "param": "purpose"})
        if len(form["file"].data) > MAX_FILE_BYTES:
            return Refusal(413)
        return Answer(200, self._keep(form["file"].filename, form["file"].data, "batch"))

    def _keep(self, name: str, data: bytes, purpose: str) -> dict[str, Any]:
        made, now = f"file_{next(self._numbers)}", int(time.time())
        shown = {"id": made, "object": "file", "filename": name, "bytes": len(data), "purpose": purpose}
        shown |= {"created_at": now, "expires_at": now + KEPT_SECONDS}
        self._files[made] = shown, data
        return shown

    def _batch(self, http: Http, rest: list[str], body: Any, config: Config, line: Line) -> Answer | Refusal:
        if not rest and http.method == "POST":
            return self._create(body)
        if not rest:
            rows = [batch.shown for batch in self._batches.values()]
            return Answer(200, {"object": "list", "data": rows, "has_more": False})
        if rest[0] not in self._batches:
            return Refusal(404, {"message": "No such batch", "code": "batch_not_found", "param": "batch_id"})
        batch = self._batches[rest[0]]
        if rest[1:] == ["cancel"] and http.method == "POST":
            if not batch.done:
                batch.done = True
                batch.shown |= {"status": "cancelled", "cancelled_at": int(time.time())}
        elif not batch.done:
            self._step(batch, config, line)
        return Answer(200, batch.shown)

    def _create(self, body: Any) -> Answer | Refusal:
        given = body if isinstance(body, dict) else {}
        if given.get("input_file_id") not in self._files:
            return Refusal(400, {"message": "input_file_id names no file", "param": "input_file_id"})
        if given.get("endpoint") != "/v1/chat/completions":
            return Refusal(400, {"message": "endpoint must be /v1/chat/completions", "param": "endpoint"})
        if given.get("completion_window") != "24h":
            return Refusal(400, {"message": "completion_window must be 24h", "param": "completion_window"})
        made = f"batch_{next(self._numbers)}"
        shown: dict[str, Any] = {"id": made, "object": "batch", "status": "validating", "errors": None}
        shown |= {name: given[name] for name in ("endpoint", "input_file_id", "completion_window")}
        shown |= {"output_file_id": None, "error_file_id": None, "created_at": int(time.time())}
        shown |= dict.fromkeys(_STAMPS)
        shown |= {"request_counts": {"total": 0, "completed": 0, "failed": 0}}
        shown["metadata"] = given.get("metadata")
        self._batches[made] = Batch(shown, self._files[given["input_file_id"]][1])
        return Answer(200, shown)

    def _step(self, batch: Batch, config: Config, line: Line) -> None:
        batch.polls += 1
        rows, errors = _read(batch.input)
        if errors:
            batch.done = True
            batch.shown |= {"status": "failed", "failed_at": int(time.time())}
            batch.shown["errors"] = {"object": "list", "data": errors}
            return
        if batch.polls <= config.batch_polls:
            batch.shown |= {"status": "in_progress", "in_progress_at": int(time.time())}
            batch.shown["request_counts"] = {"total": len(rows), "completed": 0, "failed": 0}
            return
        self._complete(batch, rows, line)

    def _complete(self, batch: Batch, rows: list[dict[str, Any]], line: Line) -> None:
        good: list[Any] = []
        bad: list[Any] = []
        for number, row in enumerate(rows, start=1):
            status, body = line(row["body"])
            response = {"status_code": status, "request_id": f"req_{number}", "body": body}
            said = {
                "id": f"batch_req_{number}",
                "custom_id": row["custom_id"],
                "response": response,
                "error": None,
            }
            (good if status == 200 else bad).append(said)
        good.reverse()  # "the order of the output may not match the input" (docs, "Batch")
        batch.done = True
        batch.shown |= {"status": "completed", "completed_at": int(time.time())}
        counts = {"total": len(rows), "completed": len(good), "failed": len(bad)}
        batch.shown["request_counts"] = counts
        if good:
            batch.shown["output_file_id"] = self._keep("output.jsonl", _lines(good), "batch_output")["id"]
        if bad:
            batch.shown["error_file_id"] = self._keep("errors.jsonl", _lines(bad), "batch_output")["id"]


def _lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _read(data: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The requests of a file, and what is wrong with it."""
    rows: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, text in enumerate(data.splitlines(), start=1):
        wrong = ""
        try:
            row = json.loads(text)
            name = row["custom_id"]
            wrong = "custom_id is not unique" if name in seen else ""
            if row["method"] != "POST" or row["url"] != "/v1/chat/completions" or not row["body"]["model"]:
                wrong = "method, url or model is wrong"
            seen.add(name)
            rows.append(row)
        except (ValueError, KeyError, TypeError):
            wrong = "the line is no request"
        if wrong:
            errors.append({"code": "invalid_request", "line": number, "message": wrong, "param": None})
    if not rows or len(rows) > MAX_REQUESTS:
        errors.append({"code": "invalid_request", "line": None, "message": f"1 to {MAX_REQUESTS} requests"})
    return rows, errors
