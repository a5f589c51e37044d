from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from channels.conformance import MARKDOWN
from channels.markup import Fence, clean, close, is_blank, missing_from, open_fence, reached_by, repair, words
from tests.channels.pathologies import PATHOLOGIES
from tests.generated import generated

RENDERER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
PIECES = st.sampled_from(
    [*"abc *_`~[]()!\\\n|<>#-1.", "**", "```", "~~~", "```py\n", "\n\n", "- ", "](", "| a |"]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def visible(markdown: str) -> str:
    """What a person reads, marks and all that was not understood."""
    html = RENDERER.render(markdown)
    return re.sub(r"<[^>]*>", "", html)


@pytest.mark.parametrize(
    ("half", "shown"),
    [
        ("Hello **wor", "Hello **wor**"),
        ("Hello **", "Hello "),
        ("Hello *", "Hello "),
        ("a **b *c", "a **b *c***"),
        ("a **bold*", "a **bold**"),
        ("a **bold**", "a **bold**"),
        ("a ~~old", "a ~~old~~"),
        ("run `ls -l", "run `ls -l`"),
        ("run `", "run "),
        ("run ``a`b`", "run ``a`b``"),
        ("**run `ls", "**run `ls`**"),
        ("see [the do", "see "),
        ("see [the docs]", "see "),
        ("see [the docs](https://exa", "see "),
        ("see ![pict", "see "),
        ("**[docs](http", ""),
        ("see [docs](https://e.org/a_(b", "see "),
        ("see [1] and go on", "see [1] and go on"),
        ("x\n\n- one\n- **tw", "x\n\n- one\n- **tw**"),
        ("x\n\n-", "x\n\n"),
        ("x\n-", "x\n"),
        ("x\n\n1.", "x\n\n"),
        ("x\n\n##", "x\n\n"),
        ("text\n\n| a | b |\n| --", "text\n\n"),
        ("| a | b |\n| --- | --- |\n| 1 |", ""),
        ("| a |\n| --- |\n| 1 |\n\nAfter", "| a |\n| --- |\n| 1 |\n\nAfter"),
        ("```py", ""),
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("```py\nx = '**a", "```py\nx = '**a\n```"),
        ("```py\nx = 1\n``", "```py\nx = 1\n```"),
        ("```py\nx\n```\nand **so", "```py\nx\n```\nand **so**"),
        ("~~~\n```\n", "~~~\n```\n~~~"),
        ("a \\", "a "),
        ("a <b", "a "),
        ("a < b", "a < b"),
        ("2 * 3 = 6", "2 * 3 = 6"),
        ("snake_case_name", "snake_case_name"),
        ("costs \\*5", "costs \\*5"),
    ],
)
def test_half_markdown_is_closed_or_held_back(half: str, shown: str) -> None:
    assert repair(half)[0] == shown


@generated
@given(TEXTS)
def test_what_is_shown_is_a_beginning_of_the_text_and_closing_marks(text: str) -> None:
    shown, used = repair(text)
    assert 0 <= used <= len(text)
    body = text[:used].rstrip()
    assert shown.startswith(body)
    assert set(shown[len(body) :]) <= set("*_`~\n \t")


def test_every_beginning_of_an_answer_renders_without_stray_marks() -> None:
    """Judged by a real Markdown parser: no mark of an unfinished element is ever seen as text."""
    for end in range(len(MARKDOWN) + 1):
        shown = repair(MARKDOWN[:end])[0]
        seen = visible(shown)
        for mark in ("**", "~~", "```", "](", "[", "|", "#"):
            assert mark not in seen, f"{mark} after {MARKDOWN[:end][-40:]!r}"
        outside_code = re.sub(r"<code.*?</code>", "", RENDERER.render(shown), flags=re.DOTALL)
        assert "`" not in outside_code
        assert "*" not in outside_code


def test_nothing_but_tables_and_links_waits_for_long() -> None:
    waiting = [end - repair(MARKDOWN[:end])[1] for end in range(MARKDOWN.index("| name"))]
    link = len("[link](https://example.org/a_(b)?c=d)")
    assert max(waiting) <= link


def test_a_long_bracket_is_no_link_and_waits_no_longer() -> None:
    text = "f([0, " + "1, " * 40
    assert repair(text)[1] == len(text)


def test_the_final_text_is_closed_where_a_fence_is_open_and_else_as_written() -> None:
    assert close("a\n```py\nx") == "a\n```py\nx\n```"
    assert close("an open **mark and [bracket") == "an open **mark and [bracket"


def test_an_open_fence_is_known_with_its_language() -> None:
    assert open_fence("```python\nx") == Fence("```", "python")
    assert open_fence("- item\n  ````\n```\n") == Fence("````", "")
    assert open_fence("```python\nx\n```") is None
    assert open_fence("x\n```", Fence("```", "python")) is None
    assert open_fence("`````` not a `fence`") is None


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\x00b\x07c", "abc"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud83db", "a\ufffdb"),
        ("\u200fright\u200e", "\u200fright\u200e"),
        ("family \U0001f469\u200d\U0001f467", "family \U0001f469\u200d\U0001f467"),
    ],
)
def test_what_no_channel_should_be_sent_is_taken_out(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@generated
@given(st.text(st.characters(), max_size=200))
def test_a_clean_text_can_be_encoded_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned


def test_a_text_of_spaces_marks_and_joiners_is_blank() -> None:
    assert is_blank(" \n\t\u200b\u2060\ufeff\u00ad")
    assert is_blank("")
    assert not is_blank(" . ")


def test_the_words_of_a_text_do_not_depend_on_its_markup() -> None:
    assert words("**Caf\u00e9** & `x_1`") == words("CAFE\u0301 &amp; x1")


@pytest.mark.parametrize(
    "shown",
    [
        "Heading one\nA first paragraph",
        "\u25b6 HEADING ONE\n\nA  first paragraph (https://example.org)",
    ],
)
def test_a_rendering_with_all_the_words_lacks_nothing(shown: str) -> None:
    assert missing_from("# Heading one\n\nA *first* [paragraph](https://example.org)", shown) is None


def test_a_rendering_without_a_fences_language_lacks_nothing() -> None:
    assert missing_from("```python\nx = 1\n```", "x = 1") is None


def test_a_box_that_is_drawn_in_the_place_of_its_cross_lacks_nothing() -> None:
    assert missing_from("- [x] done\n- [ ] open\n\n1. [X] done", "☑ done\n☐ open\n1. ☑ done") is None
    assert missing_from("see [x] there", "see there") is not None


def test_a_few_words_lost_in_the_middle_are_no_reason_to_repair() -> None:
    text = f"{'start ' * 30} <weird> {'words to the end ' * 10}"
    assert missing_from(text, text.replace("<weird>", "")) is None


def test_a_cut_rendering_tells_where_the_missing_words_begin() -> None:
    text = "The **quick** brown fox jumps over the lazy dog. " * 5
    for end in (10, 60, 200):
        missing = missing_from(text, text[:end].replace("*", ""))
        assert missing is not None
        assert words(text[:missing]) == words(text[:end])


def test_an_old_rendering_tells_where_it_went_another_way() -> None:
    missing = missing_from("one two three four five six seven", "one two")
    assert missing is not None
    assert "one two three four five six seven"[missing:].strip() == "three four five six seven"


def test_how_far_a_rendering_reaches_is_known_by_its_words() -> None:
    text = "One **two** three.\n\nFour five."
    reached = reached_by(text, "one two three")
    assert reached is not None
    assert words(text[reached:]) == words("Four five.")
    assert reached_by(text, "one three") is None
    assert reached_by(text, "") is None


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_a_megabyte_of_anything_is_taken_in_one_go(name: str) -> None:
    text = PATHOLOGIES[name]
    shown, used = repair(clean(text))
    assert used <= len(text)
    assert close(text).startswith(text[:1000].rstrip())
    assert len(shown) <= len(text) + 100


def test_a_list_that_is_counted_anew_lacks_nothing() -> None:
    """Markdown counts from the first number on, whatever the others are: models often write 1. 1. 1."""
    written = "Steps:\n\n1. Open the lid\n1. Pour the water\n1. Press start"
    shown = "Steps:\n\n1. Open the lid\n2. Pour the water\n3. Press start"
    assert missing_from(written, shown) is None
    place = missing_from(written, shown[: shown.index("3.")])
    assert place is not None and written[place:].endswith("Press start") and "Pour" not in written[place:]
    assert missing_from("It was\n1986. A great year", "It was\n1986.") is not None
