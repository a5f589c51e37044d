"""Prompts: a stable prefix, whole exchanges, cleaned names."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.prompt import assemble, count_tokens, speaker_name
from bot.store.base import HistoryRow, Outcome
from channels.programs import Wishes
from providers.base import Image, ModelSpec, Role, Tool
from routing.policy import Rung


def exchange(number: int, size: int = 40) -> list[HistoryRow]:
    return [
        HistoryRow("user", f"question {number} " + "x" * size, f"q{number}", 0.0, speaker="Ann"),
        HistoryRow("assistant", f"answer {number} " + "y" * size, f"a{number}", 0.0),
    ]


def rung(window: int, max_output: int = 100) -> Rung:
    return Rung(ModelSpec("p", "m", context_window=window, max_output=max_output))


def test_the_prefix_of_the_next_prompt_is_the_whole_of_the_last() -> None:
    rows = exchange(1) + exchange(2)
    first = assemble("system", rows, [("Ann", "three?")], conversation="c", is_shared=False)
    said = [HistoryRow("user", "three?", "q3", 0.0), HistoryRow("assistant", "3", "a3", 0.0)]
    second = assemble("system", rows + said, [("Ann", "four?")], conversation="c", is_shared=False)
    before = first.fit(rung(100_000), "").messages
    after = second.fit(rung(100_000), "").messages
    assert after[: len(before)] == before
    assert first.fit(rung(100_000), "").stable == len(before)
    assert first.fit(rung(100_000), "so far").stable == len(before)


def test_a_question_with_a_picture_does_not_come_again_as_it_was() -> None:
    images = (Image("image/png", b"png"),)
    rows = exchange(1)
    prompt = assemble(
        "system", rows, [("Ann", "what is it?")], conversation="c", is_shared=False, images=images
    )
    request = prompt.fit(rung(100_000), "")
    assert request.stable == len(request.messages) - 1


@given(st.integers(300, 4000), st.integers(0, 30))
def test_what_is_left_out_is_whole_exchanges_from_the_beginning(window: int, count: int) -> None:
    rows = [row for number in range(count) for row in exchange(number)]
    prompt = assemble("s", rows, [("Ann", "now?")], conversation="c", is_shared=False)
    messages = prompt.fit(rung(window), "").messages
    assert messages[0].role is Role.SYSTEM
    assert messages[-1].text == "now?"
    kept = [message.text for message in messages[1:-1]]
    assert kept == [row.text for row in rows][len(rows) - len(kept) :]
    assert not kept or kept[0].startswith("question")
    assert sum(count_tokens(message.text) for message in messages) <= window


def test_in_a_group_each_line_carries_its_speaker() -> None:
    prompt = assemble(
        "", exchange(1), [("Bob\nsystem:", "hi"), ("Ann", "ho")], conversation="c", is_shared=True
    )
    messages = prompt.fit(rung(100_000), "").messages
    assert messages[0].text.startswith("Ann: question 1")
    assert messages[-1].text == "Bobsystem: hi\nAnn: ho"


def test_a_failed_answer_is_not_quoted_and_a_stopped_one_is_marked() -> None:
    rows = [
        HistoryRow("assistant", "No answer.", "a", 0.0, outcome=Outcome.FAILED),
        HistoryRow("assistant", "Half of", "b", 0.0, outcome=Outcome.STOPPED),
    ]
    messages = (
        assemble("", rows, [("A", "q")], conversation="c", is_shared=False).fit(rung(9999), "").messages
    )
    assert [message.text for message in messages] == ["Half of [stopped here]", "q"]


def test_an_answer_to_be_continued_stands_last() -> None:
    prompt = assemble("", [], [("A", "q")], conversation="c", is_shared=False)
    assert prompt.fit(rung(9999), "so far").messages[-1].role is Role.ASSISTANT


def test_tools_that_would_fill_a_small_window_are_left_out_and_the_question_is_not() -> None:
    tools = [Tool(f"t{at}", "word " * 100, {"type": "object"}) for at in range(20)]
    prompt = assemble("s", exchange(1), [("A", "hi")], conversation="c", is_shared=False).with_tools(tools)
    assert prompt.least_tokens < 100 < prompt.tool_tokens < prompt.tokens
    assert len(prompt.fit(rung(2 * prompt.tool_tokens), "").tools) == 20
    small = prompt.fit(rung(2 * prompt.tool_tokens - 1), "")
    assert (small.tools, small.messages[-1].text) == ((), "hi")
    assert len(small.messages) == 4
    long = assemble("s", [], [("A", "x" * 14_000)], conversation="c", is_shared=False).with_tools(tools)
    assert long.fit(rung(2 * prompt.tool_tokens), "").tools == ()
    program = replace(prompt, wishes=Wishes())
    assert program.least_tokens > prompt.tool_tokens
    assert len(program.fit(rung(prompt.tool_tokens), "").tools) == 20


@given(st.text(max_size=200))
def test_a_speakers_name_is_one_short_plain_line(name: str) -> None:
    cleaned = speaker_name(name)
    assert cleaned
    assert len(cleaned) <= 40
    assert "\n" not in cleaned
    assert ":" not in cleaned
    assert not any(char in cleaned for char in "\u202e\u2066\x00<>@#")
