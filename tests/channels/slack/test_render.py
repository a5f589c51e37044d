"""Markdown as Slack reads it: nothing is lost, nobody is notified, and a stream never has to take anything back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.conformance import MARKDOWN, MARKDOWN_WORDS, ODD
from channels.errors import Refused
from channels.events import Action
from channels.markup import words
from channels.slack.blocks import buttons, content
from channels.slack.mrkdwn import MAX_SUMMARY, mrkdwn, summary
from channels.slack.render import JOINER, MAX_MARKDOWN, growing, render
from channels.slack.table import tables_as_code
from tests.channels.slack.peer import text as slack
from tests.generated import generated

CODE = "```python\n" + "\n".join(f"if a{n} < b{n}: print('<b>', \"&amp;\")" for n in range(200)) + "\n```"
_PIECES = st.sampled_from(
    [
        *"< > ` `` ``` ~~~ ]( [x !channel ) https://x.y \\ &lt; | <!here> <@U1ABC> <!channel|x> mailto:a * <https://a.b>".split(),
        "![",
        "!",
        "\n",
        "\n\n",
        "word ",
        "- ",
        "]: ",
        " ",
        "> ",
        "    ",
    ]
)
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)


@pytest.mark.parametrize(
    "text",
    ["# Head", "**b** _i_ ~~s~~ `c`", "- a\n  - b\n1. c", "| a |\n|---|\n| b |", "> q", "---", MARKDOWN],
)
def test_what_the_markdown_block_documents_is_sent_as_it_is(text: str) -> None:
    """Slack docs, markdown block, supported types (2026-11)."""
    assert render(text.replace("<b>", "b").replace("</b>", "b")) == text.replace("<b>", "b").replace(
        "</b>", "b"
    )


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("a <b>tag</b>", "a &lt;b>tag&lt;/b>"),
        ("<!channel> <!here> <@U1ABC>", "&lt;!channel> &lt;!here> &lt;@U1ABC>"),
        ("1 < 2 > 1 & so on", "1 &lt; 2 > 1 & so on"),
        ("\\<b>", "&lt;b>"),
        ("`a < b` and `<!here>`", f"`a < b` and `<{JOINER}!here>`"),
        ("``a ` <b>``", "``a ` <b>``"),
        ("a ` open <b>", "a ` open &lt;b>"),
        ("<https://x.y/?a=1&b=2>", "[https://x.y/?a=1&b=2](https://x.y/?a=1&b=2)"),
        ("<mailto:a@b.c>", "[a@b.c](mailto:a@b.c)"),
        ("[x](!channel) [y](@U1) [z](<#C1>)", "[x] (!channel) [y] (@U1) [z] (#C1>)"),
        ("[x]: !channel", f"[x]: {JOINER}!channel"),
        ("[x](https://a.b/?c=<d>)", "[x](https://a.b/?c=&lt;d>)"),
        ("&lt;b&gt; stays", "&lt;b&gt; stays"),
        ("![a](https://b.c) oh![1] `![x](y)`", f"!{JOINER}[a](https://b.c) oh!{JOINER}[1] `![x](y)`"),
        (
            "```html\n<!DOCTYPE html> <!channel>\n```\n<b>",
            f"```html\n<!DOCTYPE html> <{JOINER}!channel>\n```\n&lt;b>",
        ),
    ],
)
def test_only_what_slack_would_read_as_a_token_is_written_otherwise(source: str, sent: str) -> None:
    """PostHog/posthog#95054 (2026-09): tokens live in Markdown too, `&lt;` is shown as "<" and not read again."""
    assert render(source) == sent


def test_two_hundred_lines_of_code_are_sent_as_they_are() -> None:
    assert render(CODE) == CODE
    assert len(render(CODE)) < MAX_MARKDOWN


