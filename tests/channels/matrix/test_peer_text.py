"""What a person reads of a message, from its events and its HTML: rules of the specification, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.matrix.peer.markup import faults, plain
from tests.channels.matrix.peer.timeline import see

ALICE, BOB = "@alice:localhost", "@bob:localhost"


def message(
    event_id: str, body: str, content: dict[str, Any] | None = None, *, sender: str = ALICE, at: int = 0
) -> dict[str, Any]:
    return {
        "type": "m.room.message",
        "event_id": event_id,
        "sender": sender,
        "origin_server_ts": at,
        "content": {"msgtype": "m.text", "body": body} | (content or {}),
    }


def edit(event_id: str, target: str, body: str, *, sender: str = ALICE, at: int = 0) -> dict[str, Any]:
    new = {"msgtype": "m.text", "body": body}
    related = {"rel_type": "m.replace", "event_id": target}
    more = {"m.new_content": new, "m.relates_to": related}
    return message(event_id, f"* {body}", more, sender=sender, at=at)


def test_the_newest_edit_is_read() -> None:
    events = [message("$1", "one"), edit("$3", "$1", "three", at=3), edit("$2", "$1", "two", at=2)]
    (seen,) = see(events)
    assert (seen.text, seen.edit_ids) == ("three", ("$2", "$3"))


def test_edits_that_do_not_count_are_not_read() -> None:
    without_new = edit("$4", "$1", "x", at=4)
    del without_new["content"]["m.new_content"]
    events = [
        message("$1", "one"),
        edit("$2", "$1", "by bob", sender=BOB, at=2),
        edit("$3", "$2", "of an edit", sender=BOB, at=3),
        without_new,
        edit("$5", "$unknown", "of nothing", at=5),
    ]
    assert [(seen.text, seen.edits) for seen in see(events)] == [("one", 0)]


def test_a_redacted_edit_brings_the_text_before_it_back() -> None:
    redaction = {
        "type": "m.room.redaction",
        "event_id": "$9",
        "sender": ALICE,
        "origin_server_ts": 9,
        "redacts": "$2",
        "content": {"redacts": "$2"},
    }
    events = [message("$1", "one"), edit("$2", "$1", "two", at=2), redaction]
    assert [seen.text for seen in see(events)] == ["one"]
    assert see([message("$1", "one") | {"content": {}}]) == []


def test_the_relation_of_an_edited_message_stays() -> None:
    thread = {
        "rel_type": "m.thread",
        "event_id": "$0",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$0"},
    }
    reply = {"m.in_reply_to": {"event_id": "$1"}}
    events = [
        message("$1", "one", {"m.relates_to": thread}),
        edit("$2", "$1", "two", at=2),
        message("$3", "three", {"m.relates_to": reply}),
        message("$4", "four", {"m.relates_to": thread | reply | {"is_falling_back": False}}),
    ]
    found = [(seen.text, seen.thread, seen.reply_to) for seen in see(events)]
    assert found == [("two", "$0", None), ("three", None, "$1"), ("four", "$0", "$1")]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One<br>two</p><p>three</p>", "One\ntwo\nthree"),
        ("<h1>Head</h1>\n<p>a <strong>b</strong> &lt;c&gt;\n d</p>", "Head\na b <c> d"),
        ("<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>", "- a\n  - b"),
        ('<ol start="3"><li><p>x</p></li><li>y</li></ol>', "3. x\n4. y"),
        ('<pre><code class="language-py">a\n  b\n</code></pre><p>c</p>', "a\n  b\nc"),
        ("<table><tr><th>n</th><th>v</th></tr>\n<tr><td>1</td><td>2</td></tr></table>", "n | v\n1 | 2"),
        ("<mx-reply><blockquote>quoted</blockquote></mx-reply>said", "said"),
        ('a<hr>b <a href="https://example.org">link</a>', "a\n---\nb link"),
    ],
)
def test_html_is_read_as_it_is_laid_out(html: str, text: str) -> None:
    assert plain(html) == text
    assert faults(html) == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<script>x</script>", "<script> is not shown"),
        ('<a href="javascript:x">y</a>', "a link to javascript:x is not shown"),
        ('<p style="color: red">x</p>', "style of <p> is not shown"),
        ('<img src="https://example.org/a.png">', "an image from https://example.org/a.png is not shown"),
        ('<code class="hot">x</code>', "the class hot is not shown"),
        ("<p><strong>x</p>", "</p> closes nothing"),
        ("<p>x", "<p> is never closed"),
    ],
)
def test_what_a_client_would_not_show_is_found(html: str, fault: str) -> None:
    assert fault in faults(html)
