"""Writing one message or preview: as a rich message where that is better and there, with entities everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from channels.base import Host
from channels.capabilities import Surface
from channels.errors import Gone, GoneWhat, NotAuthorized, Refused, TooLong, Unavailable
from channels.events import Action, Address, Sent
from channels.telegram.buttons import keyboard
from channels.telegram.calls import Calls
from channels.telegram.limits import Offers, chat_scope, draft_scope
from channels.telegram.places import number, topic, where
from channels.telegram.render import render
from channels.telegram.request import AiohttpRequest
from channels.telegram.rich import Rich, may_be_structured, render_rich
from channels.telegram.settings import RichMode, TelegramSettings
from channels.telegram.shown import plain
from channels.telegram.text import MAX_TEXT, is_visible, utf16
from channels.telegram.timing import Timing
from channels.telegram.writer import Entity

log = structlog.get_logger()

# A preview of a link is a request that a model can cause, and a way to carry data out.
_NO_PREVIEW = {"is_disabled": True}
# What a server answers that knows no rich messages: 404 for the methods; an edit without `text` is empty to it.
_MISSING = frozenset({"no_such_method", "empty_text"})


class Outgoing:
    """One account's messages. `base_url` ends with the token."""

    def __init__(
        self,
        settings: TelegramSettings,
        host: Host,
        *,
        base_url: str,
        request: AiohttpRequest,
        calls: Calls,
        offers: Offers,
        timing: Timing,
    ) -> None:
        self._settings = settings
        self._host = host
        self._base_url = base_url
        self._request = request
        self._calls = calls
        self._offers = offers
        self._timing = timing

    async def post(self, address: Address, text: str, actions: Sequence[Action]) -> Sent:
        """A new message. Raises TooLong when neither way holds the text."""
        more = {**where(address), **_markup(actions)}
        rich = self._rich(address, text)
        if rich is not None:
            args = {"rich_message": rich.wire, **more}
            found = await self._try_rich("sendRichMessage", address, args, self._timing.send)
            if found is not None:
                return self._sent(found, None)
        body, entities = _rendered(address, text)
        args = {"text": body, "entities": entities, "link_preview_options": _NO_PREVIEW, **more}
        return self._sent(await self._styled("sendMessage", address, args, self._timing.send), body)

    async def change(self, address: Address, message_id: str, text: str, actions: Sequence[Action]) -> Sent:
        """Another text and other buttons: an edit without `reply_markup` takes the buttons away."""
        more = {"message_id": number(message_id, GoneWhat.MESSAGE), **_markup(actions)}
        rich = self._rich(address, text)
        try:
            if rich is not None:
                args = {"rich_message": rich.wire, **more}
                found = await self._try_rich("editMessageText", address, args, self._timing.edit)
                if found is not None:
                    return self._sent(found, None)
            body, entities = _rendered(address, text)
            args = {"text": body, "entities": entities, "link_preview_options": _NO_PREVIEW, **more}
            return self._sent(await self._styled("editMessageText", address, args, self._timing.edit), body)
        except Refused as error:
            if error.code == "not_modified":
                shown = _rendered(address, text)[0] if rich is None else rich.text
                return Sent(message_id, shown)
            raise

    async def remove(self, address: Address, message_id: str) -> None:
        """No message; one that is gone already is no error."""
        args = {"message_id": number(message_id, GoneWhat.MESSAGE)}
        try:
            await self.write("deleteMessage", address, args, self._timing.edit)
        except Gone as error:
            if error.what is not GoneWhat.MESSAGE:
                raise

    async def paint(self, address: Address, draft: int, text: str) -> None:
        """Show the preview. Raises Refused where there are none."""
        more = {"draft_id": draft, **topic(address)}
        if self._settings.buttons:
            # Bot API docs, sendMessageDraft (10.3, August 2026): a button to stop; what stands stays until our message.
            more |= {"can_stop": True, "keep_on_stop": True}
        scope, seconds = draft_scope(address), self._timing.draft
        rich = self._rich(address, text)
        if rich is not None:
            args = {"rich_message": rich.wire, **more}
            method = "sendRichMessageDraft"
            if await self._try_rich(method, address, args, seconds, scope=scope, shows=False) is not None:
                return
        body, entities = render(text, calls_nobody=_has_others(address))
        if utf16(body) > MAX_TEXT:
            raise TooLong(f"{utf16(body)} of {MAX_TEXT} UTF-16 units")
        if not is_visible(body):
            return  # an empty draft reads "Thinking..."; nothing is shown until there are words
        args = {"text": body, "entities": entities, **more}
        try:
            await self.write("sendMessageDraft", address, args, seconds, scope=scope, shows=False)
        except (Refused, NotAuthorized) as error:
            if isinstance(error, Refused) and error.code == "bad_entities":
                return
            # 404 is what a Bot API server answers that is too old to know drafts; a token that is really refused
            # shows with the next call of another kind.
            self._offers.forget_drafts(address)
            raise Refused("no_drafts", error.detail) from None

    async def write(
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
        url = f"{self._base_url}/{method}"
        return await self._calls.write(
            address,
            lambda chat: self._request.invoke(url, {"chat_id": chat, **args}, seconds),
            scope=scope or chat_scope(address),
            is_write=shows,
        )

    # -- rich or not

    def _rich(self, address: Address, text: str) -> Rich | None:
        """The rich form where it is wanted: for headings, tables and what is too long for entities."""
        mode = self._settings.rich
        if not self._offers.has_rich:
            return None
        if mode is RichMode.AUTO and not may_be_structured(text) and utf16(text) <= MAX_TEXT:
            return None
        rich = render_rich(text, calls_nobody=_has_others(address))
        if rich is None or mode is RichMode.ON or rich.is_structured:
            return rich
        return rich if utf16(render(text)[0]) > MAX_TEXT else None

    async def _try_rich(
        self, method: str, address: Address, args: dict[str, Any], seconds: float, **how: Any
    ) -> Any:
        """The call; None when the text has to go the other way. An outcome that is open is never tried again here."""
        try:
            return await self.write(method, address, args, seconds, **how)
        except (Refused, NotAuthorized, TooLong) as error:
            code = error.code if isinstance(error, Refused) else type(error).__name__
            if code == "not_modified":
                raise
            # 404 also answers a wrong token; then the call that follows says so.
            if isinstance(error, NotAuthorized) or code in _MISSING:
                self._offers.forget_rich()
                log.info("no rich messages here", channel="telegram", reason=code)
            else:
                self._host.signal("content_shown_wrong")
                log.warning("rich message refused", channel="telegram", reason=code)
            return None

    async def _styled(self, method: str, address: Address, args: dict[str, Any], seconds: float) -> Any:
        """The call with its entities; without them should Telegram refuse them. The words count."""
        try:
            return await self.write(method, address, args, seconds)
        except Refused as error:
            if error.code != "bad_entities" or not args["entities"]:
                raise
        self._host.signal("content_shown_wrong")
        return await self.write(method, address, {**args, "entities": []}, seconds)

    def _sent(self, message: Any, body: str | None) -> Sent:
        """What stands there now. Raises Unavailable when the answer is no message."""
        found = message.get("message_id") if isinstance(message, dict) else None
        if type(found) is not int:
            raise Unavailable("the server answered with something else than a message", maybe_sent=True)
        shown = plain(message)
        if body is not None and shown is not None and shown != body:
            self._host.signal("content_shown_wrong")
        return Sent(str(found), shown)


def _has_others(address: Address) -> bool:
    """Whether there is somebody whom an answer could call."""
    return address.surface in (Surface.GROUP, Surface.THREAD)


def _markup(actions: Sequence[Action]) -> dict[str, Any]:
    return {"reply_markup": keyboard(actions)} if actions else {}


def _rendered(address: Address, text: str) -> tuple[str, list[Entity]]:
    """What is put on the wire. Raises TooLong, and Refused when a person would see nothing."""
    body, entities = render(text, calls_nobody=_has_others(address))
    length = utf16(body)
    if length > MAX_TEXT:
        raise TooLong(f"{length} of {MAX_TEXT} UTF-16 units")
    if not is_visible(body):
        raise Refused("empty_text", "the message would show nothing")
    return body, entities
