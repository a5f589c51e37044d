"""The frames, and the arithmetic of a growing text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import HistoryLine
from channels.events import AnswerNote
from channels.web.render import (
    commands_of,
    encode,
    history_line,
    models_of,
    note_of,
    shared_length,
    utf16_length,
)
from tests.channels.host import COMMANDS, MODELS
from tests.generated import generated


@pytest.mark.parametrize(
    ("old", "new", "shared"),
    [
        ("", "", 0),
        ("abc", "abd", 2),
        ("abc", "abcdef", 3),
        ("abcdef", "abc", 3),
        ("x", "y", 0),
        ("**b**", "**bc**", 3),
    ],
)
def test_what_two_texts_share_is_found(old: str, new: str, shared: int) -> None:
    assert shared_length(old, new) == shared


@generated
@given(st.text("ab"), st.text("ab"))
def test_the_shared_beginning_is_the_longest(old: str, new: str) -> None:
    shared = shared_length(old, new)
    assert old[:shared] == new[:shared]
    assert old[: shared + 1] != new[: shared + 1] or shared == min(len(old), len(new))


def test_lengths_are_counted_as_a_browser_counts() -> None:
    assert utf16_length("abc") == 3
    assert utf16_length("a\U0001f600") == 3
    assert utf16_length("\ud800") == 1


def test_lone_surrogates_do_not_break_a_frame() -> None:
    assert json.loads(encode({"t": "show", "text": "a\ud800b", "lines": [{"\udc00": ("\udfff",)}]})) == {
        "t": "show",
        "text": "a\ufffdb",
        "lines": [{"\ufffd": ["\ufffd"]}],
    }


def test_a_note_leaves_out_what_is_not_known() -> None:
    assert note_of(None) is None
    assert note_of(AnswerNote("m", "r")) == {"model": "m", "reason": "r"}
    full = note_of(AnswerNote("m", "r", 0.2, 800.0, 10, 20, 0.0))
    assert full is not None and full["costUsd"] == 0.0 and full["firstVisible"] == 0.2


def test_a_history_line_says_how_its_answer_ended() -> None:
    line = history_line(HistoryLine("assistant", "Hi", "a-1", 5.0, "stopped"))
    assert line["outcome"] == "stopped" and line["kept"] is True


def test_commands_and_models_are_listed_with_what_the_page_completes() -> None:
    assert commands_of(COMMANDS)[1]["choices"] == ("fast", "deep")
    assert models_of(MODELS)[0] == {
        "ref": "auto",
        "title": "Automatic",
        "aliases": (),
        "current": True,
        "hint": "This is a stand-in. Connect a model.",
    }
