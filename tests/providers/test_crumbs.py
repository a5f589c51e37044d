"""Answers that come in crumbs: cut inside lines, characters and line ends, in every dialect."""

from __future__ import annotations

import pytest

from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import ask
from tests.providers.dialects import DIALECTS

SAID = "Grüße \U0001f469\u200d\U0001f4bb aus Oslo"


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", DIALECTS)
async def test_no_character_is_lost_however_small_the_pieces(
    mock_model: MockModel, pools: Pools, name: str, size: int
) -> None:
    dialect = DIALECTS[name]
    mock_model.config(kind=dialect.kind)
    mock_model.script(default={"text": SAID, "split": size, "split_gap": 0.0, "newline": "\r\n"})
    provider = dialect.open(pools, mock_model.root_url)
    heard = await ask(provider, "hi", dialect.model)
    await provider.aclose()
    assert heard.text == SAID
    assert heard.finished is not None
