"""How far the dispatches of a session are taken over without a gap, and what was last seen where. Pure."""

from __future__ import annotations

from collections import OrderedDict

import orjson

from channels.discord.session import Session
from channels.discord.snowflake import is_snowflake, seconds_of

_MOST_PENDING = 100_000


class Progress:
    """Dispatches begin in their order and end in any; `confirmed` moves past those that ended without a gap.

    A session resumed from `confirmed` brings all that was not taken over, also in another process. `begins`: the
    number of a new session's READY, with which what was missed before it is fetched.
    """

    def __init__(self, session: str, confirmed: int, begins: int = 0) -> None:
        self.session = session
        self.confirmed = confirmed
        self._begins = begins
        self._pending: OrderedDict[int, bool] = OrderedDict()

    @property
    def is_begun(self) -> bool:
        """What was missed before the session is taken over; from then on it may be resumed by another process."""
        return self.confirmed >= self._begins

    def begin(self, seq: int) -> None:
        """A dispatch arrived."""
        if seq > self.confirmed and len(self._pending) < _MOST_PENDING:
            self._pending.setdefault(seq, False)

    def end(self, seq: int) -> None:
        """It was taken over, or means nothing to us."""
        if seq in self._pending:
            self._pending[seq] = True
        while self._pending:
            first, is_done = next(iter(self._pending.items()))
            if not is_done:
                break
            self._pending.popitem(last=False)
            self.confirmed = max(self.confirmed, first)


class Seen:
    """The last message taken over in each channel and the server that it belongs to, those last spoken in last.

    `is_changed`, `has_new`: since it was stored, something, and a channel of which nothing is stored.
    """

    def __init__(self, limit: int, stored: str | None = None) -> None:
        self._limit = limit
        self._last: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self.is_changed = self.has_new = False
        for channel, message, guild in _triples(stored):
            self._last[channel] = (message, guild)

    def note(self, channel: str, message: str, guild: str) -> None:
        """A message was taken over."""
        before = self._last.get(channel)
        if before is not None and int(before[0]) >= int(message):
            return
        self._last[channel] = (message, guild)
        self._last.move_to_end(channel)
        while len(self._last) > self._limit:
            self._last.popitem(last=False)
        self.is_changed = True
        self.has_new = self.has_new or before is None

    def forget(self, channel: str) -> None:
        """The bot is there no more."""
        self.is_changed = self._last.pop(channel, None) is not None or self.is_changed

    def latest(self, count: int) -> list[tuple[str, str, str]]:
        """(channel, message, guild or "") of the channels last spoken in, the latest first."""
        found = [(channel, *rest) for channel, rest in reversed(self._last.items())]
        found.sort(key=lambda one: seconds_of(one[1]), reverse=True)
        return found[:count]

    def stored(self) -> str:
        """For `Seen(limit, stored)`."""
        return orjson.dumps([[channel, *rest] for channel, rest in self._last.items()]).decode()


def _triples(stored: str | None) -> list[tuple[str, str, str]]:
    try:
        found = orjson.loads(stored) if stored else []
    except orjson.JSONDecodeError:
        return []
    return [
        (one[0], one[1], one[2])
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, list)
        and len(one) == 3
        and is_snowflake(one[0])
        and is_snowflake(one[1])
        and isinstance(one[2], str)
    ]


def dump_session(session: Session, at: float) -> str:
    """For a cursor."""
    return orjson.dumps([session.id, session.seq, session.url, at]).decode()


def load_session(stored: str | None, now: float, max_age: float) -> Session | None:
    """The session of a cursor, None when it is too old or unreadable."""
    try:
        found = orjson.loads(stored) if stored else None
    except orjson.JSONDecodeError:
        return None
    match found:
        case [str(number), int(seq), str(url), int() | float() as at] if 0 <= now - at <= max_age:
            return Session(number, seq, url) if url.startswith(("ws://", "wss://")) else None
    return None
