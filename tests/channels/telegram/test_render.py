"""Markdown as Telegram shows it: entities that the server accepts, and no word lost."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.telegram.render import render
from channels.telegram.rich import render_rich
from channels.telegram.text import is_visible, utf16, wash
from channels.telegram.writer import MAX_ENTITIES, Entity
from tests.channels.telegram.peer.text import BadText, stored
from tests.generated import generated


def covered(text: str, entity: Entity) -> str:
    units = text.encode("utf-16-le")
    return units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


def styles(markdown: str) -> list[tuple[str, str]]:
    text, entities = render(markdown)
    return [(entity["type"], covered(text, entity)) for entity in entities]


@pytest.mark.parametrize(
    ("markdown", "text", "found"),
    [
        ("plain words", "plain words", []),
        (
            "**bold** and *italic* and ~~gone~~",
            "bold and italic and gone",
            ["bold", "italic", "strikethrough"],
        ),
        ("# Title\nwords", "Title\n\nwords", ["bold"]),
        ("use `x = 1` here", "use x = 1 here", ["code"]),
        ("> said\n> twice", "said\ntwice", ["blockquote"]),
        ("- a\n- b\n  1. c\n  2. d", "• a\n• b\n  1. c\n  2. d", []),
        ("3. three\n4. four", "3. three\n4. four", []),
        ("- [x] done\n- [ ] open", "☑ done\n☐ open", []),
        ("one\n\n---\n\ntwo", "one\n\n———\n\ntwo", []),
        ("a  \nb<br>c", "a\nb\nc", []),
        ("5 < 6 && 7 > 2", "5 < 6 && 7 > 2", []),
        ("AT&amp;T", "AT&T", []),
        (r"1\. not \*a\* list", "1. not *a* list", []),
        ("<b>raw</b> <tag attr='x'>", "<b>raw</b> <tag attr='x'>", []),
        ("<div>\nblock *html*\n</div>", "<div>\nblock *html*\n</div>", []),
        ("cost: $5 and $6", "cost: $5 and $6", []),
    ],
)
def test_markdown_becomes_text_and_styles(markdown: str, text: str, found: list[str]) -> None:
    shown, entities = render(markdown)
    assert shown == text and [entity["type"] for entity in entities] == found


def test_code_blocks_keep_their_language_indentation_and_tabs() -> None:
    text, [entity] = render("look:\n\n```python\n\tif x:\n\t\treturn 1\n```\nend")
    assert text == "look:\n\n    if x:\n        return 1\n\nend"
    assert entity["type"] == "pre" and entity["language"] == "python"
    assert covered(text, entity) == "    if x:\n        return 1"
    assert render("```\n  first\n```")[0] == "  first"
    assert render("```a very odd, info string\nx\n```")[0] == "a very odd, info string\nx"


def test_offsets_count_utf16_units() -> None:
    text, [entity] = render("👍👍 **bold** 👍")
    assert (entity["offset"], entity["length"]) == (5, 4) and covered(text, entity) == "bold"


def test_no_style_lies_over_code() -> None:
    assert styles("**bold `code` bold**") == [("bold", "bold "), ("code", "code"), ("bold", " bold")]
    assert styles("# Title `x`") == [("bold", "Title "), ("code", "x")]


def test_links_that_telegram_takes_are_links_and_others_are_written_out() -> None:
    text, [entity] = render("see [the page](https://example.org/a?b=c) now")
    assert (text, entity["url"]) == ("see the page now", "https://example.org/a?b=c")
    assert render("[file](./src/main.py)") == ("file (./src/main.py)", [])
    assert render("[x](javascript:alert(1))") == ("x (javascript:alert(1))", [])
    assert render("<https://example.org>") == ("https://example.org", [])
    assert render("<person@example.org>") == ("person@example.org", [])
    assert render("[](https://example.org/bare)") == ("https://example.org/bare", [])
    assert render('[a](https://example.org "title")')[0] == "a (title)"
    assert render("![picture](https://example.org/p.png)")[1][0]["url"] == "https://example.org/p.png"
    nested, entities = render("[![alt](https://img.example.org/i.png)](https://example.org)")
    assert "https://img.example.org/i.png" in nested and [e["url"] for e in entities] == [
        "https://example.org"
    ]


def test_link_definitions_stay_visible() -> None:
    text, _ = render(
        "see [this][1] and [that][]\n\n[1]: https://example.org/one\n[that]: https://example.org/two 'T'"
    )
    for part in ("[this][1]", "[1]: https://example.org/one", "[that]: https://example.org/two 'T'"):
        assert part in text


def test_a_small_table_stands_in_columns_and_a_wide_one_in_paragraphs() -> None:
    text, [entity] = render("| a | b |\n|--:|:-:|\n| 1 | **two** |\n| 333 | 四 |")
    assert entity["type"] == "pre"
    assert text == "  a |  b\n----+----\n  1 | two\n333 | 四"
    wide, entities = render(f"| name | text |\n|---|---|\n| one | {'word ' * 30}|\n| two | x |")
    assert wide.startswith("name: one\ntext: word word") and wide.endswith("name: two\ntext: x")
    assert entities == []


def test_nothing_in_a_table_is_lost() -> None:
    text, _ = render("| a |\n|---|\n| 1 | surplus | more |\n| [l](https://example.org) and `code` |")
    for part in ("1", "surplus", "more", "l (https://example.org)", "code"):
        assert part in text


def test_tabs_line_ends_and_odd_characters_become_what_the_server_keeps() -> None:
    assert wash("a\r\nb\rc\u2028d\x00e\u202ef\u2066g") == "a\nb\nc\nd ef" + "g"
    assert wash("half \ud83d end") == "half \ufffd end"
    assert wash("A\u030angstro\u0308m") == "Ångström"
    assert render("a\tb")[0] == "a b"


@pytest.mark.parametrize("rich", [False, True])
def test_who_is_named_in_a_group_is_not_called(rich: bool) -> None:
    markdown = (
        "@bob, **@carol_x** and [@dave](https://a.b); ann@example.org, https://a.b/@eve, `@frank`\n\n# @g"
    )
    made = render_rich(markdown, calls_nobody=True)
    assert made is not None
    text = made.text if rich else render(markdown, calls_nobody=True)[0]
    called = re.findall(r"(?<![\w/.])@[A-Za-z]\w*", text)
    assert called == ["@frank"]  # in code nobody is called
    assert "ann@example.org" in text and "https://a.b/@eve" in text
    assert "@bob" in render(markdown)[0]


def test_invisible_text_is_recognised() -> None:
    for text in ("", " \n", "\u200b", "\u2800", "\ufeff\u00a0"):
        assert not is_visible(text)
    assert is_visible(".") and is_visible("👍")


def test_the_entities_that_stay_are_the_ones_that_carry_something() -> None:
    markdown = "**b** " * 150 + "[link](https://example.org/kept)"
    _, entities = render(markdown)
    assert len(entities) == MAX_ENTITIES
    assert "https://example.org/kept" in [entity.get("url") for entity in entities]
    offsets = [entity["offset"] for entity in entities]
    assert offsets == sorted(offsets)


def accepted(markdown: str) -> str:
    """The text as the server stores it; fails when the server would refuse it or show it differently."""
    text, entities = render(markdown)
    text.encode()
    if not is_visible(text):
        return text
    try:
        kept, kept_entities = stored(text, entities, max_units=10**9, too_long="")
    except BadText as error:
        pytest.fail(f"{error}: {text!r} {entities!r}")
    assert kept == text
    assert kept_entities == entities
    assert utf16(text) == len(text.encode("utf-16-le")) // 2
    return text


MARKS = st.sampled_from(
    [
        *"* ** _ ` ``` ~~ # > - + 1. | --- [ ] ( ) ]( ]: < > </ <!-- ! & &amp; || :-: [x] https://example.org".split(),
        *(
            "\\",
            "\n\n",
            "\t",
            "    ",
            "  ",
            "` `",
            "``` ```",
            "\n- ",
            "\n> ",
            "\n1. ",
            "\n```py\n",
            "\n```\n",
        ),
        "\n| a | b |\n|---|---|\n| ",
    ]
)
WORDS = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=8)
ODD = st.sampled_from(
    ["👍", "é", "\u202e", "\x00", "\ud800", "\r", "\u200b", "\u2028", "四", "\u030a", "e\u0301"]
)
MIXED = st.lists(MARKS | WORDS | ODD | st.just(" ") | st.just("\n"), max_size=60).map("".join)


@generated
@given(markdown=st.text())
@example("\n`x`\n")
@example("- \n\n\n-")
@example("[\n]: \\")
def test_any_text_becomes_something_that_the_server_accepts(markdown: str) -> None:
    accepted(markdown)


@generated
@given(markdown=MIXED)
def test_any_mixture_of_marks_and_words_is_accepted(markdown: str) -> None:
    accepted(markdown)


@generated
@given(markdown=MIXED)
@example("[a]: b\n[a]: c\n[a]: d 'e'")
@example("| a |\n|---|\n| b | c |\n")
@example("<b>a</b>\n\n<script>\nb\n</script>")
@example("```a b\nc\n```")
@example('[a](b "c")')
def test_no_word_is_lost(markdown: str) -> None:
    text, entities = render(markdown)
    haystack = text + " ".join(
        str(entity.get("url", "")) + str(entity.get("language", "")) for entity in entities
    )
    source = re.sub(r"&(?:[a-zA-Z]+|#[0-9]+|#[xX][0-9a-fA-F]+);", " ", wash(markdown))
    source = re.sub(r"<br\s*/?>", " ", source, flags=re.IGNORECASE)
    for word in re.findall(r"[A-Za-z]{2,}", source):
        assert word in haystack, (word, text, entities)


def test_pathological_texts_are_rendered_in_linear_time() -> None:
    for piece in ("[a]: b\n", "**", "[", "![", "> ", "`", "- ", "|", "<", "&", "\\", "~~", "[](", "* a\n"):
        text, _ = render(piece * (100_000 // len(piece)))
        text.encode()
