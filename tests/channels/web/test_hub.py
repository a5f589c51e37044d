"""How pages keep up: whatever the pace of the answer and of the page, the page ends with the same text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from channels.events import AnswerNote
from channels.web.hub import GRACE, MAX_FINISHED, MAX_QUESTIONS, Hub, Question
from channels.web.subscriber import MAX_WAITING_FRAMES, Subscriber

SPACE = "conversation-1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """A page by the frames' rules, which checks that no step is missing."""

    def __init__(self, hub: Hub, kept: list[dict[str, Any]] | None = None, space: str = SPACE) -> None:
        self.subscriber = Subscriber(lambda: None)
        self.texts: dict[str, str] = {}
        self.revisions: dict[str, int] = {}
        self.open: dict[str, bool] = {}
        self.others: list[dict[str, Any]] = []
        self.steps = 0
        hub.subscribe(space, self.subscriber, kept or [])

    def read(self, most: int = 10**6) -> None:
        while most > 0 and (raw := self.subscriber.take()) is not None:
            most -= 1
            self.steps += 1
            self._apply(json.loads(raw))

    def _apply(self, frame: dict[str, Any]) -> None:
        if frame["t"] == "opened":
            for line in frame["lines"]:
                self._whole(line)
        elif frame["t"] == "show":
            self._whole(frame)
        elif frame["t"] == "more":
            assert frame["was"] == self.revisions[frame["id"]]
            units = self.texts[frame["id"]].encode("utf-16-le")
            cut = len(units) - 2 * frame.get("cut", 0)
            assert cut >= 0
            self.texts[frame["id"]] = units[:cut].decode("utf-16-le") + frame["text"]
            self.revisions[frame["id"]] = frame["n"]
            self.open[frame["id"]] = frame.get("open", self.open[frame["id"]])
        elif frame["t"] == "gone":
            self.texts.pop(frame["id"], None)
        else:
            self.others.append(frame)

    def _whole(self, line: dict[str, Any]) -> None:
        self.texts[line["id"]] = line["text"]
        self.revisions[line["id"]] = line.get("n", 0)
        self.open[line["id"]] = line.get("open", False)


TEXTS = st.text(st.sampled_from("ab*` \n\u00e9\U0001f600"), max_size=12)


