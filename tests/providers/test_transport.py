"""What goes wrong on the wire, told apart by whether the request was sent; every case against a real socket."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from providers import transport, transport2
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.peer import END, Do, Peer, chunk, head, whole


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def lib(request: pytest.FixtureRequest) -> Any:
    """Both stand over the same pools; every rule holds for both."""
    return request.param


def not_http(lib: Any) -> type[Exception]:
    return transport.NotHttp if lib is httpx else transport2.NotHttp


def reader_of(lib: Any, response: Any) -> Callable[[], Awaitable[bytes]]:
    return transport.reader_of(response) if lib is httpx else transport2.reader_of(response)


async def get(lib: Any, pools: Pools, url: str) -> Any:
    return await pools(url, lib.__name__).get(url)


async def post(lib: Any, pools: Pools, url: str) -> Any:
    return await pools(url, lib.__name__).post(url, content=b"{}")


def test_never_sent_and_sent_are_different_families(lib: Any) -> None:
    never_sent = (lib.ConnectError, lib.ConnectTimeout, lib.ProxyError)
    assert not issubclass(not_http(lib), never_sent)
    assert not issubclass(lib.RemoteProtocolError, never_sent)
    assert not issubclass(lib.ReadError, never_sent)


async def test_a_refused_connection_was_never_sent(lib: Any, pools: Pools) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(lib.ConnectError):
        await get(lib, pools, f"http://127.0.0.1:{port}/")


async def test_a_name_that_does_not_exist_was_never_sent(lib: Any, pools: Pools) -> None:
    with pytest.raises(lib.ConnectError):
        await get(lib, pools, "http://nobody.invalid/")


async def test_a_name_that_cannot_exist_was_never_sent(lib: Any, pools: Pools) -> None:
    with pytest.raises(lib.ConnectError, match="no host name"):
        await get(lib, pools, f"http://{'a' * 70}.example/")


async def test_a_server_that_speaks_no_tls_was_never_sent_to(lib: Any, pools: Pools) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        with pytest.raises(lib.ConnectError):
            await get(lib, pools, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def test_a_certificate_of_nobody_was_never_sent_to(lib: Any, pools: Pools, tls: ssl.SSLContext) -> None:
    async with Peer(tls) as peer:
        with pytest.raises(lib.ConnectError, match=r"(?i)certificate"):
            await get(lib, pools, peer.origin)
        assert peer.requests == []


async def test_a_handshake_that_never_ends_is_a_connect_timeout(
    lib: Any,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with Pools(connect_timeout=0.1, trust_env=False) as pools:
            with pytest.raises(lib.ConnectTimeout):
                await get(lib, pools, f"https://127.0.0.1:{listening.getsockname()[1]}/")


async def test_a_closed_pool_was_never_sent_to(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"{}")])
    await get(lib, pools, peer.origin)
    await pools.aclose()
    with pytest.raises(lib.ConnectError, match="closed"):
        await get(lib, pools, peer.origin)


async def test_a_connection_that_closes_instead_of_answering_was_sent(
    lib: Any, pools: Pools, peer: Peer
) -> None:
    peer.play([Do.CLOSE])
    with pytest.raises(lib.RemoteProtocolError) as caught:
        await post(lib, pools, peer.origin)
    assert not isinstance(caught.value, not_http(lib))
    assert len(peer.requests) == 1


async def test_a_connection_that_is_reset_instead_of_answering_was_sent(
    lib: Any, pools: Pools, peer: Peer
) -> None:
    peer.play([Do.RESET])
    with pytest.raises((lib.ReadError, lib.RemoteProtocolError)):
        await post(lib, pools, peer.origin)
    assert len(peer.requests) == 1


async def test_an_answer_that_is_not_http_says_so(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([b"220 mail.example ESMTP\r\n\r\n", Do.CLOSE])
    with pytest.raises(not_http(lib)):
        await post(lib, pools, peer.origin)


@pytest.mark.parametrize("ending", [Do.CLOSE, Do.RESET])
async def test_a_body_that_breaks_off_is_an_error_after_its_bytes(
    lib: Any, pools: Pools, peer: Peer, ending: Do
) -> None:
    read_one = asyncio.Event()
    peer.play([head(), chunk(b"one"), read_one, ending])
    async with pools(peer.origin, lib.__name__).stream("GET", peer.origin) as response:
        read = reader_of(lib, response)
        assert await read() == b"one"
        read_one.set()
        with pytest.raises((lib.RemoteProtocolError, lib.ReadError)):
            await read()


async def test_a_read_timeout_of_the_caller_is_kept(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([Do.HANG])
    with pytest.raises(lib.ReadTimeout):
        await pools(peer.origin, lib.__name__).get(peer.origin, timeout=lib.Timeout(0.05))
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)


async def test_a_body_read_to_its_end_gives_the_connection_back(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([head(), chunk(b"one"), END, Do.NEXT, whole(b"two"), Do.HANG])
    assert (await get(lib, pools, peer.origin)).content == b"one"
    assert (await get(lib, pools, peer.origin)).content == b"two"
    assert len(peer.connections) == 1


async def test_a_response_that_is_left_early_closes_the_connection_at_once(
    lib: Any, pools: Pools, peer: Peer
) -> None:
    peer.play([head(), chunk(b"one"), Do.HANG])
    async with pools(peer.origin, lib.__name__).stream("GET", peer.origin) as response:
        assert await reader_of(lib, response)() == b"one"
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)


async def test_a_request_that_is_cancelled_before_the_answer_closes_the_connection(
    lib: Any, pools: Pools, peer: Peer
) -> None:
    peer.play([Do.HANG])
    task = asyncio.create_task(get(lib, pools, peer.origin))
    await peer.until_asked()
    task.cancel()
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_redirects_are_not_followed(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"", status="302 Found", more="Location: http://127.0.0.1:1/\r\n")])
    assert (await get(lib, pools, peer.origin)).status_code == 302


async def test_cookies_are_not_kept(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"", more="Set-Cookie: who=me; Path=/\r\n"), Do.NEXT, whole(b""), Do.HANG])
    await get(lib, pools, peer.origin)
    await get(lib, pools, peer.origin)
    assert b"who=me" not in peer.requests[1]
    assert not pools(peer.origin, lib.__name__).cookies


async def test_a_compressed_body_arrives_as_httpx_would_give_it(lib: Any, pools: Pools, peer: Peer) -> None:
    packed = gzip.compress(b"hello")
    peer.play([whole(packed, more="Content-Encoding: gzip\r\n")])
    assert (await get(lib, pools, peer.origin)).text == "hello"


async def test_the_fast_reader_unpacks_a_compressed_body(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(gzip.compress(b"hello"), more="Content-Encoding: gzip\r\n")])
    async with pools(peer.origin, lib.__name__).stream("GET", peer.origin) as response:
        read = reader_of(lib, response)
        assert await read() == b"hello"
        assert await read() == b""


async def test_the_request_goes_out_as_it_was_built(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"")])
    headers = {"accept-encoding": "identity", "user-agent": "me"}
    await pools(peer.origin, lib.__name__).post(
        f"{peer.origin}/a%2Fb?c=d%20e", content=b"body", headers=headers
    )
    top, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = [line.lower() for line in top.split(b"\r\n")]
    assert lines[0] == b"post /a%2fb?c=d%20e http/1.1"
    assert body == b"body"
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert sorted(names) == sorted(set(names))
    assert b"user-agent: me" in lines and b"accept-encoding: identity" in lines


async def test_a_large_request_body_arrives_whole(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"")])
    await pools(peer.origin, lib.__name__).post(peer.origin, content=b"x" * 3_000_000)
    top, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert b"content-length: 3000000" in top.lower()
    assert body == b"x" * 3_000_000


async def test_a_streamed_request_body_arrives(lib: Any, pools: Pools, mock_model: MockModel) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"model":"m",'
        yield b'"messages":[{"role":"user","content":"hi"}]}'

    url = f"{mock_model.base_url}/chat/completions"
    answer = await pools(url, lib.__name__).post(url, content=body())
    assert answer.json()["choices"][0]["message"]["role"] == "assistant"


async def test_a_form_with_a_file_arrives_with_its_length(lib: Any, pools: Pools, peer: Peer) -> None:
    peer.play((whole(b"ok"),))
    client = pools(peer.origin, lib.__name__)
    form = {"files": {"file": ("a.jsonl", b"x" * 300_000)}, "data": {"purpose": "batch"}}
    assert (await client.post(f"{peer.origin}/", **form)).text == "ok"
    top, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in top.lower()
    assert body.count(b"x" * 300_000) == 1
    assert b'name="purpose"' in body


async def test_a_kept_connection_that_the_server_closes_as_it_is_used_is_replaced(
    lib: Any, peer: Peer
) -> None:
    peer.play([whole(b"one"), Do.NEXT, Do.CLOSE], [whole(b"two")])
    async with Pools(trust_env=False, stale_after=0.0) as pools:
        assert (await post(lib, pools, peer.origin)).content == b"one"
        assert (await post(lib, pools, peer.origin)).content == b"two"
    assert len(peer.connections) == 2


async def test_a_request_is_never_sent_a_second_time_on_a_fresh_connection(lib: Any, peer: Peer) -> None:
    peer.play([Do.CLOSE])
    async with Pools(trust_env=False, stale_after=0.0) as pools:
        with pytest.raises(lib.RemoteProtocolError):
            await post(lib, pools, peer.origin)
    assert len(peer.requests) == 1


async def test_a_body_that_is_gone_is_not_sent_a_second_time(lib: Any, peer: Peer) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    peer.play([whole(b"one"), Do.NEXT, Do.CLOSE])
    async with Pools(trust_env=False, stale_after=0.0) as pools:
        await post(lib, pools, peer.origin)
        with pytest.raises((lib.RemoteProtocolError, lib.WriteError)):
            await pools(peer.origin, lib.__name__).post(peer.origin, content=body())
    assert len(peer.requests) == 2


async def test_a_connection_that_idled_for_a_moment_only_is_not_taken_for_stale(lib: Any, peer: Peer) -> None:
    peer.play([whole(b"one"), Do.NEXT, Do.CLOSE])
    async with Pools(trust_env=False, stale_after=60.0) as pools:
        await post(lib, pools, peer.origin)
        with pytest.raises(lib.RemoteProtocolError):
            await post(lib, pools, peer.origin)
    assert len(peer.requests) == 2


@pytest.fixture
def tls() -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that nobody has signed, made for this test alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("untrusted.pem"))
    return context
