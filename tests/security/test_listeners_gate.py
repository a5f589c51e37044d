"""The gate before both listeners: slow, many and insistent strangers end; whoever may come in does not notice them."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.gate import LIMITS, Bucket, Limits
from bot.server import Health, Listening, open_servers
from channels.base import Route
from channels.doors import FORWARDED, BadBody, let_in, read_body, visitor
from channels.telegram import SPEC
from tests.channels.telegram.fixtures import peer, peer_process
from tests.channels.telegram.peer.client import Peer
from tests.peers import require_ability
from tests.security.house import LOOPBACK, open_house
from tests.security.test_webhook_telegram import accounts, update

__all__ = ["peer", "peer_process"]

QUICK = Limits(headers=0.2, bodies=0.3, connections=8, rate=0.001, burst=20)
KEY = {"X-Key": "right"}
STATM = Path("/proc/self/statm")
HAS_PROC = STATM.exists()
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Doors:
    """A door of each kind. `opened` is what was done for somebody; `held` lets the patient one answer."""

    def __init__(self) -> None:
        self.opened: list[bytes] = []
        self.held = asyncio.Event()

    def routes(self, *, is_public: bool) -> list[Route]:
        return [
            Route("POST", "/hook", self.hook, is_public),
            Route("GET", "/stream", self.stream, is_public),
            Route("GET", "/late", self.late, is_public),
        ]

    async def hook(self, request: web.Request) -> web.Response:
        """Reads the body of those who have the key."""
        if request.headers.get("X-Key", "").startswith("read"):
            try:
                await read_body(request, 1000 if request.headers["X-Key"] == "read first" else 1_048_576)
            except BadBody as error:
                return web.Response(status=error.status)
            return web.Response(status=401)
        if request.headers.get("X-Key") != "right":
            return web.Response(status=401)
        let_in(request)
        self.opened.append(await read_body(request, 1000, 60))
        return web.Response()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answers at once and goes on for long, as a page's socket does; says nothing to the gate by itself."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.held.wait()
        await response.write(b"last")
        return response

    async def late(self, request: web.Request) -> web.Response:
        """Knows at once who asks, and answers late, as the endpoint for programs does."""
        let_in(request)
        await self.held.wait()
        return web.Response(text="late")


@asynccontextmanager
async def listening(
    limits: Limits = QUICK, *, is_public: bool = True
) -> AsyncIterator[tuple[str, Doors, list[str]]]:
    """A listener with those doors: its address, they, and why strangers were turned away."""
    doors, turned_away = Doors(), list[str]()
    health = Health(lambda: None, lambda: (b"", "text/plain"))
    async with open_servers(
        doors.routes(is_public=is_public),
        health,
        LOOPBACK,
        LOOPBACK,
        limits=limits,
        report=turned_away.append,
    ) as found:
        yield _address(found, is_public=is_public), doors, turned_away
        doors.held.set()


def _address(found: Listening, *, is_public: bool) -> str:
    address = found.public if is_public else found.private
    assert address is not None
    return address


async def connect(address: str, *said: bytes) -> Streams:
    """A connection on which this was said, and nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    for each in said:
        writer.write(each)
    return reader, writer


async def rest(streams: Streams) -> bytes:
    """What comes until the other side ends the connection."""
    reader, writer = streams
    found = b""
    try:
        async with asyncio.timeout(30):
            while chunk := await reader.read(65536):
                found += chunk
    except ConnectionError:
        pass
    writer.close()
    return found


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


HALF = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Key: read first\r\nContent-Length: 900\r\n\r\nhalf"


@pytest.mark.parametrize("is_public", [True, False])
@pytest.mark.parametrize("said", [(), (b"P",), (HALF,), (HALF, b"x\r\n"), (b"\r\n",), (BODY,)])
async def test_a_stranger_who_takes_too_long_is_hung_up_on(
    said: tuple[bytes, ...], *, is_public: bool
) -> None:
    async with listening(is_public=is_public) as (address, doors, turned_away):
        assert await rest(await connect(address, *said)) == b""
        assert (turned_away, doors.opened) == (["slow"], [])


async def test_a_stranger_who_drips_is_hung_up_on_too() -> None:
    async with listening() as (address, doors, turned_away):
        reader, writer = await connect(address, HALF)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(30):
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
                raise ConnectionResetError
        assert (turned_away, doors.opened) == (["slow"], [])
        writer.close()


async def test_who_was_let_in_has_the_time_that_the_door_gives() -> None:
    """Three who were let in outlast a stranger who came after them."""
    head = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
    slow = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Key: right\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf"
    async with listening() as (address, doors, turned_away):
        stream, late, upload = (
            await connect(address, head % b"stream"),
            await connect(address, head % b"late"),
            await connect(address, slow),
        )
        await stream[0].readuntil(b"first")
        for _ in range(2):
            assert await rest(await connect(address, BODY)) == b""
        doors.held.set()
        assert b"last" in await stream[0].readuntil(b"last")
        assert b"late" in await late[0].readuntil(b"late")
        upload[1].write(b"rest")
        assert b"200 OK" in await rest(upload)
        assert (doors.opened, turned_away) == ([b"halfrest"], ["slow", "slow"])
        for _, writer in (stream, late):
            writer.close()