class PagesKeepUp(RuleBasedStateMachine):
    """Answers grow, are replaced, end and are deleted; pages read when they like, leave and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.hub = Hub(self.clock)
        self.truth: dict[str, str] = {}
        self.closed: set[str] = set()
        self.readers = [Reader(self.hub), Reader(self.hub)]

    @rule(name=st.sampled_from("xy"), text=TEXTS, is_open=st.booleans())
    def show(self, name: str, text: str, is_open: bool) -> None:
        self.truth[name] = text
        self.closed = self.closed - {name} if is_open else self.closed | {name}
        self.hub.show(SPACE, name, text, is_open=is_open)

    @rule(name=st.sampled_from("xy"), more=TEXTS)
    def extend(self, name: str, more: str) -> None:
        self.truth[name] = self.truth.get(name, "") + more
        self.closed.discard(name)
        self.hub.extend(SPACE, name, self.truth[name])

    @rule(name=st.sampled_from("xy"))
    def delete(self, name: str) -> None:
        self.truth.pop(name, None)
        self.hub.delete(SPACE, name)

    @rule(which=st.integers(0, 1), most=st.integers(1, 3))
    def read_a_little(self, which: int, most: int) -> None:
        self.readers[which].read(most)

    @rule(which=st.integers(0, 1))
    def come_back(self, which: int) -> None:
        self.hub.unsubscribe(SPACE, self.readers[which].subscriber)
        # What is complete, the daemon's history has.
        kept = [
            {"id": name, "role": "assistant", "text": text, "at": 1.0}
            for name, text in self.truth.items()
            if name in self.closed
        ]
        self.readers[which] = Reader(self.hub, kept)

    @rule(seconds=st.floats(0, 2 * GRACE))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def a_page_that_has_read_all_shows_what_is_true(self) -> None:
        for one in self.readers:
            if not one.subscriber.is_waiting:
                assert {name: one.texts.get(name) for name in self.truth} == self.truth

    def teardown(self) -> None:
        for reader in self.readers:
            reader.read()
            assert {name: reader.texts[name] for name in self.truth} == self.truth


TestPagesKeepUp = PagesKeepUp.TestCase
TestPagesKeepUp.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_slow_page_gets_one_step_for_many() -> None:
    hub = Hub(Clock())
    reader = Reader(hub)
    text = ""
    for _ in range(2000):
        text += "word "
        hub.extend(SPACE, "a", text)
    reader.read()
    assert reader.texts["a"] == text
    assert reader.steps == 2, "the snapshot, and the whole text once"


def test_a_repaired_end_costs_a_small_step_not_the_whole_text() -> None:
    hub = Hub(Clock())
    subscriber = Subscriber(lambda: None)
    hub.subscribe(SPACE, subscriber, [])
    base = "x" * 50_000
    hub.show(SPACE, "a", f"{base} **bo**", is_open=True)
    while subscriber.take():
        pass
    hub.show(SPACE, "a", f"{base} **bold**", is_open=True)
    step = subscriber.take()
    assert step is not None
    assert json.loads(step) == {"t": "more", "id": "a", "was": 1, "n": 2, "text": "ld**", "cut": 2}


def test_the_last_step_says_that_the_answer_is_complete() -> None:
    hub = Hub(Clock())
    reader = Reader(hub)
    hub.show(SPACE, "a", "Hello", is_open=True)
    reader.read()
    assert reader.open["a"]
    hub.show(SPACE, "a", "Hello", is_open=False)
    reader.read()
    assert not reader.open["a"]


def test_a_page_that_reads_nothing_is_told_to_start_anew_and_holds_little() -> None:
    hub = Hub(Clock())
    reader = Reader(hub)
    for _ in range(MAX_WAITING_FRAMES + 1):
        hub.typing(SPACE, 5, is_on=True)
    assert reader.subscriber.is_overrun
    assert reader.subscriber.take() is None


def test_a_finished_answer_stays_until_the_history_has_it() -> None:
    clock = Clock()
    hub = Hub(clock)
    hub.show(SPACE, "a", "Hello", is_open=False)
    reader = Reader(hub)
    reader.read()
    assert reader.texts == {"a": "Hello"}
    kept = [{"id": "a", "role": "assistant", "text": "Hello", "at": 1.0, "kept": True}]
    again = Reader(hub, kept)
    again.read()
    assert again.texts == {"a": "Hello"}
    clock.now += GRACE + 1
    later = Reader(hub)
    later.read()
    assert later.texts == {}


def test_a_question_is_shown_until_some_time_after_its_answer() -> None:
    clock = Clock()
    hub = Hub(clock)
    hub.said(SPACE, Question("q", "How?", clock.now), None, is_quiet=False)
    clock.now += 3600
    waiting = Reader(hub)
    waiting.read()
    assert waiting.texts == {"q": "How?"}
    hub.answered(SPACE, "q")
    clock.now += GRACE + 1
    later = Reader(hub)
    later.read()
    assert later.texts == {}


def test_the_other_pages_show_what_one_page_said_and_it_is_told_once() -> None:
    hub = Hub(Clock())
    here, there = Reader(hub), Reader(hub)
    for _ in range(2):
        hub.said(SPACE, Question("q", "How?", 1.0), here.subscriber, is_quiet=False)
    hub.said(SPACE, Question("stop", "/stop", 2.0), here.subscriber, is_quiet=True)
    here.read()
    there.read()
    assert here.others == []
    assert [frame["id"] for frame in there.others] == ["q"]


def test_a_note_and_typing_reach_the_page_in_order() -> None:
    clock = Clock()
    hub = Hub(clock)
    reader = Reader(hub)
    hub.typing(SPACE, 15, is_on=True)
    hub.show(SPACE, "a", "Hello", is_open=False)
    hub.note(SPACE, "a", AnswerNote("m", "r"))
    reader.read()
    assert [frame["t"] for frame in reader.others] == ["typing", "note"]
    again = Reader(hub)
    raw = again.subscriber.take()
    assert raw is not None
    opened = json.loads(raw)
    assert opened["typing"] is False, "the first text ends it"
    assert opened["lines"][0]["note"] == {"model": "m", "reason": "r"}


def test_a_deleted_answer_is_known_to_be_gone() -> None:
    hub = Hub(Clock())
    hub.show(SPACE, "a", "Hello", is_open=False)
    hub.delete(SPACE, "a")
    hub.delete(SPACE, "never there")
    assert hub.is_gone(SPACE, "a") and not hub.is_gone(SPACE, "b")
    assert not hub.has(SPACE, "a")


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    hub = Hub(clock, max_rooms=10)
    for number in range(500):
        hub.show(SPACE, f"a{number}", "Hello", is_open=False)
        hub.said(SPACE, Question(f"q{number}", "How?", clock.now), None, is_quiet=False)
        hub.show(f"room-{number}", "a", "Hello", is_open=False)
    reader = Reader(hub)
    reader.read()
    assert len(reader.texts) <= MAX_FINISHED + MAX_QUESTIONS
    assert len(hub._rooms) <= 10  # noqa: SLF001 - the bound is on what is held


def test_a_conversation_with_a_running_answer_or_an_open_page_is_not_forgotten() -> None:
    hub = Hub(Clock(), max_rooms=2)
    hub.show("growing", "a", "Hel", is_open=True)
    watched = Reader(hub, space="watched")
    for number in range(50):
        hub.show(f"room-{number}", "a", "x", is_open=False)
    hub.extend("growing", "a", "Hello")
    hub.show("watched", "b", "Still here", is_open=False)
    watched.read()
    assert watched.texts == {"b": "Still here"}
    growing = Reader(hub, space="growing")
    growing.read()
    assert growing.texts == {"a": "Hello"}


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_opening_another_conversation_leaves_nothing_of_the_first(texts: list[str]) -> None:
    hub = Hub(Clock())
    reader = Reader(hub)
    for text in texts:
        hub.show(SPACE, "a", text, is_open=True)
    hub.unsubscribe(SPACE, reader.subscriber)
    reader.subscriber.reset()
    hub.subscribe("conversation-2", reader.subscriber, [])
    hub.show(SPACE, "a", "unseen", is_open=True)
    reader.texts.clear()
    frames = []
    while (raw := reader.subscriber.take()) is not None:
        frames.append(json.loads(raw))
    assert [frame["c"] for frame in frames if frame["t"] == "opened"][-1] == "conversation-2"
    assert "show" not in {frame["t"] for frame in frames}


def test_lines_stand_in_the_order_in_which_they_began() -> None:
    """The history dates an answer by its end, which is after the short answer to a command in between."""
    clock = Clock()
    hub = Hub(clock)
    hub.show(SPACE, "answer", "Half", is_open=True)
    clock.now += 5
    hub.show(SPACE, "stopped", "Stopped.", is_open=False)
    hub.show(SPACE, "answer", "Half (stopped)", is_open=False)
    kept = [
        {
            "id": "answer",
            "role": "assistant",
            "text": "Half",
            "at": clock.now + 1,
            "outcome": "stopped",
            "note": {"model": "m"},
        }
    ]
    reader = Reader(hub, kept)
    raw = reader.subscriber.take()
    assert raw is not None
    first, second = json.loads(raw)["lines"]
    assert (first["id"], second["id"]) == ("answer", "stopped")
    assert (first["text"], first["outcome"], first["note"]) == ("Half (stopped)", "stopped", {"model": "m"})
