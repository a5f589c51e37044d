"""Styling for a terminal: nothing lost, nothing obeyed, every line whole in itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.console.render import CODE, DIM, RESET, Styler, note_line, plain, visible_length
from channels.events import AnswerNote
from tests.generated import generated

SGR = re.compile(r"\x1b\[[0-9;]*m")
TEXTS = st.text(st.sampled_from("ab `~\n\x1b[0m\x07\u202e"), max_size=60)


def styled(*pieces: str) -> str:
    styler = Styler()
    return "".join(styler.feed(piece) for piece in pieces) + styler.end()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a `b` c", f"a {CODE}`b`{RESET} c"),
        ("a `b\nc", f"a {CODE}`b{RESET}\nc"),
        ("```py\nx = 1\n```\nend", f"{DIM}```py{RESET}\n{CODE}x = 1{RESET}\n{DIM}```{RESET}\nend"),
        ("~~~\nx", f"{DIM}~~~{RESET}\n{CODE}x{RESET}"),
        ("``", f"{CODE}``{RESET}"),
        ("", ""),
    ],
)
def test_code_is_coloured(text: str, expected: str) -> None:
    assert styled(text).replace(f"{RESET}{RESET}", RESET) == expected


@generated
@given(TEXTS)
def test_nothing_but_colour_is_added(text: str) -> None:
    assert SGR.sub("", styled(text)) == SGR.sub("", plain(text))


@generated
@given(st.lists(TEXTS, max_size=8))
def test_it_does_not_matter_in_which_pieces_the_text_comes(pieces: list[str]) -> None:
    assert SGR.sub("", styled(*pieces)) == SGR.sub("", styled("".join(pieces)))


@generated
@given(TEXTS)
def test_no_line_leaves_its_colour_behind(text: str) -> None:
    for line in styled(text).split("\n"):
        codes = SGR.findall(line)
        assert not codes or codes[-1] == RESET


@generated
@given(st.text())
def test_no_control_character_of_a_model_reaches_the_terminal(text: str) -> None:
    shown = plain(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert plain("\x1b]0;title\x07\x1b[2Jhi\x9b31m\r\b") == "]0;title[2Jhi31m"


def test_the_note_says_what_is_known() -> None:
    assert note_line(AnswerNote("some/model", "")) == "some/model"
    full = note_line(AnswerNote("m\x1b[2J", "asked", 0.1824, 812.6, 1, 2, 0.00042))
    assert full == "m[2J · asked · first word 182 ms · 813 tokens/s · $0.00042"


def test_only_what_is_seen_counts_as_length() -> None:
    assert visible_length(f"{CODE}abc{RESET}") == 3