@generated
@given(_TEXTS)
def test_no_text_notifies_anybody(text: str) -> None:
    sent = render(text)
    assert slack.pings(slack.without_code(sent)) == []
    assert slack.pings(sent) == []
    assert slack.pings(mrkdwn(text)) == []
    assert slack.pings(summary(sent)) == []


@generated
@given(_TEXTS)
def test_no_word_is_lost(text: str) -> None:
    seen = words(slack.read_markdown(render(text)).replace(JOINER, ""))
    for word in ("word", "here", "channel", "U1ABC", "https", "mailto"):
        assert seen.count(words(word)) >= words(text).count(words(word))


@generated
@given(_TEXTS)
def test_what_a_stream_has_sent_is_the_beginning_of_what_it_will_send(text: str) -> None:
    final = render(text)
    before = ""
    for end in range(len(text) + 1):
        now = growing(text[:end])
        assert final.startswith(now)
        assert now.startswith(before) or before.startswith(now)
        before = now


def test_a_stream_is_only_as_far_behind_as_what_is_still_open() -> None:
    assert growing("The answer is **bold") == "The answer is **bold"
    assert growing("The `code") == "The "
    assert growing("A fence:\n```py") == "A fence:\n"
    assert growing("A fence:\n```py\nx < 1") == "A fence:\n```py\nx < 1"
    assert growing("a <") == "a "


def test_odd_characters_arrive() -> None:
    assert slack.read_markdown(render(ODD)) == ODD
    assert render("half \ud83d and \x00") == "half \ufffd and  "


def test_the_older_markup_keeps_all_words() -> None:
    """Slack docs, "Formatting message text" (2026-11)."""
    made = mrkdwn(MARKDOWN)
    assert "*Heading one*" in made
    assert "_first_ paragraph with *bold words*, `code()`, ~struck~" in made
    assert "<https://example.org/a_(b)?c=d|link>" in made
    assert "&lt;b&gt;42&lt;/b&gt; &amp; more" in made
    seen = words(slack.unescape(made))
    place = 0
    for wanted in MARKDOWN_WORDS:
        place = seen.index(words(wanted), place)


def test_links_to_anywhere_but_the_web_are_written_out() -> None:
    assert mrkdwn("[x](!channel) [y](javascript:alert) [z](https://a.b|c)") == (
        "x (!channel) [y](javascript:alert) <https://a.b%7Cc|z>"
    )


def test_tables_stand_in_columns_where_slack_takes_no_other() -> None:
    table = "before\n\n| name | n |\n|:--|--:|\n| a\\|b | 1 |\n| \u6f22\u5b57 | 22 | extra |\n\nafter | all\n\n```\n| a |\n|---|\n```"
    assert tables_as_code(table) == (
        "before\n\n```\nname |  n |\n-----+----+------\na|b  |  1 |\n\u6f22\u5b57 | 22 | extra\n```\n\nafter | all\n\n```\n| a |\n|---|\n```"
    )


def test_a_screen_reader_is_told_the_words_as_far_as_there_is_room() -> None:
    told = summary(render("# Head\n\n**bold** [link](https://a.b) <!channel>\n- item"))
    assert told == "Head\nbold link &lt;!channel&gt;\n- item"
    for long in ("word " * 3000, "<&>" * 4000):
        told = summary(render(long))
        assert 3000 < len(told) <= MAX_SUMMARY + 1
        assert told.endswith("\u2026")
    assert summary("") == "\u2026"


def test_buttons_ride_in_blocks_and_plain_messages_need_none() -> None:
    assert content("text", (), replaces=False) == {"markdown_text": "text"}
    made = content("text", (Action("stop", "Stop"),), replaces=False)
    assert [block["type"] for block in made["blocks"]] == ["markdown", "actions"]
    assert made["blocks"][1]["elements"][0]["action_id"] == "firstword:stop"
    assert content("text", (), replaces=True)["blocks"] == [{"type": "markdown", "text": "text"}]
    with pytest.raises(Refused):
        buttons([Action("x" * 300, "long")])
