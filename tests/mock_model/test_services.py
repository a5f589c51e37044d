"""What a server does besides answering: vectors, transcriptions, and faults of these paths."""

from __future__ import annotations

import base64
import struct

import httpx
import pytest

from tests.mock_model.client import MockModel
from tests.mock_model.wires import get, post

pytestmark = pytest.mark.asyncio


async def test_vectors_are_told_apart_by_their_index(mock_model: MockModel) -> None:
    both = (await post(mock_model, "/v1/embeddings", {"model": "m", "input": ["a", "b"]})).json()["data"]
    alone = (await post(mock_model, "/v1/embeddings", {"model": "m", "input": "b"})).json()["data"]
    assert [row["index"] for row in both] == [1, 0]
    assert both[0]["embedding"] == alone[0]["embedding"] != both[1]["embedding"]


async def test_a_vector_may_come_packed(mock_model: MockModel) -> None:
    plain = (await post(mock_model, "/v1/embeddings", {"input": "a"})).json()["data"][0]["embedding"]
    body = {"input": "a", "encoding_format": "base64"}
    packed = (await post(mock_model, "/v1/embeddings", body)).json()["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == plain


async def test_too_many_texts_and_empty_ones_are_refused(mock_model: MockModel) -> None:
    mock_model.config(embedding_batch=3)
    for texts in (["a"] * 4, [""], []):
        assert (await post(mock_model, "/v1/embeddings", {"input": texts})).status_code == 400
    assert (await post(mock_model, "/v1/embeddings", {"input": ["a"] * 3})).status_code == 200


async def test_speech_is_written_down(mock_model: MockModel) -> None:
    mock_model.config(heard="good morning")
    async with httpx.AsyncClient(base_url=mock_model.base_url) as http:
        got = await http.post(
            "/audio/transcriptions", files={"file": ("a.ogg", b"OggS\x00\xff")}, data={"model": "whisper-1"}
        )
        odd = await http.post(
            "/audio/transcriptions", files={"file": ("a.txt", b"x")}, data={"model": "whisper-1"}
        )
    assert got.json() == {"text": "good morning"}
    assert odd.status_code == 400
    assert mock_model.requests()[0]["body"]["file"] == {"name": "a.ogg", "mime": "audio/ogg", "bytes": 6}


async def test_a_rule_with_a_path_is_for_what_is_no_question(mock_model: MockModel) -> None:
    mock_model.script(
        {"path": "/embeddings", "status": 503, "times": 1}, {"path": "/v1/models", "fault": "close"}
    )
    assert (await post(mock_model, "/v1/embeddings", {"input": "a"})).status_code == 503
    assert (await post(mock_model, "/v1/embeddings", {"input": "a"})).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        await get(mock_model, "/v1/models")


async def test_a_problem_has_each_vendors_own_status_and_words(mock_model: MockModel) -> None:
    mock_model.script(default={"problem": "no_quota"})
    user = {"role": "user", "content": "a"}
    statuses: list[int] = []
    for kind in ("openai", "cerebras", "openrouter"):
        mock_model.config(kind=kind)
        got = await post(mock_model, "/v1/chat/completions", {"model": "m", "messages": [user]})
        statuses.append(got.status_code)
    body = {"model": "m", "max_tokens": 9, "messages": [user]}
    claude = await post(mock_model, "/v1/messages", body, anthropic_version="2023-06-01")
    assert statuses == [429, 402, 402]
    assert (claude.status_code, "credit balance" in claude.text) == (400, True)
