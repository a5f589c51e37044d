"""The account of the endpoint for programs: its routes, and the answers that grow in them."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channels.api import render
from channels.api.answers import SILENCE, Stream, refusal, reply, whole
from channels.api.messages import picture_of
from channels.api.parse import ChatRequest, chat_of, json_of, vectors_of
from channels.api.pending import Pending
from channels.api.problems import (
    BAD_BODY,
    CLOSED,
    CROWDED,
    NO_SUCH_PATH,
    NOT_AUTHORIZED,
    BadRequest,
    Problem,
    of_vectors,
    unsupported,
    wrong,
)
from channels.base import Host, Route
from channels.capabilities import Capabilities, LatencyClass, Markup, Streaming, Surface
from channels.doors import BadBody, let_in, read_body
from channels.errors import ChannelError, Refused
from channels.events import Address, ConversationKey, Message, MessageDeleted, Sender, Sent
from channels.programs import Conclusion, Picture, RouteTaken

if TYPE_CHECKING:
    from channels.api.settings import ApiSettings

LOOK_EVERY = 0.05
"""Seconds after which it is noticed that somebody has hung up."""

BODY_DEADLINE = 60.0
"""Seconds that a request may take to arrive."""

PICTURE_BYTES = 20_000_000
LATENCY_HEADER = "x-firstword-latency"
TASK_HEADER = "x-firstword-task"
MAX_TASK = 40

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiChannel:
    """One token and the requests that came with it. Every request is a conversation of its own."""

    name = "api"

    def __init__(
        self,
        account: str,
        settings: ApiSettings,
        host: Host,
        clock: Callable[[], float] = time.time,
        silence: float = SILENCE,
    ) -> None:
        """`silence`: seconds without a byte after which a stream says that it is still there."""
        self.account = account
        self._settings = settings
        self._host = host
        self._clock = clock
        self._silence = silence
        self._began = int(clock())
        self._open: dict[str, Pending] = {}
        self._active = 0
        self._is_running = False
        self._busy = asyncio.Event()
        self._usual = _capabilities(settings.latency, is_stream=True)

    def rekey(self, settings: ApiSettings) -> None:
        """See channels.doors.Rekeys."""
        self._settings = self._settings.model_copy(update={"token": settings.token})

    async def run(self) -> None:
        """Serve until cancelled; then whatever is unfinished is told so."""
        self._is_running = True
        self._host.online(is_online=True)
        try:
            while True:
                await self._busy.wait()
                await asyncio.sleep(LOOK_EVERY)
                for pending in list(self._open.values()):
                    if pending.is_lost():
                        pending.hang_up()
                if not self._open:
                    self._busy.clear()
        finally:
            self._is_running = False
            for pending in list(self._open.values()):
                pending.fail(CLOSED)

    def capabilities(self, address: Address) -> Capabilities:
        """As the request wants it answered."""
        pending = self._open.get(address.key.space)
        return self._usual if pending is None else pending.capabilities

    def routes(self) -> Sequence[Route]:
        """Completions, models and vectors, and a plain word at every other path."""
        path = self._settings.path
        return (
            Route("POST", f"{path}/chat/completions", self._served(self._chat)),
            Route("POST", f"{path}/embeddings", self._served(self._vectors)),
            Route("GET", f"{path}/models", self._served(self._models)),
            Route("GET", f"{path}/models/{{model:.+}}", self._served(self._model)),
            Route("*", f"{path}/{{tail:.*}}", self._served(self._nothing)),
        )

    def request(self, request_id: str) -> Pending | None:
        """An open request."""
        return self._open.get(request_id)

    # What delivery says. A request whose program has hung up takes everything and shows nothing.

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """The whole text. A request is answered by one message."""
        return self._say(address, text, is_whole=True)

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """The first text."""
        return self._say(address, text).id

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """More."""
        self._say(address, delta or "")

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """The last of it."""
        return self._say(address, delta or "", is_whole=True)

    async def announce(self, address: Address, route: RouteTaken) -> None:
        """Kept for the headers."""
        if (pending := self._open.get(address.key.space)) is not None:
            pending.route = route

    async def conclude(self, address: Address, conclusion: Conclusion) -> None:
        """The request is answered."""
        if (pending := self._open.get(address.key.space)) is not None:
            pending.conclude(conclusion)

    def _say(self, address: Address, text: str, *, is_whole: bool = False) -> Sent:
        pending = self._open.get(address.key.space)
        if pending is not None:
            if pending.is_whole:
                raise Refused("answered", "the request is answered already")
            pending.say(text)
            pending.is_whole = is_whole
        return Sent(address.key.space)

    # What programs ask.

    def _served(self, handler: Handler) -> Handler:
        """The handler behind token and limits; what is wrong with a request is told in OpenAI's words."""

        async def serve(request: web.Request) -> web.StreamResponse:
            if not self._is_allowed(request):
                self._host.signal("request_refused")
                return refusal(NOT_AUTHORIZED)
            let_in(request)
            if not self._is_running:
                return refusal(CLOSED)
            if self._active >= self._settings.max_requests:
                self._host.signal("request_refused")
                return refusal(CROWDED)
            self._active += 1
            try:
                return await handler(request)
            except BadRequest as error:
                self._host.signal("request_refused")
                return refusal(error.problem)
            finally:
                self._active -= 1

        return serve

    def _is_allowed(self, request: web.Request) -> bool:
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        token = self._settings.token.get_secret_value()
        is_right = hmac.compare_digest(shown.strip().encode(errors="replace"), token.encode(errors="replace"))
        return kind.lower() == "bearer" and is_right

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        chat = chat_of(body, self._settings.models, uses_our_tools=self._settings.our_tools)
        if task := request.headers.get(TASK_HEADER, ""):
            chat = replace(chat, asked=replace(chat.asked, task=task[:MAX_TASK]))
        latency = _latency(request.headers.get(LATENCY_HEADER), self._settings.latency)
        if chat.addresses:
            chat = chat.with_pictures(await self._pictures(chat.addresses))
        answer_id = f"chatcmpl-{secrets.token_hex(12)}"
        pending = Pending(
            answer_id,
            Address(ConversationKey(self.name, self.account, answer_id), Surface.API),
            _capabilities(latency, is_stream=chat.is_stream),
            lambda: request.transport is None or request.transport.is_closing(),
        )
        self._open[answer_id] = pending
        self._busy.set()
        try:
            return await self._answered(request, chat, pending)
        finally:
            del self._open[answer_id]

    async def _answered(
        self, request: web.Request, chat: ChatRequest, pending: Pending
    ) -> web.StreamResponse:
        created = int(self._clock())
        async with asyncio.TaskGroup() as tasks:
            # Whether the request is on disk is waited for beside the answer: a program is never answered twice.
            tasks.create_task(self._hand_over(chat, pending), name="api request")
            if chat.is_stream:
                chunks = render.Chunks(pending.id, created, chat.shows_usage)
                response = await Stream(request, pending, chunks, self._silence).run()
            else:
                response = await whole(pending, created)
        if pending.is_gone:
            gone = MessageDeleted(f"{pending.id} gone", pending.id, pending.address, self._sender)
            await self._host.accept(gone)  # the model is not to go on
        return response

    @property
    def _sender(self) -> Sender:
        return Sender(self.account)

    async def _hand_over(self, chat: ChatRequest, pending: Pending) -> None:
        message = Message(
            event_key=pending.id,
            message_id=pending.id,
            address=pending.address,
            sender=self._sender,
            text=chat.text,
            sent_at=datetime.fromtimestamp(self._clock(), UTC),
            asked=chat.asked,
        )
        if not await self._host.accept(message):
            pending.fail(CLOSED)

    async def _pictures(self, addresses: Sequence[str]) -> Mapping[str, Picture]:
        if not self._settings.fetch_images:
            raise unsupported(
                "messages", "pictures are not fetched here (fetchImages); send them as data: addresses"
            )
        found: dict[str, Picture] = {}
        for address in addresses:
            try:
                picture = picture_of(await self._host.fetch(address, PICTURE_BYTES))
            except ChannelError:
                raise wrong("messages", f"the picture at {address[:200]} could not be fetched") from None
            if picture is None:
                raise wrong("messages", f"there is no PNG, JPEG, GIF or WebP at {address[:200]}")
            found[address] = picture
        return found

    async def _vectors(self, request: web.Request) -> web.StreamResponse:
        wanted = vectors_of(await self._body(request), self._settings.models)
        try:
            vectors = await self._host.embed(wanted.model, wanted.texts)
        except ChannelError as error:
            return refusal(of_vectors(error))
        return reply(200, render.embeddings(vectors, is_base64=wanted.is_base64))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        choices = await self._host.models(ConversationKey(self.name, self.account, "models"))
        return reply(200, render.model_list(choices, self._began))

    async def _model(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["model"]
        for choice in await self._host.models(ConversationKey(self.name, self.account, "models")):
            if choice.ref == wanted:
                return reply(200, render.model_row(choice, self._began))
        problem = Problem(404, f"No model is called “{wanted[:200]}”.", code="model_not_found", param="model")
        return refusal(problem)

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        return refusal(NO_SUCH_PATH)

    async def _body(self, request: web.Request) -> Mapping[str, Any]:
        """The request's JSON, read as far as the account allows. Raises BadRequest."""
        try:
            return json_of(await read_body(request, self._settings.max_body_bytes, BODY_DEADLINE))
        except BadBody as error:
            raise BadRequest(BAD_BODY.get(error.status, CLOSED)) from None


def _latency(given: str | None, usual: LatencyClass) -> LatencyClass:
    if given is None:
        return usual
    try:
        return LatencyClass(given.strip().lower().replace("_", "-"))
    except ValueError:
        raise wrong(LATENCY_HEADER, f"allowed: {', '.join(LatencyClass)}") from None


def _capabilities(latency: LatencyClass, *, is_stream: bool) -> Capabilities:
    return Capabilities(
        latency=latency,
        streaming=Streaming.NATIVE if is_stream else Streaming.NONE,
        markup=Markup.PLAIN,
        replaceable=False,
        durable=False,
        raw=True,
    )
