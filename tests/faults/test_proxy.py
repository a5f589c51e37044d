"""The proxy does to a line what its trouble says, and nothing when it is healthy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.faults.proxy import HEALTHY, Proxy, Trouble, open_proxy

EVENTS = [f"8\r\ndata:{mark}\n\n\r\n".encode() for mark in "abc"]
STREAM = b"".join(EVENTS)


@dataclass(slots=True)
class Peer:
    """Sends `says` to whoever writes to it; keeps what it was told."""

    says: list[bytes] = field(default_factory=lambda: [STREAM])
    heard: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            self.heard += data
            for piece in self.says:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest_asyncio.fixture
async def proxy(peer: Peer) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    async with open_proxy(server.sockets[0].getsockname()[1]) as opened:
        yield opened
    server.close()


async def ask(proxy: Proxy, length: int = len(STREAM)) -> bytes:
    """What comes back, until that many bytes are there or the line ends. ConnectionError: it was reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(b"hello")
        found = b""
        while len(found) < length and (more := await reader.read(1000)):
            found += more
        return found
    finally:
        writer.close()


async def test_a_healthy_line_hands_on_both_ways(proxy: Proxy, peer: Peer) -> None:
    assert await ask(proxy) == STREAM
    assert bytes(peer.heard) == b"hello"
    assert (proxy.opened, proxy.passed) == (1, len(STREAM))


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(latency=0.001, jitter=0.001),
        Trouble(rate=1_000_000.0),
        Trouble(piece=1),
    ],
    ids=["late", "thin", "bytes one by one"],
)
async def test_a_slow_line_hands_on_everything(proxy: Proxy, trouble: Trouble) -> None:
    proxy.trouble = trouble
    assert await ask(proxy) == STREAM


async def test_bytes_come_one_by_one(proxy: Proxy) -> None:
    proxy.trouble = Trouble(piece=1, gap=0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.read(1000) == STREAM[:1]
    writer.close()


async def test_an_end_cuts_the_bytes_there_and_is_a_proper_one(proxy: Proxy) -> None:
    proxy.trouble = Trouble(end_after=7)
    assert await ask(proxy) == STREAM[:7]


@pytest.mark.parametrize("after", [0, 7])
async def test_a_reset_is_one(proxy: Proxy, after: int) -> None:
    proxy.trouble = Trouble(reset_after=after)
    with pytest.raises(ConnectionResetError):
        await ask(proxy)


@pytest.mark.parametrize("trouble", [Trouble(silent_after=7), Trouble(is_mute=True)], ids=["later", "mute"])
async def test_a_silent_line_stays_open_and_silent(proxy: Proxy, trouble: Trouble) -> None:
    proxy.trouble = trouble
    asking = asyncio.create_task(ask(proxy))
    async with asyncio.timeout(10):
        while not proxy.opened or (proxy.passed < 7 and not trouble.is_mute):
            await asyncio.sleep(0)
    assert await ask_healthy(proxy) == STREAM
    assert not asking.done()
    assert proxy.cut() >= 1
    with pytest.raises(ConnectionResetError):
        await asking


async def ask_healthy(proxy: Proxy) -> bytes:
    """Another line beside one that is ill."""
    await proxy.heal()
    return await ask(proxy)


@pytest.mark.parametrize(
    ("trouble", "order"),
    [(Trouble(twice=b":b"), "abbc"), (Trouble(late=b":b"), "acb"), (Trouble(late=b":a"), "bac")],
    ids=["twice", "late", "the first one late"],
)
@pytest.mark.parametrize("says", [[STREAM], EVENTS], ids=["in one piece", "in pieces"])
async def test_an_event_comes_twice_or_late(
    proxy: Proxy, peer: Peer, says: list[bytes], trouble: Trouble, order: str
) -> None:
    peer.says = says
    proxy.trouble = trouble
    expected = b"".join(f"8\r\ndata:{mark}\n\n\r\n".encode() for mark in order)
    assert await ask(proxy, len(expected)) == expected


async def test_who_connects_to_a_proxy_that_is_down_is_refused_until_it_is_up(proxy: Proxy) -> None:
    port = proxy.port
    await proxy.down()
    with pytest.raises(ConnectionRefusedError):
        await ask(proxy)
    await proxy.heal()
    assert proxy.port == port and proxy.trouble == HEALTHY
    assert await ask(proxy) == STREAM


async def test_a_peer_that_is_not_there_is_a_reset(proxy: Proxy, free_port: int) -> None:
    proxy.target = free_port
    with pytest.raises(ConnectionResetError):
        await ask(proxy)
