"""Markdown as a rich message: the documented tags within the documented limits, and no word lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given

from channels.markup import missing_from, words
from channels.telegram.rich import MAX_BLOCKS, MAX_RICH, may_be_structured, render_rich
from channels.telegram.shown import plain
from channels.telegram.text import wash
from tests.channels.telegram.answers import WHOLE
from tests.channels.telegram.peer.rich import read_rich
from tests.channels.telegram.peer.text import BadText
from tests.channels.telegram.test_render import MIXED
from tests.generated import generated


def html(markdown: str) -> str:
    rich = render_rich(markdown)
    assert rich is not None
    return rich.html


def blocks(markdown: str) -> list[dict[str, Any]]:
    found, _ = read_rich({"html": html(markdown)})
    return list(found["blocks"])


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("plain words", "<p>plain words</p>"),
        ("# Title\nwords", "<h1>Title</h1><p>words</p>"),
        ("###### Small `x`", "<h6>Small <code>x</code></h6>"),
        ("**b** *i* ~~s~~", "<p><b>b</b> <i>i</i> <s>s</s></p>"),
        ("one\ntwo  \nthree<br>four", "<p>one<br>two<br>three<br>four</p>"),
        ("- a\n- b\n  1. c", "<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>"),
        ("3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'),
        ("- [x] done\n- [ ] b",
         '<ul><li><input type="checkbox" checked>done</li><li><input type="checkbox">b</li></ul>'),
        ("- a\n\n  b\n- c", "<ul><li>a<br><br>b</li><li>c</li></ul>"),
        ("> q\n> r\n>\n> s", "<blockquote>q<br>r<br><br>s</blockquote>"),
        ("one\n\n---\n\ntwo", "<p>one</p><hr/><p>two</p>"),
        ("```py\nif a < b:\n\tc\n```", '<pre><code class="language-py">if a &lt; b:\n    c</code></pre>'),
        ("```\nx\n```", "<pre>x</pre>"),
        ("```an odd info\nx\n```", "<p>an odd info</p><pre>x</pre>"),
        ("[p](https://example.org/?a=1&b=2)", '<p><a href="https://example.org/?a=1&amp;b=2">p</a></p>'),
        ("[f](./x.py) [j](javascript:x)", "<p>f (./x.py) j (javascript:x)</p>"),
        ("AT&amp;T <b>raw</b> <name>", "<p>AT&amp;T &lt;b&gt;raw&lt;/b&gt; &lt;name&gt;</p>"),
        ("| a |\n|--:|\n| **2** |",
         '<table bordered><tr><th align="right">a</th></tr><tr><td align="right"><b>2</b></td></tr></table>'),
        ("| a |\n|---|\n| 1 | over |", "<table bordered><tr><th>a</th></tr><tr><td>1</td><td>over</td></tr></table>"),
    ],
)  # fmt: skip
def test_markdown_becomes_rich_html(markdown: str, expected: str) -> None:
    assert html(markdown) == expected


def test_a_picture_is_a_link_so_that_no_server_fetches_what_a_model_wrote() -> None:
    found = html("![alt](https://example.org/p.png?stolen=data) and ![](https://example.org/q.png)")
    assert "<img" not in found and '<a href="https://example.org/p.png?stolen=data">alt</a>' in found
    assert '<a href="https://example.org/q.png">https://example.org/q.png</a>' in found


def test_a_table_a_long_program_a_list_and_a_tag_stand_in_one_message() -> None:
    found = blocks(WHOLE)
    assert [block["type"] for block in found] == [
        "heading",
        "paragraph",
        "table",
        "pre",
        "list",
        "paragraph",
    ]
    table, code = found[2], found[3]
    assert [[plain_text(cell["text"]) for cell in row] for row in table["cells"]] == [
        ["name", "value"],
        ["left", "right"],
        ["四", "code"],
    ]
    assert code["text"].split("\n") == [f"line_{number} = compute({number}, more)" for number in range(200)]
    assert code["language"] == "python"
    assert plain_text(found[5]["text"]) == "Set <name> and <b>not bold</b> & more."
    echo = plain({"rich_message": {"blocks": found}})
    assert echo is not None and missing_from(WHOLE, echo) is None


def plain_text(rich: Any) -> str:
    return plain({"rich_message": {"blocks": [{"type": "paragraph", "text": rich}]}}) or ""


def test_what_is_beyond_a_limit_of_rich_messages_is_left_to_entities() -> None:
    assert render_rich("x" * MAX_RICH) is not None
    assert render_rich("x" * (MAX_RICH + 1)) is None
    assert render_rich("a\n\n" * MAX_BLOCKS) is not None
    assert render_rich("a\n\n" * (MAX_BLOCKS + 1)) is None
    wide = "|" + "a|" * 21 + "\n|" + "-|" * 21 + "\n"
    assert render_rich(wide) is None
    assert render_rich("> " * 17 + "deep") is None
    assert render_rich("\u200b") is None


def test_a_message_runs_the_way_of_its_first_letter() -> None:
    for text, is_rtl in (
        ("# 1. Title", False),
        ("# 1. \u05e9\u05dc\u05d5\u05dd", True),
        ("| \u0645 |\n|-|", True),
    ):
        rich = render_rich(text)
        assert rich is not None and rich.wire.get("is_rtl", False) is is_rtl


def test_what_may_have_a_heading_or_table_is_seen_at_a_glance() -> None:
    for text in ("# a", "words\n\n## b", "> # c", "Title\n=====", "|a|b|\n|-|-|\n", "a | b\n--|--\n"):
        assert may_be_structured(text), text
    for text in ("words", "a | b", "#tag", "a - b", "1. one", "`|`"):
        assert not may_be_structured(text), text


@generated
@given(markdown=MIXED)
@example("- \n  - \n    |a|\n    |-|\n")
@example("> - # a\n>   ```\n")
@example("[![a](b)](https://example.org/x)")
@example("- a\n\n\n  - b\n\n    c")
@example("<div>\n\n- x")
def test_any_mixture_is_taken_by_the_server_and_loses_no_word(markdown: str) -> None:
    rich = render_rich(markdown)
    if rich is None:
        return
    try:
        found, _ = read_rich({"html": rich.html})
    except BadText as error:
        pytest.fail(f"{error}: {rich.html!r}")
    echo = plain({"rich_message": found})
    assert echo is not None and words(echo) == words(rich.text), (echo, rich.text)
    source = re.sub(r"&(?:[a-zA-Z]+|#[0-9]+|#[xX][0-9a-fA-F]+);", " ", wash(markdown))
    source = re.sub(r"<br\s*/?>", " ", source, flags=re.IGNORECASE)
    for word in re.findall(r"[A-Za-z]{2,}", source):
        assert word in rich.text or word in rich.html, (word, rich)


def test_pathological_texts_are_rendered_in_linear_time() -> None:
    for piece in (
        "[a]: b\n",
        "**",
        "[",
        "![",
        "> ",
        "`",
        "- ",
        "|",
        "<",
        "&",
        "\\",
        "~~",
        "[](",
        "* a\n",
        "|-",
    ):
        render_rich(piece * (100_000 // len(piece)))
        may_be_structured(piece * (100_000 // len(piece)))


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"rich_message": None},
        {"rich_message": {"blocks": "x"}},
        {"rich_message": {"blocks": [1, None, {"text": [{"text": 5}, None]}]}},
    ],
)
def test_an_echo_of_another_shape_says_nothing(odd: dict[str, Any]) -> None:
    assert not plain(odd)


def test_a_row_of_many_empty_cells_is_looked_at_in_no_time() -> None:
    """Found in review: each empty column took ten times as long as the one before it; forty never end."""
    assert not may_be_structured("| - " + "|      " * 40 + "| foo |")
    assert may_be_structured("| - " + "|      " * 40 + "|")


def test_an_echo_without_end_is_not_followed_for_ever() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert plain({"rich_message": {"blocks": [{"text": deep}]}}) == ""
