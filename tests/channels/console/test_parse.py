"""Typed lines as messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.console.parse import clean, to_message
from tests.generated import generated

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_line_is_a_message_of_the_owner() -> None:
    message = to_message("Hello\n", "id-1", "main", NOW)
    assert message is not None
    assert (message.text, message.event_key, message.sender.id) == ("Hello", "id-1", "owner")
    assert str(message.address.key) == "console:main:terminal"
    assert message.address.reply_to == "id-1"


@pytest.mark.parametrize("line", ["", "\n", "   \n", "\0\n", "\r\n"])
def test_an_empty_line_is_none(line: str) -> None:
    assert to_message(line, "id-1", "main", NOW) is None


@generated
@given(st.text(st.characters(codec=None)))
def test_whatever_bytes_come_the_text_can_be_encoded(text: str) -> None:
    clean(text).encode()
    assert "\0" not in clean(text)
