"""What Gemini's API does besides answering: lists of models, embeddings, explicit caches.

Shapes and limits: Gemini API reference, "Models", "Embeddings", "Caching", 2026-11.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Refusal
from tests.mock_model.dialects.gemini import model_of
from tests.mock_model.servers import Answer
from tests.mock_model.vectors import vector

MAX_EMBEDDINGS = 100
PAGE = 50
"""Models on a page unless pageSize says otherwise."""


class Google:
    """The caches that were made, and the rest, which has no state."""

    def __init__(self) -> None:
        self._caches: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def refuse(self, body: Any) -> Refusal | None:
        """Why an answer cannot be made with the cache that the request names."""
        name = body.get("cachedContent") if isinstance(body, dict) else None
        if not name or name in self._caches:
            return None
        return Refusal(403, {"message": "CachedContent not found (or permission denied)"})

    def answer(self, http: Http, body: Any, config: Config) -> Answer | Refusal:
        """The answer to a request under /v1beta that asks for no text."""
        what = http.path.partition("/v1beta/")[2]
        if what.startswith("cachedContents"):
            return self._cached(http, what, body, config)
        if what == "models" and http.method == "GET":
            return _models(http, config)
        if http.method == "GET" and what.removeprefix("models/") in config.models:
            return Answer(200, _model(what.removeprefix("models/"), config))
        if http.method == "POST" and what.endswith(":embedContent"):
            return Answer(200, {"embedding": {"values": _values(body, config)}})
        if http.method == "POST" and what.endswith(":batchEmbedContents"):
            return _embeddings(http, body, config)
        return Refusal(404)

    def _cached(self, http: Http, what: str, body: Any, config: Config) -> Answer | Refusal:
        match http.method, what:
            case "POST", "cachedContents":
                return self._create(body, config)
            case "GET", "cachedContents":
                return Answer(200, {"cachedContents": list(self._caches.values())})
            case _:
                pass
        if what not in self._caches:
            return Refusal(403, {"message": "CachedContent not found (or permission denied)"})
        if http.method == "DELETE":
            del self._caches[what]
            return Answer(200, {})
        if http.method == "PATCH":
            self._caches[what] |= _times(body.get("ttl", "3600s"))
        return Answer(200, self._caches[what])

    def _create(self, body: Any, config: Config) -> Answer | Refusal:
        model = body.get("model", "") if isinstance(body, dict) else ""
        if not model.startswith("models/"):
            return Refusal(
                400, {"message": "* CreateCachedContentRequest.model: unexpected model name format"}
            )
        tokens = len(json.dumps(body.get("contents", []))) // 4
        if tokens < config.cache_min:
            text = f"Cached content is too small. total_token_count={tokens}, min_total_token_count={config.cache_min}"
            return Refusal(400, {"message": text})
        name = f"cachedContents/mock{next(self._numbers)}"
        made = {"name": name, "model": model, "displayName": body.get("displayName", "")}
        made |= {"usageMetadata": {"totalTokenCount": tokens}, **_times(body.get("ttl", "3600s"))}
        self._caches[name] = made
        return Answer(200, made)


def _times(ttl: str) -> dict[str, str]:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=float(ttl.removesuffix("s")))
    return {"createTime": _stamp(now), "updateTime": _stamp(now), "expireTime": _stamp(ends)}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _models(http: Http, config: Config) -> Answer:
    start, size = int(http.query.get("pageToken") or 0), int(http.query.get("pageSize") or PAGE)
    rows = [_model(name, config) for name in config.models[start : start + size]]
    more = {"nextPageToken": str(start + size)} if start + size < len(config.models) else {}
    return Answer(200, {"models": rows} | more)


def _model(name: str, config: Config) -> dict[str, Any]:
    embeds = "embed" in name
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "inputTokenLimit": 2048 if embeds else 1_048_576,
        "outputTokenLimit": 1 if embeds else 65_536,
        "supportedGenerationMethods": ["embedContent"] if embeds else ["generateContent", "countTokens"],
        "thinking": not embeds,
    }


def _embeddings(http: Http, body: Any, config: Config) -> Answer | Refusal:
    requests = body.get("requests") if isinstance(body, dict) else None
    if not requests:
        return Refusal(400, {"message": "* BatchEmbedContentsRequest.requests: must not be empty"})
    if len(requests) > MAX_EMBEDDINGS:
        text = f"* BatchEmbedContentsRequest.requests: at most {MAX_EMBEDDINGS} requests can be in one batch"
        return Refusal(400, {"message": text})
    if any(one.get("model") != f"models/{model_of(http.path)}" for one in requests):
        return Refusal(
            400, {"message": "* BatchEmbedContentsRequest.requests[0].model: must match the URL's"}
        )
    return Answer(200, {"embeddings": [{"values": _values(one, config)} for one in requests]})


def _values(request: Any, config: Config) -> list[float]:
    parts = (request.get("content") or {}).get("parts") or []
    text = "".join(str(part.get("text", "")) for part in parts)
    size = request.get("outputDimensionality") or config.embedding_size
    return vector(text, int(size))
