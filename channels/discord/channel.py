"""One Discord bot: what the daemon may ask of it. Receiving is in life.py, the text in render.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from channels.base import Host
from channels.capabilities import Capabilities, Operation
from channels.commands import CommandSpec
from channels.discord.buckets import Buckets
from channels.discord.content import read_ref, url_in
from channels.discord.handles import Interaction, interaction_of
from channels.discord.hooks import Hooks, Over
from channels.discord.interactions import buttons
from channels.discord.life import Life
from channels.discord.limits import Offers, channel_of, scope
from channels.discord.problems import NO_REPLY
from channels.discord.render import render
from channels.discord.rest import Rest
from channels.discord.settings import DiscordSettings
from channels.discord.snowflake import is_snowflake
from channels.discord.text import MAX_TEXT, is_visible, utf16
from channels.discord.timing import Timing
from channels.discord.twice import Twice
from channels.discord.wire import quiet_library_logs
from channels.errors import Gone, GoneWhat, Refused, TooLong, Unavailable
from channels.events import Action, Address, Sent

Json = dict[str, Any]

# A preview of a link is a request that a model can cause, and a way to carry data out (Discord docs, Message Flags).
_SUPPRESS_EMBEDS = 1 << 2
_NOBODY = {"parse": [], "replied_user": False}
# Where Discord keeps files (Discord docs, Reference, Signed Attachment CDN URLs, 2026-11).
_CDN = ("cdn.discordapp.com", "media.discordapp.net")


class DiscordChannel:
    """See channels.base: the methods are those of `Channel` and of the abilities that Discord has.

    `timing`, `chance`, `clock` (monotonic) and `wall` (seconds since 1970) are for tests.
    """

    def __init__(
        self,
        account: str,
        settings: DiscordSettings,
        host: Host,
        *,
        timing: Timing | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        quiet_library_logs()
        self._account = account
        self._settings = settings
        self._timing = timing or Timing()
        self._clock = clock
        self._wall = wall
        self._buckets = Buckets()
        token = settings.token.get_secret_value()
        self._rest = Rest(
            settings.api_base,
            token,
            self._buckets,
            self._timing,
            proxy=settings.proxy,
            clock=clock,
            signal=host.signal,
        )
        self._offers = Offers(settings, self._buckets)
        self._hooks = Hooks(self._rest, None, self._timing)
        self._twice = Twice(self._rest, self._timing, wall)
        self._life = Life(
            account=account,
            settings=settings,
            host=host,
            rest=self._rest,
            hooks=self._hooks,
            timing=self._timing,
            chance=chance or random.Random(),  # noqa: S311  (spreads retries; no secret)
            wall=wall,
        )

    @property
    def name(self) -> str:
        """See channels.base.Channel."""
        return "discord"

    @property
    def account(self) -> str:
        """See channels.base.Channel."""
        return self._account

    def __repr__(self) -> str:
        return f"DiscordChannel({self._account!r})"

    async def run(self) -> None:
        """See channels.base.Channel."""
        await self._life.run()

    async def close(self) -> None:
        """Give the connections back; `run` does so by itself when it ends."""
        await self._rest.close()

    def capabilities(self, address: Address) -> Capabilities:
        """See channels.base.Channel."""
        return self._offers.at(address, self._clock(), self._open_way(address))

    # -- messages

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.ShowsButtons. Raises TooLong when the rendered text has more than 2000 characters."""
        body = self._body(text, actions)
        way = self._open_way(address)
        if way is not None:
            try:
                bot = self._life.bot_id
                return _sent(await self._hooks.send(way, send_key, body, channel_of(address), bot))
            except Over:
                pass  # the token has ended: an ordinary message takes its place
        channel = _channel(address)
        nonce = self._twice.nonce(channel, send_key)
        found = await self._twice.find(address, channel, nonce, self._life.bot_id)
        if found is not None:
            return _sent(found)
        body.update(nonce=nonce, enforce_nonce=True)
        if address.reply_to is not None and is_snowflake(address.reply_to):
            body["message_reference"] = {"message_id": address.reply_to, "fail_if_not_exists": False}
        return _sent(await self._create(address, channel, body))

    async def edit(
        self, address: Address, message_id: str, text: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.ShowsButtons."""
        body = self._body(text, actions)
        way, number = self._open_way(address), _message(message_id)
        if way is not None:
            try:
                return _sent(await self._hooks.edit(way, number, body), message_id)
            except Over:
                pass
            except Gone as error:
                # It may be an ordinary message, sent when the interaction seemed to be over.
                if error.what is not GoneWhat.MESSAGE:
                    raise
        path = f"/channels/{_channel(address)}/messages/{number}"
        found = await self._rest.call(
            "PATCH", path, body, seconds=self._timing.edit, scope=scope(address, Operation.EDIT)
        )
        return _sent(found, message_id)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        way, number = self._open_way(address), _message(message_id)
        try:
            if way is not None:
                try:
                    await self._hooks.delete(way, number)
                except (Over, Gone):
                    pass
                else:
                    return
            path = f"/channels/{_channel(address)}/messages/{number}"
            await self._rest.call(
                "DELETE", path, seconds=self._timing.edit, scope=scope(address, Operation.DELETE)
            )
        except Gone as error:
            if error.what is not GoneWhat.MESSAGE:
                raise

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing. It ends by itself after 10 s, or with the next message."""
        if not is_on or self._open_way(address) is not None:
            return
        path = f"/channels/{_channel(address)}/typing"
        await self._rest.call(
            "POST",
            path,
            seconds=self._timing.typing,
            scope=scope(address, Operation.TYPING),
            is_write=False,
        )

    async def sign(self, address: Address, message_id: str, emoji: str) -> None:
        """See channels.base.Signs. Putting it twice changes nothing (Discord docs, Create Reaction, 2026-11)."""
        path = f"/channels/{_channel(address)}/messages/{_message(message_id)}/reactions/{quote(emoji)}/@me"
        await self._rest.call("PUT", path, seconds=self._timing.typing, is_write=False)

    # -- the rest

    async def register_commands(self, commands: Sequence[CommandSpec]) -> None:
        """See channels.base.RegistersCommands."""
        await self._life.register_commands(commands)

    async def open_attachment(self, ref: str, max_bytes: int) -> bytes:
        """See channels.base.OpensAttachments. Only Discord's own file servers are asked.

        Addresses are signed for about a day; a message that still stands gives a fresh one.
        """
        parts = read_ref(ref)
        if parts is None:
            raise Gone(GoneWhat.MESSAGE, "not a file of Discord")
        channel, message, attachment, url = parts
        self._check_host(url)
        found = await self._rest.download(url, max_bytes)
        if found is None:
            fresh = url_in(await self._rest.ask("GET", f"/channels/{channel}/messages/{message}"), attachment)
            if fresh is not None:
                self._check_host(fresh)
                found = await self._rest.download(fresh, max_bytes)
        if found is None:
            raise Gone(GoneWhat.MESSAGE, "the file is there no more")
        return found

    def _check_host(self, url: str) -> None:
        """A message names the address; nothing else of a network may be asked because of it. Raises Refused."""
        try:
            parts, own = urlsplit(url), urlsplit(self._settings.api_base)
        except ValueError:
            raise Refused("foreign_file", "an address that cannot be read") from None
        is_discord = parts.scheme == "https" and parts.hostname in _CDN and "@" not in parts.netloc
        is_own = own.hostname != "discord.com" and (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        if not (is_discord or is_own):
            raise Refused("foreign_file", "the file is not on one of Discord's servers")

    async def _create(self, address: Address, channel: str, body: Json) -> Any:
        path, name = f"/channels/{channel}/messages", scope(address, Operation.SEND)
        try:
            return await self._rest.call("POST", path, body, seconds=self._timing.send, scope=name)
        except Refused as error:
            if error.code != NO_REPLY or "message_reference" not in body:
                raise
        except Unavailable as error:
            if not error.maybe_sent:
                self._twice.never_sent(body["nonce"])
            raise
        # It may write there but not read what was said, so it cannot refer to it.
        bare = {key: value for key, value in body.items() if key != "message_reference"}
        return await self._rest.call("POST", path, bare, seconds=self._timing.send, scope=name)

    def _open_way(self, address: Address) -> Interaction | None:
        way = interaction_of(address.handle)
        return way if way is not None and self._hooks.is_open(way, self._wall()) else None

    def _body(self, text: str, actions: Sequence[Action]) -> Json:
        """What is put on the wire. Raises TooLong, and Refused when a person would see nothing."""
        content = render(text)
        if utf16(content) > MAX_TEXT:
            raise TooLong(f"{utf16(content)} of {MAX_TEXT} characters")
        if not is_visible(content):
            raise Refused("empty_text", "the message would show nothing")
        body: Json = {"content": content, "allowed_mentions": _NOBODY, "flags": _SUPPRESS_EMBEDS}
        if self._settings.buttons:
            body["components"] = buttons(actions)
        return body


def _sent(message: Any, message_id: str = "") -> Sent:
    """What stands there now. Raises Unavailable when the answer is no message."""
    number = message.get("id") if isinstance(message, dict) else None
    if not is_snowflake(number):
        raise Unavailable("the server answered with something else than a message", maybe_sent=True)
    shown = message.get("content")
    return Sent(message_id or str(number), shown if isinstance(shown, str) else None)


def _channel(address: Address) -> str:
    channel = channel_of(address)
    if not is_snowflake(channel):
        raise Gone(GoneWhat.CONVERSATION, "not a channel of Discord")
    return channel


def _message(message_id: str) -> str:
    if not is_snowflake(message_id):
        raise Gone(GoneWhat.MESSAGE, "not an id of Discord")
    return message_id
