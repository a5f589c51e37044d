"""What came with messages, opened and read: all files of a turn together, each once, within bounds of size and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import structlog

from bot import metrics
from bot.fetch import Fault, Fetcher, FetchError
from bot.media import words
from bot.media.excerpt import Excerpt, decode, tidy
from bot.media.extract import EXTRACTED, Extractor
from bot.media.filetypes import Family, FileType, sniff
from bot.media.material import (
    IMAGE_MAX_BYTES,
    Material,
    Reading,
    assembled,
    most_bytes,
    surplus,
    unwanted,
)
from bot.media.problems import Problem, Unreadable
from bot.media.speech import Speech
from bot.watchdog import moved
from channels.base import Channel, OpensAttachments
from channels.errors import ChannelError, Gone, TooLong
from channels.events import Attachment, AttachmentKind, Message
from providers.base import Image

log = structlog.get_logger()

OPEN_DEADLINE = 10.0
TOTAL_DEADLINE = 45.0
"""Seconds for all files of a turn: one is opened in 10 and written down in 30."""

DOCUMENT_CHARACTERS = 40_000
OPENED_AT_ONCE = 8
"""Files in the whole daemon: what they take of its memory."""


@dataclass(frozen=True, slots=True)
class Attachments:
    """Reads what came with messages. `speech` tells who writes down speech now, None for nobody."""

    fetcher: Fetcher
    extractor: Extractor
    speech: Callable[[], Speech | None]
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENED_AT_ONCE))

    def of(self, channel: Channel) -> TurnFiles:
        """The files of one turn, to be closed at its end. Costs nothing until something is read."""
        return TurnFiles(self, channel)

    async def read(self, channel: Channel, attachment: Attachment, *, sees: bool) -> Reading:
        """Open one file and read it. Never raises for what is in it."""
        began = time.monotonic()
        reading, size = await self._read(channel, attachment, sees=sees)
        moved()
        metrics.attachment_read(str(attachment.kind), is_read=not reading.problem)
        log.info(
            "attachment read" if not reading.problem else "attachment not read",
            kind=str(attachment.kind),
            mime=reading.kind.mime if reading.kind is not None else None,
            bytes=size or None,
            took=round(time.monotonic() - began, 4),
            reason=reading.problem or None,
        )
        return reading

    async def _read(self, channel: Channel, attachment: Attachment, *, sees: bool) -> tuple[Reading, int]:
        speech = self.speech()
        if problem := unwanted(attachment, sees=sees, hears=speech is not None):
            return Reading(problem=problem), 0
        most = most_bytes(attachment)
        try:
            async with self._places:
                data = await self._open(channel, attachment, most)
        except Unreadable as error:
            return Reading(problem=words.why(error.problem, limit=most)), 0
        kind = sniff(data, attachment.mime, attachment.name)
        try:
            return await self._understand(attachment, data, kind, speech, sees=sees), len(data)
        except Unreadable as error:
            limit = IMAGE_MAX_BYTES if kind.family is Family.IMAGE else most
            return Reading(kind, problem=words.why(error.problem, limit=limit, kind=kind)), len(data)

    async def _open(self, channel: Channel, attachment: Attachment, most: int) -> bytes:
        try:
            async with asyncio.timeout(OPEN_DEADLINE):
                if isinstance(channel, OpensAttachments):
                    return await channel.open_attachment(attachment.ref, most)
                return (await self.fetcher.get(attachment.ref, max_bytes=most)).data
        except TooLong:
            raise Unreadable(Problem.TOO_LARGE) from None
        except Gone:
            raise Unreadable(Problem.GONE) from None
        except FetchError as error:
            problem = Problem.TOO_LARGE if error.fault is Fault.TOO_LARGE else Problem.NOT_OPENED
            raise Unreadable(problem) from None
        except (ChannelError, TimeoutError):
            raise Unreadable(Problem.NOT_OPENED) from None

    async def _understand(
        self, attachment: Attachment, data: bytes, kind: FileType, speech: Speech | None, *, sees: bool
    ) -> Reading:
        """Raises Unreadable."""
        if kind.family is Family.IMAGE:
            if not sees:
                raise Unreadable(Problem.NO_EYES)
            if len(data) > IMAGE_MAX_BYTES:
                raise Unreadable(Problem.TOO_LARGE)
            return Reading(kind, image=Image(kind.mime, data))
        if attachment.kind is AttachmentKind.IMAGE and kind.family is not Family.PICTURE:
            raise Unreadable(Problem.NO_PICTURE)
        if kind.family is Family.SOUND:
            if speech is None:
                raise Unreadable(Problem.NO_EARS)
            text = await speech.write_down(data, kind.mime)
            if attachment.kind is AttachmentKind.VOICE:
                return Reading(kind, said=text)
            return Reading(kind, excerpt=Excerpt(text))
        charset = attachment.mime.partition("charset=")[2].strip(" \"'")
        if kind.family is Family.TEXT:
            excerpt = decode(data, charset, limit=DOCUMENT_CHARACTERS)
        elif kind.family in EXTRACTED:
            excerpt = await self.extractor.read(kind.family, data, DOCUMENT_CHARACTERS, charset)
        else:
            raise Unreadable(Problem.NO_KIND)
        if not excerpt.text.strip():
            raise Unreadable(Problem.NO_TEXT)
        return Reading(kind, excerpt=replace(excerpt, text=tidy(excerpt.text)))


class TurnFiles:
    """The files of one turn. Each is read once, however often the question begins again."""

    def __init__(self, attachments: Attachments, channel: Channel) -> None:
        self._attachments = attachments
        self._channel = channel
        self._tasks: dict[Attachment, asyncio.Task[Reading]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._tasks:
            return
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, messages: Sequence[Message], *, sees: bool, window: int) -> Material:
        """What the question is made of, at the latest after TOTAL_DEADLINE seconds.

        `sees`: whether any model here takes pictures. `window`: the tokens of the largest. When this is cancelled the
        files go on being read, for the question that begins again.
        """
        found = [each for message in messages for each in message.attachments]
        over = surplus(found)
        for each in found:
            if each not in self._tasks and each not in over:
                reading = self._attachments.read(self._channel, each, sees=sees)
                self._tasks[each] = asyncio.create_task(reading, name="attachment")
        wanted = [self._tasks[each] for each in dict.fromkeys(found) if each not in over]
        if wanted:
            await asyncio.wait(wanted, timeout=TOTAL_DEADLINE)
        readings = {each: Reading(problem=problem) for each, problem in over.items()}
        for each in found:
            if each not in readings:
                task = self._tasks[each]
                readings[each] = (
                    task.result() if task.done() else Reading(problem=words.why(Problem.TOO_SLOW))
                )
        return assembled(messages, readings, window // 2)
