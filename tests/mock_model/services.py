"""What a server does besides answering questions: lists, embeddings, files, batches, caches, transcriptions."""

from __future__ import annotations

from typing import Any

from tests.mock_model import servers
from tests.mock_model.caching import Caches, Counted
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Refusal
from tests.mock_model.files import Files, Line
from tests.mock_model.google import Google
from tests.mock_model.multipart import parts
from tests.mock_model.servers import Answer, Kind
from tests.mock_model.vectors import packed, vector

# OpenAI API reference, "Create transcription", 2026-11.
AUDIO_ENDINGS = tuple(".flac .mp3 .mp4 .mpeg .mpga .m4a .ogg .wav .webm".split())
MAX_AUDIO_BYTES = 25 * 1024 * 1024


class Services:
    """Their state since the last reset."""

    def __init__(self) -> None:
        self._google = Google()
        self._files = Files()
        self._caches = Caches()

    def refuse(self, body: Any) -> Refusal | None:
        """Why a question cannot be answered with what it refers to here."""
        return self._google.refuse(body)

    def counted(self, http: Http, body: Any, config: Config) -> Counted:
        """What the prompt cache makes of a question; nothing where it is not played."""
        return self._caches.count(http.path, config.kind, body) if config.cache else {}

    def answer(self, http: Http, body: Any, config: Config, line: Line) -> Answer | Refusal:
        """The answer to one request; `line` answers a request of a batch."""
        path = http.path
        if "/v1beta/" in path:
            return self._google.answer(http, body, config)
        if path.startswith(("/v1/files", "/v1/batches")):
            return self._files.answer(http, body, config, line)
        if http.method == "GET" and path.endswith("/v1/models") and "anthropic-version" in http.headers:
            return _anthropic_models(config)
        if http.method == "GET":
            return servers.get(config.kind, config.state, config.models, path, config.context_tokens)
        if http.method == "POST" and path.endswith("/embeddings"):
            return _embeddings(body, config)
        if http.method == "POST" and path.endswith("/audio/transcriptions"):
            return _transcription(http, config)
        if http.method == "POST" and path == "/api/show" and config.kind is Kind.OLLAMA:
            return _ollama_show(body, config)
        return Refusal(404)


def _embeddings(body: Any, config: Config) -> Answer | Refusal:
    """OpenAI API reference, "Create embeddings". The rows come last first: `index` tells which is which."""
    given = body.get("input") if isinstance(body, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        return Refusal(400, {"message": "input must be a string or an array of strings", "param": "input"})
    if not all(texts):
        return Refusal(400, {"message": "input cannot be an empty string", "param": "input"})
    if len(texts) > config.embedding_batch:
        message = f"input must have at most {config.embedding_batch} items"
        return Refusal(400, {"message": message, "param": "input"})
    if config.strict_models and body.get("model") not in config.models:
        return Refusal(404)
    numbers = [vector(text, int(body.get("dimensions") or config.embedding_size)) for text in texts]
    is_packed = body.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": at, "embedding": packed(one) if is_packed else one}
        for at, one in enumerate(numbers)
    ]
    counted = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    answer = {"object": "list", "model": body.get("model"), "data": rows[::-1], "usage": counted}
    return Answer(200, answer)


def _transcription(http: Http, config: Config) -> Answer | Refusal:
    form = parts(http.headers.get("content-type", ""), http.raw)
    if "model" not in form:
        return Refusal(400, {"message": "you must provide a model parameter", "param": "model"})
    if "file" not in form:
        return Refusal(400, {"message": "you must provide a file", "param": "file"})
    if not form["file"].filename.lower().endswith(AUDIO_ENDINGS):
        wanted = ", ".join(ending[1:] for ending in AUDIO_ENDINGS)
        return Refusal(400, {"message": f"Invalid file format. Supported formats: {wanted}", "param": "file"})
    if len(form["file"].data) > MAX_AUDIO_BYTES:
        return Refusal(413)
    if "response_format" in form and form["response_format"].data == b"text":
        return Answer(200, config.heard + "\n", {"Content-Type": "text/plain; charset=utf-8"})
    return Answer(200, {"text": config.heard})


def _ollama_show(body: Any, config: Config) -> Answer | Refusal:
    """Ollama docs, "Show model information", 2026-11."""
    name = (body.get("model") or body.get("name")) if isinstance(body, dict) else None
    if name not in config.models:
        return Answer(404, {"error": f"model '{name}' not found"})
    facts = {"general.architecture": "llama", "llama.context_length": config.context_tokens}
    return Answer(
        200,
        {
            "details": {"format": "gguf", "family": "llama", "parameter_size": "8.0B"},
            "model_info": facts,
            "capabilities": ["completion", "tools"],
            "parameters": "",
        },
    )


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
