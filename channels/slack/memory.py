"""What one account remembers while it runs: names of people, threads it takes part in, where its messages stand."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import structlog

from channels.base import Host
from channels.errors import ChannelError, RateLimited, Refused
from channels.events import ConversationKey
from channels.slack.calls import Api
from channels.slack.payload import Known
from channels.slack.text import clean_name

log = structlog.get_logger()

MAX_NAMES = 5_000
MAX_THREADS = 5_000
MAX_MESSAGES = 10_000
MAX_WANTED = 200
# users.info is Tier 4, 100 a minute (Slack docs, 2026-11).
LOOK_EVERY = 0.7

V = TypeVar("V")


class Recent(OrderedDict[str, V], Generic[V]):
    """A mapping that forgets what was put in longest ago."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, key: str, value: V) -> None:
        """Remember it as the newest."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._most:
            self.popitem(last=False)


class Memory:
    """One account's. `known` is what parsing reads."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.names: Recent[str] = Recent(MAX_NAMES)
        self.places: Recent[str] = Recent(MAX_MESSAGES)
        self._taking_part: Recent[bool] = Recent(MAX_THREADS)
        self.known = Known(self.names, self.places)

    def sent(self, key: ConversationKey, ts: str) -> None:
        """A message of ours stands there: reactions to it do not name its thread."""
        if key.thread is not None:
            self.places.put(f"{key.space}:{ts}", key.thread)
            self.joined(key)

    def joined(self, key: ConversationKey) -> None:
        """The bot takes part in that thread."""
        if key.thread is not None:
            self._taking_part.put(str(key), True)  # noqa: FBT003 - a value

    async def takes_part(self, key: ConversationKey) -> bool:
        """Whether the bot has answered in that thread; after a restart the stored history tells."""
        found = self._taking_part.get(str(key))
        if found is None:
            known = bool(await self._host.history(key, 1))
            found = self._taking_part.get(str(key), known)  # it may have been named meanwhile
            self._taking_part.put(str(key), found)
        return found


class Names:
    """Looks names up in the background, so that no message waits for one."""

    def __init__(self, api: Api, memory: Memory, clock: Callable[[], float], keep: float) -> None:
        self._api = api
        self._memory = memory
        self._clock = clock
        self._keep = keep
        self._asked: Recent[float] = Recent(MAX_NAMES)
        self._queue: asyncio.Queue[str] = asyncio.Queue(MAX_WANTED)

    def want(self, ids: Iterable[str]) -> None:
        """Look these up soon; one that was asked for lately, or that finds no room, is left out."""
        now = self._clock()
        for one in ids:
            asked = self._asked.get(one)
            if (asked is None or now - asked >= self._keep) and not self._queue.full():
                self._asked.put(one, now)
                self._queue.put_nowait(one)

    async def run(self) -> None:
        """Until cancelled, or until Slack says that names may not be read."""
        while True:
            person = await self._queue.get()
            try:
                data = await self._api.ask("users.info", {"user": person})
            except RateLimited as error:
                await asyncio.sleep(error.retry_after)
                continue
            except Refused as error:
                if error.code == "missing_scope":
                    log.warning("names of people are not shown", channel="slack", reason=error.detail)
                    return
                continue
            except ChannelError:
                continue
            name = _display_name(data.get("user"))
            if name:
                self._memory.names.put(person, name)
            await asyncio.sleep(LOOK_EVERY)


def _display_name(user: object) -> str:
    if not isinstance(user, dict):
        return ""
    profile = user.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    for name in (
        profile.get("display_name"),
        profile.get("real_name"),
        user.get("real_name"),
        user.get("name"),
    ):
        if isinstance(name, str) and name.strip():
            return clean_name(name)
    return ""
