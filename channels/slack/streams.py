"""Slack's own streams: what was sent of each, and where they are not possible.

A stream only grows. What is appended is the part of the rendered text that no later text can change (render.growing);
where the final text turns out to be another, the stream is closed and the message is updated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from channels.base import Host
from channels.errors import Gone, GoneWhat, RateLimited, Refused, TooLong
from channels.events import Action, Address
from channels.slack.blocks import buttons
from channels.slack.calls import Api
from channels.slack.limits import MAX_STREAM_BYTES
from channels.slack.memory import Recent
from channels.slack.payload import read_handle
from channels.slack.render import growing, render
from channels.slack.timing import Timing

MAX_OPEN = 2_000
# What rendering may add (an escaped "<" has four bytes), still below the least size that was seen refused.
_MOST_BYTES = MAX_STREAM_BYTES + 600
_STOP = frozenset({"stream_ended", "still_streaming"})


class Streams:
    """One account's streams. Raises Refused("stream_...") where delivery has to go on by edits."""

    def __init__(self, api: Api, host: Host, timing: Timing, clock: Callable[[], float]) -> None:
        self._api = api
        self._host = host
        self._timing = timing
        self._clock = clock
        self._sent: Recent[str] = Recent(MAX_OPEN)
        self._impossible: Recent[bool] = Recent(1_000)
        self._busy_until = 0.0

    async def start(self, address: Address, text: str) -> str:
        """Open one; returns its id, which is the message's."""
        key = address.key
        if key.thread is None or key.space in self._impossible:
            raise Refused("no_stream_here")
        if self._clock() < self._busy_until:
            raise Refused("stream_busy", "too many streams were begun; this answer is edited instead")
        shown = _checked(growing(text))
        args: dict[str, Any] = {"channel": key.space, "thread_ts": key.thread}
        if shown:
            args["markdown_text"] = shown
        way = read_handle(address.handle)
        if not key.space.startswith("D"):
            args |= {"recipient_user_id": way.get("u", ""), "recipient_team_id": way.get("t", "")}
        try:
            found = await self._api.write("chat.startStream", args, seconds=self._timing.stream)
        except RateLimited as error:
            # Twenty a minute for a whole workspace: the first word does not wait for that.
            self._busy_until = self._clock() + error.retry_after
            raise Refused("stream_busy", "too many streams were begun") from None
        except Refused as error:
            if error.code in ("no_stream_here", "missing_scope", "no_such_method", "not_allowed"):
                self._impossible.put(key.space, True)  # noqa: FBT003 - a value
            raise
        ts = str(found.get("ts") or "")
        if not ts:
            raise Refused("stream_ended", "Slack named no message")
        self._sent.put(f"{key.space}:{ts}", shown)
        return ts

    async def update(self, address: Address, ts: str, text: str) -> None:
        """Append what is new and certain."""
        name = f"{address.key.space}:{ts}"
        sent, shown = self._sent.get(name), _checked(growing(text))
        if sent is None or not shown.startswith(sent):
            raise Refused("stream_ended", "the text has changed")
        more = shown[len(sent) :]
        if not more:
            return
        args = {"channel": address.key.space, "ts": ts, "markdown_text": more}
        await self._api.write("chat.appendStream", args, seconds=self._timing.stream, scope="stream")
        self._sent.put(name, shown)

    async def finish(self, address: Address, ts: str, text: str, actions: Sequence[Action]) -> bool:
        """Append the rest and close it; False when the message has to be updated to read `text`."""
        name = f"{address.key.space}:{ts}"
        sent, shown = self._sent.get(name), _checked(render(text))
        args: dict[str, Any] = {"channel": address.key.space, "ts": ts}
        is_right = sent is not None and shown.startswith(sent)
        if is_right and sent is not None and len(shown) > len(sent):
            args["markdown_text"] = shown[len(sent) :]
        if is_right and actions:
            args["blocks"] = buttons(actions)
        await self._api.write("chat.stopStream", args, seconds=self._timing.stream, scope="stream")
        self._sent.pop(name, None)
        return is_right

    async def close(self, address: Address, ts: str) -> None:
        """Close one that was left open, so that its message can be updated."""
        self._sent.pop(f"{address.key.space}:{ts}", None)
        args = {"channel": address.key.space, "ts": ts}
        try:
            await self._api.write(
                "chat.stopStream", args, seconds=self._timing.stream, scope="stream", shows=False
            )
        except Refused as error:
            if error.code not in _STOP:
                raise
        except Gone as error:
            if error.what is GoneWhat.CONVERSATION:
                raise


def _checked(rendered: str) -> str:
    size = len(rendered.encode("utf-8", "replace"))
    if size > _MOST_BYTES:
        raise TooLong(f"{size} of {_MOST_BYTES} bytes in one stream")
    return rendered
