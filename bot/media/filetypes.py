"""What a file is, told by its bytes; a declared type or a name counts only where bytes say nothing. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What can be done with a file."""

    IMAGE = "image"  # a picture of a kind that models take
    PICTURE = "picture"  # of a kind that they do not
    SOUND = "sound"
    VIDEO = "video"
    TEXT = "text"
    HTML = "html"
    PDF = "pdf"
    OFFICE = "office"  # a zip of XML
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FileType:
    """`mime` without parameters. `title`: what people call such a file, with its article."""

    family: Family
    mime: str
    title: str


OTHER = FileType(Family.OTHER, "application/octet-stream", "a kind of file that I do not know")

_PNG = FileType(Family.IMAGE, "image/png", "a PNG picture")
_JPEG = FileType(Family.IMAGE, "image/jpeg", "a JPEG picture")
_GIF = FileType(Family.IMAGE, "image/gif", "a GIF picture")
_WEBP = FileType(Family.IMAGE, "image/webp", "a WebP picture")
_TIFF = FileType(Family.PICTURE, "image/tiff", "a TIFF picture")
_MP3 = FileType(Family.SOUND, "audio/mpeg", "an MP3 recording")
_PLAIN = FileType(Family.TEXT, "text/plain", "a text")
_HTML = FileType(Family.HTML, "text/html", "a web page")
_PDF = FileType(Family.PDF, "application/pdf", "a PDF")
_MP4 = FileType(Family.VIDEO, "video/mp4", "a video")
_M4A = FileType(Family.SOUND, "audio/mp4", "a recording")
_WEBM = FileType(Family.VIDEO, "video/webm", "a video")
_ARCHIVE = "an archive"

# First bytes -> type. The pictures are those that OpenAI, Anthropic and Gemini all take (their guides, 2026-11).
_BEGINNINGS: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"%PDF-", _PDF),
    (b"OggS", FileType(Family.SOUND, "audio/ogg", "a recording")),
    (b"fLaC", FileType(Family.SOUND, "audio/flac", "a FLAC recording")),
    (b"ID3", _MP3),
    (b"#!AMR", FileType(Family.SOUND, "audio/amr", "an AMR recording")),
    (b"II*\x00", _TIFF),
    (b"MM\x00*", _TIFF),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        FileType(Family.OTHER, "application/x-ole-storage", "an old Office file"),
    ),
    (b"{\\rtf", FileType(Family.OTHER, "application/rtf", "an RTF file")),
    (b"\x1f\x8b", FileType(Family.OTHER, "application/gzip", _ARCHIVE)),
    (b"Rar!\x1a\x07", FileType(Family.OTHER, "application/vnd.rar", _ARCHIVE)),
    (b"7z\xbc\xaf\x27\x1c", FileType(Family.OTHER, "application/x-7z-compressed", _ARCHIVE)),
    (b"BZh", FileType(Family.OTHER, "application/x-bzip2", _ARCHIVE)),
    (b"\xfd7zXZ\x00", FileType(Family.OTHER, "application/x-xz", _ARCHIVE)),
    (b"\x28\xb5\x2f\xfd", FileType(Family.OTHER, "application/zstd", _ARCHIVE)),
    (b"\x7fELF", FileType(Family.OTHER, "application/x-executable", "a program")),
    (b"MZ\x90\x00", FileType(Family.OTHER, "application/x-executable", "a program")),
    (b"SQLite format 3\x00", FileType(Family.OTHER, "application/vnd.sqlite3", "a database")),
)

# What a zip holds tells its kind: file names stand in it uncompressed.
_OFFICE: tuple[tuple[bytes, FileType], ...] = (
    (
        b"word/document.xml",
        FileType(
            Family.OFFICE,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "a Word document",
        ),
    ),
    (
        b"ppt/presentation.xml",
        FileType(
            Family.OFFICE,
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "a presentation",
        ),
    ),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.text",
        FileType(Family.OFFICE, "application/vnd.oasis.opendocument.text", "an OpenDocument text"),
    ),
    (
        b"xl/workbook.xml",
        FileType(
            Family.OTHER,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "a spreadsheet (as CSV I could read it)",
        ),
    ),
)
_ZIP = FileType(Family.OTHER, "application/zip", _ARCHIVE)

