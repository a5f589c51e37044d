"""One Telegram bot: what the daemon may ask of it. Receiving is in life.py, the text in render.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import telegram

from channels.base import Host, Route
from channels.capabilities import Capabilities, Streaming
from channels.commands import CommandSpec
from channels.errors import Gone, GoneWhat, NotAuthorized, Refused, TooLong, Unavailable
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
        args = {"text": body, "entities": entities, "link_preview_options": _NO_PREVIEW, **_where(address)}
        return self._sent(await self._styled("sendMessage", address, args, self._timing.send), body)

    async def edit(self, address: Address, message_id: str, text: str) -> Sent:
        """See channels.base.Edits."""
        body, entities = _rendered(text)
        args: dict[str, Any] = {"message_id": _number(message_id, GoneWhat.MESSAGE), "text": body}
        args.update(entities=entities, link_preview_options=_NO_PREVIEW)
        try:
            found = await self._styled("editMessageText", address, args, self._timing.edit)
        except Refused as error:
            if error.code == "not_modified":
                return Sent(message_id, body)
            raise
        return self._sent(found, body)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        args = {"message_id": _number(message_id, GoneWhat.MESSAGE)}
        try:
            await self._write("deleteMessage", address, args, self._timing.edit)
        except Gone as error:
            if error.what is not GoneWhat.MESSAGE:
                raise

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing. Telegram takes the sign away by itself, with the next message at the latest."""
        if is_on:
            args = {"action": "typing", **_topic(address)}
            await self._write("sendChatAction", address, args, self._timing.typing, shows=False)

    async def show_buttons(self, address: Address, message_id: str, actions: Sequence[Action]) -> None:
        """See channels.base.ShowsButtons."""
        args = {"message_id": _number(message_id, GoneWhat.MESSAGE), "reply_markup": keyboard(actions)}
        try:
            await self._write("editMessageReplyMarkup", address, args, self._timing.edit)
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
        args = {"draft_id": number, "text": body, "entities": entities, **_topic(address)}
        try:
            scope = draft_scope(address)
            await self._write("sendMessageDraft", address, args, self._timing.draft, scope=scope, shows=False)
        except (Refused, NotAuthorized) as error:
            if isinstance(error, Refused) and error.code == "bad_entities":
                return
            # 404 is what a Bot API server answers that is too old to know drafts; a token that is really refused
            # shows with the next call of another kind.
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

    async def _write(
        self,
        method: str,
        address: Address,
        args: dict[str, Any],
        seconds: float,
        *,
        scope: str = "",
        shows: bool = True,
    ) -> Any:
        """One call about the chat. `shows`: a person sees its effect, so a lost answer leaves that open."""
        url = f"{self._bot.base_url}/{method}"
        return await self._calls.write(
            address,
            lambda chat: self._request.invoke(url, {"chat_id": chat, **args}, seconds),
            scope=scope or chat_scope(address),
            is_write=shows,
        )

    async def _styled(self, method: str, address: Address, args: dict[str, Any], seconds: float) -> Any:
        """The call with its entities; without them should Telegram refuse them. The words count."""
        try:
            return await self._write(method, address, args, seconds)
        except Refused as error:
            if error.code != "bad_entities" or not args["entities"]:
                raise
        self._host.signal("content_shown_wrong")
        return await self._write(method, address, {**args, "entities": []}, seconds)

    def _sent(self, message: Any, body: str) -> Sent:
        """What stands there now. Raises Unavailable when the answer is no message."""
        number = message.get("message_id") if isinstance(message, dict) else None
        if type(number) is not int:
            raise Unavailable("the server answered with something else than a message", maybe_sent=True)
        shown = message.get("text")
        if shown is not None and shown != body:
            self._host.signal("content_shown_wrong")
        return Sent(str(number), shown if isinstance(shown, str) else None)


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


def _topic(address: Address) -> dict[str, Any]:
    thread = address.key.thread
    return {} if thread is None else {"message_thread_id": _number(thread, GoneWhat.CONVERSATION)}


def _where(address: Address) -> dict[str, Any]:
    """Topic, and the message to answer under; one that was deleted meanwhile does not stop the answer."""
    found = _topic(address)
    if address.reply_to is not None and address.reply_to.isdecimal():
        found["reply_parameters"] = {
            "message_id": int(address.reply_to),
            "allow_sending_without_reply": True,
        }
    return found
