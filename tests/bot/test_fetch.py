"""The fetcher against a server that is not to be trusted."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
import pytest_asyncio

from bot.addresses import all_public
from bot.fetch import Fault, Fetcher, FetchError, look_up

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    given = {
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def redirect(target: str, status: str = "302 Found") -> bytes:
    return answer(status=status, Location=target)


@dataclass
class Server:
    """Answers each path as `pages` say: bytes, or a function that writes by itself."""

    pages: dict[str, bytes | Callable[[Writer], Awaitable[None]]] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: Reader, writer: Writer) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            page = self.pages.get(head.split(" ")[1], answer(status="404 Not Found"))
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str, host: str = "files.example") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield made


NAMES = {
    "files.example": ["127.0.0.1"],
    "inside.example": ["169.254.169.254"],
    "two.example": ["127.0.0.1", "10.0.0.1"],
}


async def known(host: str, port: int) -> Sequence[str]:
    """The names of this test; an address is its own name, as everywhere."""
    if host in NAMES:
        return NAMES[host]
    return await look_up(host, port)


def loopback_is_public(addresses: Sequence[str]) -> bool:
    """The rule of this test: 127.0.0.1 stands for the internet, everything else as it is."""
    return bool(addresses) and all(each == "127.0.0.1" or all_public([each]) for each in addresses)


FETCHER = Fetcher(known, loopback_is_public)


async def fault(url: str, fetcher: Fetcher = FETCHER, **wanted: object) -> FetchError:
    with pytest.raises(FetchError) as raised:
        await fetcher.get(url, **wanted)  # type: ignore[arg-type]
    assert "example" not in str(raised.value)
    return raised.value


async def test_a_page_comes_with_its_media_type_and_nothing_of_ours_goes_out(server: Server) -> None:
    server.pages["/a?b=c"] = answer(b"words", Content_Type="Text/Plain; charset=utf-8", Set_Cookie="a=b")
    for _ in range(2):
        found = await FETCHER.get(server.url("/a?b=c#d"))
        assert (found.data, found.mime) == (b"words", "text/plain; charset=utf-8")
        assert "words" not in repr(found) and "example" not in repr(found)
    assert f"Host: files.example:{server.port}" in server.heads[0]
    assert "User-Agent: firstword" in server.heads[0]
    for name in ("cookie", "authorization", "referer", "b=c#d"):
        assert name not in "".join(server.heads).lower()


async def test_a_name_that_leads_inside_is_not_asked(server: Server) -> None:
    for url in (
        "http://169.254.169.254/latest/meta-data",
        "http://inside.example/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://2852039166/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",
        "http://10.1/",
    ):
        error = await fault(url)
        assert (error.fault, error.detail) == (Fault.FORBIDDEN, "private"), url


async def test_loopback_is_refused_by_the_rule_that_stands(server: Server) -> None:
    server.pages["/"] = answer(b"secret")
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "0", "[::ffff:127.0.0.1]"):
        error = await fault(server.url("/", host), Fetcher(look_up))
        assert (error.fault, error.detail) == (Fault.FORBIDDEN, "private")
    assert server.heads == []


async def test_one_address_inside_among_several_is_enough_to_refuse(server: Server) -> None:
    server.pages["/"] = answer(b"x")
    assert (await fault(server.url("/", "two.example"))).fault is Fault.FORBIDDEN
    assert server.heads == []


async def test_a_name_that_changes_its_mind_is_not_looked_up_twice(server: Server) -> None:
    """Rebinding: the second answer leads inside; what was checked first is what is connected to."""
    server.pages["/"] = answer(b"words")
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    found = await Fetcher(rebinding, loopback_is_public).get(server.url("/"))
    assert found.data == b"words" and len(answers) == 1


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://inside.example/",
        "//[::1]/",
        "http://10.0.0.1:8080/",
    ],
)
async def test_a_redirect_inside_is_refused(server: Server, target: str) -> None:
    server.pages["/"] = redirect(target)
    error = await fault(server.url("/"))
    assert (error.fault, error.detail) == (Fault.FORBIDDEN, "private")


async def test_a_redirect_to_another_kind_of_address_is_refused(server: Server) -> None:
    for target in ("file:///etc/passwd", "ftp://files.example/", "http://a:b@files.example/"):
        server.pages["/"] = redirect(target)
        assert (await fault(server.url("/"))).fault is Fault.FORBIDDEN


async def test_three_redirects_are_followed_and_no_more(server: Server) -> None:
    for step in range(4):
        server.pages[f"/{step}"] = redirect(f"/{step + 1}", "307 Temporary Redirect")
    server.pages["/4"] = answer(b"there")
    assert (await FETCHER.get(server.url("/1"))).data == b"there"
    assert (await fault(server.url("/0"))).fault is Fault.REDIRECTS


async def test_an_answer_that_is_no_success_is_none(server: Server) -> None:
    error = await fault(server.url("/missing"))
    assert (error.fault, error.detail) == (Fault.STATUS, "404")


async def test_only_the_media_types_that_are_wanted_are_read(server: Server) -> None:
    server.pages["/"] = answer(b"<html>", Content_Type="text/html; charset=utf-8")
    error = await fault(server.url("/"), kinds=("image/", "text/plain"))
    assert (error.fault, error.detail) == (Fault.KIND, "text/html")
    assert (await FETCHER.get(server.url("/"), kinds=("text/",))).data == b"<html>"


async def test_what_says_that_it_is_too_large_is_not_read(server: Server) -> None:
    server.pages["/"] = answer(b"x" * 101)
    assert (await fault(server.url("/"), max_bytes=100)).fault is Fault.TOO_LARGE
    assert len((await FETCHER.get(server.url("/"), max_bytes=101)).data) == 101


async def test_a_body_without_end_is_left_at_the_limit(server: Server) -> None:
    async def endless(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    server.pages["/"] = endless
    assert (await fault(server.url("/"), max_bytes=1_000_000)).fault is Fault.TOO_LARGE


async def test_a_body_that_drips_is_left_at_the_deadline(server: Server) -> None:
    async def dripping(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.pages["/"] = dripping
    assert (
        await fault(server.url("/"), Fetcher(known, loopback_is_public, deadline=0.3))
    ).fault is Fault.TOO_SLOW


async def test_a_packed_bomb_is_not_unpacked_beyond_the_limit(server: Server) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server.pages["/"] = answer(bomb, Content_Encoding="gzip")
    assert (await fault(server.url("/"), max_bytes=100_000)).fault is Fault.TOO_LARGE


async def test_what_a_server_packed_all_the_same_is_unpacked(server: Server) -> None:
    packed = gzip.compress(b"words" * 1000)
    server.pages["/"] = answer(packed, Content_Encoding="gzip")
    server.pages["/half"] = answer(packed[:-20], Content_Encoding="gzip")
    server.pages["/none"] = answer(b"not packed", Content_Encoding="gzip")
    server.pages["/odd"] = answer(b"x", Content_Encoding="br")
    assert (await FETCHER.get(server.url("/"))).data == b"words" * 1000
    for path in ("/half", "/none", "/odd"):
        assert (await fault(server.url(path))).fault is Fault.DAMAGED


async def test_a_connection_that_breaks_and_an_unknown_name_are_told_apart(server: Server) -> None:
    server.pages["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    server.pages["/junk"] = b"\x16\x03\x01 no HTTP at all\r\n\r\n"
    assert (await fault(server.url("/"))).fault is Fault.UNREACHABLE
    assert (await fault(server.url("/junk"))).fault is Fault.UNREACHABLE

    async def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    assert (await fault("http://nobody.example/", Fetcher(nobody))).fault is Fault.UNKNOWN
