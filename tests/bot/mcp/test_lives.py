"""Servers come, go, and end with us."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.mcp.server import Server
from bot.settings import ToolServer
from bot.settings.mcp import McpServer
from tests.bot.mcp.kit import bare, box_of, connected, is_running, names, pids, serving, until


async def test_nothing_waits_for_a_server_that_says_nothing(tmp_path: Path) -> None:
    async with box_of({"mute": bare("silent", pids=tmp_path), "bare": bare()}) as box:
        assert names(box) == []
        assert [source.problem for source in box.sources()] == ["is still starting"] * 2
        await until(lambda: names(box))
        await until(lambda: pids(tmp_path, "server"))
        assert [source.problem for source in box.sources()] == ["is still starting", ""]
    assert not any(is_running(pid) for pid in pids(tmp_path, "server"))


async def test_a_server_that_ends_is_started_again(tmp_path: Path) -> None:
    async with box_of({"bare": bare("once", pids=tmp_path)}) as box:
        await until(lambda: len(pids(tmp_path, "server")) == 2)
        await until(lambda: [source.problem for source in box.sources()] == [""])
        assert "degrees" in (await box.call("bare__structured", {})).text


async def test_the_exit_code_of_a_server_is_told(tmp_path: Path) -> None:
    async with connected(bare=bare("loud", env={"SECRET_TOKEN": "sesame-0123"})) as box:
        with capture_logs() as logs:
            await box.call("bare__exit", {})
            await until(lambda: box.sources()[0].problem == "ended with exit code 3")
            assert names(box), "what was offered stays over a short break"
            await until(lambda: not box.sources()[0].problem)
    [lost] = [each for each in logs if each["event"] == "tool server lost"]
    assert lost["server"] == "bare"
    assert lost["reason"] == "ended with exit code 3"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"command": "/nowhere/at-all"}, "/nowhere/at-all does not exist"),
        ({"command": "no-program-of-this-name"}, "no-program-of-this-name does not exist"),
        ({"command": "/bin/sh", "cwd": "/nowhere/at-all"}, "/nowhere/at-all does not exist"),
        ({"command": "/etc/passwd"}, "/etc/passwd may not be used"),
    ],
)
async def test_a_program_that_cannot_be_started_is_named(settings: dict[str, str], problem: str) -> None:
    async with box_of({"gone": settings}) as box:
        await until(lambda: "still starting" not in box.sources()[0].problem)
        assert box.sources()[0].problem == f"cannot be started: {problem}"
        result = await box.call("gone__x", {})
        assert result.is_error


async def test_an_address_where_nobody_listens_is_named(unused_tcp_port: int) -> None:
    async with box_of({"gone": {"url": f"http://127.0.0.1:{unused_tcp_port}/mcp"}}) as box:
        await until(lambda: "still starting" not in box.sources()[0].problem)
        assert box.sources()[0].problem == "cannot be reached (ConnectError)"


async def test_a_refused_token_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    async with serving("http", tmp_path / "notes") as settings:
        wrong = settings | {"headers": {"Authorization": "Bearer sesame-0123"}}
        async with box_of({"far": wrong}) as box:
            await until(lambda: "still starting" not in box.sources()[0].problem)
            problem = box.sources()[0].problem
    assert problem.startswith("answered with an error")
    assert "sesame" not in problem


@pytest.mark.parametrize("faults", [(), ("stubborn",)])
async def test_programs_and_what_they_started_end_with_us(tmp_path: Path, faults: tuple[str, ...]) -> None:
    async with connected(bare=bare(*faults, pids=tmp_path)) as box:
        assert names(box)
        running = pids(tmp_path, "server") + pids(tmp_path, "child")
        assert all(is_running(pid) for pid in running)
    assert len(running) == 1 + len(faults)
    await until(lambda: not any(is_running(pid) for pid in running))


async def test_a_program_that_is_still_starting_ends_with_us(tmp_path: Path) -> None:
    async with box_of({"mute": bare("silent", "stubborn", pids=tmp_path)}):
        await until(lambda: pids(tmp_path, "child"))
    running = pids(tmp_path, "server") + pids(tmp_path, "child")
    await until(lambda: not any(is_running(pid) for pid in running))


async def test_a_server_at_an_address_that_comes_back_is_found_again(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with AsyncExitStack() as stack:
        async with serving("http", tmp_path / "notes", unused_tcp_port) as settings:
            box = await stack.enter_async_context(connected(far=settings))
        result = await box.call("far__add", {"a": 1, "b": 1})
        assert result.is_error
        await until(lambda: box.sources()[0].problem)
        async with serving("http", tmp_path / "notes", unused_tcp_port):
            await until(lambda: not box.sources()[0].problem)
            assert (await box.call("far__add", {"a": 1, "b": 1})).text == "2"


async def test_a_server_that_ends_again_and_again_is_waited_for_longer_each_time(tmp_path: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise asyncio.CancelledError

    configured = ToolServer("ever", McpServer.model_validate(bare("ever", pids=tmp_path)))
    server = Server(configured, sleep=sleep, chance=lambda: 0.5)
    with pytest.raises(asyncio.CancelledError):
        await server.run()
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert server.offered == ()
    assert len(pids(tmp_path, "server")) == 4
