"""The way to Anthropic's API over our own HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from providers.anthropic_wire import MESSAGES, Answering, Refusal, headers_for
from providers.base import Connect, Credential
from providers.exchange import Read, Scrub, error_body, failure, lost, send
from providers.http import origin_of
from providers.transport import is_whole, reader_of


class HttpWire:
    """Sends with httpx over the origin's pool."""

    def __init__(self, base_url: str, headers: Mapping[str, str], connect: Connect) -> None:
        self._base_url = base_url
        self._messages = httpx.URL(f"{base_url}{MESSAGES}")  # parsed once: 50 us
        self._headers = headers
        self._connect = connect
        self._origin = origin_of(base_url)

    async def prepare(self) -> None:
        """Nothing to load."""

    async def send(
        self, method: str, path: str, content: bytes | None, credential: Credential, scrub: Scrub
    ) -> Answering | Refusal:
        """See Wire."""
        client: httpx.AsyncClient = self._connect(self._origin)
        request = httpx.Request(
            method,
            self._messages if path == MESSAGES else f"{self._base_url}{path}",
            headers=headers_for(credential, self._headers, has_body=content is not None),
            content=content,
            extensions={"timeout": client.timeout.as_dict()},
        )
        response = await send(client, request, scrub)
        if response.status_code != 200:
            body = await error_body(response)
            return Refusal(response.status_code, body, failure(response, body, scrub))
        return Answering(
            response,
            _reader(response, scrub),
            response.headers.get("request-id", ""),
            lambda: is_whole(response),
        )


def _reader(response: httpx.Response, scrub: Scrub) -> Read:
    raw = reader_of(response)

    async def read() -> bytes:
        try:
            return await raw()
        except httpx.TransportError as error:
            raise lost(error, scrub) from error

    return read
