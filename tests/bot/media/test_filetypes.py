"""What a file is: bytes before words about them."""

from __future__ import annotations

import pytest

from bot.media.filetypes import Family, sniff
from tests.bot.media.files import JPEG, OGG, PNG, docx, odt, pdf, pptx, zipped

PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"


@pytest.mark.parametrize(
    ("data", "mime", "family", "found"),
    [
        (PNG, "", Family.IMAGE, "image/png"),
        (PNG, "image/jpeg", Family.IMAGE, "image/png"),
        (JPEG, "application/octet-stream", Family.IMAGE, "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", Family.IMAGE, "image/webp"),
        (b"GIF89a...", "", Family.IMAGE, "image/gif"),
        (b"\x00\x00\x00\x18ftypheic\x00", "image/jpeg", Family.PICTURE, "image/heic"),
        (OGG, "audio/ogg", Family.SOUND, "audio/ogg"),
        (OGG, "video/ogg", Family.VIDEO, "video/ogg"),
        (b"\x00\x00\x00\x18ftypM4A \x00", "", Family.SOUND, "audio/mp4"),
        (b"\x00\x00\x00\x18ftypisom\x00", "video/mp4", Family.VIDEO, "video/mp4"),
        (b"\x00\x00\x00\x18ftypisom\x00", "audio/mp4", Family.SOUND, "audio/mp4"),
        (b"\x1aE\xdf\xa3....", "audio/webm", Family.SOUND, "audio/webm"),
        (b"\xff\xfb\x90\x00\x00\x00", "", Family.SOUND, "audio/mpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "", Family.SOUND, "audio/wav"),
        (pdf(["x"]), "text/plain", Family.PDF, "application/pdf"),
        (docx("x"), "application/zip", Family.OFFICE, None),
        (pptx("x"), "", Family.OFFICE, None),
        (odt("x"), "", Family.OFFICE, None),
        (zipped({"a.txt": b"x"}), "text/plain", Family.OTHER, "application/zip"),
        (b"\x7fELF\x02\x01", "text/plain", Family.OTHER, None),
        (b"MZ\x90\x00\x03", "", Family.OTHER, None),
        (PAGE, "image/png", Family.HTML, "text/html"),
        (b"\xef\xbb\xbf  <html>", "", Family.HTML, "text/html"),
        (b"<p>part of a page", "text/html", Family.HTML, "text/html"),
        (b'{"a": 1}', "application/json", Family.TEXT, "text/plain"),
        (b"a,b\r\n1,2\r\n", "text/csv", Family.TEXT, "text/csv"),
        (b"def f(): ...", "application/octet-stream", Family.TEXT, "text/plain"),
        ("Grüße".encode("cp1252"), "", Family.TEXT, "text/plain"),
        ("\ufeffwide".encode("utf-16-le"), "", Family.TEXT, "text/plain"),
        ("wide without a mark".encode("utf-16-be"), "", Family.TEXT, "text/plain"),
        (b"", "text/plain", Family.TEXT, "text/plain"),
        (bytes(range(256)) * 8, "text/plain", Family.OTHER, None),
        (b"\x00" * 100, "image/png", Family.OTHER, None),
    ],
)
def test_bytes_tell_what_a_file_is(data: bytes, mime: str, family: Family, found: str | None) -> None:
    kind = sniff(data, mime, "")
    assert kind.family is family
    assert found is None or kind.mime == found


def test_a_name_says_that_a_text_is_a_page() -> None:
    assert sniff(b"<p>hello", "", "notes.HTM").family is Family.HTML
    assert sniff(b"<p>hello", "", "notes.txt").family is Family.TEXT
