"""Each way to go wrong looks on the wire as its name says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.mock_model.client import MockModel

pytestmark = pytest.mark.asyncio

ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


async def raw(server: MockModel, body: dict[str, Any] | None = None) -> list[bytes]:
    """The answer as the socket delivered it, read by read, until its body or the socket ends."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    payload = json.dumps(body or ASK).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n"
    writer.write(head.encode() + payload)
    reads: list[bytes] = []
    try:
        while not b"".join(reads[-2:]).endswith(b"\r\n0\r\n\r\n"):
            piece = await reader.read(65536)
            if not piece:
                break
            reads.append(piece)
    finally:
        writer.close()
    return reads


async def post(server: MockModel) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.base_url, timeout=10) as http:
        return await http.post("/chat/completions", json=ASK)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 529])
async def test_an_error_status_comes_with_openais_error_object(mock_model: MockModel, status: int) -> None:
    mock_model.script(default={"status": status, "headers": {"Retry-After": "7"}})
    got = await post(mock_model)
    assert got.status_code == status
    assert set(got.json()["error"]) == {"message", "type", "param", "code"}
    assert got.headers["retry-after"] == "7"


async def test_an_error_can_carry_its_own_fields_and_body(
    mock_model: MockModel,
) -> None:
    mock_model.script(
        {"times": 1, "status": 400, "error": {"code": "context_length_exceeded"}},
        {"times": 1, "status": 502, "body": "<html>bad gateway</html>"},
    )
    assert (await post(mock_model)).json()["error"]["code"] == "context_length_exceeded"
    assert (await post(mock_model)).text == "<html>bad gateway</html>"


async def test_an_error_event_stands_inside_a_200_stream(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one two three", "fault": "error_event", "after": 2})
    got = await post(mock_model)
    assert got.status_code == 200
    lines = [line[6:] for line in got.text.splitlines() if line.startswith("data: ")]
    assert json.loads(lines[-1])["error"]["type"] == "server_error"
    assert " two" in got.text and " three" not in got.text


@pytest.mark.parametrize("fault", ["reset", "drop"])
async def test_half_an_answer_ends_in_a_broken_connection(mock_model: MockModel, fault: str) -> None:
    mock_model.script(default={"text": "one two three", "fault": fault, "after": 2})
    async with (
        httpx.AsyncClient(base_url=mock_model.base_url, timeout=10) as http,
        http.stream("POST", "/chat/completions", json=ASK) as response,
    ):
        seen = b""
        with pytest.raises(httpx.TransportError):
            async for piece in response.aiter_bytes():
                seen += piece
    assert b" two" in seen and b" three" not in seen


async def test_a_clean_end_without_finish_is_neither_done_nor_an_error(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"text": "one two three", "fault": "eof", "after": 1})
    got = await post(mock_model)
    assert "one" in got.text
    assert "[DONE]" not in got.text and '"stop"' not in got.text


async def test_a_refused_request_gets_no_byte(mock_model: MockModel) -> None:
    mock_model.script(default={"fault": "refuse"})
    with pytest.raises(httpx.TransportError):
        await post(mock_model)
    assert mock_model.chats()[0]["headers_sent"] is None


async def test_only_reasoning_is_an_answer_without_content(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"text": "", "reasoning": "hmm"})
    got = await post(mock_model)
    assert '"reasoning":"hmm"' in got.text
    assert '"content":"hmm' not in got.text
    assert mock_model.chats()[0]["tokens"] == 0


async def test_an_empty_answer_is_finished_all_the_same(mock_model: MockModel) -> None:
    mock_model.script(default={"text": ""})
    got = await post(mock_model)
    assert '"finish_reason":"stop"' in got.text and "[DONE]" in got.text


async def test_garbage_is_not_utf8(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one", "fault": "garbage", "after": 1})
    with pytest.raises(UnicodeDecodeError):
        (await post(mock_model)).content.decode()


async def test_half_a_character_ends_the_body(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one", "fault": "half_character", "after": 1})
    assert (await post(mock_model)).content.endswith(b'"content":"half \xc3')


async def test_a_stalled_answer_stays_open_until_the_client_leaves(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"text": "one two", "fault": "stall", "after": 1})
    async with (
        httpx.AsyncClient(base_url=mock_model.base_url) as http,
        http.stream("POST", "/chat/completions", json=ASK),
    ):
        await mock_model.wait("first_sent")
        assert mock_model.state()["open"] == 1
    await mock_model.wait("closed_early")


async def test_silence_sends_nothing_and_notes_when_the_client_leaves(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"fault": "silent"})
    task = asyncio.create_task(post(mock_model))
    await mock_model.wait("arrived")
    task.cancel()
    await mock_model.wait("closed_early")
    assert mock_model.chats()[0]["headers_sent"] is None


async def test_a_split_stream_cuts_characters_and_lines_into_separate_packets(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"text": "naïve 日本語", "split": 5, "split_gap": 0.002})
    reads = await raw(mock_model)
    body = b"".join(reads).split(b"\r\n\r\n", 1)[1]
    payload = b"".join(body.split(b"\r\n")[1::2])
    assert "naïve".encode() in payload and " 日本語".encode() in payload
    assert len(reads) > 20
    assert any(_cuts_a_character(piece) for piece in body.split(b"\r\n")[1::2])


def _cuts_a_character(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return True
    return False


async def test_keepalive_comments_fill_the_silence(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "late", "ttft": 0.1, "keepalive": 0.02})
    got = await post(mock_model)
    assert got.text.count(": keepalive") >= 2
    assert got.text.index(": keepalive") < got.text.index("late")


async def test_line_endings_can_be_carriage_returns(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one", "newline": "\r\n"})
    assert b"}\r\n\r\ndata: [DONE]\r\n\r\n" in (await post(mock_model)).content
