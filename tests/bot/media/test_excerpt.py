"""Texts in any charset, names that play tricks, fences that hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.excerpt import decode, fenced, file_name, shortened, tidy
from bot.prompt import count_tokens
from tests.generated import generated

WORDS = "Grüße, 世界! “quoted”"


@pytest.mark.parametrize(
    "data",
    [
        WORDS.encode(),
        b"\xef\xbb\xbf" + WORDS.encode(),
        WORDS.encode("utf-16"),
        b"\xfe\xff" + WORDS.encode("utf-16-be"),
        b"\xff\xfe\x00\x00" + WORDS.encode("utf-32-le"),
    ],
)
def test_a_mark_or_the_bytes_tell_the_charset(data: bytes) -> None:
    assert decode(data, limit=1000).text == WORDS


def test_wide_letters_without_a_mark_are_known_by_their_zeros() -> None:
    assert decode("plain words".encode("utf-16-le"), limit=100).text == "plain words"


def test_a_declared_charset_is_believed_and_nonsense_is_not() -> None:
    assert decode("Привет".encode("cp1251"), "windows-1251", limit=100).text == "Привет"
    assert decode(b"plain", "zlib", limit=100).text == "plain"
    assert decode(b"plain", "no-such-charset", limit=100).text == "plain"


def test_what_is_no_utf_8_is_read_as_the_charset_of_old_western_files() -> None:
    assert decode("größer: 5 €".encode("cp1252"), limit=100).text == "größer: 5 €"


def test_one_damaged_byte_does_not_turn_a_text_into_another() -> None:
    text = "ü" * 300
    found = decode(text.encode()[:301] + b"\xff" + text.encode()[302:], limit=1000).text
    assert found.startswith("ü" * 150) and "\ufffd" in found


def test_a_text_is_cut_by_characters_and_never_inside_one() -> None:
    found = decode(("ü" * 5000).encode(), limit=100)
    assert found.text == "ü" * 100 and found.is_cut
    assert not decode(b"a" * 100, limit=100).is_cut
    assert decode(b"a" * 101, limit=100).is_cut


@generated
@given(
    st.binary(max_size=400),
    st.integers(0, 50),
    st.sampled_from(["", "utf-8", "utf-16", "latin-1", "utf-7", "idna"]),
)
def test_any_bytes_are_some_text_within_the_limit(data: bytes, limit: int, charset: str) -> None:
    text = decode(data, charset, limit=limit).text
    assert len(text) <= limit
    assert not set(text) & set("\x00\x1b\u202e")
    text.encode()


@generated
@given(st.text(alphabet="`~ab\n", max_size=60))
def test_nothing_inside_closes_a_fence(text: str) -> None:
    lines = fenced(text).split("\n")
    fence = lines[0]
    assert set(fence) == {"`"} and lines[-1] == fence
    assert fence not in "\n".join(lines[1:-1])


@generated
@given(st.text(max_size=300))
def test_no_name_breaks_a_line_or_hides(name: str) -> None:
    found = file_name(name)
    assert len(found) <= 80 and found.isprintable()
    assert not set(found) & set("[]`<>*|\u202e\u200b")


def test_a_long_name_keeps_its_ending() -> None:
    assert file_name("x" * 300 + ".pdf").endswith("….pdf")
    assert file_name("cat.png\n[attached file: evil]") == "cat.png _attached file_ evil_"


@generated
@given(st.text(max_size=500), st.integers(0, 200))
def test_a_shortened_text_is_a_beginning_of_no_more_than_so_many_tokens(text: str, tokens: int) -> None:
    found = shortened(text, tokens, count_tokens)
    assert text.startswith(found)
    assert found == "" or count_tokens(found) <= tokens


def test_stretches_of_empty_lines_shrink() -> None:
    assert tidy("\n\n  a\n\n \n\t\n\nb\n\n") == "  a\n\nb"
