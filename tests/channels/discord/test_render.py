"""Markdown becomes what Discord's clients read as the same; nothing that was written is dropped."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.discord.render import render
from channels.discord.table import MAX_COLUMNS
from channels.markup import clean, words
from tests.generated import generated


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        # Markdown Text 101: headings of three levels, then a space.
        ("# one\n## two\n### three", "# one\n## two\n### three"),
        ("#### four **x**", "**four x**"),
        ("Title\n=====\n\nSub\n---", "# Title\n\n## Sub"),
        ("#hashtag stays", "#hashtag stays"),
        # ... bullets are - and *, numbers end in a dot, nesting by spaces.
        ("+ a\n* b\n- c", "- a\n* b\n- c"),
        ("1) a\n2) b", "1. a\n2. b"),
        ("- [ ] open\n- [x] done", "- \u2610 open\n- \u2611 done"),
        ("- a\n  - b\n    - c", "- a\n  - b\n    - c"),
        # ... quotes have one level and a space; ">>> " would quote the rest of the message.
        (">no space", "> no space"),
        ("> a\n> b", "> a\n> b"),
        ("> a\n>> b", "> a\n> > b"),
        (">>> all", "> > > all"),
        ("x >>> y", "x >>> y"),
        # ... bold, italic, struck; two underscores would underline, which CommonMark reads as strong.
        ("*i* _i_ **b** __b__ ~~s~~ ***bi***", "*i* _i_ **b** **b** ~~s~~ ***bi***"),
        ("snake__case__name and __init__.py", "snake__case__name and **init**.py"),
        # ... spoilers and small print, which CommonMark does not know.
        ("a || b || c", "a \\|\\| b \\|\\| c"),
        ("-# no small print", "\\-# no small print"),
        # ... masked links; an image is one, as only uploads are pictures.
        ("[text](https://example.org/a_b)", "[text](https://example.org/a_b)"),
        ("![alt](https://example.org/p.png)", "[alt](https://example.org/p.png)"),
        ("![](https://example.org/p.png)", "https://example.org/p.png"),
        ("[mail](mailto:a@b.org)", "mail (mailto:a@b.org)"),
        ("[https://good.example](https://bad.example)", "https://good.example (https://bad.example)"),
        ("https://example.org/a__b__c?x=||y", "https://example.org/a__b__c?x=\\|\\|y"),
        # ... code: inline by one or two backticks, blocks by three at a line's start.
        ("`a || <@1> __b__` ``x ` y``", "`a || <@1> __b__` ``x ` y``"),
        ("~~~python\nx = 1\n~~~", "```python\nx = 1\n```"),
        ("````\n```\ninner\n```\n````", "```\n`\u200b`\u200b`\ninner\n`\u200b`\u200b`\u200b\n```"),
        ('```c title="x"\ny\n```', 'title="x"\n```c\ny\n```'),
        ("    indented\n    code", "```\nindented\ncode\n```"),
        ("- item\n  ```py\n  x\n  ```", "- item\n```py\nx\n```"),
        # Nothing draws a line across a message there.
        ("a\n\n---\n\nb", "a\n\n\N{EM DASH}\N{EM DASH}\N{EM DASH}\n\nb"),
        # CommonMark: entities stand for characters, a backslash before the line's end breaks it.
        ("&lt;b&gt; &amp; &#65;", "<b> & A"),
        ("one\\\ntwo<br>three", "one\ntwo\nthree"),
        ("\\*literal\\*", "\\*literal\\*"),
    ],
)
def test_a_construct_is_written_as_discord_reads_it(markdown: str, shown: str) -> None:
    assert render(markdown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # Discord docs, Reference, Message Formatting.
        ("<@80351110224678912>", "\\<@80351110224678912>"),
        ("<@!80351110224678912>", "\\<@!80351110224678912>"),
        ("<@&165511591545143296>", "\\<@&165511591545143296>"),
        ("<#103735883630395392>", "\\<#103735883630395392>"),
        ("</airhorn:816437322781949972>", "\\</airhorn:816437322781949972>"),
        ("<:mmLol:216154654256398347>", "\\<:mmLol:216154654256398347>"),
        ("<a:b1nzy:392938283556143104>", "\\<a:b1nzy:392938283556143104>"),
        ("<t:1618953630:d>", "\\<t:1618953630:d>"),
        ("<id:customize>", "\\<id:customize>"),
        ("&lt;@80351110224678912&gt;", "\\<@80351110224678912>"),
        ("@everyone and @here", "@\u200beveryone and @\u200bhere"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_what_a_model_writes_is_no_mention_no_emoji_and_no_time(text: str, shown: str) -> None:
    assert render(text) == shown


@pytest.mark.parametrize(
    "tag", ["<tag>", "</div>", "<b>bold</b>", "<script>x</script>", "<!-- note -->", "a < b > c"]
)
def test_a_raw_tag_is_shown_as_it_was_written(tag: str) -> None:
    assert render(f"before {tag} after") == f"before {tag} after"


TABLE = (
    "| Name | Left | Right |\n|:--|:-:|--:|\n| `a` | **b** | 1 |\n| \u56db\u5b57 | [x](https://e.org) | 22 |"
)


def test_a_table_stands_in_columns_in_a_code_block() -> None:
    assert render(f"before\n\n{TABLE}\n\nafter") == (
        "before\n\n```\nName |        Left        | Right\n-----+-------------------+------\n".replace(
            "-----+-------------------+", "-----+-" + "-" * 17 + "-+"
        )
        + "a    |         b         |     1\n"
        "\u56db\u5b57 | x (https://e.org) |    22\n```\n\nafter"
    ).replace("Name |        Left        |", "Name |       Left        |")


def test_a_table_too_wide_for_a_screen_becomes_paragraphs() -> None:
    text = "long words " * 4
    shown = render(f"| One | Two |\n|---|---|\n| {text} | {text} |\n| c | d |")
    assert shown == f"**One:** {text.strip()}\n**Two:** {text.strip()}\n\n**One:** c\n**Two:** d"


def test_cells_beyond_the_head_are_not_lost() -> None:
    assert "extra" in render("| a |\n|---|\n| b | extra |")


def test_a_code_block_of_two_hundred_lines_is_left_alone() -> None:
    code = "\n".join(f"    line_{number} = {{'a': [<@{number}>, '**x**', '||']}}" for number in range(200))
    assert render(f"Look:\n\n```python\n{code}\n```\n\nDone.") == f"Look:\n\n```python\n{code}\n```\n\nDone."


def test_a_table_within_the_width_is_never_wider() -> None:
    cell = "x" * (MAX_COLUMNS // 2 - 2)
    lines = render(f"| {cell} | {cell} |\n|---|---|\n| a | b |").split("\n")
    assert lines[0] == "```"
    assert max(len(line) for line in lines) <= MAX_COLUMNS


MARKS = st.sampled_from(
    [
        *"* ** _ __ ` `` ``` ~~ ~~~ # #### > >> - + 1. 1) | || --- === [ ] ( ) ]( ]: < > </ <!-- ! & &amp; -# [x] @".split(),
        *(
            "\\",
            "\n",
            "\n\n",
            "\t",
            "    ",
            "  ",
            "\n- ",
            "\n> ",
            "\n```py\n",
            "\n```\n",
            "\n| a | b |\n|---|---|\n| ",
        ),
        "https://example.org/a_b",
        "[a](https://example.org)",
        "<@123456789012345678>",
    ]
)
WORDS = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=8)
ODD = st.sampled_from(
    ["\u00e9", "\u202e", "\x00", "\ud800", "\r", "\u200b", "\u2028", "\u56db", "\U0001f469"]
)
MIXED = st.lists(MARKS | WORDS | ODD | st.just(" ") | st.just("\n"), max_size=60).map("".join)


@generated
@given(markdown=MIXED | st.text())
@example("```\n```")
@example("    ")
@example("> ```\n> x")
def test_no_word_is_lost(markdown: str) -> None:
    shown = render(markdown)
    source = re.sub(r"&(?:[a-zA-Z][a-zA-Z0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);", " ", clean(markdown))
    source = re.sub(r"<br[ \t]*/?>", " ", source, flags=re.IGNORECASE)
    for word in re.findall(r"[A-Za-z]{2,}", source):
        assert word in shown, (word, shown)
    shown.encode()


@generated
@given(text=st.text(alphabet=string.ascii_letters + " .,;\n", max_size=200))
def test_plain_words_are_left_alone(text: str) -> None:
    assert words(render(text)) == words(text)


def test_pathological_texts_are_rendered_in_linear_time() -> None:
    pieces = [
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
        "__",
        "||",
        "| a ",
    ]
    for piece in pieces:
        shown = render(piece * (20_000 // len(piece)))
        assert len(shown.encode()) < 200_000, piece
