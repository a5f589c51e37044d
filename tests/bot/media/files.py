"""Files as people send them, and as those send them who mean harm."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f6"
    "45400000000049454e44ae426082"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + b"\x00" * 20
OGG = b"OggS\x00\x02" + b"\x00" * 20 + b"OpusHead"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(pages: Sequence[str], *, stream: bytes | None = None) -> bytes:
    """A PDF with a line of text a page; `stream`: the packed content of every page instead."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    for page in pages:
        raw = b"BT /F1 12 Tf 72 720 Td (" + page.encode("cp1252") + b") Tj ET" if page else b""
        packed = zlib.compress(raw) if stream is None else stream
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed)
        )
        resources = b"<< /Font << /F1 %b >> >>" % font
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources %b >>"
            % (len(objects), resources)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(kids), len(kids))
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))
    return out.getvalue()


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(*paragraphs: str, xml: bytes | None = None) -> bytes:
    """A Word document; `xml`: what stands inside instead."""
    body = "".join(f"<w:p><w:r><w:t>{each}</w:t></w:r></w:p>" for each in paragraphs)
    whole = f'<?xml version="1.0"?><w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
    return zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": xml or whole.encode()})


def docx_bomb(megabytes: int) -> bytes:
    """Small to send; unpacked it is one element that never ends."""
    head = f'<w:document xmlns:w="{W}"><w:body><w:p w:x="'.encode()
    return docx(xml=head + b"a" * (megabytes << 20) + b'"/></w:body></w:document>')


def billion_laughs() -> bytes:
    rows = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE w [<!ENTITY a0 "ha">{rows}]><w:document xmlns:w="{W}"><w:t>&a9;</w:t></w:document>'
    return docx(xml=text.encode())


def pptx(*slides: str) -> bytes:
    a = "http://schemas.openxmlformats.org/drawingml/2006/main"
    parts = {"ppt/presentation.xml": b"<p/>"}
    for number, text in enumerate(slides, 1):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'<p:sld xmlns:p="p" xmlns:a="{a}"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>'.encode()
        )
    return zipped(parts)


def odt(*paragraphs: str) -> bytes:
    body = "".join(f"<text:p>{each}<text:line-break/>below</text:p>" for each in paragraphs)
    content = f'<office:d xmlns:office="o" xmlns:text="t">{body}</office:d>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
    return out.getvalue()
