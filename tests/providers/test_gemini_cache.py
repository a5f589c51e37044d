"""When a beginning gets a cache of its own, and which one serves."""

from __future__ import annotations

import pytest

from providers.base import CompletionRequest, Image, ModelSpec, PromptMessage, Role, Tool
from providers.gemini_cache import MARGIN, MAX_LIVE, MAX_SEEN, PrefixCaches, Use, creation, with_cache
from providers.gemini_request import prompt_of, request_body

MODEL = ModelSpec("gemini", "gemini-3.8-flash")
BOOK = "word " * 400  # about 500 tokens
MIN = 400
TTL = 600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def chat(*texts: str, tools: tuple[Tool, ...] = (), images: int = 0) -> CompletionRequest:
    """Person and model in turns; all but the last message come again."""
    pictures = tuple(Image("image/png", b"x") for _ in range(images))
    messages = [PromptMessage(Role.SYSTEM, "Be brief.")]
    for place, text in enumerate(texts):
        messages.append(
            PromptMessage(Role.ASSISTANT if place % 2 else Role.USER, text, () if place else pictures)
        )
    return CompletionRequest(tuple(messages), stable=len(messages) - 1, tools=tools)


class Asked:
    """Requests as the client hands them over."""

    def __init__(self, *, is_on: bool = True) -> None:
        self.clock = Clock()
        self.caches = PrefixCaches(MIN, TTL, self.clock, is_on=is_on)

    def look(self, request: CompletionRequest, scope: str = "m key") -> Use:
        prompt = prompt_of(MODEL, request.messages)
        return self.caches.look(scope, request, prompt, request_body(MODEL, request, prompt, {}))

    def make(self, request: CompletionRequest, name: str = "cachedContents/1", scope: str = "m key") -> None:
        """Twice asked, once made."""
        self.look(request, scope)
        start = self.look(request, scope).make
        assert start is not None
        self.caches.begin(start)
        self.caches.made(start, name)


@pytest.fixture
def asked() -> Asked:
    return Asked()


DOCUMENT = chat(BOOK, "Read.", "What is it about?")


def test_a_beginning_is_worth_a_cache_when_it_comes_again(asked: Asked) -> None:
    assert asked.look(DOCUMENT).make is None
    start = asked.look(chat(BOOK, "Read.", "And who wrote it?")).make
    assert start is not None
    assert start.count == 2


def test_short_prompts_never_get_one(asked: Asked) -> None:
    short = chat("Hi", "Hello.", "And now?")
    assert [asked.look(short) for _ in range(3)] == [Use()] * 3


def test_a_cache_serves_the_same_beginning_however_far_the_talk_has_come(asked: Asked) -> None:
    asked.make(DOCUMENT)
    later = asked.look(chat(BOOK, "Read.", "What is it about?", "Whales.", "And who wrote it?"))
    assert later.name == "cachedContents/1"
    assert later.start is not None
    assert (later.start.count, later.make) == (2, None)


@pytest.mark.parametrize(
    "other",
    [
        chat(BOOK + "!", "Read.", "Again?"),
        chat(BOOK, "Read.", "Again?", tools=(Tool("f", "", {}),)),
    ],
    ids=["text", "tools"],
)
def test_another_beginning_is_not_served(asked: Asked, other: CompletionRequest) -> None:
    asked.make(DOCUMENT)
    assert asked.look(other).name == ""


def test_another_key_is_not_served(asked: Asked) -> None:
    asked.make(DOCUMENT)
    assert asked.look(DOCUMENT, scope="m other").name == ""


def test_a_second_document_in_the_same_talk_gets_a_longer_cache(asked: Asked) -> None:
    asked.make(DOCUMENT)
    longer = chat(BOOK, "Read.", BOOK + "two", "Read too.", "Compare them.")
    assert asked.look(longer).make is None
    again = asked.look(chat(BOOK, "Read.", BOOK + "two", "Read too.", "Once more."))
    assert (again.name, again.make and again.make.count) == ("cachedContents/1", 4)


def test_a_cache_is_not_used_when_its_end_is_near(asked: Asked) -> None:
    asked.make(DOCUMENT)
    asked.clock.now += TTL - MARGIN - 1
    assert asked.look(DOCUMENT).name
    asked.clock.now += 2
    use = asked.look(DOCUMENT)
    assert use.name == ""
    assert use.make is not None


def test_a_cache_that_could_not_be_made_is_not_tried_again_at_once(asked: Asked) -> None:
    asked.look(DOCUMENT)
    start = asked.look(DOCUMENT).make
    assert start is not None
    asked.caches.begin(start)
    assert asked.look(DOCUMENT) == Use()
    asked.clock.now += TTL + 1
    assert asked.look(DOCUMENT).make == start


def test_a_cache_that_the_server_lost_is_forgotten(asked: Asked) -> None:
    asked.make(DOCUMENT)
    start = asked.look(DOCUMENT).start
    assert start is not None
    asked.caches.lost(start)
    assert asked.look(DOCUMENT).name == ""


def test_there_are_never_more_than_a_few(asked: Asked) -> None:
    for number in range(MAX_LIVE):
        asked.make(chat(f"{number}{BOOK}", "Read.", "?"))
    one_more = chat(f"more{BOOK}", "Read.", "?")
    asked.look(one_more)
    assert asked.look(one_more).make is None


def test_what_came_long_ago_counts_as_new(asked: Asked) -> None:
    asked.look(DOCUMENT)
    for number in range(MAX_SEEN):
        asked.look(chat(f"{number}{BOOK}", "Read.", "?"))
    assert asked.look(DOCUMENT).make is None


def test_pictures_count_by_their_tokens_and_not_by_their_bytes(asked: Asked) -> None:
    one, two = chat("?", "A.", "And?", images=1), chat("?", "A.", "And?", images=2)
    assert [asked.look(request).make is not None for request in (one, one, two, two)] == [
        False,
        False,
        False,
        True,
    ]


def test_switched_off_there_are_none() -> None:
    asked = Asked(is_on=False)
    assert [asked.look(DOCUMENT) for _ in range(3)] == [Use()] * 3


def test_what_the_cache_holds_the_request_does_not_say_again(asked: Asked) -> None:
    tools = (Tool("f", "", {}),)
    request = chat(BOOK, "Read.", "What is it about?", tools=tools)
    asked.look(request)
    start = asked.look(request).make
    assert start is not None
    body = request_body(MODEL, request, prompt_of(MODEL, request.messages), {"temperature": 1})
    made = creation("gemini-3.8-flash", body, start, TTL)
    sent = with_cache(body, "cachedContents/1", start)
    assert made == {
        "model": "models/gemini-3.8-flash",
        "ttl": "600s",
        "systemInstruction": body["systemInstruction"],
        "tools": body["tools"],
        "contents": body["contents"][:2],
    }
    assert sent == {
        "generationConfig": {"temperature": 1},
        "cachedContent": "cachedContents/1",
        "contents": body["contents"][2:],
    }
