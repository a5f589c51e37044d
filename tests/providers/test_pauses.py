"""What a pause costs, and what a cancelled answer leaves: nothing, in every dialect."""

from __future__ import annotations

import asyncio

import pytest

from providers.base import TextDelta
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, ask, question
from tests.providers.dialects import DIALECTS

PAUSE = 6.0
"""Seconds: longer than the five after which httpx and every SDK let go of a connection."""


@pytest.mark.slow
async def test_ten_answers_and_one_after_a_pause_use_one_connection(mock_model: MockModel) -> None:
    """Six seconds of pause."""
    pools = {name: Pools(trust_env=False) for name in DIALECTS}
    opened = {name: one.open(pools[name], mock_model.root_url) for name, one in DIALECTS.items()}
    counts: list[int] = []
    for pause in (0.0, PAUSE):
        await asyncio.sleep(pause)
        for name, provider in opened.items():
            for _ in range(1 if pause else 10):
                before = len(mock_model.chats())
                assert (await ask(provider, "hi", DIALECTS[name].model)).finished is not None
                counts.append(len(mock_model.chats()) - before)
    assert set(counts) == {1}  # nobody asked twice
    connections = [chat["connection"] for chat in mock_model.chats()]
    assert len(set(connections)) == len(DIALECTS)
    for name, provider in opened.items():
        await provider.aclose()
        await pools[name].aclose()


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_cancelled_answer_leaves_no_request_and_no_task(
    mock_model: MockModel, pools: Pools, name: str
) -> None:
    mock_model.script(default={"fault": "endless", "gap": 0.005})
    one = DIALECTS[name]
    provider = one.open(pools, mock_model.root_url)
    before = asyncio.all_tasks()
    spoke = asyncio.Event()

    async def listen() -> None:
        async with provider.stream(one.model, question(), KEY) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    spoke.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(spoke.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await mock_model.wait("closed_early", timeout=30)
    assert mock_model.state()["open"] == 0
    assert not {left for left in asyncio.all_tasks() - before if not left.done()}
    await provider.aclose()


async def test_a_thousand_answers_leave_nothing_open(mock_model: MockModel, pools: Pools) -> None:
    mock_model.script(default={"count": 3})
    mock_model.config(keep_bodies=False)
    for name, one in DIALECTS.items():
        provider = one.open(pools, mock_model.root_url)
        heard = await asyncio.gather(*(ask(provider, "hi", one.model) for _ in range(200)))
        assert all(answer.finished for answer in heard), name
        await provider.aclose()
    assert mock_model.state()["open"] == 0
    assert mock_model.state()["closed_early"] == 0