# ISO base media files: four bytes of length, "ftyp", the brand (ISO/IEC 14496-12; brands as registered at mp4ra.org).
_BRANDS: dict[bytes, FileType] = {
    b"M4A ": _M4A,
    b"M4B ": _M4A,
    b"heic": FileType(Family.PICTURE, "image/heic", "a HEIC picture (as JPEG I could take it)"),
    b"heix": FileType(Family.PICTURE, "image/heic", "a HEIC picture (as JPEG I could take it)"),
    b"mif1": FileType(Family.PICTURE, "image/heif", "a HEIF picture (as JPEG I could take it)"),
    b"avif": FileType(Family.PICTURE, "image/avif", "an AVIF picture (as JPEG I could take it)"),
}
_RIFF: dict[bytes, FileType] = {
    b"WEBP": _WEBP,
    b"WAVE": FileType(Family.SOUND, "audio/wav", "a WAV recording"),
    b"AVI ": FileType(Family.VIDEO, "video/x-msvideo", "a video"),
}
_PAGE = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Control characters that no text has; tab, newlines, form feed and escape are in some.
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_LOOKED_AT = 8192


def sniff(data: bytes, mime: str = "", name: str = "") -> FileType:
    """What these bytes are. `mime` is what the channel said, `name` what the person called it."""
    mime = mime.partition(";")[0].strip().lower()
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            # An Ogg may be a film, but hardly ever is; who says so is believed.
            return FileType(Family.VIDEO, "video/ogg", "a video") if _is_film(kind, mime) else kind
    if data.startswith(b"PK\x03\x04"):
        return next((kind for mark, kind in _OFFICE if mark in data), _ZIP)
    if data[4:8] == b"ftyp":
        found = _BRANDS.get(data[8:12])
        return found or (_M4A if mime.startswith("audio/") else _MP4)
    if data.startswith(b"RIFF") and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    if data.startswith(b"\x1aE\xdf\xa3"):
        return FileType(Family.SOUND, "audio/webm", "a recording") if mime.startswith("audio/") else _WEBM
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:  # MPEG audio frame, layer III
        return _MP3
    if data.startswith(b"BM") and mime.startswith("image/"):
        return FileType(Family.PICTURE, "image/bmp", "a BMP picture")
    return _text(data, mime, name) or OTHER


def _is_film(kind: FileType, mime: str) -> bool:
    return kind.mime == "audio/ogg" and mime.startswith("video/")


def _text(data: bytes, mime: str, name: str) -> FileType | None:
    head = data[:_LOOKED_AT]
    if not is_text(head):
        return None
    plain = head.removeprefix(_BOMS[0])
    if _PAGE.match(plain) or (mime == "text/html" and b"<" in plain):
        return _HTML
    if name.lower().endswith((".html", ".htm", ".xhtml")) and b"<" in plain:
        return _HTML
    return FileType(Family.TEXT, mime, "a text") if mime.startswith("text/") else _PLAIN


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a text, in UTF-8, UTF-16 or a charset of one byte."""
    if head.startswith(_BOMS):
        return True
    if wide(head):
        return True
    return len(_BINARY.findall(head)) * 200 <= len(head)


def wide(head: bytes) -> str:
    """The charset of UTF-16 without a mark at its beginning, "" for anything else: every other byte is zero."""
    even, odd = head[::2], head[1::2]
    if len(odd) < 4:
        return ""
    if even.count(0) == 0 and odd.count(0) > len(odd) * 0.6:
        return "utf-16-le"
    if odd.count(0) == 0 and even.count(0) > len(even) * 0.6:
        return "utf-16-be"
    return ""
