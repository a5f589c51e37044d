"""What the files of a turn add to its question, and what is said of those that add nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.conversations import KEPT_CHARACTERS
from bot.media import words
from bot.media.excerpt import Excerpt
from bot.media.filetypes import Family, FileType
from bot.media.material import (
    DOCUMENT_MAX_BYTES,
    IMAGE_MAX_BYTES,
    MAX_FILES,
    MAX_IMAGES,
    TURN_CHARACTERS,
    Reading,
    assembled,
    shared,
    surplus,
    unwanted,
)
from bot.prompt import count_tokens
from channels.capabilities import Surface
from channels.events import Address, Attachment, AttachmentKind, ConversationKey, Message, Sender
from providers.base import Image

TEXT = FileType(Family.TEXT, "text/plain", "a text")
PICTURE = FileType(Family.IMAGE, "image/png", "a PNG picture")


def attachment(number: int = 1, kind: AttachmentKind = AttachmentKind.FILE, **more: object) -> Attachment:
    given = {"mime": "text/plain", "name": f"file {number}.txt", **more}
    return Attachment(kind, f"ref {number}", **given)  # type: ignore[arg-type]


def message(text: str, *attachments: Attachment) -> Message:
    where = Address(ConversationKey("c", "main", "room"), Surface.DIRECT)
    return Message("e", "1", where, Sender("ann"), text, datetime(2026, 11, 21, tzinfo=UTC), attachments)


def read(text: str) -> Reading:
    return Reading(TEXT, excerpt=Excerpt(text))


def test_each_message_keeps_its_own_files() -> None:
    one, two = attachment(1), attachment(2)
    made = assembled(
        [message("first", one), message("", two)],
        {one: read("alpha"), two: Reading(problem="it is damaged")},
        10_000,
    )
    assert made.texts[0].startswith("first\n[attached file: file 1.txt (a text). ")
    assert made.texts[0].endswith("```\nalpha\n```")
    assert made.texts[1] == "[attached file: file 2.txt; not readable: it is damaged]"
    assert made.unread == "I could not read file 2.txt: it is damaged."
    assert not made.is_nothing


def test_nothing_readable_and_no_word_is_nothing_to_ask() -> None:
    one = attachment()
    assert assembled([message("", one)], {one: Reading(problem="x")}, 100).is_nothing
    assert assembled([message(" \n", one)], {one: Reading(problem="x")}, 100).is_nothing
    assert not assembled([message("?", one)], {one: Reading(problem="x")}, 100).is_nothing
    assert not assembled([message("", one)], {one: read("x")}, 100).is_nothing


def test_what_was_said_aloud_stands_as_the_persons_words() -> None:
    one = attachment(kind=AttachmentKind.VOICE)
    made = assembled([message("", one)], {one: Reading(said="good morning")}, 100)
    assert made.texts == ("[said in a voice note] good morning",)


def test_pictures_beyond_the_fourth_are_named_and_said() -> None:
    files = [attachment(number) for number in range(6)]
    image = Image("image/png", b"x")
    made = assembled([message("", *files)], {each: Reading(PICTURE, image=image) for each in files}, 100)
    assert len(made.images) == MAX_IMAGES
    assert made.unread.count("I take 4 at a time") == 2


def test_files_beyond_what_a_turn_takes_are_not_opened() -> None:
    files = [attachment(number) for number in range(MAX_FILES + 3)]
    assert list(surplus(files)) == files[MAX_FILES:]
    pictures = [attachment(number, AttachmentKind.IMAGE) for number in range(6)]
    assert list(surplus([*files[:2], *pictures])) == pictures[MAX_IMAGES:]
    assert surplus([files[0]] * 50) == {}


def test_what_cannot_be_used_is_not_opened() -> None:
    def why(one: Attachment, *, sees: bool = True, hears: bool = True) -> str:
        return unwanted(one, sees=sees, hears=hears)

    assert why(attachment(kind=AttachmentKind.VIDEO)) == "it is a video"
    assert why(attachment(kind=AttachmentKind.IMAGE), sees=False) == "no model here takes pictures"
    assert "writes down speech" in why(attachment(kind=AttachmentKind.AUDIO), hears=False)
    assert "5 MB" in why(attachment(kind=AttachmentKind.IMAGE, size=IMAGE_MAX_BYTES + 1))
    assert "10 MB" in why(attachment(size=DOCUMENT_MAX_BYTES + 1))
    assert "20 MB" in why(attachment(mime="audio/mpeg", size=20_000_001))
    for kind in AttachmentKind:
        if kind is not AttachmentKind.VIDEO:
            assert why(attachment(kind=kind)) == why(attachment(kind=kind, size=1)) == ""


@given(st.lists(st.integers(0, 1000), max_size=8), st.integers(-5, 2000))
def test_shares_are_fair_and_no_more_than_there_is(wants: list[int], most: int) -> None:
    given = shared(wants, most)
    assert sum(given) <= max(most, 0)
    assert all(got <= wanted for got, wanted in zip(given, wants, strict=True))
    if sum(wants) <= most:
        assert given == wants
    cut = [got for got, wanted in zip(given, wants, strict=True) if got < wanted]
    assert not cut or max(given) - min(cut) <= 1


@given(
    st.lists(st.tuples(st.sampled_from("aü世"), st.integers(1, 40_000)), min_size=1, max_size=8),
    st.integers(0, 9000),
)
def test_all_files_of_a_turn_fit_what_a_model_and_a_conversation_hold(
    files: list[tuple[str, int]], room: int
) -> None:
    ones = {attachment(at): read(letter * count) for at, (letter, count) in enumerate(files)}
    made = assembled([message("", *ones)], ones, room)
    lines = [line for line in made.texts[0].split("\n") if line and line[0] in "aü世"]
    held = "".join(lines)
    assert len(held) <= TURN_CHARACTERS < KEPT_CHARACTERS
    assert sum(map(count_tokens, lines)) <= room
    whole = sum(count for _, count in files)
    assert (len(held) < whole) == ("[cut here: the file goes on]" in made.texts[0])


def test_a_question_is_shown_without_what_is_in_its_files() -> None:
    one, two = attachment(1), attachment(2)
    long = Reading(TEXT, excerpt=Excerpt("```\n[cut here: the file goes on]\n```", is_cut=True))
    made = assembled([message("look", one, two)], {one: read("alpha\n\nbeta"), two: long}, 1000)
    assert words.without_contents(made.texts[0]) == (
        "look\n[attached file: file 1.txt (a text)]\n[attached file: file 2.txt (a text)]"
    )
    assert words.without_contents("no file at all") == "no file at all"


@given(st.text(alphabet="`[]x\n.:", max_size=80))
def test_contents_never_show_whatever_they_are(text: str) -> None:
    one = attachment()
    made = assembled([message("q", one)], {one: read(text or "x")}, 1000)
    assert words.without_contents(made.texts[0]) == "q\n[attached file: file 1.txt (a text)]"
