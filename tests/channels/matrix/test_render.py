"""What Markdown becomes: only HTML that clients show, all the words, and events that a homeserver takes."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.conformance import MARKDOWN
from channels.errors import Gone, NotAuthorized, RateLimited, Refused, TooLong, Unavailable
from channels.markup import words
from channels.matrix import MatrixSettings
from channels.matrix.limits import MAX_TEXT, Offers
from channels.matrix.outgoing import ENCRYPTED_BYTES, LIVE, PLAIN_BYTES, edit, message, transaction
from channels.matrix.problems import LoggedOut, problem
from channels.matrix.render import TAGS, render
from channels.matrix.text import is_visible, wash
from tests.channels.matrix.hosts import address
from tests.channels.matrix.peer import markup
from tests.generated import generated


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("plain words, nothing else.", ""),
        ("**bold** and *soft*", "<p><strong>bold</strong> and <em>soft</em></p>"),
        ("~~gone~~ `a<b`", "<p><del>gone</del> <code>a&lt;b</code></p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("# Head", "<h1>Head</h1>"),
        ("3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'),
        ("- [ ] do\n- [x] done", "<ul><li>☐ do</li><li>☑ done</li></ul>"),
        ("```python\nx<1\n```", '<pre><code class="language-python">x&lt;1\n</code></pre>'),
        ("```a b\nx\n```", "<p>a b</p><pre><code>x\n</code></pre>"),
        ("[w](https://x.y/?a&b)", '<p><a href="https://x.y/?a&amp;b">w</a></p>'),
        ('[w](https://x.y "t")', '<p><a href="https://x.y">w</a> (t)</p>'),
        ("![cat](https://x.y/c.png)", '<p><a href="https://x.y/c.png">cat</a></p>'),
        ("[w](tel:110)", "<p>w (tel:110)</p>"),
        ("[w](javascript:x)", "<p>[w](javascript:x)</p>"),
        ("<b>x</b> <think>y", "<p>&lt;b&gt;x&lt;/b&gt; &lt;think&gt;y</p>"),
        ("[x]: https://d.e", "<p>[x]: https://d.e</p>"),
    ],
)
def test_markdown_becomes_what_the_specification_recommends(markdown: str, html: str) -> None:
    assert render(markdown) == html


def test_a_table_keeps_cells_beyond_its_header() -> None:
    html = render("> | a | b |\n> | - | :-: |\n> | 1 | 2 | 3 |")
    assert "<tr><td>1</td><td>2</td><td>3</td></tr>" in html
    assert "style" not in html


def test_what_is_nested_too_deep_stands_as_text() -> None:
    assert "deep" in render(">" * 60 + " deep")


def test_the_kits_markdown_is_shown_by_every_client() -> None:
    assert markup.faults(render(MARKDOWN)) == []


_MARKS = """* ** _ ` ``` ~~ [ ] ]( ) ![ < > </ & &amp; | ]: \\ " https://x.y/ javascript:""".split()
_LINES = ("\n", "\n\n", "\n> ", "\n- ", "\n1. ", "\n# ", "\n---\n", "\n    ", "| - | - |", " ")
_PIECES = st.sampled_from((*_MARKS, *_LINES))


@generated
@given(st.lists(_PIECES, max_size=30))
def test_any_markdown_gives_only_permitted_html_and_loses_no_word(pieces: list[str]) -> None:
    markdown = "".join(f"{piece}w{place}w" for place, piece in enumerate(pieces))
    html = render(markdown)
    assert markup.faults(html) == []
    assert set(re.findall(r"</?([a-z0-9]+)", html)) <= TAGS
    if html:
        assert [word for word in re.findall(r"w\d+w", markdown) if word not in html] == []


@generated
@given(st.text(max_size=300))
def test_any_text_makes_an_event_that_can_be_sent(text: str) -> None:
    try:
        content = edit(text, "$id", msgtype="m.text")
    except Refused:
        assert not is_visible(wash(text))
        return
    again = orjson.loads(orjson.dumps(content))
    assert again["m.new_content"]["body"] == again["body"][2:]
    assert again["m.mentions"] == {}


def test_a_message_in_a_thread_is_also_in_order_for_clients_without_threads() -> None:
    content = message("x", msgtype="m.text", thread="$root", reply_to="$asked")
    assert content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$asked"},
    }
    assert message("x", msgtype="m.text", reply_to="$a")["m.relates_to"] == {
        "m.in_reply_to": {"event_id": "$a"}
    }


