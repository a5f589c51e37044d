"""The ways a question takes to Cerebras: our own HTTP here, its package in cerebras_sdk. Both send the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import httpx

from providers.base import Connect, Credential
from providers.exchange import Scrub, send
from providers.http import origin_of
from providers.openai_client import headers_for

ANSWER = "/chat/completions"


class Wire(Protocol):
    """A way to ask. Has no deadlines of its own."""

    async def prepare(self) -> None:
        """Load what has to be loaded, off the loop."""

    async def send(
        self, content: bytes, headers: Mapping[str, str], credential: Credential, scrub: Scrub
    ) -> httpx.Response:
        """Send a body; the answer when its head is there, whatever its status. Raises ProviderError."""


class HttpWire:
    """Sends over the origin's pool."""

    def __init__(self, base_url: str, headers: Mapping[str, str], connect: Connect) -> None:
        self._url = httpx.URL(f"{base_url}{ANSWER}")
        self._origin = origin_of(base_url)
        self._headers = headers
        self._connect = connect

    async def prepare(self) -> None:
        """Nothing to load."""

    async def send(
        self, content: bytes, headers: Mapping[str, str], credential: Credential, scrub: Scrub
    ) -> httpx.Response:
        """See Wire."""
        client: httpx.AsyncClient = self._connect(self._origin)
        sent = headers_for(credential, self._headers, has_body=True)
        request = httpx.Request(
            "POST",
            self._url,
            headers={**sent, **headers},
            content=content,
            extensions={"timeout": client.timeout.as_dict()},
        )
        return await send(client, request, scrub)
