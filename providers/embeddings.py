"""Vectors over HTTP: what every dialect shares, and OpenAI's `/embeddings`.

A vector is an `array` of 4-byte floats of unit length: 3,072 numbers take 12 KB, as a list they would take 98.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import orjson

from providers.base import CompletionRequest, Credential, PromptMessage, Role
from providers.errors import ErrorKind, ProviderError
from providers.exchange import Scrub, close, error_body, failure, lost, read_up_to, scrubber, send
from providers.openai_request import encode
from providers.transport import reader_of

EMBED_TIMEOUT = 10.0
"""Seconds for one batch, from the request to the last byte."""

OPENAI_BATCH = 96
"""Texts a request. OpenAI takes 2,048, Cohere's compatible endpoint 96; API references, 2026-11."""

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""100 vectors of 4,096 numbers written as text are some 9 MB."""

Vector: TypeAlias = "array[float]"
Explain = Callable[[httpx.Response, bytes, Scrub], ProviderError]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where vectors are asked for. `headers` carry the key. `explain` makes the error of an answer that is no 200."""

    client: httpx.AsyncClient
    url: str
    headers: Mapping[str, str]
    scrub: Scrub
    explain: Explain = failure

    async def post(self, body: Mapping[str, Any], within: float = EMBED_TIMEOUT) -> Any:
        """The answer's JSON to a body of JSON. Raises ProviderError, TOTAL after `within` seconds."""
        return await self.send(encode(body), "application/json", within)

    async def send(self, content: bytes, kind: str, within: float) -> Any:
        """The answer's JSON to a body of any media type. Raises ProviderError, TOTAL after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                text = await self._send(content, kind)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no answer within {within:.0f} s") from error
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ProviderError(ErrorKind.MALFORMED, f"no JSON in the answer ({len(text)} bytes)") from error

    async def _send(self, content: bytes, kind: str) -> bytes:
        request = httpx.Request(
            "POST",
            self.url,
            headers={**self.headers, "content-type": kind, "accept": "application/json"},
            content=content,
            extensions={"timeout": self.client.timeout.as_dict()},
        )
        response = await send(self.client, request, self.scrub)
        try:
            if response.status_code != 200:
                raise self.explain(response, await error_body(response), self.scrub)
            return await read_up_to(reader_of(response), MAX_ANSWER_BYTES)
        except httpx.TransportError as error:
            raise lost(error, self.scrub) from error
        finally:
            await close(response)


def private(texts: Sequence[str], credential: Credential) -> Scrub:
    """A function that takes the key and every piece of the texts out of what goes to logs."""
    messages = tuple(PromptMessage(Role.USER, text) for text in texts)
    return scrubber(CompletionRequest(messages), credential)


async def embed_openai(endpoint: Endpoint, model: str, texts: Sequence[str]) -> list[Vector]:
    """One vector of unit length for each text, in their order, in batches of OPENAI_BATCH. Raises ProviderError."""

    async def ask(batch: Sequence[str]) -> list[Vector]:
        answer = await endpoint.post({"model": model, "input": list(batch)})
        return vectors(lambda: _rows(answer), len(batch))

    return await in_batches(texts, OPENAI_BATCH, ask)


async def in_batches(
    texts: Sequence[str], size: int, ask: Callable[[Sequence[str]], Awaitable[list[Vector]]]
) -> list[Vector]:
    """The vectors of all texts, one batch after the other: the first that fails ends it, nothing is tried again.

    APIs refuse empty texts; one is asked for as a space.
    """
    found: list[Vector] = []
    for batch in batches(texts, size):
        found += await ask([text if text.strip() else " " for text in batch])
    return found


def batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The texts in pieces of `size` at most, in their order."""
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def vectors(rows: Callable[[], Sequence[Sequence[float]]], count: int) -> list[Vector]:
    """The rows as unit vectors. Raises ProviderError(MALFORMED) for anything but `count` vectors of one length."""
    try:
        found = [unit(row) for row in rows()]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ProviderError(ErrorKind.MALFORMED, "an answer that holds no vectors") from error
    if len(found) != count or len({len(each) for each in found}) > 1:
        raise ProviderError(
            ErrorKind.MALFORMED, f"{len(found)} vectors for {count} texts, or of several lengths"
        )
    return found


def unit(values: Sequence[float]) -> Vector:
    """The vector brought to length 1. ValueError for one that has no direction."""
    length = math.sqrt(math.fsum(value * value for value in values))
    if not length or not math.isfinite(length):
        raise ValueError("a vector without a direction")
    return array("f", [value / length for value in values])


def _rows(answer: Any) -> list[Sequence[float]]:
    """The vectors by their index; servers that leave it out answer in the order of the texts."""
    data = answer["data"]
    placed = {row.get("index", place): row["embedding"] for place, row in enumerate(data)}
    return [placed[place] for place in range(len(data))]
