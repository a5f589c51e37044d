"""Where a file is asked for: at the homeserver, by what a stranger's event may name; what lies elsewhere by the guarded way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from channels.errors import Gone, Refused
from channels.matrix.wire import Wire

TOKEN = "syt_the_token_of_the_bot"
FILE = "mxc://home.example/AbC_1-2"


class Server:
    """A homeserver that sends a file's reader to where `leads` says; `seen` are its requests."""

    def __init__(self) -> None:
        self.leads: dict[str, str] = {}
        self.seen: list[tuple[str, str]] = []
        self.address = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.raw_path, request.headers.get("Authorization", "")))
        target = self.leads.get(request.path)
        if target is not None:
            return web.Response(status=307, headers={"Location": target})
        return web.Response(body=b"the file")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def opened(server: Server, mxc: str = FILE) -> tuple[bytes, list[str]]:
    """The file, and what was fetched by the guarded way."""
    fetched: list[str] = []

    async def fetch(url: str, max_bytes: int) -> bytes:
        fetched.append(url)
        if "inside" in url:
            raise Refused("fetch", "forbidden: private")
        return b"from elsewhere"

    wire = Wire(server.address)
    wire.token = TOKEN
    try:
        return await wire.download(mxc, 1000, 5.0, fetch), fetched
    finally:
        await wire.close()


WHERE = "/_matrix/client/v1/media/download/home.example/AbC_1-2"


async def test_a_file_is_read_from_the_homeserver_also_from_another_place_of_it(server: Server) -> None:
    assert await opened(server) == (b"the file", [])
    server.leads = {WHERE: "/moved", "/moved": f"{server.address}/again"}
    assert await opened(server) == (b"the file", [])
    assert [path for path, _ in server.seen] == [WHERE, WHERE, "/moved", "/again"]
    assert {shown for _, shown in server.seen} == {f"Bearer {TOKEN}"}


async def test_what_lies_elsewhere_is_fetched_by_the_guarded_way(server: Server) -> None:
    server.leads = {WHERE: "https://files.example/x?signed=1"}
    assert await opened(server) == (b"from elsewhere", ["https://files.example/x?signed=1"])
    server.leads = {WHERE: "http://inside.example/latest"}
    with pytest.raises(Refused):
        await opened(server)
    assert [path for path, _ in server.seen] == [WHERE, WHERE]


@pytest.mark.parametrize("target", [WHERE, "http://[::1/", "http://a:b:c/"])
async def test_what_leads_nowhere_is_given_up(server: Server, target: str) -> None:
    server.leads = {WHERE: target}
    with pytest.raises(Gone):
        await opened(server)
    assert len(server.seen) <= 4


@pytest.mark.parametrize(
    "mxc",
    [
        "mxc://../config",
        "mxc://../..",
        "mxc://./x",
        "mxc://home.example/..",
        "mxc://home.example/a/b",
        "mxc://home.example/a%2f..%2fb",
        "mxc://home.example/a?b",
        "mxc://home.example/a#b",
        "mxc://home.example/",
        "mxc:///a",
        "mxc://a@b/c",
        "http://home.example/a",
        "MXC://home.example/a",
        "mxc://home.example/a\r\nX: y",
        "",
    ],
)
async def test_what_is_no_address_of_a_file_is_not_asked_for(server: Server, mxc: str) -> None:
    with pytest.raises(Gone):
        await opened(server, mxc)
    assert server.seen == []
