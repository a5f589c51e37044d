"""The terminal's account: takes lines, shows answers as they come, never takes back what was shown."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from channels.base import Host
from channels.capabilities import Capabilities, LatencyClass, Markup, SendKey, Streaming
from channels.console.parse import STOP, to_message
from channels.console.render import DIM, RESET, Styler, note_line, plain
from channels.console.screens import PipeScreen, Screen, read_lines
from channels.errors import Gone, GoneWhat, TooLong
from channels.events import Address, AnswerNote, Message, Sent

if TYPE_CHECKING:
    from channels.console.settings import ConsoleSettings

MAX_KEYS = 200
RETRY = 0.25  # seconds between two offers of a message for which there was no room
PATIENCE = 180.0  # seconds without any sign of an answer after which a pipe's next line is sent all the same
CAPABILITIES = Capabilities(
    latency=LatencyClass.SYNC,
    streaming=Streaming.NATIVE,
    markup=Markup.PLAIN,
    max_text=100_000,
    typing_ttl=15.0,
    replaceable=False,
    durable=False,
    notes=True,
    send_key=SendKey.KEY,
)


@dataclass(slots=True)
class _Stream:
    """An answer that grows: what of it stands on the screen."""

    shown: str
    is_interrupted: bool = False
    styler: Styler = field(default_factory=Styler)


class ConsoleChannel:
    """One terminal. `stdin` and `stdout` are the process's own unless others are given.

    `patience`: how long a line that came through a pipe may wait for the answer to the one before, in seconds
    without any sign of one.
    """

    name = "console"

    def __init__(
        self,
        account: str,
        settings: ConsoleSettings,
        host: Host,
        *,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        patience: float = PATIENCE,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.account = account
        self._settings = settings
        self._host = host
        self._stdin = stdin or sys.stdin
        self._screen: Screen = PipeScreen(stdout or sys.stdout)
        self._stdout = stdout or sys.stdout
        self._patience = patience
        self._new_id = new_id
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._is_typing = False
        self._at_line_start = True
        self._news = asyncio.Condition()
        self._left = asyncio.Event()

    async def run(self) -> None:
        """Talk until the person leaves: Ctrl-D on a terminal, the end of the input and its last answer on a pipe."""
        self._host.online(is_online=True)
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(self._talk())
            leaving = tasks.create_task(self._left.wait())
            await asyncio.wait((talking, leaving), return_when=asyncio.FIRST_COMPLETED)
            talking.cancel()
            leaving.cancel()

    def capabilities(self, address: Address) -> Capabilities:
        """The same everywhere."""
        return CAPABILITIES

    @property
    def is_answering(self) -> bool:
        """An answer is growing or on its way."""
        return bool(self._streams) or self._is_typing

    async def say(self, text: str) -> Message | None:
        """Hand a line to the daemon; waits while there is no room for it. None when there is nothing to say."""
        message = to_message(text, self._new_id(), self.account, datetime.now(UTC))
        if message is None:
            return None
        size = len(message.text.encode())
        if size > self._settings.max_message_bytes:
            most = self._settings.max_message_bytes
            await self.show(f"This line is too long: {size} bytes. A message holds at most {most} bytes.\n")
            return None
        while True:
            if await self._host.accept(message):
                return message
            await asyncio.sleep(RETRY)

    async def stop(self) -> None:
        """Stop the running answer, as a person does who types it."""
        await self.say(STOP)

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """Show a whole message; the same key shows it once."""
        _check_length(text)
        message_id = _message_id(send_key)
        if self._is_new(message_id):
            styler = Styler()
            shown = styler.feed(text) + styler.end() if self._screen.is_terminal else plain(text)
            await self.show(f"{shown}\n")
        await self._done(address)
        return Sent(message_id)

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """An answer is on its way."""
        self._is_typing = is_on
        await self._sign()

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """Begin an answer on a line of its own."""
        _check_length(text)
        stream_id = _message_id(send_key)
        stream = self._streams.setdefault(stream_id, _Stream(""))
        self._is_typing = False
        if not self._at_line_start:
            await self._write("\n")
        await self._grow(stream, text)
        return stream_id

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """Show what is new."""
        _check_length(text)
        await self._grow(self._stream(stream_id), text)

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """Show the rest and end the line."""
        _check_length(text)
        stream = self._stream(stream_id)
        await self._grow(stream, text)
        rest = stream.styler.end() if self._screen.is_terminal else ""
        await self._write(f"{rest}\n")
        self._streams.pop(stream_id, None)
        self._is_new(stream_id)
        await self._done(address)
        return Sent(stream_id)

    async def show_note(self, address: Address, message_id: str, note: AnswerNote) -> None:
        """The small line under an answer; a pipe gets the answer alone."""
        if self._screen.is_terminal and self._settings.notes:
            await self.show(f"{DIM}{note_line(note)}{RESET}\n")

    async def _talk(self) -> None:
        if self._stdin.isatty() and self._stdout.isatty():
            from channels.console.prompt import Prompt

            prompt = Prompt(self, self._host, self._stdout)
            self._screen = prompt
            await prompt.run()
            return
        async with aclosing(read_lines(self._stdin, self._settings.max_message_bytes)) as lines:
            async for line in lines:
                message = await self.say(line)
                if message is not None:
                    await self._wait_for_answer(message)

    async def _wait_for_answer(self, message: Message) -> None:
        """Until the answer is complete, so that the next line is a message of its own and not one more of this."""
        while message.message_id not in self._answered or self._streams:
            try:
                async with asyncio.timeout(self._patience), self._news:
                    await self._news.wait()
            except TimeoutError:
                return

    async def _grow(self, stream: _Stream, text: str) -> None:
        more = text.removeprefix(stream.shown) if text.startswith(stream.shown) else f"\n{text}"
        stream.shown = text
        if stream.is_interrupted:  # it goes on at the beginning of a line already
            more = more.lstrip("\n")
            stream.is_interrupted = not more
        if more:
            await self._write(stream.styler.feed(more) if self._screen.is_terminal else plain(more))
        await self._sign()

    async def show(self, text: str) -> None:
        """Show whole lines; an answer that is growing goes on under them."""
        await self._write(text if self._at_line_start else f"\n{text}")
        for stream in self._streams.values():
            stream.is_interrupted = True

    async def _write(self, text: str) -> None:
        if not text or self._left.is_set():
            return
        self._at_line_start = text.endswith("\n")
        try:
            await self._screen.write(text)
        except BrokenPipeError:
            self._left.set()

    def _stream(self, stream_id: str) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise Gone(GoneWhat.MESSAGE, "the answer was finished or never begun")
        return stream

    def _is_new(self, message_id: str) -> bool:
        is_new = message_id not in self._sent
        _remember(self._sent, message_id)
        return is_new

    async def _done(self, address: Address) -> None:
        self._is_typing = False
        if address.reply_to is not None:
            _remember(self._answered, address.reply_to)
        await self._sign()

    async def _sign(self) -> None:
        async with self._news:
            self._news.notify_all()


def _remember(seen: OrderedDict[str, None], key: str) -> None:
    seen[key] = None
    while len(seen) > MAX_KEYS:
        seen.popitem(last=False)


def _check_length(text: str) -> None:
    if len(text) > CAPABILITIES.max_text:
        raise TooLong(f"{len(text)} characters; a message holds {CAPABILITIES.max_text}")


def _message_id(send_key: str) -> str:
    return "c-" + hashlib.blake2b(send_key.encode(errors="replace"), digest_size=12).hexdigest()
