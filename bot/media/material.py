"""What the files of a turn add to its question: pictures as bytes, documents and speech as words. Pure.

What cannot be read is said in the question, so that the model does not guess, and to the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.media import words
from bot.media.excerpt import Excerpt, shortened
from bot.media.filetypes import Family, FileType
from bot.media.problems import Problem
from bot.prompt import count_tokens
from channels.events import Attachment, AttachmentKind, Message
from providers.base import Image

MAX_FILES = 8
MAX_IMAGES = 4
IMAGE_MAX_BYTES = 5_000_000
"""The least that OpenAI, Anthropic and Gemini take of one picture (Anthropic's guide "Vision", 2026-11)."""

DOCUMENT_MAX_BYTES = 10_000_000
SOUND_MAX_BYTES = 20_000_000
"""OpenAI takes 25 MB of sound (API reference, 2026-11); Telegram hands out 20."""

TURN_CHARACTERS = 48_000
"""Less than what is kept of a conversation (bot.conversations), so that the next question can be about the file too."""

_SOUNDS = frozenset({AttachmentKind.VOICE, AttachmentKind.AUDIO})


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one file: a picture, words, or why there are none. `said`: the words are the person's own."""

    kind: FileType | None = None
    image: Image | None = None
    excerpt: Excerpt | None = None
    said: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """What a question is made of. `texts`: one for each message. `unread`: sentences for the person, or "".

    `is_nothing`: there is no word and nothing readable in any of the messages, so that no model need be asked.
    """

    texts: tuple[str, ...]
    images: tuple[Image, ...] = ()
    unread: str = ""
    is_nothing: bool = False


def unwanted(attachment: Attachment, *, sees: bool, hears: bool) -> str:
    """Why a file need not even be opened, "" when it must."""
    is_image = attachment.kind is AttachmentKind.IMAGE
    if attachment.kind is AttachmentKind.VIDEO:
        return words.why(Problem.NO_KIND, kind=FileType(Family.VIDEO, attachment.mime, "a video"))
    if is_image and not sees:
        return words.why(Problem.NO_EYES)
    if attachment.kind in _SOUNDS and not hears:
        return words.why(Problem.NO_EARS)
    most = most_bytes(attachment)
    if attachment.size is not None and attachment.size > most:
        return words.why(Problem.TOO_LARGE, limit=most)
    return ""


def most_bytes(attachment: Attachment) -> int:
    """How much of a file is taken, by what it is said to be."""
    if attachment.kind is AttachmentKind.IMAGE:
        return IMAGE_MAX_BYTES
    if attachment.kind in _SOUNDS or attachment.mime.startswith("audio/"):
        return SOUND_MAX_BYTES
    return DOCUMENT_MAX_BYTES


def surplus(attachments: Sequence[Attachment]) -> dict[Attachment, str]:
    """The files beyond what one turn takes, and why."""
    over: dict[Attachment, str] = {}
    images = 0
    for place, each in enumerate(dict.fromkeys(attachments)):
        images += each.kind is AttachmentKind.IMAGE
        if place >= MAX_FILES:
            over[each] = words.why(Problem.TOO_MANY, limit=MAX_FILES)
        elif each.kind is AttachmentKind.IMAGE and images > MAX_IMAGES:
            over[each] = words.why(Problem.TOO_MANY, limit=MAX_IMAGES)
    return over


def assembled(messages: Sequence[Message], readings: dict[Attachment, Reading], tokens: int) -> Material:
    """The texts of the messages with what their files hold, no more than `tokens` of it."""
    readings = _within(_few_images(readings), tokens)
    texts: list[str] = []
    for message in messages:
        parts = [message.text] if message.text else []
        parts += [_part(each, readings[each]) for each in message.attachments]
        texts.append("\n".join(parts))
    missed = [(words.called(each), reading.problem) for each, reading in readings.items() if reading.problem]
    has_words = any(message.text.strip() for message in messages)
    return Material(
        texts=tuple(texts),
        images=tuple(reading.image for reading in readings.values() if reading.image is not None),
        unread=words.unread(missed),
        is_nothing=not has_words and len(missed) == len(readings),
    )


def _part(attachment: Attachment, reading: Reading) -> str:
    if reading.said:
        return words.spoken(reading.said)
    if reading.excerpt is not None and reading.kind is not None:
        return words.contents(attachment, reading.kind, reading.excerpt)
    return words.note(attachment, reading.problem)


def _few_images(readings: dict[Attachment, Reading]) -> dict[Attachment, Reading]:
    """Pictures that came as files are counted once it is known that they are some."""
    images = 0
    kept: dict[Attachment, Reading] = {}
    for each, reading in readings.items():
        images += reading.image is not None
        is_over = reading.image is not None and images > MAX_IMAGES
        kept[each] = (
            Reading(reading.kind, problem=words.why(Problem.TOO_MANY, limit=MAX_IMAGES))
            if is_over
            else reading
        )
    return kept


def _within(readings: dict[Attachment, Reading], tokens: int) -> dict[Attachment, Reading]:
    """Documents cut to their shares of what one turn may hold."""
    lengths = [
        len(reading.excerpt.text) if reading.excerpt is not None else 0 for reading in readings.values()
    ]
    shares = iter(shared(lengths, TURN_CHARACTERS))
    costs = [count_tokens(reading.excerpt.text) if reading.excerpt else 0 for reading in readings.values()]
    rooms = iter(shared(costs, tokens))
    cut: dict[Attachment, Reading] = {}
    for each, reading in readings.items():
        share, room = next(shares), next(rooms)
        cut[each] = reading
        if (excerpt := reading.excerpt) is not None:
            text = shortened(excerpt.text[:share], room, count_tokens)
            if len(text) < len(excerpt.text):
                cut[each] = replace(reading, excerpt=Excerpt(text, is_cut=True, about=excerpt.about))
    return cut


def shared(wants: Sequence[int], most: int) -> list[int]:
    """How much each gets of `most`: the small ones all that they want, the large ones the same as each other."""
    given = [0] * len(wants)
    left = max(most, 0)
    order = sorted(range(len(wants)), key=wants.__getitem__)
    for place, index in enumerate(order):
        given[index] = min(wants[index], left // (len(order) - place))
        left -= given[index]
    return given
