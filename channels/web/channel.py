"""The account of the web page: what it can show, and the routes under which it is reached."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from channels.base import Host, Route
from channels.capabilities import Capabilities, LatencyClass, Markup, SendKey, Streaming
from channels.errors import Gone, GoneWhat, TooLong
from channels.events import Address, AnswerNote, Sent
from channels.web.connection import GOING_AWAY, Connection
from channels.web.door import Door
from channels.web.hub import Hub
from channels.web.limits import HEARTBEAT, MAX_CONNECTIONS, frame_cap

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

    from channels.web.settings import WebSettings

TYPING_TTL = 15.0
CAPABILITIES = Capabilities(
    latency=LatencyClass.SYNC,  # a person sits before the page and watches
    streaming=Streaming.NATIVE,
    markup=Markup.RICH,
    max_text=100_000,
    typing_ttl=TYPING_TTL,
    deletes=True,
    notes=True,
    send_key=SendKey.KEY,
)


class WebChannel:
    """One page. What can be seen is kept in the hub, so no call here waits for a browser."""

    name = "web"

    def __init__(
        self, account: str, settings: WebSettings, host: Host, clock: Callable[[], float] = time.time
    ) -> None:
        self.account = account
        self._settings = settings
        self._host = host
        self._clock = clock
        self._hub = Hub(clock)
        self._door = Door(settings, clock)
        self._connections: set[Connection] = set()
        self._is_running = False

    def rekey(self, settings: WebSettings) -> None:
        """See channels.doors.Rekeys. Whoever is here has to come again, with the new token."""
        if settings.token != self._settings.token:
            self._settings = self._settings.model_copy(update={"token": settings.token})
            self._door.rekey(self._settings)
            for connection in self._connections:
                connection.leave()

    async def run(self) -> None:
        """Serve until cancelled; then close every page's connection, which tells the pages to come back."""
        self._is_running = True
        self._host.online(is_online=True)
        try:
            await asyncio.Event().wait()
        finally:
            self._is_running = False
            await self._close_all()

    def capabilities(self, address: Address) -> Capabilities:
        """The same everywhere."""
        return CAPABILITIES

    @property
    def connections(self) -> int:
        """How many pages are connected."""
        return len(self._connections)

    def routes(self) -> Sequence[Route]:
        """The page, its files, its socket and the way in."""
        return (
            Route("GET", "/", self._door.index),
            Route("GET", "/web/socket", self._socket),
            Route("GET", "/web/{name}", self._door.asset),
            Route("POST", "/web/login", self._door.login),
            Route("POST", "/web/logout", self._door.logout),
        )

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """Show a whole message; the same key shows it once."""
        _check_length(text)
        message_id = _message_id(send_key)
        if not self._hub.has(address.key.space, message_id):
            self._hub.show(address.key.space, message_id, text, is_open=False)
        self._hub.answered(address.key.space, address.reply_to)
        return Sent(message_id)

    async def edit(self, address: Address, message_id: str, text: str) -> Sent:
        """Make the message read `text`; pages that show it change it in place."""
        _check_length(text)
        self._check_is_there(address, message_id)
        self._hub.show(address.key.space, message_id, text, is_open=False)
        return Sent(message_id)

    async def delete(self, address: Address, message_id: str) -> None:
        """Take the message off every page."""
        self._hub.delete(address.key.space, message_id)

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """Show or hide that an answer is on its way."""
        self._hub.typing(address.key.space, TYPING_TTL, is_on=is_on)

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """Begin a growing message; after a restart the same key goes on in the same one."""
        _check_length(text)
        message_id = _message_id(send_key)
        self._hub.show(address.key.space, message_id, text, is_open=True)
        return message_id

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """Show more; costs no more than a note that there is more."""
        _check_length(text)
        self._check_is_there(address, stream_id)
        # Not `delta`: it speaks of the text before its half Markdown was closed, so it need not be its end.
        self._hub.extend(address.key.space, stream_id, text)

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """Show the last text; the message stays."""
        _check_length(text)
        self._check_is_there(address, stream_id)
        self._hub.show(address.key.space, stream_id, text, is_open=False)
        self._hub.answered(address.key.space, address.reply_to)
        return Sent(stream_id)

    async def show_note(self, address: Address, message_id: str, note: AnswerNote) -> None:
        """Show the small line under an answer."""
        self._hub.note(address.key.space, message_id, note)

    def _check_is_there(self, address: Address, message_id: str) -> None:
        if self._hub.is_gone(address.key.space, message_id):
            raise Gone(GoneWhat.MESSAGE, "the message was deleted")

    async def _socket(self, request: Request) -> StreamResponse:
        from aiohttp import web

        refusal = self._door.refusal(request)
        if refusal is not None:
            return refusal
        if not self._is_running or len(self._connections) >= MAX_CONNECTIONS:
            return self._door.unavailable()
        socket = web.WebSocketResponse(
            timeout=2.0,
            heartbeat=HEARTBEAT,
            compress=False,
            max_msg_size=frame_cap(self._settings.max_message_bytes),
        )
        connection = Connection(
            socket,
            self._host,
            self._hub,
            self.account,
            max_message_bytes=self._settings.max_message_bytes,
            clock=self._clock,
        )
        self._connections.add(connection)
        try:
            await socket.prepare(request)
            await connection.serve()
        finally:
            self._connections.discard(connection)
        return socket

    async def _close_all(self) -> None:
        connections = list(self._connections)
        await asyncio.gather(
            *(connection.close(GOING_AWAY, b"restarting") for connection in connections),
            return_exceptions=True,
        )


def _check_length(text: str) -> None:
    if len(text) > CAPABILITIES.max_text:
        raise TooLong(f"{len(text)} characters; a message holds {CAPABILITIES.max_text}")


def _message_id(send_key: str) -> str:
    return "a-" + hashlib.blake2b(send_key.encode(errors="replace"), digest_size=12).hexdigest()
