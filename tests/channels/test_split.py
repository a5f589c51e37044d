from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LengthUnit
from channels.conformance import MARKDOWN
from channels.markup import is_blank, open_fence
from channels.split import grapheme_start, measure, reach, split
from tests.channels.pathologies import PATHOLOGIES
from tests.generated import generated

UNITS = st.sampled_from(list(LengthUnit))
LINES = st.sampled_from(
    [
        *(
            "```python",
            "```",
            "~~~",
            "x = 1",
            "    indented()",
            "",
            "",
            "Some words. And more!",
            "- item",
            "| a | b |",
        ),
        *("# Heading", "word " * 30, "\U0001f469\u200d\U0001f467 \u00fc\u0301 " * 8, "unbroken" * 20),
        "\u6f22\u5b57\u3002" * 20,
    ]
)
TEXTS = st.lists(LINES, max_size=40).map("\n".join)
FENCE_LINE = re.compile(r"^(```|~~~).*$", re.MULTILINE)


def bare(text: str) -> str:
    """Without white space and lines of fences: what has to come back when parts are joined."""
    return "".join(FENCE_LINE.sub("", text).split())


@generated
@given(TEXTS, st.integers(60, 500), UNITS)
def test_no_part_is_longer_than_the_limit_and_none_is_blank(text: str, limit: int, unit: LengthUnit) -> None:
    for part in split(text, limit, unit):
        assert measure(part, unit) <= limit
        assert part.strip()


@generated
@given(TEXTS, st.integers(60, 500), UNITS)
def test_joined_the_parts_are_the_text(text: str, limit: int, unit: LengthUnit) -> None:
    assert bare("\n".join(split(text, limit, unit))) == bare(text)


@generated
@given(TEXTS, st.integers(200, 500))
def test_every_part_closes_the_fences_that_it_opens(text: str, limit: int) -> None:
    assert [part for part in split(text, limit) if open_fence(part) is not None] == []


@generated
@given(st.text(max_size=300), st.integers(1, 60), UNITS)
def test_any_text_is_split_without_loss_under_any_limit(text: str, limit: int, unit: LengthUnit) -> None:
    """Below a dozen units even one character may not fit; then it stands alone."""
    parts = split(text, limit, unit)
    assert all(measure(part, unit) <= limit or len(part) == 1 for part in parts)
    if "`" not in text and "~" not in text:
        # A part of which nobody would see anything is no message.
        visible = "".join(char for char in "".join(parts) if not is_blank(char))
        assert visible == "".join(char for char in text if not is_blank(char)) or not parts


@generated
@given(st.text(max_size=200), st.integers(0, 200), UNITS)
def test_reach_is_the_last_place_that_fits(text: str, limit: int, unit: LengthUnit) -> None:
    end = reach(text, 0, limit, unit)
    assert measure(text[:end], unit) <= limit
    assert end == len(text) or measure(text[: end + 1], unit) > limit


def test_a_text_that_fits_stays_whole() -> None:
    assert split(MARKDOWN, len(MARKDOWN) + 100) == [MARKDOWN]


def test_blocks_are_kept_together_where_they_fit() -> None:
    blocks = [f"Paragraph {number} {'with words ' * 12}".strip() for number in range(10)]
    for part in split("\n\n".join(blocks), 400):
        assert all(block in blocks for block in part.split("\n\n"))


def test_lines_come_before_sentences_and_sentences_before_words() -> None:
    lines = "\n".join(f"line {number} has words. Two sentences." for number in range(20))
    assert all(part.endswith("Two sentences.") for part in split(lines, 200))
    sentences = "One sentence goes here. " * 30
    assert all(part.endswith("here.") for part in split(sentences, 200))
    unbroken_words = "word " * 100
    assert set(" ".join(split(unbroken_words, 103)).split()) == {"word"}


def test_a_fence_that_is_cut_is_closed_and_opened_again_with_its_language() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(60))
    parts = split(f"Look:\n\n```python\n{code}\n```\n\nThat was it.", 200)
    assert len(parts) > 3
    assert all(part.startswith("```python\n") for part in parts[1:])
    assert all(part.count("```") == 2 for part in parts[:-1])


def test_a_cut_does_not_leave_an_empty_fence_behind() -> None:
    for limit in range(100, 160):
        for part in split(f"```py\n{'a = 1' + chr(10)}{'b' * 70}\n{'c' * 30}\n```\n\nEnd of it.", limit):
            assert "```py\n```" not in part


def test_a_heading_stays_with_what_it_heads() -> None:
    text = f"{'Words before it. ' * 10}\n\n## Heading\n\n{'Words after it. ' * 10}"
    for limit in range(180, 260):
        assert not any(part.rstrip().endswith("## Heading") for part in split(text, limit))


def test_a_list_is_cut_between_its_items() -> None:
    items = "\n".join(f"- item {number} with a few words" for number in range(40))
    assert all(part.startswith("- item") for part in split(items, 200))


@pytest.mark.parametrize(
    "grapheme",
    [
        "e\u0301\u0323",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
        "1\ufe0f\u20e3",
    ],
)
@pytest.mark.parametrize("unit", list(LengthUnit))
def test_no_grapheme_is_torn(grapheme: str, unit: LengthUnit) -> None:
    for part in split(grapheme * 200, 61, unit):
        assert part == grapheme * (len(part) // len(grapheme))


def test_a_surrogate_pair_counts_two_units_and_is_not_torn() -> None:
    parts = split("\U0001f600" * 100, 31, LengthUnit.UTF16)
    assert all(len(part.encode("utf-16-le")) // 2 <= 31 for part in parts)
    assert "".join(parts) == "\U0001f600" * 100


def test_endless_combining_marks_are_cut_somewhere() -> None:
    assert grapheme_start("e" + "\u0301" * 500, 400, 0) == 400
    assert all(len(part) <= 100 for part in split("e" + "\u0301" * 500, 100))


def test_a_blank_text_has_no_parts() -> None:
    assert split(" \n\u200b\n", 100) == []


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split("text", 0)


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_a_megabyte_of_anything_is_split(name: str) -> None:
    text = unicodedata.normalize("NFC", PATHOLOGIES[name])
    assert all(measure(part, LengthUnit.UTF16) <= 4096 for part in split(text, 4096, LengthUnit.UTF16))
