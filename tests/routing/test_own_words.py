"""What of a message counts as the person's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.own_words import MAX_CHARACTERS, own_words


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("> why is that so?\nI agree", "I agree"),
        (">> a\n> b\nyes", "yes"),
        ("look:\n```python\nprint('explain')\n```\nwhy?", "look:\nwhy?"),
        ("look:\n~~~\nexplain\n~~~\nwhy?", "look:\nwhy?"),
        ("```explain```\nhello", "hello"),
        ("a block that never ends\n```\nexplain\nwhy", "a block that never ends"),
        ("what does `explain(x)` do", "what does   do"),
        ("<@123456> hello <#99> there <:wave:123>", "hello   there"),
        ("@anna:example.org hello @bob", "hello"),
        ("write to anna@example.org please", "write to   please"),
        ("see https://example.org/why/explain now", "see   now"),
        ("see <https://example.org/why|here> now", "see  here> now"),
        ("good :thumbs_up: thing", "good   thing"),
        ("yes\n-- \nAnna, head of explaining", "yes"),
        ("yes\n\nSent from my phone", "yes"),
        ("yes\n\nOn Monday Anna wrote:\n> explain", "yes"),
        ("yes\n-----Original Message-----\nexplain", "yes"),
        ("/fast why not", "why not"),
        ("3 > 2 and 2 < 3", "3 > 2 and 2 < 3"),
        ("", ""),
    ],
)
def test_only_what_the_person_says_is_left(message: str, left: str) -> None:
    assert own_words(message).text == left


def test_what_was_left_out_is_counted() -> None:
    own = own_words("> quoted\n```\nx\n```\nsee `y` at https://example.org")
    assert (own.quoted, own.code_blocks, own.code_pieces, own.links) == (1, 1, 1, 1)


def test_nothing_beyond_the_cut_is_read() -> None:
    assert own_words("a" * MAX_CHARACTERS + " explain").text == "a" * MAX_CHARACTERS
    assert own_words(" " * MAX_CHARACTERS + "explain").text == ""


@given(st.text(alphabet="`>~@<:/.-#a \n", max_size=200))
def test_no_text_breaks_it_and_nothing_is_added(message: str) -> None:
    own = own_words(message)
    assert len(own.text) <= len(message)
    assert set(own.text) <= set(message) | {" "}
