"""What local servers say of their models beside OpenAI's list, each in its own words. Pure.

Sources, 2026-11: llama.cpp, tools/server/README.md (/props); Ollama, docs/api.md (/api/show, /api/ps) and
server/routes.go (a model that is not there); LM Studio docs, REST API (/api/v0/models); vLLM's and OpenRouter's lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.errors import ErrorKind, ProviderError
from providers.presets import OLLAMA_WINDOW

MAX_SHOWN = 50
"""Models of an Ollama that are asked about one by one."""

_PULLED = re.compile(r"model ['\"`].+['\"`] not found|try pulling it", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the list. `owner`: what the list names as its owner, which tells one server from another."""

    id: str
    window: int | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a server's own path. `body`: None for a GET. `model`: whom the answer is about, "" for all."""

    path: str
    body: Mapping[str, Any] | None = None
    model: str = ""


def rows_of(body: Any) -> list[Row]:
    """The models of a list, with the windows that it tells. Raises AttributeError, KeyError or TypeError."""
    rows = body["data"] if isinstance(body, dict) and "data" in body else body
    found: list[Row] = []
    for row in rows:
        meta = row.get("meta") or {}
        window = (
            row.get("max_model_len")  # vLLM
            or row.get("context_length")  # OpenRouter
            or row.get("max_context_length")
            or meta.get("n_ctx")
        )
        model = str(row["id"]).removeprefix("models/")
        found.append(Row(model, _tokens(window), str(row.get("owned_by") or "")))
    return found


def questions(rows: Sequence[Row]) -> tuple[Question, ...]:
    """What to ask a server whose list leaves windows out; a later answer is nearer the truth."""
    owners = {row.owner for row in rows if row.window is None}
    if "llamacpp" in owners:
        return (Question("/props"),) if len(rows) == 1 else ()
    if "organization_owner" in owners:
        return (Question("/api/v0/models"),)
    if "library" in owners:  # Ollama's own; those of other owners stand beside them
        shown = [Question("/api/show", {"model": row.id}, row.id) for row in rows[:MAX_SHOWN]]
        return (*shown, Question("/api/ps"))
    return ()


def windows(question: Question, answer: Any, rows: Sequence[Row]) -> dict[str, int]:
    """The windows that an answer tells, by model; none where it is not what was expected."""
    try:
        told = _READERS[question.path](question, answer, rows)
    except (AttributeError, KeyError, TypeError):
        return {}
    return {model: tokens for model, window in told.items() if (tokens := _tokens(window)) is not None}


def helped(error: ProviderError, message: str, model: str) -> ProviderError:
    """The same error; for a model that an Ollama has not pulled, with what to do about it."""
    if error.kind is not ErrorKind.MODEL_GONE or not _PULLED.search(message):
        return error
    detail = f"{error.detail[:180]}; Ollama gets it with: ollama pull {model}"
    return ProviderError(error.kind, detail, retry_after=error.retry_after, status=error.status)


def _props(_: Question, answer: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """The window of a slot, which is what one conversation gets; the list tells only what the model was trained on."""
    return {rows[0].id: answer["default_generation_settings"]["n_ctx"]}


def _loaded(_: Question, answer: Any, __: Sequence[Row]) -> dict[str, Any]:
    return {
        row["id"]: row.get("loaded_context_length") or row.get("max_context_length") for row in answer["data"]
    }


def _shown(question: Question, answer: Any, _: Sequence[Row]) -> dict[str, Any]:
    """`num_ctx` of the model's own file, and never more than the model takes.

    Without it the server's own default counts, which it does not tell before the model is loaded: it cuts longer
    prompts without a word, so the most that the model takes says something only where it is less.
    """
    facts = answer.get("model_info") or {}
    most = _tokens(facts.get(f"{facts.get('general.architecture')}.context_length"))
    set_to = re.search(r"^num_ctx\s+(\d+)\s*$", str(answer.get("parameters") or ""), re.MULTILINE)
    if set_to is not None:
        return {question.model: min(int(set_to[1]), most) if most else int(set_to[1])}
    return {question.model: most if most is not None and most < OLLAMA_WINDOW else None}


def _running(_: Question, answer: Any, __: Sequence[Row]) -> dict[str, Any]:
    """What a loaded model really has: Ollama cuts longer prompts without a word."""
    return {row["name"]: row.get("context_length") for row in answer["models"]}


_READERS = {"/props": _props, "/api/v0/models": _loaded, "/api/show": _shown, "/api/ps": _running}


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
