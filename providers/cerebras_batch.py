"""Cerebras' Batch API over plain HTTP; its package does not know it (1.91, resources/, 2026-11).

Many requests are answered within a day at half the price (Cerebras docs, "Batch", 2026-11).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from providers.base import Batch, CompletionRequest, Connect, Credential
from providers.cerebras_batch_file import ENDPOINT, batch_file, read_batch, result_files
from providers.errors import ErrorKind, ProviderError
from providers.exchange import close, error_body, failure, lost, read_up_to, scrubber, send
from providers.http import origin_of
from providers.openai_client import headers_for
from providers.transport import reader_of

CALL_TIMEOUT = 30.0
FILE_TIMEOUT = 600.0
"""Seconds to send or fetch a file of up to 200 MB."""

MAX_BYTES = 8 * 1024 * 1024
"""Of an answer that is no file."""


class Batches:
    """Files and batches of one endpoint; see providers.base.RunsBatches."""

    def __init__(self, base_url: str, headers: Mapping[str, str], connect: Connect) -> None:
        self._base_url = base_url
        self._origin = origin_of(base_url)
        self._headers = headers
        self._connect = connect

    async def submit(self, requests: bytes, credential: Credential) -> Batch:
        """Send the file, then make a batch of it."""
        data = await asyncio.to_thread(batch_file, requests)
        parts = {
            "files": {"file": ("batch.jsonl", BytesIO(data), "application/jsonl")},
            "data": {"purpose": "batch"},
        }
        file = await self._call("POST", "/files", credential, FILE_TIMEOUT, **parts)
        try:
            file_id = str(file["id"])
        except (KeyError, TypeError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "an uploaded file without an id") from error
        wanted = {"input_file_id": file_id, "endpoint": ENDPOINT, "completion_window": "24h"}
        return read_batch(await self._call("POST", "/batches", credential, content=orjson.dumps(wanted)))

    async def all(self, credential: Credential) -> Sequence[Batch]:
        """The first page of the list: the newest."""
        said = await self._call("GET", "/batches", credential)
        rows = said.get("data") if isinstance(said, dict) else None
        if not isinstance(rows, list):
            raise ProviderError(ErrorKind.MALFORMED, "no list of batches")
        return tuple(read_batch(row) for row in rows)

    async def one(self, batch_id: str, credential: Credential) -> Batch:
        """How far one is."""
        return read_batch(await self._call("GET", f"/batches/{quote(batch_id, safe='')}", credential))

    async def cancel(self, batch_id: str, credential: Credential) -> Batch:
        """Stop one."""
        path = f"/batches/{quote(batch_id, safe='')}/cancel"
        return read_batch(await self._call("POST", path, credential))

    async def results(self, batch_id: str, credential: Credential) -> AsyncIterator[bytes]:
        """Pieces of the file with answers, then of the one with failures."""
        said = await self._call("GET", f"/batches/{quote(batch_id, safe='')}", credential)
        if not read_batch(said).is_over:
            return
        for file_id in result_files(said):
            path = f"/files/{quote(file_id, safe='')}/content"
            async for piece in self._file(path, credential):
                yield piece

    async def _file(self, path: str, credential: Credential) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + FILE_TIMEOUT
        scrub = scrubber(CompletionRequest(()), credential)
        response: httpx.Response | None = None
        try:
            # each step has what is left of the time: a deadline around a `yield` would end in the caller's code
            async with asyncio.timeout_at(ends):
                response = await self._send("GET", path, credential)
            read = reader_of(response)
            while True:
                async with asyncio.timeout_at(ends):
                    piece = await read()
                if not piece:
                    return
                yield piece
        except httpx.TransportError as error:
            raise lost(error, scrub) from error
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no whole file within {FILE_TIMEOUT:.0f} s") from error
        finally:
            if response is not None:
                await close(response)

    async def _call(
        self, method: str, path: str, credential: Credential, deadline: float = CALL_TIMEOUT, **sent: Any
    ) -> Any:
        scrub = scrubber(CompletionRequest(()), credential)
        try:
            async with asyncio.timeout(deadline):
                response = await self._send(method, path, credential, **sent)
                try:
                    return orjson.loads(await read_up_to(reader_of(response), MAX_BYTES))
                finally:
                    await close(response)
        except httpx.TransportError as error:
            raise lost(error, scrub) from error
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no answer within {deadline:.0f} s") from error
        except orjson.JSONDecodeError as error:
            raise ProviderError(ErrorKind.MALFORMED, "no JSON in the answer") from error

    async def _send(self, method: str, path: str, credential: Credential, **sent: Any) -> httpx.Response:
        """The answer of status 200; ProviderError for any other."""
        scrub = scrubber(CompletionRequest(()), credential)
        client: httpx.AsyncClient = self._connect(self._origin)
        headers = headers_for(credential, self._headers, has_body=False)
        if "content" in sent:
            headers["content-type"] = "application/json"
        request = httpx.Request(
            method,
            f"{self._base_url}{path}",
            headers=headers,
            extensions={"timeout": client.timeout.as_dict()},
            **sent,
        )
        response = await send(client, request, scrub)
        if response.status_code != 200:
            raise failure(response, await error_body(response), scrub)
        return response
