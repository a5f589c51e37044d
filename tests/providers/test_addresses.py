"""Addresses that somebody configured: what is refused at once, and what is told when nothing is there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers.addresses import oddity, refusal
from providers.base import Provider
from providers.errors import ErrorKind
from providers.http import Pools
from tests.providers.ask import ask
from tests.providers.dialects import DIALECTS, Dialect
from tests.providers.peer import Do, Peer, whole

GOOD = (
    "https://api.openai.com/v1",
    "http://127.0.0.1:8000",
    "https://openrouter.ai/api/v1/",
    "https://gateway.example/my-team/messages-proxy/v1",
)
BAD = {
    "https://ann:sesame@gateway.example/v1": "without user and password",
    "https://gateway.example/v1?key=sesame": "without ? and #",
    "https://gateway.example/v1?": "without ? and #",
    "https://gateway.example/v1#x": "without ? and #",
    "https://api.openai.com/v1/chat/completions": "ends before /chat/completions",
    "https://api.anthropic.com/v1/messages/": "ends before /messages",
}


@pytest.mark.parametrize("url", GOOD)
def test_an_address_of_an_api_is_taken(url: str) -> None:
    assert refusal(url) == ""


@pytest.mark.parametrize(("url", "why"), BAD.items())
def test_what_is_no_address_of_an_api_is_refused_with_the_reason(url: str, why: str) -> None:
    assert why in refusal(url)
    assert "sesame" not in refusal(url)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_refuses_it_in_its_settings(dialect: Dialect) -> None:
    for url, why in BAD.items():
        with pytest.raises(ValidationError) as caught:
            dialect.spec.settings.model_validate({"baseUrl": url})
        assert why in caught.value.errors()[0]["msg"]


def test_a_path_with_one_version_is_not_odd() -> None:
    for path in ("/v1/chat/completions", "/v1beta/models/x:generateContent", "/api/v1/v2/x"):
        assert oddity(path) == ""


NOWHERE: dict[str, Any] = {
    "plain text": (whole(b"404 page not found", status="404 Not Found", kind="text/plain"),),
    "a page": (whole(b"<html><title>404</title>", status="404 Not Found", kind="text/html"),),
    "an object": (whole(b'{"detail": "Not Found"}', status="404 Not Found"),),
}


@pytest.mark.parametrize("answer", NOWHERE.values(), ids=NOWHERE)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
async def test_a_server_of_something_else_is_told_from_a_model_that_is_not_there(
    dialect: Dialect, answer: Any, pools: Pools
) -> None:
    async with Peer() as peer:
        peer.play([*answer, Do.HANG])
        provider: Provider = dialect.open(pools, f"{peer.origin}/v1")
        heard = await ask(provider, model=dialect.model)
        await provider.aclose()
    assert heard.kind is ErrorKind.MALFORMED
    assert heard.error is not None
    assert "there is nothing at /" in heard.error.detail
    if dialect.path or "v1/v1" in heard.error.detail:
        assert heard.error.detail.endswith("the address says /v1 twice")
