"""What the provider needs of a way to Anthropic's API: one by its SDK, one by our own HTTP.

Both send the same bytes and hand back the answer's body as it comes; only how a request is sent differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from providers.base import Credential
from providers.errors import ProviderError
from providers.exchange import Read, Scrub

VERSION = "2023-06-01"
"""The header anthropic-version. anthropic 2.11, _client.py."""

MESSAGES, MODELS = "/v1/messages", "/v1/models"

MAX_BYTES = 8 * 1024 * 1024
"""Of an answer that is no stream."""


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer of status 200. `read` raises ProviderError; `response` is closed by whoever asked."""

    response: Any
    read: Read
    request_id: str
    is_whole: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of another status, its body and what it means."""

    status: int
    body: bytes
    error: ProviderError


class Wire(Protocol):
    """A way to the API. Raises ProviderError where no answer comes; has no deadlines of its own."""

    async def prepare(self) -> None:
        """Load what has to be loaded, off the loop."""

    async def send(
        self, method: str, path: str, content: bytes | None, credential: Credential, scrub: Scrub
    ) -> Answering | Refusal:
        """Send a request; returns when the answer's head is there, or an error's body."""


def headers_for(credential: Credential, given: Mapping[str, str], *, has_body: bool) -> dict[str, str]:
    """The headers of a request. The key stands in x-api-key and nowhere else."""
    headers = {
        "accept-encoding": "identity",  # a compressed stream waits for its compressor
        "user-agent": "firstword",
        "anthropic-version": VERSION,
        **given,
    }
    if credential.secret is not None:
        headers["x-api-key"] = credential.secret.get_secret_value()
    if has_body:
        headers |= {"content-type": "application/json", "accept": "text/event-stream, application/json"}
    return headers
