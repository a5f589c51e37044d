"""One Slack app in one workspace: what the daemon may ask of it. Receiving is in life.py, the text in render.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from channels.base import Host, Route
from channels.capabilities import Capabilities, Streaming, Surface
from channels.errors import Gone, GoneWhat, Refused, TooLong, Unavailable
from channels.events import Action, Address, Sent
from channels.markup import is_blank
from channels.slack.blocks import content
from channels.slack.calls import Api
from channels.slack.files import fetch, is_slacks
from channels.slack.life import Life
from channels.slack.limits import Offers, post_scope
from channels.slack.memory import Memory
from channels.slack.mrkdwn import mrkdwn
from channels.slack.payload import read_handle
from channels.slack.render import MAX_MARKDOWN, render
from channels.slack.settings import Mode, SlackSettings, events_path
from channels.slack.streams import Streams
from channels.slack.table import tables_as_code
from channels.slack.text import SIGNS
from channels.slack.timing import Timing
from channels.slack.webhook import Webhook

# A preview of a link is a request that a model can cause, and a way to carry data out.
_NO_PREVIEW = {"unfurl_links": False, "unfurl_media": False}


class SlackChannel:
    """See channels.base: the methods are those of `Channel` and of the abilities that Slack has.

    `timing`, `chance`, `clock` and `now` (seconds since 1970) are for tests.
    """

    def __init__(
        self,
        account: str,
        settings: SlackSettings,
        host: Host,
        *,
        timing: Timing | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._settings = settings
        self._timing = timing or Timing()
        base, proxy = settings.api_base, settings.proxy
        self._api = Api(
            settings.bot_token.get_secret_value(), base, proxy=proxy, host=host, seconds=self._timing.ask
        )
        self._host = host
        self._memory = Memory(host)
        self._offers = Offers(settings)
        self._streams = Streams(self._api, host, self._timing, clock)
        self._webhook: Webhook | None = None
        if settings.mode is Mode.HTTP and settings.signing_secret is not None:
            self._webhook = Webhook(settings.signing_secret.get_secret_value(), host, self._timing, now)
        self._life = Life(
            account=account,
            settings=settings,
            host=host,
            api=self._api,
            memory=self._memory,
            webhook=self._webhook,
            timing=self._timing,
            chance=chance or random.Random(),  # noqa: S311  (spreads retries; no secret)
            clock=clock,
            now=now,
        )

    @property
    def name(self) -> str:
        """See channels.base.Channel."""
        return "slack"

    @property
    def account(self) -> str:
        """See channels.base.Channel."""
        return self._account

    def __repr__(self) -> str:
        return f"SlackChannel({self._account!r})"

    async def run(self) -> None:
        """See channels.base.Channel."""
        await self._life.run()

    def capabilities(self, address: Address) -> Capabilities:
        """See channels.base.Channel."""
        return self._offers.at(address)

    def rekey(self, settings: SlackSettings) -> None:
        """See channels.doors.Rekeys."""
        if self._webhook is not None and settings.signing_secret is not None:
            self._webhook.rekey(settings.signing_secret.get_secret_value())

    def routes(self) -> Sequence[Route]:
        """See channels.base.Routes: one public route in http mode, for events, commands and presses alike."""
        if self._webhook is None:
            return ()
        path = events_path(self._settings, self._account)
        return (Route("POST", path, self._webhook.handle, is_public=True),)

    # -- messages

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.Channel and ShowsButtons. Raises TooLong above 12,000 rendered characters."""
        if address.surface is Surface.COMMAND:
            return await self._respond(address, text, send_key)
        key = address.key
        where: dict[str, Any] = {"channel": key.space, **_NO_PREVIEW}
        if key.thread is not None:
            where["thread_ts"] = key.thread
        scope = post_scope(key.space)
        found = await self._shown(
            "chat.postMessage", where, text, actions, replaces=False, seconds=self._timing.send, scope=scope
        )
        ts = found.get("ts")
        if not isinstance(ts, str) or not ts:
            raise Unavailable("Slack named no message", maybe_sent=True)
        self._memory.sent(key, ts)
        return Sent(ts)

    async def edit(
        self, address: Address, message_id: str, text: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.Edits and ShowsButtons. Closes a stream of ours that still holds the message."""
        if address.surface is Surface.COMMAND:
            raise Refused("not_editable", "an answer to a command cannot be changed")
        where = {"channel": address.key.space, "ts": message_id}
        how: dict[str, Any] = {"replaces": True, "seconds": self._timing.edit, "scope": "update"}
        try:
            await self._shown("chat.update", where, text, actions, **how)
        except Refused as error:
            if error.code != "still_streaming":
                raise
            await self._streams.close(address, message_id)
            await self._shown("chat.update", where, text, actions, **how)
        return Sent(message_id)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        args = {"channel": address.key.space, "ts": message_id}
        try:
            await self._api.write("chat.delete", args, seconds=self._timing.edit, scope="delete")
        except Gone as error:
            if error.what is not GoneWhat.MESSAGE:
                raise

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing: the status line of a thread. It also goes with the first message there."""
        key = address.key
        if key.thread is None:
            return
        status = self._settings.status_text if is_on else ""
        args = {"channel_id": key.space, "thread_ts": key.thread, "status": status}
        try:
            await self._api.write(
                "assistant.threads.setStatus", args, seconds=self._timing.typing, scope="status", shows=False
            )
        except Refused:
            self._offers.forget_status()  # neither the plan nor the scopes of the app have to allow it
            raise

    async def sign(self, address: Address, message_id: str, emoji: str) -> None:
        """See channels.base.Signs. Slack names emoji; of another than these it knows nothing."""
        if emoji not in SIGNS:
            raise Refused("unknown_emoji", "Slack's name of that emoji is not known here")
        args = {"channel": address.key.space, "timestamp": message_id, "name": SIGNS[emoji]}
        try:
            await self._api.write(
                "reactions.add", args, seconds=self._timing.typing, scope="reactions", shows=False
            )
        except Refused as error:
            if error.code != "already_reacted":
                raise

    # -- streams

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """See channels.base.Streams."""
        if self.capabilities(address).streaming is not Streaming.NATIVE:
            raise Refused("no_streams", "streams exist in threads, and where the settings want them")
        if is_blank(text):
            raise Refused("empty_text")
        ts = await self._streams.start(address, text)
        self._memory.sent(address.key, ts)
        return ts

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """See channels.base.Streams."""
        await self._streams.update(address, stream_id, text)

    async def finish_stream(
        self,
        address: Address,
        stream_id: str,
        text: str,
        delta: str | None,
        send_key: str,
        *,
        actions: Sequence[Action] = (),
    ) -> Sent:
        """See channels.base.Streams and StreamsButtons."""
        if not await self._streams.finish(address, stream_id, text, actions):
            return await self.edit(address, stream_id, text, actions=actions)
        return Sent(stream_id)

    # -- the rest

    async def open_attachment(self, ref: str, max_bytes: int) -> bytes:
        """See channels.base.OpensAttachments."""
        return await fetch(self._api, self._settings.api_base, ref, max_bytes, self._timing.download)

    async def _respond(self, address: Address, text: str, send_key: str) -> Sent:
        """The answer to a slash command, which only that person sees; Slack takes it for half an hour."""
        url = read_handle(address.handle).get("r", "")
        if not url or not is_slacks(url, self._settings.api_base):
            raise Gone(GoneWhat.CONVERSATION, "the command names no address to answer to")
        body = _body(render(text), (), replaces=True)
        said = {"response_type": "ephemeral", **_NO_PREVIEW, **body}
        await self._api.respond(url, said, seconds=self._timing.send)
        return Sent(f"r:{send_key}")

    async def _shown(
        self,
        method: str,
        where: dict[str, Any],
        text: str,
        actions: Sequence[Action],
        *,
        replaces: bool,
        seconds: float,
        scope: str,
    ) -> dict[str, Any]:
        """The call with its Markdown; more plainly should Slack refuse it. The words count."""
        args = _body(render(text), actions, replaces=replaces)
        try:
            return await self._api.write(method, {**where, **args}, seconds=seconds, scope=scope)
        except Refused as error:
            if error.code != "bad_blocks":
                raise
        self._host.signal("content_shown_wrong")
        plainer = tables_as_code(text)
        if plainer != text:
            args = _body(render(plainer), actions, replaces=True)
            try:
                return await self._api.write(method, {**where, **args}, seconds=seconds, scope=scope)
            except Refused as error:
                if error.code != "bad_blocks":
                    raise
        last = {"text": mrkdwn(text), "blocks": []} if replaces else {"text": mrkdwn(text)}
        return await self._api.write(method, {**where, **last}, seconds=seconds, scope=scope)


def _body(markdown: str, actions: Sequence[Action], *, replaces: bool) -> dict[str, Any]:
    """What is put on the wire. Raises TooLong, and Refused when a person would see nothing."""
    if len(markdown) > MAX_MARKDOWN:
        raise TooLong(f"{len(markdown)} of {MAX_MARKDOWN} characters")
    if is_blank(markdown):
        raise Refused("empty_text", "the message would show nothing")
    return content(markdown, actions, replaces=replaces)
