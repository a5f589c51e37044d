"""Origins, proxies and the shared clients."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest

from providers.http import Pools, is_loopback, origin_of, proxies, proxy_for
from tests.providers.peer import Do, Peer, whole


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.com/v1", "https://api.example.com"),
        ("http://127.0.0.1:8000/v1?x#y", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://user:pass@api.example.com", "https://api.example.com"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "/v1", "", "http://"])
def test_what_is_no_web_address_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        origin_of(url)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://0.0.0.0", False),
        ("http://127.0.0.1.example.com", False),
        ("http://192.168.0.1", False),
    ],
)
def test_loopback_is_this_machine_only(url: str, *, here: bool) -> None:
    assert is_loopback(url) is here


ENVIRON = {
    "HTTPS_PROXY": "http://proxy:3128",
    "http_proxy": "other:80",
    "NO_PROXY": "internal, .corp.example",
}


@pytest.mark.parametrize(
    ("origin", "proxy"),
    [
        ("https://api.example.com", "http://proxy:3128"),
        ("http://api.example.com", "http://other:80"),
        ("https://127.0.0.1:1", None),
        ("https://localhost", None),
        ("https://internal", None),
        ("https://a.corp.example", None),
        ("https://corp.example", None),
        ("https://notcorp.example", "http://proxy:3128"),
    ],
)
def test_the_proxy_of_an_origin(origin: str, proxy: str | None) -> None:
    assert proxy_for(origin, proxies(ENVIRON)) == proxy


def test_all_proxy_serves_what_has_no_proxy_of_its_own_and_a_star_exempts_all() -> None:
    assert proxy_for("https://x", proxies({"ALL_PROXY": "http://p:1"})) == "http://p:1"
    assert proxy_for("https://x", proxies({"ALL_PROXY": "http://p:1", "no_proxy": "*"})) is None
    assert proxy_for("https://x", proxies({})) is None


def test_a_kind_of_proxy_that_is_not_supported_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="socks5"):
        proxy_for("https://x", proxies({"HTTPS_PROXY": "socks5://p:1"}))


async def test_a_kind_of_proxy_that_is_not_supported_fails_requests_and_nothing_else() -> None:
    async with Pools(environ={"ALL_PROXY": "socks5://127.0.0.1:1"}) as pools:
        client = pools.client("https://api.example.com")
        with pytest.raises(httpx.ProxyError, match="socks5"):
            await client.get("https://api.example.com/")


async def test_a_plain_request_goes_through_the_proxy(peer: Peer) -> None:
    peer.play([whole(b"through")])
    async with Pools(environ={"HTTP_PROXY": f"http://me:secret@127.0.0.1:{peer.port}"}) as pools:
        answer = await pools.client("http://api.example.com").get("http://api.example.com/v1/models")
    assert answer.text == "through"
    assert peer.requests[0].startswith(b"GET http://api.example.com/v1/models HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in peer.requests[0]


async def test_a_secure_request_asks_the_proxy_for_a_tunnel_and_shows_it_no_key(peer: Peer) -> None:
    peer.play([whole(b"", status="403 Forbidden")])
    async with Pools(environ={"HTTPS_PROXY": f"http://127.0.0.1:{peer.port}"}) as pools:
        client = pools.client("https://api.example.com")
        with pytest.raises(httpx.ProxyError):
            await client.get("https://api.example.com/", headers={"Authorization": "Bearer secret"})
    assert peer.requests[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"secret" not in peer.requests[0]


async def test_a_proxy_that_is_not_there_was_never_sent_to() -> None:
    async with Pools(environ={"HTTP_PROXY": "http://127.0.0.1:1"}) as pools:
        with pytest.raises(httpx.ProxyError):
            await pools.client("http://api.example.com").get("http://api.example.com")


async def test_an_origin_has_one_client_and_others_have_their_own(pools: Pools) -> None:
    assert pools("https://a.example/v1") is pools.client("https://a.example")
    assert pools("https://a.example") is not pools("https://b.example")


async def test_a_silent_endpoint_does_not_hold_up_the_loop(pools: Pools, peer: Peer) -> None:
    peer.play([Do.HANG])
    task = asyncio.create_task(pools.client(peer.origin).get(peer.origin))
    await peer.until_asked()
    turns = 0
    while turns < 100:
        await asyncio.sleep(0)
        turns += 1
    assert not task.done()
    task.cancel()


def test_importing_the_specs_loads_no_http_client() -> None:
    code = (
        "import sys; import providers.openai_compatible, providers.demo, providers.presets, providers.detect;"
        "print(sorted({'httpx', 'aiohttp', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_both_stacks_share_an_origins_connections(pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"one"), Do.NEXT, whole(b"two"), Do.HANG])
    assert (await pools(peer.origin, "httpx2").get(peer.origin)).content == b"one"
    assert (await pools(peer.origin).get(peer.origin)).content == b"two"
    assert len(peer.connections) == 1


async def test_a_stack_that_is_not_known_is_refused_by_name(pools: Pools) -> None:
    with pytest.raises(ValueError, match="httpx, httpx2"):
        pools("https://a.example", "urllib")
