"""Vectors over HTTP: batches, order, length, and what a wrong answer is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.embeddings import Endpoint, batches, embed_openai, unit, vectors
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from tests.providers.ask import SECRET
from tests.providers.peer import Do, Peer, whole


def said(request: bytes) -> Any:
    return orjson.loads(request.partition(b"\r\n\r\n")[2])


def answered(*rows: dict[str, Any]) -> bytes:
    return whole(orjson.dumps({"object": "list", "data": rows}))


def endpoint(pools: Pools, peer: Peer) -> Endpoint:
    return Endpoint(
        pools(peer.origin), f"{peer.base_url}/embeddings", {"authorization": f"Bearer {SECRET}"}, str
    )


async def embed(pools: Pools, peer: Peer, texts: Sequence[str]) -> list[list[float]]:
    return [list(each) for each in await embed_openai(endpoint(pools, peer), "small", texts)]


async def test_vectors_come_in_the_order_of_the_texts_and_have_unit_length(pools: Pools, peer: Peer) -> None:
    rows = ({"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]})
    peer.play([answered(*rows), Do.CLOSE])
    assert await embed(pools, peer, ["one", "two"]) == [pytest.approx([0.6, 0.8]), [0, 1]]
    head = peer.requests[0].partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /v1/embeddings ")
    assert f"Bearer {SECRET}".encode() in head
    assert said(peer.requests[0]) == {"model": "small", "input": ["one", "two"]}


async def test_many_texts_go_in_batches_of_96(pools: Pools, peer: Peer) -> None:
    def batch(count: int) -> bytes:
        return answered(*({"embedding": [place + 1, 1]} for place in range(count)))

    peer.play([batch(96), Do.NEXT, batch(96), Do.NEXT, batch(8), Do.CLOSE])
    found = await embed(pools, peer, [f"text {number}" for number in range(200)])
    assert len(found) == 200
    assert [len(said(request)["input"]) for request in peer.requests] == [96, 96, 8]
    assert said(peer.requests[2])["input"][-1] == "text 199"
    assert found[0] == found[96] == found[192]


async def test_no_texts_need_no_request(pools: Pools, peer: Peer) -> None:
    assert await embed(pools, peer, []) == []
    assert peer.requests == []


async def test_an_empty_text_is_asked_for_as_a_space(pools: Pools, peer: Peer) -> None:
    peer.play([answered({"embedding": [1]}, {"embedding": [1]}), Do.CLOSE])
    await embed(pools, peer, ["", "a\n"])
    assert said(peer.requests[0])["input"] == [" ", "a\n"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", ErrorKind.MALFORMED),
        (b"[]", ErrorKind.MALFORMED),
        (b'{"data": [{"embedding": [1, 0]}]}', ErrorKind.MALFORMED),
        (b'{"data": [{"embedding": [1, 0]}, {"embedding": [1]}]}', ErrorKind.MALFORMED),
        (b'{"data": [{"embedding": [0, 0]}, {"embedding": [0, 1]}]}', ErrorKind.MALFORMED),
        (b'{"data": [{"embedding": "AAA="}, {"embedding": "AAA="}]}', ErrorKind.MALFORMED),
        (b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}', ErrorKind.MALFORMED),
    ],
)
async def test_what_is_no_vector_for_each_text_is_malformed(
    pools: Pools, peer: Peer, body: bytes, kind: ErrorKind
) -> None:
    peer.play([whole(body), Do.CLOSE])
    with pytest.raises(ProviderError) as caught:
        await embed(pools, peer, ["one", "two"])
    assert caught.value.kind is kind


async def test_an_error_has_its_kind_and_nothing_is_tried_again(pools: Pools, peer: Peer) -> None:
    peer.play([whole(b'{"error": {"code": "rate_limit"}}', status="429 Too Many", more="Retry-After: 7\r\n")])
    with pytest.raises(ProviderError) as caught:
        await embed(pools, peer, ["one"] * 200)
    assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.RATE_LIMIT, 7)
    assert len(peer.requests) == 1


async def test_an_answer_that_does_not_come_has_a_deadline(pools: Pools, peer: Peer) -> None:
    peer.play([Do.HANG])
    with pytest.raises(ProviderError) as caught:
        await endpoint(pools, peer).post({"input": ["one"]}, within=0.05)
    assert caught.value.kind is ErrorKind.TOTAL


async def test_a_connection_that_breaks_is_incomplete(pools: Pools, peer: Peer) -> None:
    peer.play([Do.RESET])
    with pytest.raises(ProviderError) as caught:
        await embed(pools, peer, ["one"])
    assert caught.value.kind is ErrorKind.INCOMPLETE


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda x: not 0 < abs(x) < 1e-6), min_size=1, max_size=20))
def test_every_vector_with_a_direction_gets_length_one(values: list[float]) -> None:
    if any(values):
        assert math.sqrt(math.fsum(value * value for value in unit(values))) == pytest.approx(1, abs=1e-5)
    else:
        with pytest.raises(ValueError, match="direction"):
            unit(values)


@given(st.lists(st.text(max_size=3), max_size=20), st.integers(1, 7))
def test_batches_lose_nothing_and_keep_the_order(texts: list[str], size: int) -> None:
    pieces = list(batches(texts, size))
    assert [text for piece in pieces for text in piece] == texts
    assert all(1 <= len(piece) <= size for piece in pieces)


def test_numbers_without_end_are_no_vector() -> None:
    with pytest.raises(ProviderError):
        vectors(lambda: [[math.inf, 1.0]], 1)
