"""What the machine does to the daemon: pauses, limits, locks, a configuration that broke, clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from bot.control import socket_path
from bot.errors import BotError
from bot.home import Home
from tests.faults.scene import BACK, PATIENCE, TOKEN, Scene, until_async
from tests.story.test_web import page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]  # a real daemon, real pauses

MB = 1024 * 1024
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@contextlib.contextmanager
def limited(scene: Scene, which: int, soft: int) -> Iterator[None]:
    """The running daemon may have no more than that; its old limit comes back."""
    before = resource.prlimit(scene.daemon.pid, which)
    resource.prlimit(scene.daemon.pid, which, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(scene.daemon.pid, which, before)


def status(scene: Scene, field: str) -> int:
    """A number of /proc/PID/status; kilobytes where it is a size."""
    lines = Path(f"/proc/{scene.daemon.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def database(scene: Scene) -> Path:
    """The store's file."""
    return Home(scene.daemon.home).database


async def test_a_process_that_stands_still_for_a_while_goes_on(scene: Scene) -> None:
    people = [scene.somebody() for _ in range(5)]
    async with scene.counted("firstword_loop_lag_seconds_sum"):
        scene.daemon.send(signal.SIGSTOP)
        for chat in people:
            await scene.peer.say(chat, "are you there?")
        await asyncio.sleep(1.5)
        scene.daemon.send(signal.SIGCONT)
        for chat in people:
            await scene.shown(chat, BACK)
    for chat in people:
        await scene.said_once(chat, BACK)


