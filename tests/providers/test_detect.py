"""Finding local servers by what they answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from providers.detect import LocalServer, ServerState, detect_local, ollama_origin
from tests.mock_model.client import MockModel
from tests.providers.peer import Do, Peer, whole

KINDS = ("ollama", "lmstudio", "llamacpp", "vllm", "mlx")
Start = Callable[..., MockModel]


def unused_ports() -> dict[str, int]:
    """A port for each server on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in KINDS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {kind: one.getsockname()[1] for kind, one in zip(KINDS, sockets, strict=True)}


async def detect(ports: dict[str, int], **environ: str) -> dict[str, LocalServer]:
    found = await detect_local(environ, unused_ports() | ports)
    return {server.preset: server for server in found}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_is_known_by_its_own_answers_and_no_other_is_taken_for_it(
    start_mock_model: Start, kind: str
) -> None:
    server = start_mock_model("--kind", kind, "--models", "a/b,c")
    found = await detect(dict.fromkeys(KINDS, server.port))
    assert {name for name, one in found.items() if one.state is ServerState.READY} == {kind}
    own = ["mlx/default_model"] if kind == "mlx" else []
    assert [spec.ref for spec in found[kind].models] == [*own, f"{kind}/a/b", f"{kind}/c"]
    assert all(spec.is_local for spec in found[kind].models)
    assert found[kind].base_url == server.base_url


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_without_a_model_is_up_but_not_ready(start_mock_model: Start, kind: str) -> None:
    server = start_mock_model("--kind", kind, "--state", "empty")
    assert (await detect({kind: server.port}))[kind].state is ServerState.NO_MODEL


async def test_a_server_that_loads_its_model_is_up_but_not_ready(start_mock_model: Start) -> None:
    server = start_mock_model("--kind", "llamacpp", "--state", "loading")
    assert (await detect({"llamacpp": server.port}))["llamacpp"].state is ServerState.NO_MODEL


async def test_an_mlx_server_that_cannot_list_its_models_has_the_one_it_was_started_with(peer: Peer) -> None:
    top = b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11\r\n\r\n"
    peer.play([top + b'{"status": "ok"}', Do.CLOSE], [top, Do.CLOSE])
    found = (await detect({"mlx": peer.port}))["mlx"]
    assert [spec.model for spec in found.models] == ["default_model"]
    assert found.state is ServerState.READY


@pytest.mark.parametrize("kind", ["lmstudio", "llamacpp", "vllm"])
async def test_the_window_that_a_server_tells_is_known(start_mock_model: Start, kind: str) -> None:
    server = start_mock_model("--kind", kind)
    (spec,) = (await detect({kind: server.port}))[kind].models
    assert spec.context_window == 32768


async def test_nobody_there_is_down() -> None:
    found = await detect({})
    assert {one.state for one in found.values()} == {ServerState.DOWN}
    assert set(found) == set(KINDS)


@pytest.mark.parametrize(
    "script",
    [
        [whole(b"<html>Jupyter</html>", kind="text/html")],
        [whole(b'"ok"')],
        [whole(b"{}")],
        [whole(b'{"status": "ok"}')],
        [whole(b'{"version": 7, "models": {}, "data": "x"}')],
        [whole(b'{"models": [7, {"name": null}], "version": "1"}')],
        [b"220 mail.example ESMTP\r\n", Do.CLOSE],
        [Do.CLOSE],
    ],
    ids=[
        "a page",
        "a text",
        "an empty object",
        "health alone",
        "wrong types",
        "wrong rows",
        "no HTTP",
        "nothing",
    ],
)
async def test_an_open_port_is_not_a_server(peer: Peer, script: list[bytes | Do]) -> None:
    peer.play(script)
    found = await detect(dict.fromkeys(KINDS, peer.port))
    assert not any(one.models for one in found.values())
    assert ServerState.READY not in {one.state for one in found.values()}


async def test_a_server_that_says_nothing_does_not_hold_up_the_others(
    peer: Peer, start_mock_model: Start
) -> None:
    peer.play([Do.HANG])
    server = start_mock_model("--kind", "ollama")
    ports = dict.fromkeys(KINDS, peer.port) | {"ollama": server.port}
    async with asyncio.timeout(30):
        found = await detect(ports)
    assert found["ollama"].state is ServerState.READY
    assert found["vllm"].state is ServerState.DOWN
    for connection in peer.connections:
        await asyncio.wait_for(connection.gone.wait(), 30)


async def test_a_model_for_vectors_is_no_model_to_talk_to(start_mock_model: Start) -> None:
    server = start_mock_model("--kind", "ollama", "--models", "nomic-embed-text,llama3.2")
    found = (await detect({"ollama": server.port}))["ollama"]
    assert [spec.model for spec in found.models] == ["llama3.2"]


async def test_ollamas_own_variable_names_another_port_of_this_machine(start_mock_model: Start) -> None:
    server = start_mock_model("--kind", "ollama")
    ports = unused_ports()
    del ports["ollama"]
    found = await detect_local({"OLLAMA_HOST": f"127.0.0.1:{server.port}"}, ports)
    assert found[0].state is ServerState.READY
    assert found[0].base_url == server.base_url


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("127.0.0.1:11500", "http://127.0.0.1:11500"),
        ("http://localhost:11500/", "http://localhost:11500"),
        ("localhost", "http://localhost:11434"),
        (":11500", "http://127.0.0.1:11500"),
        ("0.0.0.0:11500", "http://127.0.0.1:11500"),
        ("https://127.0.0.1", "https://127.0.0.1:443"),
        ("[::1]:11500", "http://[::1]:11500"),
        ("", None),
        ("10.0.0.7:11434", None),
        ("ollama.example.com", None),
        ("127.0.0.1:99999999", None),
        ("ftp://127.0.0.1", None),
    ],
)
def test_ollamas_variable_counts_only_for_this_machine(value: str, origin: str | None) -> None:
    assert ollama_origin(value) == origin
