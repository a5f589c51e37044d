"""How the fake Slack reads text: escapes, control sequences, pings, code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.slack.peer import text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a & b", "a &amp; b"),
        ("1 < 2 > 0", "1 &lt; 2 &gt; 0"),
        ("<@U0BOT00001> hi", "<@U0BOT00001> hi"),
        ("<!channel>", "<!channel>"),
        ("<https://a.b|label>", "<https://a.b|label>"),
        ("<script>", "&lt;script&gt;"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_what_a_person_types_is_escaped_but_for_sequences(typed: str, kept: str) -> None:
    assert text.escape(typed) == kept


@given(st.text(alphabet="ab<>&@!U1;lt|#", max_size=60))
def test_what_slack_keeps_stays_as_it_is(said: str) -> None:
    kept = text.keep(said)
    assert text.keep(kept) == kept
    assert text.pings(kept) == text.pings(said)


@given(st.text(max_size=80))
def test_a_person_reads_what_was_typed(said: str) -> None:
    assert text.unescape(text.escape(said)) == said


@pytest.mark.parametrize(
    ("said", "roused"),
    [
        ("<!channel> <!here|here> <!everyone>", ["channel", "here", "everyone"]),
        ("<@U1|ada> <!subteam^S1|@team>", ["U1", "S1"]),
        ("&lt;!channel&gt; !channel @channel <#C1>", []),
    ],
)
def test_control_sequences_rouse_people(said: str, roused: list[str]) -> None:
    assert text.pings(said) == roused


@pytest.mark.parametrize(
    ("markdown", "left"),
    [
        ("a `<!channel>` b", "a   b"),
        ("``a ` <!here>`` b", "  b"),
        ("```py\n<!here>\n```\nb", " \nb"),
        ("~~~\n<!here>", " "),
        ("a ` <!here>", "a ` <!here>"),
    ],
)
def test_code_is_not_read_for_sequences(markdown: str, left: str) -> None:
    assert text.without_code(markdown) == left


def test_markdown_becomes_mrkdwn_for_notifications() -> None:
    found = text.to_mrkdwn("# Tea\n**hot** & [link](https://a.b) <x>")
    assert found == "*Tea*\n*hot* &amp; <https://a.b|link> &lt;x&gt;"


def test_blocks_are_read_from_top_to_bottom() -> None:
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "1"}
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": "Head"}},
        {"type": "markdown", "text": "**b** &amp; `&amp;`"},
        {"type": "section", "text": {"type": "mrkdwn", "text": "a &lt; b <!here>"}, "accessory": button},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "small"}]},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": text.rich_elements("<@U1> x")}],
        },
    ]
    assert text.block_lines(blocks) == ["Head", "**b** & `&amp;`", "a < b <!here>", "small", "<@U1> x"]
    assert text.block_pings(blocks) == ["here", "U1"]
    assert [found["action_id"] for found in text.buttons(blocks)] == ["go"]
