"""One Telegram bot: what the daemon may ask of it. Receiving is in life.py, the text in render.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import telegram

from channels.base import Host, Route
from channels.capabilities import Capabilities, Streaming
from channels.commands import CommandSpec
from channels.errors import GoneWhat, Refused
from channels.events import Action, Address, Sent
from channels.telegram.calls import Calls
from channels.telegram.drafts import Drafts, draft_id
from channels.telegram.files import Files
from channels.telegram.life import Life
from channels.telegram.limits import Offers
from channels.telegram.outgoing import Outgoing
from channels.telegram.places import number, topic
from channels.telegram.request import AiohttpRequest, quiet_library_logs
from channels.telegram.settings import TelegramSettings
from channels.telegram.timing import Timing
from channels.telegram.topics import Topics
from channels.telegram.webhook import Webhook, public_url, secret_of


class TelegramChannel:
    """See channels.base: the methods are those of `Channel` and of the abilities that Telegram has.

    `timing`, `chance` and `clock` are for tests.
    """

    def __init__(
        self,
        account: str,
        settings: TelegramSettings,
        host: Host,
        *,
        timing: Timing | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        quiet_library_logs()
        self._account = account
        self._settings = settings
        self._host = host
        self._timing = timing or Timing()
        token, base = settings.token.get_secret_value(), settings.base_url
        self._request = AiohttpRequest(base, deadline=self._timing.ask, proxy=settings.proxy)
        # The library would make an httpx client of its own for getUpdates; it is never used for that here.
        self._bot = telegram.Bot(
            token,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._calls = Calls(account, host)
        self._offers = Offers(settings)
        self._topics = Topics()
        self._out = Outgoing(
            settings,
            host,
            base_url=self._bot.base_url,
            request=self._request,
            calls=self._calls,
            offers=self._offers,
            timing=self._timing,
        )
        self._files = Files(self._bot, self._request, self._calls, self._timing, settings.local_files)
        self._drafts = Drafts(self._out.paint, self._timing, clock)
        self._webhook: Webhook | None = None
        if settings.webhook is not None:
            self._webhook = Webhook(secret_of(settings.webhook, token, account), host)
        self._life = Life(
            account=account,
            settings=settings,
            host=host,
            bot=self._bot,
            request=self._request,
            calls=self._calls,
            webhook=self._webhook,
            topics=self._topics,
            clock=clock,
            timing=self._timing,
            chance=chance or random.Random(),  # noqa: S311  (spreads retries; no secret)
        )

    @property
    def name(self) -> str:
        """See channels.base.Channel."""
        return "telegram"

    @property
    def account(self) -> str:
        """See channels.base.Channel."""
        return self._account

    def rekey(self, settings: TelegramSettings) -> None:
        """See channels.doors.Rekeys."""
        if self._webhook is not None and settings.webhook is not None:
            token = self._settings.token.get_secret_value()
            self._webhook.rekey(secret_of(settings.webhook, token, self._account))

    def __repr__(self) -> str:
        return f"TelegramChannel({self._account!r})"

    async def run(self) -> None:
        """See channels.base.Channel."""
        await self._life.run(self._drafts.keep_alive)

    def capabilities(self, address: Address) -> Capabilities:
        """See channels.base.Channel."""
        return self._offers.at(address)

    # -- messages

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.Channel. Raises TooLong when the rendered text does not fit one message."""
        self._drafts.closed(
            address, draft_id(send_key)
        )  # the message takes the place of a preview of the same part
        sent = await self._out.post(address, text, actions)
        self._topics.sent(address, sent.id)
        return sent

    async def edit(
        self, address: Address, message_id: str, text: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """See channels.base.Edits."""
        return await self._out.change(address, message_id, text, actions)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        await self._out.remove(address, message_id)

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing. Telegram takes the sign away by itself, with the next message at the latest."""
        if is_on:
            args = {"action": "typing", **topic(address)}
            await self._out.write("sendChatAction", address, args, self._timing.typing, shows=False)

    async def sign(self, address: Address, message_id: str, emoji: str) -> None:
        """See channels.base.Signs. A bot has one reaction to a message (Bot API docs, setMessageReaction, 2026-11)."""
        kind = {"type": "emoji", "emoji": emoji}
        args = {"message_id": number(message_id, GoneWhat.MESSAGE), "reaction": [kind]}
        await self._out.write("setMessageReaction", address, args, self._timing.typing, shows=False)

    # -- drafts

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """See channels.base.Streams: a draft, which only the receiver sees growing."""
        draft = draft_id(send_key)
        await self.update_stream(address, str(draft), text, None)
        return str(draft)

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """See channels.base.Streams."""
        if self._offers.at(address).streaming is not Streaming.NATIVE:
            raise Refused("no_drafts", "drafts exist in private chats only")
        draft = number(stream_id, GoneWhat.MESSAGE)
        await self._out.paint(address, draft, text)
        self._drafts.painted(address, draft, text)

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
        """See channels.base.Streams: the one message that stays; Telegram takes the draft away with it."""
        self._drafts.closed(address, number(stream_id, GoneWhat.MESSAGE))
        return await self.send(address, text, send_key, actions=actions)

    # -- the rest

    async def register_commands(self, commands: Sequence[CommandSpec]) -> None:
        """See channels.base.RegistersCommands."""
        await self._life.register_commands(commands)

    def routes(self) -> Sequence[Route]:
        """See channels.base.Routes: one public route in webhook mode."""
        settings, webhook = self._settings.webhook, self._webhook
        if settings is None or webhook is None:
            return ()
        path = "/" + public_url(settings, self._account).split("/", 3)[3]
        return (Route("POST", path, webhook.handle, is_public=True),)

    async def open_attachment(self, ref: str, max_bytes: int) -> bytes:
        """See channels.base.OpensAttachments."""
        return await self._files.open(ref, max_bytes)
