"""What tells one local server from another, and what each says about its models.

Ollama, LM Studio, llama.cpp, vLLM and mlx_lm answer `/v1` alike; detection needs their own paths.
Shapes from the servers' documentation, 2026-11; mlx_lm.server's measured on mlx-lm 0.32.2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The server that is played."""

    OPENAI = "openai"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"
    LLAMACPP = "llamacpp"
    VLLM = "vllm"
    MLX = "mlx"


class State(StrEnum):
    """Whether it can answer: `loading` is llama.cpp's 503, `empty` is up without a model."""

    READY = "ready"
    LOADING = "loading"
    EMPTY = "empty"


SERVER_HEADER = {
    Kind.LLAMACPP: "llama.cpp",
    Kind.VLLM: "uvicorn",
    Kind.MLX: "BaseHTTP/0.6 Python/3.11.7",
}
CONTEXT_TOKENS = 32768
_LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body (`None`: empty, a str: plain text) and headers of one GET."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


def get(kind: Kind, state: State, models: Sequence[str], path: str) -> Answer:
    """The server's answer to a GET that is not the control API."""
    headers = {"Server": SERVER_HEADER[kind]} if kind in SERVER_HEADER else None
    shown = models if state is not State.EMPTY else ()
    if kind is Kind.LLAMACPP and state is State.LOADING and path != "/":
        return Answer(503, _LOADING, headers)
    own = _OWN[kind](shown, path)
    if own is not None:
        return Answer(own.status, own.body, headers)
    if path.endswith("/models") and not path.startswith("/api/"):
        return Answer(200, {"object": "list", "data": [_model(kind, m) for m in shown]}, headers)
    if kind is Kind.LMSTUDIO:  # it logs "Unexpected endpoint" and answers 200 (its log, 2025)
        return Answer(200, {"error": f"Unexpected endpoint or method. (GET {path})"}, headers)
    return Answer(404, {"error": {"message": "Not Found", "code": 404}}, headers)


def _model(kind: Kind, name: str) -> dict[str, Any]:
    model: dict[str, Any] = {"id": name, "object": "model", "created": int(time.time())}
    if kind is Kind.VLLM:
        model |= {"owned_by": "vllm", "root": name, "max_model_len": CONTEXT_TOKENS}
    elif kind is Kind.LLAMACPP:
        model |= {
            "owned_by": "llamacpp",
            "meta": {"n_ctx_train": CONTEXT_TOKENS, "n_vocab": 32000},
        }
    elif kind is Kind.OLLAMA:
        model |= {"owned_by": "library"}
    elif kind is Kind.LMSTUDIO:
        model |= {"owned_by": "organization_owner"}
    elif kind is Kind.OPENAI:
        model |= {"owned_by": "mock"}
    return model


def _openai(models: Sequence[str], path: str) -> Answer | None:
    return None


def _ollama(models: Sequence[str], path: str) -> Answer | None:
    if path == "/":
        return Answer(200, "Ollama is running")
    if path == "/api/version":
        return Answer(200, {"version": "0.13.1"})
    if path in ("/api/tags", "/api/ps"):
        details = {
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "8.0B",
            "quantization_level": "Q4_K_M",
        }
        rows = [
            {
                "name": name,
                "model": name,
                "modified_at": "2026-11-01T12:00:00Z",
                "size": 4_900_000_000,
                "digest": "0" * 64,
                "details": details,
            }
            for name in models
        ]
        return Answer(200, {"models": rows})
    return None


def _lmstudio(models: Sequence[str], path: str) -> Answer | None:
    if path == "/api/v0/models":
        rows = [
            {
                "id": name,
                "object": "model",
                "type": "llm",
                "publisher": "mock",
                "arch": "llama",
                "compatibility_type": "gguf",
                "quantization": "Q4_K_M",
                "state": "loaded",
                "max_context_length": CONTEXT_TOKENS,
                "loaded_context_length": CONTEXT_TOKENS,
            }
            for name in models
        ]
        return Answer(200, {"object": "list", "data": rows})
    if path == "/api/v1/models":
        config = {"context_length": CONTEXT_TOKENS}
        rows = [
            {
                "type": "llm",
                "key": name,
                "display_name": name,
                "max_context_length": CONTEXT_TOKENS,
                "loaded_instances": [{"id": name, "config": config}],
            }
            for name in models
        ]
        return Answer(200, {"models": rows})
    return None


def _llamacpp(models: Sequence[str], path: str) -> Answer | None:
    if path == "/health":
        return Answer(200, {"status": "ok"})
    if path == "/props":
        settings = {"n_ctx": CONTEXT_TOKENS, "id": 0, "params": {"temperature": 0.8}}
        return Answer(
            200,
            {
                "default_generation_settings": settings,
                "total_slots": 1,
                "model_path": models[0] if models else "",
                "chat_template": "chatml",
                "build_info": "b7100-mock",
            },
        )
    return None


def _vllm(models: Sequence[str], path: str) -> Answer | None:
    if path == "/version":
        return Answer(200, {"version": "0.12.0"})
    return Answer(200) if path in ("/health", "/ping") else None


def _mlx(models: Sequence[str], path: str) -> Answer | None:
    return Answer(200, {"status": "ok"}) if path == "/health" else None


_OWN = {
    Kind.OPENAI: _openai,
    Kind.OLLAMA: _ollama,
    Kind.LMSTUDIO: _lmstudio,
    Kind.LLAMACPP: _llamacpp,
    Kind.VLLM: _vllm,
    Kind.MLX: _mlx,
}
