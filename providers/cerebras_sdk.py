"""The way to Cerebras through its package, which makes and sends the requests; we read the raw stream ourselves.

What cerebras-cloud-sdk 1.91 would do by itself (its _client.py and _streaming.py, 2026-11): open a connection while
its client is made, on the loop and with up to 4 s of waiting, and again with every `with_options`; try again; look for
a key; stop reading at [DONE], so that no connection is used twice. All of that is switched off or left alone here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from providers.base import Connect, Credential
from providers.cerebras_wire import ANSWER
from providers.errors import ErrorKind, ProviderError
from providers.exchange import MAX_ERROR_BYTES, Scrub, lost
from providers.http import origin_of
from providers.openai_client import headers_for

if TYPE_CHECKING:
    from cerebras.cloud.sdk import AsyncCerebras


class SdkWire:
    """Sends with the package's client over the origin's pool."""

    def __init__(self, base_url: str, headers: Mapping[str, str], connect: Connect) -> None:
        self._base_url = base_url
        self._headers = headers
        self._connect = connect
        self._client: AsyncCerebras | None = None
        self._loading = asyncio.Lock()

    async def prepare(self) -> None:
        """Import the package and make its client, in a thread."""
        await self._loaded()

    async def send(
        self, content: bytes, headers: Mapping[str, str], credential: Credential, scrub: Scrub
    ) -> httpx.Response:
        """See Wire."""
        client = self._client or await self._loaded()
        from cerebras.cloud.sdk import APIConnectionError, APIStatusError

        given: Any = {"headers": _sent({**self._headers, **headers}, credential)}
        try:
            # `cast_to`: the response as it is, with its body unread
            how: Any = {"cast_to": httpx.Response, "options": given, "stream": True}
            response: httpx.Response = await client.post(ANSWER, content=content, **how)
        except APIStatusError as error:
            return _refused(error.response)
        except APIConnectionError as error:
            raise _lost(error, scrub) from error
        except httpx.TransportError as error:  # the body of an error that breaks off
            raise lost(error, scrub) from error
        return response

    async def _loaded(self) -> AsyncCerebras:
        async with self._loading:
            if self._client is None:
                http: httpx.AsyncClient = self._connect(origin_of(self._base_url))
                self._client = await asyncio.to_thread(_make, self._base_url, http)
            return self._client


def _make(base_url: str, http: httpx.AsyncClient) -> AsyncCerebras:
    """The package's client. A key that is given, though empty, keeps it from looking for one."""
    was_collecting = gc.isenabled()
    gc.disable()  # an import of many modules starts collections, which hold every thread
    try:
        from cerebras.cloud.sdk import AsyncCerebras
    finally:
        if was_collecting:
            gc.enable()
    logging.getLogger("cerebras").setLevel(logging.WARNING)  # its DEBUG prints requests
    return AsyncCerebras(
        api_key="",
        base_url=base_url,
        max_retries=0,
        timeout=http.timeout,
        http_client=http,
        warm_tcp_connection=False,
    )


def _sent(given: Mapping[str, str], credential: Credential) -> Mapping[str, Any]:
    """The headers, written as the package writes its own: it goes by the letters' case (1.91, _base_client.py)."""
    from cerebras.cloud.sdk import Omit

    headers: dict[str, Any] = {
        name.title(): value for name, value in headers_for(credential, given, has_body=True).items()
    }
    return {"Authorization": Omit(), **headers}


def _refused(response: httpx.Response) -> httpx.Response:
    """An error's answer with the beginning of its body, which the package has read and unpacked."""
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
    ]
    content = response.content[:MAX_ERROR_BYTES]
    return httpx.Response(response.status_code, headers=headers, content=content, request=response.request)


def _lost(error: BaseException, scrub: Scrub) -> ProviderError:
    cause = error.__cause__
    if isinstance(cause, httpx.TransportError):
        return lost(cause, scrub)
    return ProviderError(ErrorKind.INCOMPLETE, scrub(f"{type(cause).__name__}: {cause}"))
