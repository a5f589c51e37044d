"""What a server does besides answering questions: lists, embeddings, files, batches, caches, transcriptions."""

from __future__ import annotations

from typing import Any

from tests.mock_model import servers
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Refusal
from tests.mock_model.google import Google
from tests.mock_model.servers import Answer


class Services:
    """Their state since the last reset."""

    def __init__(self) -> None:
        self._google = Google()

    def refuse(self, body: Any) -> Refusal | None:
        """Why a question cannot be answered with what it refers to here."""
        return self._google.refuse(body)

    def answer(self, http: Http, body: Any, config: Config) -> Answer | Refusal:
        """The answer to one request."""
        if "/v1beta/" in http.path:
            return self._google.answer(http, body, config)
        if http.method == "GET" and http.path.endswith("/v1/models") and "anthropic-version" in http.headers:
            return _anthropic_models(config)
        if http.method == "GET":
            return servers.get(config.kind, config.state, config.models, http.path, config.context_tokens)
        return Refusal(404)


def _anthropic_models(config: Config) -> Answer:
    """Docs, "List models", and anthropic 2.11, types/model_info.py."""
    rows = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
            "max_input_tokens": 200_000,
            "max_tokens": 64_000,
        }
        for name in config.models
    ]
    ends = {"first_id": config.models[0] if rows else None, "last_id": config.models[-1] if rows else None}
    return Answer(200, {"data": rows, "has_more": False, **ends})
