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
    CEREBRAS = "cerebras"
    OPENROUTER = "openrouter"


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


def get(kind: Kind, state: State, models: Sequence[str], path: str, window: int = CONTEXT_TOKENS) -> Answer:
    """The server's answer to a GET that is not the control API. `window`: what it says of its models."""
    headers = {"Server": SERVER_HEADER[kind]} if kind in SERVER_HEADER else None
    shown = models if state is not State.EMPTY else ()
    if kind is Kind.LLAMACPP and state is State.LOADING and path != "/":
        return Answer(503, _LOADING, headers)
    own = _OWN[kind](shown, path, window)
    if own is not None:
        return Answer(own.status, own.body, headers)
    if path.endswith("/models") and not path.startswith("/api/"):
        return Answer(200, {"object": "list", "data": [_model(kind, m, window) for m in shown]}, headers)
    if kind is Kind.LMSTUDIO:  # it logs "Unexpected endpoint" and answers 200 (its log, 2025)
        return Answer(200, {"error": f"Unexpected endpoint or method. (GET {path})"}, headers)
    return Answer(404, {"error": {"message": "Not Found", "code": 404}}, headers)


def _model(kind: Kind, name: str, window: int) -> dict[str, Any]:
    model: dict[str, Any] = {"id": name, "object": "model", "created": int(time.time())}
    if kind is Kind.VLLM:
        model |= {"owned_by": "vllm", "root": name, "max_model_len": window}
    elif kind is Kind.LLAMACPP:
        model |= {
            "owned_by": "llamacpp",
            "meta": {"n_ctx_train": window, "n_vocab": 32000},
        }
    elif kind is Kind.OLLAMA:
        model |= {"owned_by": "library"}
    elif kind is Kind.LMSTUDIO:
        model |= {"owned_by": "organization_owner"}
    elif kind is Kind.OPENAI:
        model |= {"owned_by": "mock"}
    elif kind is Kind.CEREBRAS:
        model |= {"owned_by": "Cerebras"}
    elif kind is Kind.OPENROUTER:
        model |= {
            "name": name,
            "context_length": window,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "pricing": {"prompt": "0.000001", "completion": "0.000002"},
            "top_provider": {"context_length": window, "max_completion_tokens": 4096},
        }
    return model


def _openai(models: Sequence[str], path: str, window: int) -> Answer | None:
    return None


def _ollama(models: Sequence[str], path: str, window: int) -> Answer | None:
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


def _lmstudio(models: Sequence[str], path: str, window: int) -> Answer | None:
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
                "max_context_length": 4 * window,
                "loaded_context_length": window,
            }
            for name in models
        ]
        return Answer(200, {"object": "list", "data": rows})
    if path == "/api/v1/models":
        config = {"context_length": window}
        rows = [
            {
                "type": "llm",
                "key": name,
                "display_name": name,
                "max_context_length": 4 * window,
                "loaded_instances": [{"id": name, "config": config}],
            }
            for name in models
        ]
        return Answer(200, {"models": rows})
    return None


def _llamacpp(models: Sequence[str], path: str, window: int) -> Answer | None:
    if path == "/health":
        return Answer(200, {"status": "ok"})
    if path == "/props":
        settings = {"n_ctx": window, "id": 0, "params": {"temperature": 0.8}}
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


def _vllm(models: Sequence[str], path: str, window: int) -> Answer | None:
    if path == "/version":
        return Answer(200, {"version": "0.12.0"})
    return Answer(200) if path in ("/health", "/ping") else None


def _cerebras(models: Sequence[str], path: str, window: int) -> Answer | None:
    """The list without a key has prices and windows (docs, "List public models", 2026-11; fields believed)."""
    if path == "/v1/tcp_warming":  # what cerebras-cloud-sdk 1.91 asks for, _client.py
        return Answer(200, {})
    if path == "/public/v1/models":
        rows = [
            {
                "id": name,
                "object": "model",
                "owned_by": "Cerebras",
                "name": name,
                "limits": {"max_context_length": window, "max_completion_tokens": 32768},
                "pricing": {"prompt": "0.00000035", "completion": "0.00000075"},
            }
            for name in models
        ]
        return Answer(200, {"object": "list", "data": rows})
    return None


def _mlx(models: Sequence[str], path: str, window: int) -> Answer | None:
    return Answer(200, {"status": "ok"}) if path == "/health" else None


_OWN = {
    Kind.OPENAI: _openai,
    Kind.OLLAMA: _ollama,
    Kind.LMSTUDIO: _lmstudio,
    Kind.LLAMACPP: _llamacpp,
    Kind.VLLM: _vllm,
    Kind.MLX: _mlx,
    Kind.CEREBRAS: _cerebras,
    Kind.OPENROUTER: _openai,
}
