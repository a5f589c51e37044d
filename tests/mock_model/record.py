"""What happened to every request, and waiting for it to happen."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

LIMIT = 50_000
"""Requests kept; the oldest leave first and are counted."""

SECRET_HEADERS = frozenset(
    "authorization x-api-key api-key x-goog-api-key proxy-authorization cookie".split()
)
SECRET_QUERY = frozenset("key api_key apikey access_token token".split())


def hidden(secret: str) -> str:
    """What the record shows in place of a secret: the same for the same secret, and no way back."""
    return f"#{sha256(secret.encode()).hexdigest()[:12]}" if secret else ""


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as the record shows them; of a Bearer token the scheme stays."""
    shown = dict(headers)
    for name in SECRET_HEADERS & headers.keys():
        scheme, _, rest = headers[name].rpartition(" ")
        shown[name] = f"{scheme} {hidden(rest)}".lstrip()
    return shown


def shown_query(query: Mapping[str, str]) -> dict[str, str]:
    """A URL's query as the record shows it."""
    return {name: hidden(value) if name.lower() in SECRET_QUERY else value for name, value in query.items()}


class Stage(StrEnum):
    """How far a request is; each is reached at most once."""

    ARRIVED = "arrived"
    FIRST_SENT = "first_sent"  # the first token of the answer has been written
    ENDED = "ended"  # the answer is complete, broken off or abandoned
    CLOSED_EARLY = "closed_early"  # the client went away before the answer was complete


@dataclass(slots=True)
class Request:
    """One request; times are this machine's monotonic clock, None = did not happen."""

    number: int
    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float
    marker: str = ""
    rule: int | None = None
    stages: list[Stage] = field(default_factory=list)
    headers_sent: float | None = None
    first_sent: float | None = None
    last_sent: float | None = None
    ended: float | None = None
    tokens: int = 0
    status: int = 0
    epoch: int = 0
    query: dict[str, str] = field(default_factory=dict)
    sent_bytes: int = 0
    """Of the body as it came, perhaps compressed."""
    key_in: str = ""
    """The header that carried a key; "query": it stood in the URL; "": there was none."""
    key_ok: bool | None = None
    """Whether it is one of the accepted keys; None where every key is."""

    def as_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        return asdict(self)


class Book:
    """The record of requests since the last reset."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque(maxlen=LIMIT)
        self.counts: Counter[Stage] = Counter()
        self.total = 0
        self._epoch = 0
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def open(self, request: Request) -> None:
        """Note the arrival of a request."""
        self.total += 1
        request.epoch = self._epoch
        self.requests.append(request)
        self.reach(request, Stage.ARRIVED)

    def reach(self, request: Request, stage: Stage) -> None:
        """Note a stage and wake those who wait for it."""
        if request.epoch != self._epoch:
            return
        request.stages.append(stage)
        self.counts[stage] += 1
        if self._waiters:
            self._wake()

    def reset(self) -> None:
        """Forget all requests; those who wait go on waiting for new ones."""
        self._epoch += 1
        self.requests.clear()
        self.counts.clear()
        self.total = 0

    async def wait(self, stage: Stage, count: int, number: int | None, timeout: float) -> bool:
        """Until `count` requests (or request `number`) have reached the stage; False: timed out."""

        def reached() -> bool:
            if number is None:
                return self.counts[stage] >= count
            return any(one.number == number and stage in one.stages for one in self.requests)

        if reached():
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (reached, future)
        self._waiters.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(entry)
        return True

    def since(self, number: int) -> Iterable[Request]:
        """Requests after the given number."""
        return (one for one in self.requests if one.number > number)

    def _wake(self) -> None:
        for reached, future in self._waiters:
            if not future.done() and reached():
                future.set_result(None)