async def test_a_store_that_is_locked_and_slow_keeps_what_comes_for_later(scene: Scene) -> None:
    people = [scene.somebody() for _ in range(3)]
    async with (
        scene.counted("firstword_store_failures_total", reason="locked"),
        scene.counted("firstword_store_commit_seconds_sum"),
    ):
        with closing(sqlite3.connect(database(scene), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for chat in people:
                await scene.peer.say(chat, "is it kept?")
            await scene.daemon.logged("another program keeps it locked")
            assert [await scene.peer.texts(chat) for chat in people] == [[], [], []], (
                "nothing before it is safe"
            )
            other.execute("ROLLBACK")
        for chat in people:
            await scene.shown(chat, BACK)
    for chat in people:
        await scene.said_once(chat, BACK)


async def test_a_disk_that_takes_no_more_bytes_keeps_what_comes_for_later(scene: Scene) -> None:
    chat = scene.somebody()
    async with scene.counted("firstword_store_failures_total", reason="disk"):
        before = await scene.metric("firstword_store_failures_total")
        with limited(scene, resource.RLIMIT_FSIZE, 4096):  # less than the store and its log have already
            await scene.peer.say(chat, "is it kept?")
            await until_async(
                lambda: scene.metric("firstword_store_failures_total"), lambda value: value > before
            )
            assert await scene.peer.texts(chat) == [], "nothing before it is safe"
        await scene.shown(chat, BACK)
    await scene.said_once(chat, BACK)


async def test_without_descriptors_what_is_open_goes_on_and_the_rest_waits(scene: Scene) -> None:
    chat = scene.somebody()
    async with scene.counted("firstword_provider_attempts_total", provider="sick", kind="connect"):
        await scene.answer(scene.somebody(), "everything is loaded by now", BACK)
        scene.sick.cut()  # the next question needs a connection
        logged = len(scene.daemon.log)
        with limited(scene, resource.RLIMIT_NOFILE, 3):
            await scene.peer.say(chat, "do you hear me?")
            await scene.daemon.logged('"error":"connect"', since=logged)
            with pytest.raises((TimeoutError, aiohttp.ClientError)):
                async with asyncio.timeout(1.5):
                    await scene.daemon.get("/healthz")
        await scene.peer.wait(chat=chat, count=1, timeout=PATIENCE)
    assert len(await scene.peer.texts(chat)) == 1
    assert await scene.metric("process_open_fds") < await scene.metric("process_max_fds")


async def test_a_crowd_is_served_within_little_more_memory(scene: Scene) -> None:
    """Addresses are capped with room for the stacks of threads, which are reserved and hardly used."""
    words = "an answer of some length " * 200
    scene.model.script(default={"text": words, "gap": 0.002})
    people = [scene.somebody() for _ in range(25)]
    room, before = status(scene, "VmSize") * 1024 + 512 * MB, status(scene, "VmHWM")
    with limited(scene, resource.RLIMIT_AS, room):
        await scene.peer.say_all([{"chat": chat, "text": "tell me " * 500} for chat in people])
        for chat in people:
            await scene.peer.wait(chat=chat, contains="some length", timeout=PATIENCE)
        assert await scene.metric("process_virtual_memory_bytes") <= room
    assert status(scene, "VmHWM") - before < 64 * 1024
    await scene.forgive()  # so many at once may have made the model slow


async def test_a_control_socket_that_was_swept_away_is_made_anew(scene: Scene) -> None:
    async with scene.counted("firstword_mended_total", what="control_socket"):
        socket_path(Home(scene.daemon.home)).unlink()
        with pytest.raises(BotError):
            await scene.daemon.ask("status")
    assert (await scene.daemon.ask("status"))["running"] == 0


async def test_a_broken_configuration_changes_nothing_until_it_is_mended(scene: Scene) -> None:
    config = scene.daemon.home / "config.json"
    good = config.read_text()
    for bad in ("{", '{"server": {"prot": 1}}', "\0\0"):
        config.write_text(bad)
        async with scene.counted("firstword_settings_read_total", outcome="refused"):
            with pytest.raises(BotError):
                await scene.daemon.ask("reload")
        chat = scene.somebody()
        await scene.answer(chat, "still there?", BACK)
    config.write_text(good)
    async with scene.counted("firstword_settings_read_total", outcome="taken"):
        await scene.daemon.ask("reload")


async def test_a_page_that_vanishes_in_the_middle_finds_the_whole_answer(scene: Scene) -> None:
    words = "one two three four five"
    scene.model.script(default={"text": words, "hold": "until it is gone", "hold_after": 2})
    async with scene.counted("firstword_turns_total", channel="web", outcome="done"):
        async with page(scene.daemon) as shown:
            await shown.say("count", 1)
            await shown.until_shown("one two")
            shown.vanish()
        scene.model.release("until it is gone")
        await scene.daemon.kept("turn WHERE conversation LIKE 'web:%' AND outcome = 'done'", 1)
    async with page(scene.daemon) as shown:
        assert words in shown.shown.values()


async def test_a_program_that_reads_slowly_and_leaves_costs_little_memory(scene: Scene) -> None:
    scene.model.script(default={"text": "words without end and aim " * 8000})
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "go on"}]}
    before = status(scene, "VmHWM")
    url = f"{scene.daemon.address}/v1/chat/completions"
    async with (
        scene.counted("firstword_turns_total", channel="api"),
        aiohttp.ClientSession(headers=HEADERS, read_bufsize=1024) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(3):
            tasks.create_task(slow_reader(session, url, json.dumps(body).encode()))
    assert status(scene, "VmHWM") - before < 40 * 1024
    await until_async(lambda: scene.metric("firstword_turns_running"), lambda value: value == 0)


async def slow_reader(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    """Asks, takes the first bytes, reads nothing for a while and goes without a word."""
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=body, headers=headers) as response:
        await response.content.readany()
        await asyncio.sleep(1.0)
        response.close()


async def test_a_huge_body_is_refused_before_it_fills_memory(scene: Scene) -> None:
    before = status(scene, "VmHWM")

    async def endless() -> Iterator[bytes]:  # type: ignore[misc]
        for _ in range(400):
            yield b"x" * MB

    url = f"{scene.daemon.address}/v1/chat/completions"
    async with (
        scene.counted("firstword_signals_total", channel="api", signal="request_refused"),
        aiohttp.ClientSession(headers=HEADERS) as session,
    ):
        for length in ({"Content-Length": str(400 * MB)}, {}):
            headers = {"Content-Type": "application/json", **length}
            # It may hang up on us in the middle of the body.
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.post(url, data=endless(), headers=headers) as response:
                    assert response.status == 413
    assert status(scene, "VmHWM") - before < 40 * 1024