async def test_when_it_is_crowded_the_one_who_has_waited_longest_goes() -> None:
    limits = Limits(headers=60, bodies=60, connections=8)
    async with listening(limits) as (address, doors, turned_away), AsyncExitStack() as stack:
        crowd = [await connect(address, HALF) for _ in range(40)]
        for _, writer in crowd:
            stack.callback(writer.close)
        for streams in crowd[:32]:
            assert await rest(streams) == b""
        async with aiohttp.ClientSession() as session:
            for number in range(20):
                async with session.post(f"{address}/hook", data=f"{number}", headers=KEY) as response:
                    assert response.status == 200
        assert len(doors.opened) == 20
        assert set(turned_away) == {"crowd"} and 32 <= len(turned_away) <= 33


async def test_of_strangers_who_send_much_the_one_who_sent_most_goes() -> None:
    limits = Limits(headers=60, bodies=60, held=20_000)
    async with listening(limits) as (address, doors, turned_away), AsyncExitStack() as stack:
        crowd = [await connect(address, BODY.replace(b"half", b"x" * size)) for size in (800, *[600] * 40)]
        for _, writer in crowd:
            stack.callback(writer.close)
        assert await rest(crowd[0]) == b""
        async with aiohttp.ClientSession() as session:
            for number in range(20):
                async with session.post(f"{address}/hook", data=f"{number}", headers=KEY) as response:
                    assert response.status == 200
        assert len(doors.opened) == 20
        assert set(turned_away) == {"crowd"}


@pytest.mark.slow  # a hundred and sixty megabytes over loopback
async def test_bodies_that_strangers_do_not_end_cost_little_memory() -> None:
    require_ability("Linux's /proc", found=HAS_PROC)
    head = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Key: read large\r\nContent-Length: 1048576\r\n\r\n"
    async with listening(LIMITS) as (address, doors, turned_away), AsyncExitStack() as stack:
        gc.collect()
        before = _resident()
        for _ in range(160):
            _, writer = await connect(address, head, b"x" * 1_000_000)
            stack.callback(writer.close)
            with suppress(ConnectionError):
                await writer.drain()
        # 20 MB of it in a process of its own; one that has run other tests collects what it let go of more seldom.
        assert _resident() - before < 100 * 1024 * 1024, "of 160 MB"
        async with aiohttp.ClientSession() as session, session.post(f"{address}/hook", headers=KEY) as answer:
            assert answer.status == 200
        assert set(turned_away) == {"crowd"} and len(doors.opened) == 1


async def test_what_anybody_may_read_lets_nobody_in() -> None:
    async with listening(is_public=False) as (address, _, turned_away):
        ask = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        statuses = []
        for _ in range(int(QUICK.burst) + 2):
            told = await rest(await connect(address, ask))  # which ends, whatever the visitor would like
            statuses.append(int(told.split()[1]))
        assert statuses == [200] * int(QUICK.burst) + [429] * 2
        assert turned_away == ["rate"] * 2


async def test_a_stranger_who_insists_waits_and_who_has_the_key_does_not() -> None:
    async with (
        listening(is_public=False) as (address, doors, turned_away),
        aiohttp.ClientSession() as session,
    ):
        for number in range(100):  # five times what a stranger may
            async with session.post(f"{address}/hook", data=f"{number}", headers=KEY) as response:
                assert response.status == 200
        found = []
        for headers in ({}, {"X-Key": "wrong"}, {"Authorization": "Bearer x"}, {"X-Device-Token": "x"}) * 6:
            async with session.post(f"{address}/hook", headers=headers) as response:
                found.append((response.status, response.headers.get("Retry-After")))
        statuses = [status for status, _ in found]
        assert statuses == [401] * 20 + [429] * 4
        assert all(int(wait or 0) > 0 for status, wait in found if status == 429)
        async with session.post(f"{address}/hook", headers=KEY) as response:
            assert response.status == 429, "before any credential is looked at"
        neighbour = {"X-Forwarded-For": "203.0.113.9", **KEY}
        async with session.post(f"{address}/hook", headers=neighbour) as response:
            assert response.status == 200
        assert (len(doors.opened), set(turned_away)) == (101, {"rate"})


async def test_a_proxy_that_names_nobody_does_not_shut_out_a_platform() -> None:
    """Behind the public listener only signatures count, and nobody guesses them."""
    async with listening() as (address, doors, turned_away), aiohttp.ClientSession() as session:
        for _ in range(30):
            async with session.post(f"{address}/hook") as response:
                assert response.status == 401
        named = {"X-Forwarded-For": "203.0.113.9"}
        statuses = []
        for _ in range(21):
            async with session.post(f"{address}/hook", headers=named) as response:
                statuses.append(response.status)
        assert statuses == [401] * 20 + [429]
        async with session.post(f"{address}/hook", headers=KEY) as response:
            assert response.status == 200
        assert (len(doors.opened), turned_away) == (1, ["rate"])