def test_an_edit_has_the_new_text_and_a_fallback() -> None:
    content = edit("**x**", "$id", msgtype="m.notice", is_live=True)
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$id"}
    assert (content["msgtype"], content["body"], content["formatted_body"]) == (
        "m.notice",
        "* **x**",
        "* <p><strong>x</strong></p>",
    )
    assert content["m.new_content"]["formatted_body"] == "<p><strong>x</strong></p>"
    assert LIVE in content
    assert LIVE not in edit("x", "$id", msgtype="m.text")


@pytest.mark.parametrize("letter", ["a ", "*a* ", "ä", "<", "\n- x"])
@pytest.mark.parametrize(("is_encrypted", "room"), [(False, PLAIN_BYTES), (True, ENCRYPTED_BYTES)])
def test_an_edit_fits_an_event_or_is_refused_beforehand(letter: str, is_encrypted: bool, room: int) -> None:
    text = (letter * MAX_TEXT).encode()[:MAX_TEXT].decode(errors="ignore")
    try:
        content = edit(text, "$id", msgtype="m.text", is_encrypted=is_encrypted)
    except TooLong:
        assert letter == "<" or is_encrypted
        return
    assert len(orjson.dumps(content)) <= room
    assert words(content["m.new_content"]["body"]) == words(text)


def test_a_message_that_shows_nothing_is_refused() -> None:
    with pytest.raises(Refused):
        message("\u200b \u2060", msgtype="m.text")


def test_a_key_is_always_the_same_transaction() -> None:
    assert transaction("turn-0") == transaction("turn-0") != transaction("turn-1")
    assert re.fullmatch(r"[a-z0-9-]{1,64}", transaction("\ud800 /ü"))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500}, RateLimited),
        (401, {"errcode": "M_UNKNOWN_TOKEN", "soft_logout": True}, LoggedOut),
        (403, {"errcode": "M_USER_DEACTIVATED"}, NotAuthorized),
        (413, {"errcode": "M_TOO_LARGE"}, TooLong),
        (403, {"errcode": "M_FORBIDDEN", "error": "User @b:x not in room !r:x"}, Gone),
        (403, {"errcode": "M_FORBIDDEN", "error": "You don't have permission to post that"}, Refused),
        (404, {"errcode": "M_NOT_FOUND"}, Gone),
        (404, {"errcode": "M_UNRECOGNIZED"}, Refused),
        (400, {"errcode": "M_BAD_JSON"}, Refused),
        (502, None, Unavailable),
        (400, "nonsense", Unavailable),
        (404, None, Unavailable),
        (400, {"errcode": "M_NEW"}, Refused),
    ],
)
def test_an_answer_says_what_to_do_next(status: int, body: Any, kind: type) -> None:
    assert isinstance(problem(status, body, scope="account", is_write=True), kind)


def test_a_wait_is_read_from_the_answer() -> None:
    found = problem(429, {"retry_after_ms": 1500}, scope="account")
    assert isinstance(found, RateLimited)
    assert (found.retry_after, found.scope) == (1.5, "account")
    header = problem(429, {}, retry_after="7")
    assert isinstance(header, RateLimited)
    assert header.retry_after == 7.0
    silent = problem(429, {"retry_after_ms": "soon"})
    assert isinstance(silent, RateLimited)
    assert silent.retry_after == 5.0


def test_the_pace_is_learnt_from_refusals_and_only_gets_slower() -> None:
    given = {
        "homeserver": "https://h.example",
        "userId": "@b:h.example",
        "accessToken": "t",
        "writesPerSecond": 2,
    }
    offers = Offers(MatrixSettings.model_validate(given))
    where = address("!r:h.example")
    assert offers.at(where).budgets[0].rate == 2
    assert offers.refused(5.0)
    assert offers.at(where).budgets[0].rate == 0.2
    assert not offers.refused(1.0)
    assert not offers.refused(3000.0)
    assert offers.at(where).budgets[0].rate == 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        {"accessToken": "t", "password": "p"},
        {},
        {"accessToken": "t", "userId": "bot"},
        {"accessToken": "t", "homeserver": "https://a:b@h.example"},
        {"accessToken": "t", "unknown": 1},
        {"accessToken": " "},
    ],
)
def test_settings_that_cannot_work_are_refused_without_repeating_secrets(wrong: dict[str, Any]) -> None:
    given = {"homeserver": "https://h.example", "userId": "@b:h.example", **wrong}
    with pytest.raises(ValueError) as caught:
        MatrixSettings.model_validate(given)
    assert "'t'" not in str(caught.value)
