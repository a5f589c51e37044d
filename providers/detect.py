"""Finds model servers on this machine. An open port is nothing: a server is known by what it answers.

Asks loopback only, all servers at once, and is over within a second. Whoever calls keeps the result for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from providers.base import ModelSettings, ModelSpec
from providers.http import Pools, is_loopback
from providers.models import describe, is_for_chat
from providers.presets import PRESETS

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT = 0.2
TOTAL_TIMEOUT = 0.8
MAX_BYTES = 4 * 1024 * 1024


class ServerState(StrEnum):
    """How far a server is."""

    DOWN = "down"  # nothing answers there, or something else does
    NO_MODEL = "up-no-model"  # it is there but has no model loaded, or is loading one
    READY = "ready"


@dataclass(frozen=True, slots=True)
class LocalServer:
    """What was found at one preset's address."""

    preset: str
    base_url: str
    state: ServerState
    models: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """Status, headers and JSON of one GET; `value` None where there was none."""

    status: int
    server: str
    value: Any


_MLX_DEFAULT = ("default_model", None)
"""What mlx_lm.server calls the model that it was started with; seen in mlx-lm 0.32.2, 2026-11."""

_Get = Callable[[str], Awaitable[_Answer | None]]
_Model = tuple[str, int | None]
_Found = tuple[ServerState, list[_Model]]
_Probe = Callable[[_Get], Coroutine[Any, Any, _Found]]


async def detect_local(
    environ: Mapping[str, str], ports: Mapping[str, int] | None = None
) -> tuple[LocalServer, ...]:
    """Every local preset with its state, in the presets' order.

    `environ` may hold OLLAMA_HOST, which counts only where it names this machine. `ports` stands over the
    presets' default ports, by name. Raises nothing; takes at most TOTAL_TIMEOUT seconds.
    """
    origins = _origins(environ, ports or {})
    async with Pools(connect_timeout=CONNECT_TIMEOUT, trust_env=False) as pools:
        tasks = {
            name: asyncio.create_task(_PROBES[name](_getter(pools, origin)))
            for name, origin in origins.items()
        }
        try:
            await asyncio.wait(tasks.values(), timeout=TOTAL_TIMEOUT)
        finally:
            for task in tasks.values():
                task.cancel()
            results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    found = dict(zip(tasks, results, strict=True))
    return tuple(_row(name, origin, found[name]) for name, origin in origins.items())


def _origins(environ: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    origins = {
        preset.name: f"http://127.0.0.1:{ports.get(preset.name, preset.port)}"
        for preset in PRESETS
        if preset.name in _PROBES
    }
    if "ollama" not in ports and (own := ollama_origin(environ.get("OLLAMA_HOST", ""))):
        origins["ollama"] = own
    return origins


def ollama_origin(value: str) -> str | None:
    """The address that OLLAMA_HOST names, None where it is empty, broken or another machine.

    It may lack scheme, host or port. 0.0.0.0, which the server listens on, is reached at 127.0.0.1.
    """
    text = value.strip().strip("\"'")
    if not text:
        return None
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 11434)
    except ValueError:
        return None
    host = parts.hostname or "127.0.0.1"
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - nothing is bound here
        host = "127.0.0.1"
    origin = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    return origin if parts.scheme in {"http", "https"} and is_loopback(origin) else None


def _row(name: str, origin: str, found: _Found | BaseException) -> LocalServer:
    base_url = f"{origin}/v1"
    if isinstance(found, BaseException):
        return LocalServer(name, base_url, ServerState.DOWN)
    state, models = found
    specs = tuple(
        describe(name, ModelSettings(model, context_window=window), is_local=True) for model, window in models
    )
    return LocalServer(name, base_url, state, specs)


def _getter(pools: Pools, origin: str) -> _Get:
    client = pools.client(origin)

    async def get(path: str) -> _Answer | None:
        import httpx

        try:
            async with client.stream("GET", f"{origin}{path}") as response:
                return _Answer(
                    response.status_code, response.headers.get("server", ""), await _json(response)
                )
        except httpx.TransportError:
            return None

    return get


async def _json(response: httpx.Response) -> Any:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _object(answer: _Answer | None) -> Mapping[str, Any]:
    """The answer's JSON object, empty for every other answer."""
    if answer is None or answer.status != 200 or not isinstance(answer.value, dict):
        return {}
    return answer.value


def _nothing(_: Mapping[str, Any]) -> Any:
    return None


def _models(
    answer: _Answer | None, key: str, name: str, window: Callable[[Mapping[str, Any]], Any] = _nothing
) -> list[_Model] | None:
    """Ids and context windows in a list of models; None where there is no such list."""
    rows = _object(answer).get(key)
    if not isinstance(rows, list):
        return None
    models: list[_Model] = []
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get(name), str):
            tokens = window(row)
            if is_for_chat(row[name]):
                models.append((row[name], tokens if isinstance(tokens, int) else None))
    return models


def _state(models: list[_Model] | None) -> _Found:
    if models is None:
        return ServerState.DOWN, []
    return (ServerState.READY if models else ServerState.NO_MODEL), models


async def _ollama(get: _Get) -> _Found:
    if not isinstance(_object(await get("/api/version")).get("version"), str):
        return ServerState.DOWN, []
    return _state(_models(await get("/api/tags"), "models", "name"))


async def _lmstudio(get: _Get) -> _Found:
    models = _models(await get("/api/v1/models"), "models", "key", _of_lmstudio)
    if models is None:  # before its version 0.4
        models = _models(await get("/api/v0/models"), "data", "id", _of_lmstudio)
    return _state(models)


def _of_lmstudio(row: Mapping[str, Any]) -> Any:
    """What a loaded model was given, else the most that it takes."""
    for instance in row.get("loaded_instances") or ():
        if isinstance(instance, dict) and isinstance(instance.get("config"), dict):
            return instance["config"].get("context_length")
    return row.get("loaded_context_length") or row.get("max_context_length")


async def _llamacpp(get: _Get) -> _Found:
    props = await get("/props")
    if props is not None and props.status == 503 and "loading" in str(props.value).lower():
        return ServerState.NO_MODEL, []
    settings = _object(props).get("default_generation_settings")
    if not isinstance(settings, dict):
        return ServerState.DOWN, []
    window = settings.get("n_ctx")
    models = _models(await get("/v1/models"), "data", "id")
    return _state(models and [(model, window if isinstance(window, int) else None) for model, _ in models])


async def _vllm(get: _Get) -> _Found:
    if not isinstance(_object(await get("/version")).get("version"), str):
        return ServerState.DOWN, []
    return _state(_models(await get("/v1/models"), "data", "id", lambda row: row.get("max_model_len")))


async def _mlx(get: _Get) -> _Found:
    # Python's plain HTTP server, so that llama.cpp on the same port is not taken for it
    health = await get("/health")
    if _object(health).get("status") != "ok" or health is None or not health.server.startswith("BaseHTTP"):
        return ServerState.DOWN, []
    listed = await get("/v1/models")
    models = _models(listed, "data", "id")
    if models is None:  # it breaks off where nothing was ever downloaded and its model is a local folder
        models = [] if listed is None or listed.status != 200 else [_MLX_DEFAULT]
    elif models:  # the list is of all that was downloaded, and any other would be loaded first
        models.insert(0, _MLX_DEFAULT)
    return _state(models)


_PROBES: Mapping[str, _Probe] = {
    "ollama": _ollama,
    "lmstudio": _lmstudio,
    "llamacpp": _llamacpp,
    "vllm": _vllm,
    "mlx": _mlx,
}