def test_tries_come_back_with_time_and_few_visitors_are_remembered() -> None:
    now = 0.0
    bucket = Bucket(Limits(rate=2, burst=3, visitors=2), lambda: now)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take("b") == 0
    now = 0.5
    assert (bucket.take("a"), bucket.take("a")) == (0, 0.5)
    bucket.give_back("a")
    assert bucket.take("a") == 0
    for number in range(100):
        bucket.take(str(number))
    assert len(bucket._levels) == 2  # noqa: SLF001 - that it does not grow is the claim
    now = 1e6
    assert [bucket.take("98") for _ in range(4)] == [0, 0, 0, 0.5], "never more than the burst"


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({}, "127.0.0.1"),
        ({"X-Forwarded-For": "203.0.113.9"}, "203.0.113.9"),
        ({"X-Forwarded-For": "10.0.0.1, 198.51.100.7,203.0.113.9"}, "203.0.113.9"),
        ({"X-Real-IP": "203.0.113.9"}, "203.0.113.9"),
        ({"X-Forwarded-For": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"),
        ({"X-Forwarded-For": "[2001:db8:1:2::9]"}, "2001:db8:1:2::"),
        ({"X-Forwarded-For": "::ffff:203.0.113.9"}, "203.0.113.9"),
        ({"X-Forwarded-For": "unknown"}, "unknown"),
        ({"X-Forwarded-For": "x" * 500}, "x" * 64),
        ({"X-Forwarded-For": ""}, "127.0.0.1"),
    ],
)
async def test_tries_are_counted_for_whom_the_proxy_next_to_us_names(
    headers: dict[str, str], who: str
) -> None:
    found: list[str] = []

    async def note(request: web.Request) -> web.Response:
        found.append(visitor(request))
        return web.Response()

    health = Health(lambda: None, lambda: (b"", "text/plain"))
    async with (
        open_servers([Route("GET", "/", note)], health, LOOPBACK, LOOPBACK) as where,
        aiohttp.ClientSession() as session,
        session.get(where.private, headers=headers),
    ):
        assert found == [who]


async def test_whom_a_proxy_brings_does_not_sit_at_this_machine() -> None:
    """Whatever header it says that with; without a token only this machine's own are let in."""
    health = Health(lambda: None, lambda: (b"", "text/plain"))
    found = {}
    async with (
        open_servers((), health, LOOPBACK, LOOPBACK) as where,
        aiohttp.ClientSession() as session,
    ):
        for name in ("X-None", *FORWARDED):
            async with session.get(f"{where.private}/metrics", headers={name.lower(): "x"}) as response:
                found[name] = response.status
    assert found == {"X-None": 200, **dict.fromkeys(FORWARDED, 401)}


async def test_what_is_no_http_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as (address, doors, _):
        for said in (
            b"\x16\x03\x01\x02\x00\x01" + bytes(200),
            b"GET / HTTP/9.9\r\n\r\n",
            b"X" * 20_000,
            HALF + b"x" * 20_000,
        ):
            await rest(await connect(address, said))
        assert doors.opened == []
    assert [record.getMessage() for record in caplog.records if "aiohttp" in record.name] == []


async def test_two_lengths_for_one_body_are_refused() -> None:
    """Request smuggling: what a proxy takes for the body, we might take for a second request."""
    smuggled = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Key: right\r\nContent-Length: 0\r\n\r\n"
    heads = (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(smuggled),
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length: +4\r\n",
    )
    async with listening() as (address, doors, _):
        for head in heads:
            said = b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Key: wrong\r\n" + head + b"\r\n0\r\n\r\n" + smuggled
            assert b" 200 " not in await rest(await connect(address, said))
        assert doors.opened == []


@pytest.mark.slow  # five hundred connections, and a message to answer beside them
async def test_five_hundred_slow_strangers_cost_little_and_nobody_waits_for_them(
    peer: Peer, tmp_path: Path
) -> None:
    require_ability("Linux's /proc", found=HAS_PROC)
    async with open_house(tmp_path, SPEC, accounts(peer)) as house, AsyncExitStack() as stack:
        gc.collect()
        before = _resident()
        halves = (
            HALF,
            b"POST /telegram/main HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 4000,
        )
        crowd = [await connect(house.public, halves[number % 2]) for number in range(500)]
        for _, writer in crowd:
            stack.callback(writer.close)
        async with aiohttp.ClientSession() as session:
            for number in range(1, 3):
                assert await update(number, f"question {number}").send(session, house.public) == 200
                await house.answered(number)
        assert len(house.inside.provider.asked) == 2
        assert _resident() - before < 50 * 1024 * 1024
        assert set(house.turned_away) <= {"crowd"}
