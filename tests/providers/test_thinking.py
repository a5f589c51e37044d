"""Thoughts that a model writes into its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import ReasoningDelta, TextDelta
from providers.thinking import ThinkSplitter
from tests.generated import generated


def split(*pieces: str) -> tuple[str, str]:
    """The answer and the thoughts."""
    splitter = ThinkSplitter()
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)] + splitter.close()
    assert all(delta.text for delta in deltas)
    answer = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return answer, "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))


CASES = {
    "at the start": ("<think>hm</think>Hello", "Hello", "hm"),
    "with white space around": ("\n<think>\nhm\n</think>\n\nHello", "Hello", "\nhm\n"),
    "in the middle": ("Hello <think>hm</think>world", "Hello world", "hm"),
    "twice": ("<think>a</think>b<think>c</think>d", "bd", "ac"),
    "never closed": ("<think>hm", "", "hm"),
    "no thoughts": ("plain < text > <thinker>", "plain < text > <thinker>", ""),
    "in code": ("The tag `<think>` opens it", "The tag `<think>` opens it", ""),
    "in a fence": ("```\n<think>\n```\nso", "```\n<think>\n```\nso", ""),
    "leading space is the answer's own": (" world", " world", ""),
    "white space alone": ("\n\n", "\n\n", ""),
    "a tag that never comes": ("a <thin", "a <thin", ""),
}


@pytest.mark.parametrize(("text", "answer", "thoughts"), CASES.values(), ids=CASES)
def test_thoughts_and_answer_are_parted(text: str, answer: str, thoughts: str) -> None:
    assert split(text) == (answer, thoughts)


@pytest.mark.parametrize(("text", "answer", "thoughts"), CASES.values(), ids=CASES)
def test_tags_that_come_letter_by_letter_are_tags(text: str, answer: str, thoughts: str) -> None:
    assert split(*text) == (answer, thoughts)


def test_text_without_tags_is_handed_on_at_once() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("Hello") == [TextDelta("Hello")]
    assert splitter.feed(" you") == [TextDelta(" you")]


@generated
@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "`", "a", " ", "\n", "<thi", "nk>"]), max_size=12)
)
def test_cuts_change_nothing_and_nothing_but_tags_is_lost(parts: list[str]) -> None:
    whole = "".join(parts)
    assert split(*parts) == split(*whole) == split(whole)
    answer, thoughts = split(whole)
    kept = [character for character in whole if not character.isspace()]
    said = [character for character in answer + thoughts if not character.isspace()]
    lost = len(kept) - len(said)
    assert lost >= 0
    assert lost <= whole.count("<think>") * len("<think>") + whole.count("</think>") * len("</think>")
