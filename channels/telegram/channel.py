"""One Telegram bot: connect, receive, send, edit, stream. Calls go through python-telegram-bot's `Bot`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import telegram

from channels.base import Host, Route
from channels.capabilities import Capabilities, Streaming
from channels.commands import CommandSpec
from channels.errors import Gone, GoneWhat, NotAuthorized, Refused, TooLong
from channels.events import Action, Address, Sent
from channels.telegram.buttons import keyboard
from channels.telegram.calls import Calls
from channels.telegram.drafts import Drafts, draft_id
from channels.telegram.life import Life
from channels.telegram.limits import Offers, chat_scope, draft_scope
from channels.telegram.render import render
from channels.telegram.request import AiohttpRequest, quiet_library_logs
from channels.telegram.settings import TelegramSettings
from channels.telegram.text import MAX_TEXT, is_visible, utf16
from channels.telegram.timing import Timing
from channels.telegram.webhook import Webhook, public_url, secret_of
from channels.telegram.writer import Entity

# A preview of a link is a request that a model can cause, and a way to carry data out.
_NO_PREVIEW = {"is_disabled": True}


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
        self._calls = Calls(host)
        self._offers = Offers(settings)
        self._drafts = Drafts(self._paint, self._timing, clock)
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

    def __repr__(self) -> str:
        return f"TelegramChannel({self._account!r})"

    async def run(self) -> None:
        """See channels.base.Channel."""
        await self._life.run(self._drafts.keep_alive)

    def capabilities(self, address: Address) -> Capabilities:
        """See channels.base.Channel."""
        return self._offers.at(address)

    # -- messages

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """See channels.base.Channel. Raises TooLong when the rendered text has more than 4096 UTF-16 units."""
        body, entities = _rendered(text)
        where = _where(address)

        async def send(chat: int, styles: list[Entity]) -> Any:
            more = {"entities": styles, "link_preview_options": _NO_PREVIEW, **where}
            return await self._bot.send_message(chat, body, read_timeout=self._timing.send, api_kwargs=more)

        message = await self._styled(address, send, entities)
        return self._sent(message, body)

    async def edit(self, address: Address, message_id: str, text: str) -> Sent:
        """See channels.base.Edits."""
        body, entities = _rendered(text)
        number = _number(message_id, GoneWhat.MESSAGE)

        async def edit(chat: int, styles: list[Entity]) -> Any:
            more = {"entities": styles, "link_preview_options": _NO_PREVIEW}
            return await self._bot.edit_message_text(
                body, chat, number, read_timeout=self._timing.edit, api_kwargs=more
            )

        try:
            message = await self._styled(address, edit, entities)
        except Refused as error:
            if error.code == "not_modified":
                return Sent(message_id, body)
            raise
        return self._sent(message, body)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        number = _number(message_id, GoneWhat.MESSAGE)
        try:
            await self._calls.write(
                address,
                lambda chat: self._bot.delete_message(chat, number, read_timeout=self._timing.edit),
                scope=chat_scope(address),
            )
        except Gone as error:
            if error.what is not GoneWhat.MESSAGE:
                raise

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing. Telegram takes the sign away by itself, with the next message at the latest."""
        if not is_on:
            return
        thread = _thread(address)
        await self._calls.write(
            address,
            lambda chat: self._bot.send_chat_action(
                chat, "typing", message_thread_id=thread, read_timeout=self._timing.typing
            ),
            scope=chat_scope(address),
            is_write=False,
        )

    async def show_buttons(self, address: Address, message_id: str, actions: Sequence[Action]) -> None:
        """See channels.base.ShowsButtons."""
        number, markup = _number(message_id, GoneWhat.MESSAGE), keyboard(actions)
        try:
            await self._calls.write(
                address,
                lambda chat: self._bot.edit_message_reply_markup(
                    chat, number, read_timeout=self._timing.edit, api_kwargs={"reply_markup": markup}
                ),
                scope=chat_scope(address),
            )
        except Refused as error:
            if error.code != "not_modified":
                raise

    # -- drafts

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """See channels.base.Streams: a draft, which only the receiver sees growing."""
        number = draft_id(send_key)
        await self.update_stream(address, str(number), text, None)
        return str(number)

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """See channels.base.Streams."""
        if self._offers.at(address).streaming is not Streaming.NATIVE:
            raise Refused("no_drafts", "drafts exist in private chats only")
        number = _number(stream_id, GoneWhat.MESSAGE)
        await self._paint(address, number, text)
        self._drafts.painted(address, number, text)

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """See channels.base.Streams: the one message that stays; Telegram takes the draft away with it."""
        self._drafts.closed(address, _number(stream_id, GoneWhat.MESSAGE))
        return await self.send(address, text, send_key)

    async def _paint(self, address: Address, number: int, text: str) -> None:
        body, entities = render(text)
        if utf16(body) > MAX_TEXT:
            raise TooLong(f"{utf16(body)} of {MAX_TEXT} UTF-16 units")
        if not is_visible(body):
            return  # an empty draft reads "Thinking..."; nothing is shown until there are words
        more: dict[str, Any] = {"entities": entities}
        if (thread := _thread(address)) is not None:
            more["message_thread_id"] = thread
        try:
            await self._calls.write(
                address,
                lambda chat: self._bot.send_message_draft(
                    chat, number, body, read_timeout=self._timing.draft, api_kwargs=more
                ),
                scope=draft_scope(address),
                is_write=False,
            )
        except (Refused, NotAuthorized) as error:
            # 404 is what a Bot API server answers that is too old to know drafts; a token that is really refused
            # shows with the next call of another kind.
            if isinstance(error, Refused) and error.code == "bad_entities":
                return
            self._offers.forget_drafts(address)
            raise Refused("no_drafts", error.detail) from None

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
        """See channels.base.OpensAttachments. The Bot API itself gives out at most 20 MB (docs, getFile, 2026-11)."""
        try:
            file = await self._calls.ask(lambda: self._bot.get_file(ref, read_timeout=self._timing.ask))
        except Refused as error:
            if error.code == "file_too_big":
                raise TooLong("Telegram gives out no file of this size") from None
            raise Gone(GoneWhat.MESSAGE, error.detail) from None
        if (file.file_size or 0) > max_bytes:
            raise TooLong(f"{file.file_size} of {max_bytes} bytes")
        path = file.file_path or ""
        if not path.startswith(self._bot.base_file_url):
            raise Refused(
                "local_file", "a Bot API server that runs with --local gives out paths of its own disk"
            )
        status, data = await self._calls.ask(
            lambda: self._request.download(path, max_bytes, self._timing.download)
        )
        if status != 200:
            raise Gone(GoneWhat.MESSAGE, f"the file was answered with HTTP status {status}")
        if data is None:
            raise TooLong(f"more than {max_bytes} bytes")
        return bytes(data)

    async def _styled(
        self, address: Address, call: Callable[[int, list[Entity]], Any], entities: list[Entity]
    ) -> Any:
        """The call with its entities; without them should Telegram refuse them. The words count."""
        scope = chat_scope(address)
        try:
            return await self._calls.write(address, lambda chat: call(chat, entities), scope=scope)
        except Refused as error:
            if error.code != "bad_entities" or not entities:
                raise
        self._host.signal("content_shown_wrong")
        return await self._calls.write(address, lambda chat: call(chat, []), scope=scope)

    def _sent(self, message: Any, body: str) -> Sent:
        shown = message.text if isinstance(message, telegram.Message) else None
        if shown is not None and shown != body:
            self._host.signal("content_shown_wrong")
        return Sent(str(message.message_id), shown)


def _rendered(text: str) -> tuple[str, list[Entity]]:
    """What is put on the wire. Raises TooLong, and Refused when a person would see nothing."""
    body, entities = render(text)
    length = utf16(body)
    if length > MAX_TEXT:
        raise TooLong(f"{length} of {MAX_TEXT} UTF-16 units")
    if not is_visible(body):
        raise Refused("empty_text", "the message would show nothing")
    return body, entities


def _number(text: str, what: GoneWhat) -> int:
    """A message id of ours. Raises Gone: an id that is none was never Telegram's."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise Gone(what, "not an id of Telegram")


def _thread(address: Address) -> int | None:
    thread = address.key.thread
    return None if thread is None else _number(thread, GoneWhat.CONVERSATION)


def _where(address: Address) -> dict[str, Any]:
    """Topic, and the message to answer under; one that was deleted meanwhile does not stop the answer."""
    found: dict[str, Any] = {}
    if (thread := _thread(address)) is not None:
        found["message_thread_id"] = thread
    if address.reply_to is not None and address.reply_to.isdecimal():
        found["reply_parameters"] = {
            "message_id": int(address.reply_to),
            "allow_sending_without_reply": True,
        }
    return found
