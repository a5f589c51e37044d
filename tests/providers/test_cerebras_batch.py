"""Batches: the file is checked before it is sent, and what comes back is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.base import Batch, Credential, RunsBatches
from providers.cerebras_batch_file import batch_file, read_batch
from providers.cerebras_client import Cerebras
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, SECRET
from tests.providers.cerebras_peer import cerebras


def row(name: str, said: str = "hello", **more: Any) -> dict[str, Any]:
    """A request of a batch, without what every one has."""
    return {
        "custom_id": name,
        "body": {"model": "m", "messages": [{"role": "user", "content": said}]},
        **more,
    }


def lines(*rows: Any) -> bytes:
    """A file of requests."""
    return "\n".join(json.dumps(each) for each in rows).encode()


@pytest.fixture
def provider(pools: Pools, mock_model: MockModel) -> Cerebras:
    mock_model.config(kind="cerebras", keys=[SECRET])
    return cerebras(pools, mock_model.base_url)


async def over(provider: Cerebras, batch: Batch) -> Batch:
    """The batch when nothing more will come of it; the server is a step further with every look."""
    while not batch.is_over:
        batch = await provider.batch(batch.id, KEY)
    return batch


async def test_a_batch_is_handed_in_watched_and_fetched(provider: Cerebras, mock_model: MockModel) -> None:
    mock_model.script({"match": "bad", "status": 500}, default={"text": "fine"})
    assert isinstance(provider, RunsBatches)
    batch = await provider.submit_batch(lines(row("1"), row("2", "bad"), row("3")), KEY)
    assert (batch.state, batch.is_over) == ("validating", False)
    assert [piece async for piece in provider.batch_results(batch.id, KEY)] == []
    batch = await over(provider, batch)
    assert (batch.state, batch.total, batch.completed, batch.failed) == ("completed", 3, 2, 1)
    assert [each.id for each in await provider.batches(KEY)] == [batch.id]
    got = b"".join([piece async for piece in provider.batch_results(batch.id, KEY)])
    answers = {each["custom_id"]: each["response"] for each in map(json.loads, got.splitlines())}
    assert answers["1"]["body"]["choices"][0]["message"]["content"] == "fine"
    assert answers["2"]["status_code"] == 500
    keys = {request["key_in"] for request in mock_model.requests()}
    assert keys == {"authorization"}


async def test_a_batch_can_be_stopped(provider: Cerebras) -> None:
    batch = await provider.submit_batch(lines(row("1")), KEY)
    assert (await provider.cancel_batch(batch.id, KEY)).state == "cancelled"


async def test_a_batch_that_nobody_knows_and_a_wrong_key_are_told_apart(provider: Cerebras) -> None:
    with pytest.raises(ProviderError) as caught:
        await provider.batch("../models", KEY)
    assert caught.value.status == 404
    with pytest.raises(ProviderError) as caught:
        await provider.batches(Credential("x"))
    assert caught.value.kind is ErrorKind.AUTH


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"\n \n", "the file holds no request"),
        (b"{}\nno", "line 1: custom_id is missing"),
        (lines(row("1")) + b"\n\nno", "line 3: no JSON"),
        (b"[]", "line 1: no object"),
        (lines(row("1"), row("1")), "line 2: its custom_id stands on a line before"),
        (lines({"custom_id": "1"}), "line 1: body is missing"),
        (lines({"custom_id": "1", "body": {"messages": [{}]}}), "line 1: body.model is not"),
        (lines({"custom_id": "1", "body": {"model": "m", "messages": []}}), "line 1: body.messages is not"),
        (lines({"custom_id": "1", "body": {**row("1")["body"], "stream": True}}), "line 1: body.stream"),
        (lines(row("1", url="/v1/completions")), "line 1: url has to be /v1/chat/completions"),
        (lines(*(row(str(number)) for number in range(50_001))), "50001 requests; at most 50000"),
    ],
)
async def test_a_file_that_is_wrong_is_not_sent(
    provider: Cerebras, mock_model: MockModel, given: bytes, said: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        await provider.submit_batch(given, KEY)
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert caught.value.detail.startswith(said)
    assert mock_model.requests() == []


def test_what_every_request_has_is_put_in() -> None:
    made = json.loads(batch_file(lines(row("1"))))
    assert (made["method"], made["url"]) == ("POST", "/v1/chat/completions")


@pytest.mark.parametrize(
    ("errors", "problems"),
    [
        (None, ()),
        ("Model 'm' is not supported", ("Model 'm' is not supported",)),
        ({"data": [{"line": 2, "message": "no"}, {"line": None, "message": "all"}]}, ("line 2: no", "all")),
    ],
)
def test_why_a_batch_failed_is_read_in_each_form(errors: Any, problems: tuple[str, ...]) -> None:
    batch = read_batch({"id": "b", "status": "failed", "errors": errors, "request_counts": None})
    assert (batch.is_over, batch.problems) == (True, problems)


@pytest.mark.parametrize("said", [None, [], {}, {"id": "b"}, {"id": "b", "status": "x", "request_counts": 3}])
def test_what_is_no_batch_is_malformed(said: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        read_batch(said)
    assert caught.value.kind is ErrorKind.MALFORMED
