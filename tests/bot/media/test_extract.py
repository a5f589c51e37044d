"""Documents are read in a process of its own, which ends with whatever they do to it."""

from __future__ import annotations

import zlib

import pytest

from bot.media.excerpt import Excerpt
from bot.media.extract import Extractor
from bot.media.filetypes import Family
from bot.media.problems import Problem, Unreadable
from tests.bot.media.files import billion_laughs, docx, docx_bomb, odt, pdf, pptx, zipped

pytestmark = pytest.mark.slow  # each starts a process


async def read(family: Family, data: bytes, limit: int = 1000, charset: str = "") -> Excerpt:
    return await Extractor().read(family, data, limit, charset)


async def problem(family: Family, data: bytes) -> Problem:
    with pytest.raises(Unreadable) as raised:
        await read(family, data)
    return raised.value.problem


async def test_a_pdf_gives_the_words_of_its_pages() -> None:
    assert await read(Family.PDF, pdf(["first page", "second"])) == Excerpt(
        "first page\n\nsecond", about="2 pages"
    )


async def test_a_long_pdf_is_read_as_far_as_there_is_room() -> None:
    found = await read(Family.PDF, pdf(["twenty characters ok"] * 50), limit=60)
    assert len(found.text) == 60 and found.is_cut
    assert found.about == "the first 3 of 50 pages"


async def test_a_pdf_of_scanned_pages_holds_no_text() -> None:
    assert await problem(Family.PDF, pdf(["", ""])) is Problem.NO_TEXT


@pytest.mark.parametrize("data", [b"%PDF-1.7 and then nothing", b"%PDF-", pdf(["x"])[:200]])
async def test_a_pdf_that_is_none_is_damaged(data: bytes) -> None:
    assert await problem(Family.PDF, data) in (Problem.DAMAGED, Problem.NO_TEXT)


async def test_a_pdf_that_unpacks_without_end_costs_the_daemon_nothing() -> None:
    packer = zlib.compressobj(9)
    stream = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(400)), packer.flush()])
    assert len(stream) < 500_000
    assert await problem(Family.PDF, pdf(["x"], stream=stream)) in (
        Problem.TOO_MUCH,
        Problem.DAMAGED,
        Problem.NO_TEXT,
    )


async def test_a_word_document_gives_its_paragraphs() -> None:
    assert (await read(Family.OFFICE, docx("One &amp; two", "three"))).text == "One & two\nthree"


async def test_what_was_deleted_in_a_word_document_stays_deleted() -> None:
    xml = b"""<w:document xmlns:w="w"><w:p><w:r><w:t>kept</w:t></w:r>
    <w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del></w:p></w:document>"""
    assert (await read(Family.OFFICE, docx(xml=xml))).text == "kept"


async def test_slides_come_in_their_order() -> None:
    found = await read(Family.OFFICE, pptx(*(f"slide text {n}" for n in range(1, 12))))
    assert found.text.index("slide text 2\n") < found.text.index("slide text 10")
    assert found.text.startswith("[slide 1]\nslide text 1")


async def test_an_opendocument_text_gives_its_lines() -> None:
    assert (await read(Family.OFFICE, odt("One", "two"))).text == "One\nbelow\ntwo\nbelow"


@pytest.mark.parametrize("data", [billion_laughs(), docx(xml=b"<w:document"), b"PK\x03\x04word/document.xml"])
async def test_a_word_document_that_is_none_is_damaged(data: bytes) -> None:
    assert await problem(Family.OFFICE, data) is Problem.DAMAGED


async def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = docx_bomb(200)
    assert len(bomb) < 300_000
    assert await problem(Family.OFFICE, bomb) is Problem.TOO_MUCH


async def test_an_office_file_without_words_says_so() -> None:
    assert await problem(Family.OFFICE, zipped({"word/other.xml": b"<x/>"})) is Problem.NO_TEXT


async def test_a_web_page_gives_what_a_reader_sees() -> None:
    page = """<html><head><title>The &lt;title&gt;</title><style>p{}</style><script>alert(1)</script></head>
    <body><h1>Head</h1><p>One   line<br>next</p><ul><li>a<li>b</ul><img alt="a cat"><!-- no --></body></html>"""
    found = (await read(Family.HTML, page.encode())).text
    assert found == "The <title>\n\nHead\n\nOne line\nnext\n\n- a\n- b\n[a cat]"


async def test_a_web_page_says_its_own_charset() -> None:
    page = '<html><head><meta charset="windows-1251"></head><body>Привет</body></html>'
    assert (await read(Family.HTML, page.encode("cp1251"))).text == "Привет"


async def test_a_page_of_nothing_but_markup_is_given_up() -> None:
    found = await read(Family.HTML, b"<html><body>" + b"<div><span>" * 500_000)
    assert found.text == "" and found.is_cut


async def test_a_reader_that_takes_too_long_is_ended() -> None:
    extractor = Extractor(deadline=0.0)
    with pytest.raises(Unreadable) as raised:
        await extractor.read(Family.HTML, b"<html>", 100)
    assert raised.value.problem is Problem.TOO_SLOW
