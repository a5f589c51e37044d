"""Each local server is recognisable by its own paths, and by no other's."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.mock_model.client import MockModel

pytestmark = pytest.mark.asyncio


async def get(server: MockModel, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.root_url) as http:
        return await http.get(path)


@pytest.mark.parametrize(
    ("kind", "path", "field"),
    [
        ("ollama", "/api/version", "version"),
        ("ollama", "/api/tags", "models"),
        ("lmstudio", "/api/v0/models", "data"),
        ("lmstudio", "/api/v1/models", "models"),
        ("llamacpp", "/props", "default_generation_settings"),
        ("llamacpp", "/health", "status"),
        ("vllm", "/version", "version"),
        ("mlx", "/health", "status"),
    ],
)
async def test_a_local_server_answers_its_own_paths(
    mock_model: MockModel, kind: str, path: str, field: str
) -> None:
    mock_model.config(kind=kind, models=["a", "b"])
    got = await get(mock_model, path)
    assert got.status_code == 200
    assert field in got.json()
    listed = (await get(mock_model, "/v1/models")).json()["data"]
    assert [one["id"] for one in listed] == ["a", "b"]


async def test_only_llamacpp_has_props(mock_model: MockModel) -> None:
    for kind in ("openai", "ollama", "vllm", "mlx"):
        mock_model.config(kind=kind)
        assert (await get(mock_model, "/props")).status_code == 404


async def test_lm_studio_answers_200_with_an_error_to_what_it_does_not_know(
    mock_model: MockModel,
) -> None:
    mock_model.config(kind="lmstudio")
    got = await get(mock_model, "/props")
    assert got.status_code == 200
    assert "Unexpected endpoint" in got.json()["error"]


async def test_a_loading_llamacpp_says_503(mock_model: MockModel) -> None:
    mock_model.config(kind="llamacpp", state="loading")
    assert (await get(mock_model, "/health")).status_code == 503


async def test_a_server_without_a_model_lists_none(mock_model: MockModel) -> None:
    mock_model.config(state="empty")
    assert (await get(mock_model, "/v1/models")).json()["data"] == []


async def test_mlx_speaks_http_1_0_and_closes(mock_model: MockModel) -> None:
    mock_model.config(kind="mlx")
    ask = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "a"}]}
    async with httpx.AsyncClient(base_url=mock_model.base_url) as http:
        got = await http.post("/chat/completions", json=ask)
        again = await http.post("/chat/completions", json=ask)
    assert got.http_version == "HTTP/1.0"
    assert "[DONE]" in got.text and "[DONE]" in again.text
    assert len({one["connection"] for one in mock_model.chats()}) == 2


async def test_a_wrong_key_and_an_unlisted_model_are_refused_when_it_is_strict(
    mock_model: MockModel,
) -> None:
    mock_model.config(keys=["good"], strict_models=True)
    body = {"model": "gone", "messages": [{"role": "user", "content": "a"}]}
    async with httpx.AsyncClient(base_url=mock_model.base_url) as http:
        wrong = await http.post("/chat/completions", json=body, headers={"Authorization": "Bearer no"})
        gone = await http.post("/chat/completions", json=body, headers={"Authorization": "Bearer good"})
    assert (wrong.status_code, gone.status_code) == (401, 404)
    assert gone.json()["error"]["code"] == "model_not_found"


async def test_flags_choose_the_server_at_start(
    start_mock_model: Callable[..., MockModel],
) -> None:
    server = start_mock_model("--kind", "ollama", "--models", "llama3.2:latest")
    tags = (await get(server, "/api/tags")).json()
    assert tags["models"][0]["name"] == "llama3.2:latest"
