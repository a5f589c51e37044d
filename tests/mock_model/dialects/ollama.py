"""Ollama behind /v1: a model that was not pulled is a 404 which names it.

Words: Ollama's source, server/routes.go and openai/openai.go, 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Problem, Refusal
from tests.mock_model.dialects.openai import OpenAI
from tests.mock_model.wire import dumps


class Ollama(OpenAI):
    """Knows only what was pulled, whether or not the server is strict about models elsewhere."""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        usual = super().refuse(http, body, config)
        if usual is not None and usual.status != 404:
            return usual
        model = str(body.get("model", ""))
        if config.strict and model not in config.models:
            return Refusal(404, {"message": f"model '{model}' not found"})
        return None

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        kinds = {400: "invalid_request_error", 404: "not_found_error"}
        fields = {"message": f"Status {status}", "type": kinds.get(status, "api_error")}
        return dumps({"error": fields | {"param": None, "code": None} | dict(given)}).encode()

    def problem(self, problem: Problem) -> Refusal:
        if problem is Problem.NO_MODEL:
            return Refusal(404, {"message": "model 'gone' not found"})
        return super().problem(problem)
