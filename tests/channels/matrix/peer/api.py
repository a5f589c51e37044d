"""One user's connection to the client-server API: plain HTTP, no Matrix library."""

from __future__ import annotations

import itertools
import secrets
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

V3 = "/_matrix/client/v3"
_COUNTER = itertools.count(1)
_RUN = secrets.token_hex(4)


class MatrixError(Exception):
    """The server refused: HTTP status, `errcode` and the words of its body, `retry_after_ms` where it is limited."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.errcode = str(body.get("errcode", "M_UNKNOWN"))
        self.retry_after_ms: int | None = body.get("retry_after_ms")
        super().__init__(f"{status} {self.errcode}: {body.get('error', '')}")


def part(text: str) -> str:
    """A room id, event id and the like as a part of a path."""
    return quote(text, safe="")


def transaction() -> str:
    """A transaction id that this run has not used."""
    return f"t{_RUN}-{next(_COUNTER)}"


def unique(name: str) -> str:
    """A localpart that nobody on the server has: tests share one server."""
    return f"{name}-{_RUN}{next(_COUNTER)}"


class Api:
    """Calls with one access token. `url` may be the server's or a relay's."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session = session
        self.url = url
        self._token = token

    async def call(
        self, method: str, path: str, body: Any = None, *, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """One request with a JSON body. Raises MatrixError for every status that is not 2xx."""
        data = orjson.dumps({} if body is None and method in {"POST", "PUT"} else body)
        return await self._call(method, path, None if method == "GET" else data, "application/json", query)

    async def upload(self, name: str, mime: str, data: bytes) -> str:
        """Put a file into the media store; returns its mxc URI."""
        found = await self._call("POST", "/_matrix/media/v3/upload", data, mime, {"filename": name})
        return str(found["content_uri"])

    async def download(self, uri: str) -> bytes:
        """The bytes of an mxc URI (authenticated media)."""
        path = f"/_matrix/client/v1/media/download/{uri.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self.session.get(self.url + path, headers=headers) as response:
            if response.status != 200:
                raise MatrixError(response.status, orjson.loads(await response.read()))
            return await response.read()

    async def _call(
        self, method: str, path: str, data: bytes | None, mime: str, query: dict[str, str] | None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": mime}
        # aiohttp would decode the escapes of a part and send another path.
        url = URL(self.url + path, encoded=True)
        if query:
            url = url.extend_query(query)
        async with self.session.request(method, url, data=data, headers=headers) as response:
            found: dict[str, Any] = orjson.loads(await response.read() or b"{}")
            if response.status // 100 != 2:
                raise MatrixError(response.status, found)
            return found
