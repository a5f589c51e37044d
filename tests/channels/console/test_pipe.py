"""Through a pipe: lines in, answers out, and the end of the input is the end."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress

import pytest

from channels.console.channel import ConsoleChannel
from channels.console.parse import address_of
from channels.console.settings import ConsoleSettings
from channels.errors import Gone, TooLong
from channels.events import AnswerNote, Message
from tests.channels.host import RecordingHost


class Pipe:
    """A console channel between two pipes, with a daemon that answers as the test says."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.stdin = os.fdopen(reading, encoding="utf-8", errors="surrogateescape")
        self.stdout = io.StringIO()
        self.host = RecordingHost()
        self.channel = ConsoleChannel(
            "main", ConsoleSettings(max_message_bytes=1000), self.host, stdin=self.stdin, stdout=self.stdout
        )
        self._tasks: list[asyncio.Task[None]] = []

    def write(self, data: str | bytes) -> None:
        os.write(self._writing, data if isinstance(data, bytes) else data.encode())

    def end(self) -> None:
        with suppress(OSError):
            os.close(self._writing)

    def answer_by(self, work: Callable[[Message], Coroutine[None, None, None]]) -> None:
        self.host.on_message = lambda message: self._tasks.append(asyncio.ensure_future(work(message)))

    async def echo(self, message: Message) -> None:
        """An answer in three steps with a note."""
        key = f"key-{message.message_id}"
        text = f"You said {message.text}"
        await self.channel.typing(message.address, is_on=True)
        stream = await self.channel.start_stream(message.address, "You", key)
        await self.channel.update_stream(message.address, stream, "You said", " said")
        sent = await self.channel.finish_stream(message.address, stream, text, text[8:], key)
        await self.channel.show_note(message.address, sent.id, AnswerNote("some/model", "reason"))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.end()
    pipe.stdin.close()


async def test_every_line_is_answered_in_turn_and_then_it_ends(pipe: Pipe) -> None:
    pipe.answer_by(pipe.echo)
    pipe.write("one\ntwo\n\nthree")
    pipe.end()
    await asyncio.wait_for(pipe.channel.run(), 20)
    assert pipe.stdout.getvalue() == "You said one\nYou said two\nYou said three\n"
    assert pipe.host.states == [(True, "")]


async def test_the_next_line_waits_for_the_answer_to_the_one_before(pipe: Pipe) -> None:
    running = asyncio.create_task(pipe.channel.run())
    pipe.write("one\ntwo\n")
    [first] = await pipe.host.wait_for_messages(1)
    stream = await pipe.channel.start_stream(first.address, "An", "key-1")
    await pipe.channel.update_stream(first.address, stream, "Answer", "swer")
    assert len(pipe.host.messages) == 1
    await pipe.channel.finish_stream(first.address, stream, "Answer", "", "key-1")
    await pipe.host.wait_for_messages(2)
    running.cancel()
    await asyncio.wait([running])


async def test_a_command_that_is_answered_whole_counts_as_answered(pipe: Pipe) -> None:
    async def status(message: Message) -> None:
        await pipe.channel.send(message.address, "All well", message.message_id)

    pipe.answer_by(status)
    pipe.write("/status\n/status\n")
    pipe.end()
    await asyncio.wait_for(pipe.channel.run(), 20)
    assert pipe.stdout.getvalue() == "All well\nAll well\n"


async def test_a_line_that_is_too_long_is_refused_and_the_next_one_counts(pipe: Pipe) -> None:
    pipe.answer_by(pipe.echo)
    pipe.write("x" * 5000 + "\nshort\n")
    pipe.end()
    await asyncio.wait_for(pipe.channel.run(), 20)
    assert [message.text for message in pipe.host.messages] == ["short"]
    assert "A message holds at most 1000 bytes" in pipe.stdout.getvalue()


async def test_bytes_that_are_no_text_do_not_end_it(pipe: Pipe) -> None:
    pipe.answer_by(pipe.echo)
    pipe.write(b"a\xff\xfeb\x00\r\n")
    pipe.end()
    await asyncio.wait_for(pipe.channel.run(), 20)
    assert [message.text for message in pipe.host.messages] == ["a\ufffd\ufffdb"]


async def test_a_message_without_room_is_offered_again(pipe: Pipe) -> None:
    pipe.answer_by(pipe.echo)
    pipe.host.has_room = False
    pipe.write("patience\n")
    pipe.end()
    running = asyncio.create_task(pipe.channel.run())
    await asyncio.wait([running], timeout=0.1)
    assert not pipe.host.messages
    pipe.host.has_room = True
    await asyncio.wait_for(running, 20)
    assert pipe.stdout.getvalue() == "You said patience\n"


async def test_it_leaves_when_nobody_reads_any_more(pipe: Pipe) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        channel = ConsoleChannel("main", ConsoleSettings(), pipe.host, stdin=pipe.stdin, stdout=stdout)
        running = asyncio.create_task(channel.run())
        pipe.write("one\n")
        [message] = await pipe.host.wait_for_messages(1)
        await channel.send(message.address, "unread", "key-1")
        await asyncio.wait_for(running, 20)
        with suppress(BrokenPipeError):
            stdout.close()


async def test_a_whole_message_beside_a_growing_one_gets_lines_of_its_own(pipe: Pipe) -> None:
    address = address_of("main")
    stream = await pipe.channel.start_stream(address, "Growing", "key-1")
    await pipe.channel.send(address, "Status: well", "key-2")
    await pipe.channel.finish_stream(address, stream, "Growing\n\non", "\n\non", "key-1")
    assert pipe.stdout.getvalue() == "Growing\nStatus: well\non\n"


async def test_what_was_shown_is_never_taken_back(pipe: Pipe) -> None:
    """Delivery does not replace here; if it did, the new text would follow the old one."""
    address = address_of("main")
    stream = await pipe.channel.start_stream(address, "One way", "key-1")
    await pipe.channel.finish_stream(address, stream, "Another", None, "key-1")
    assert pipe.stdout.getvalue() == "One way\nAnother\n"


async def test_the_same_key_is_shown_once(pipe: Pipe) -> None:
    address = address_of("main")
    first = await pipe.channel.send(address, "once", "key-1")
    assert await pipe.channel.send(address, "once", "key-1") == first
    assert pipe.stdout.getvalue() == "once\n"


async def test_a_finished_answer_cannot_go_on(pipe: Pipe) -> None:
    address = address_of("main")
    stream = await pipe.channel.start_stream(address, "done", "key-1")
    await pipe.channel.finish_stream(address, stream, "done", "", "key-1")
    with pytest.raises(Gone):
        await pipe.channel.update_stream(address, stream, "done more", " more")


async def test_a_text_beyond_the_declared_length_is_refused(pipe: Pipe) -> None:
    address = address_of("main")
    with pytest.raises(TooLong):
        await pipe.channel.send(address, "x" * 100_001, "key-1")
