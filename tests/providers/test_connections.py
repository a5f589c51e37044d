"""What an answer costs in connections, and that none is left behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from providers.base import Finished, TextDelta
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, MODEL, ask, compatible, question
from tests.providers.peer import END, Do, Peer, Step, chunk, head, streamed

WHOLE = b'{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}'


def connections(server: MockModel) -> set[int]:
    """The connections on which questions came."""
    return {chat["connection"] for chat in server.chats()}


async def test_ten_answers_in_a_row_use_one_connection(pools: Pools, mock_model: MockModel) -> None:
    provider = compatible(pools, mock_model.base_url)
    for _ in range(10):
        assert (await ask(provider)).finished is not None
    assert len(connections(mock_model)) == 1


async def test_an_answer_whose_body_ends_a_moment_after_the_end_mark_gives_its_connection_back(
    pools: Pools, peer: Peer
) -> None:
    released = asyncio.Event()
    first: list[Step] = [head(), chunk(b"data: " + WHOLE + b"\n\ndata: [DONE]\n\n"), released, END]
    peer.play([*first, Do.NEXT, streamed(WHOLE), Do.HANG])
    provider = compatible(pools, peer.base_url)
    assert (await ask(provider)).finished is not None
    released.set()
    await peer_is_idle(provider)
    assert (await ask(provider)).finished is not None
    assert len(peer.connections) == 1


async def peer_is_idle(provider: object) -> None:
    """Until the provider has read the ends of all its answers."""
    name = "end of an answer of mock"
    while pending := [task for task in asyncio.all_tasks() if task.get_name() == name]:
        await asyncio.wait(pending)


@pytest.mark.slow
async def test_a_connection_outlives_a_pause(pools: Pools, mock_model: MockModel) -> None:
    """Six seconds: longer than the five after which httpx and every SDK let go of a connection."""
    provider = compatible(pools, mock_model.base_url)
    await ask(provider)
    await asyncio.sleep(6)
    await ask(provider)
    assert len(connections(mock_model)) == 1


async def test_errors_give_their_connection_back(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"status": 500})
    provider = compatible(pools, mock_model.base_url)
    for _ in range(3):
        assert (await ask(provider)).error is not None
    assert len(connections(mock_model)) == 1


async def test_whoever_stops_reading_closes_the_request_at_once(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"fault": "endless", "gap": 0.01})
    provider = compatible(pools, mock_model.base_url)
    async with provider.stream(MODEL, question(), KEY) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    await mock_model.wait("closed_early", timeout=30)


@pytest.mark.parametrize(
    "behaviour",
    [{"fault": "silent"}, {"fault": "stall", "after": 1}, {"ttft": 60}, {"ttft": 60, "headers_late": True}],
    ids=["before the headers", "in the middle", "before the first word", "headers late"],
)
async def test_a_cancelled_question_is_closed_at_once(
    pools: Pools, mock_model: MockModel, behaviour: dict[str, object]
) -> None:
    mock_model.script(default=behaviour)
    task = asyncio.create_task(ask(compatible(pools, mock_model.base_url)))
    await mock_model.wait("arrived", timeout=30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await mock_model.wait("closed_early", timeout=30)


async def test_an_error_in_the_reader_of_an_answer_closes_the_request(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"fault": "endless", "gap": 0.01})
    provider = compatible(pools, mock_model.base_url)

    async def fall_over() -> None:
        async with provider.stream(MODEL, question(), KEY) as events:
            await anext(events)
            raise LookupError("a bug above")

    with pytest.raises(LookupError):
        await fall_over()
    await mock_model.wait("closed_early", timeout=30)


async def test_many_answers_at_once_do_not_mix(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"count": 5, "gap": 0.01})
    provider = compatible(pools, mock_model.base_url)
    heard = await asyncio.gather(*(ask(provider, f"qid{number}q") for number in range(200)))
    for number, one in enumerate(heard):
        assert one.finished is not None
        assert one.text.startswith(f"qid{number}q ") and one.text.endswith(f" qid{number}q")


async def test_more_streams_than_any_default_limit_are_open_at_once(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["one", "two"], "hold": "all", "hold_after": 1})
    provider = compatible(pools, mock_model.base_url)
    tasks = [asyncio.create_task(ask(provider)) for _ in range(150)]
    await mock_model.wait("first_sent", count=150, timeout=20)
    mock_model.release("all")
    assert all(heard.finished for heard in await asyncio.gather(*tasks))


async def test_closing_the_provider_ends_what_it_still_reads(pools: Pools, peer: Peer) -> None:
    peer.play([head(), chunk(b"data: " + WHOLE + b"\n\ndata: [DONE]\n\n"), Do.HANG])
    provider = compatible(pools, peer.base_url)
    assert (await ask(provider)).finished is not None
    await provider.aclose()
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)


@pytest.mark.parametrize("behaviour", [{"fault": "endless", "gap": 0.01}, {"fault": "stall", "after": 1}])
async def test_closing_the_pools_ends_open_streams_with_an_error(
    mock_model: MockModel, behaviour: dict[str, object]
) -> None:
    mock_model.script(default=behaviour)
    pools = Pools(trust_env=False)
    task = asyncio.create_task(ask(compatible(pools, mock_model.base_url)))
    await mock_model.wait("first_sent", timeout=30)
    await pools.aclose()
    heard = await asyncio.wait_for(task, 30)
    assert heard.error is not None


async def test_two_providers_of_one_origin_share_their_connections(
    pools: Pools, mock_model: MockModel
) -> None:
    await ask(compatible(pools, mock_model.base_url))
    await ask(compatible(pools, mock_model.base_url))
    assert len(connections(mock_model)) == 1


async def test_a_client_of_the_pool_may_be_closed_without_harm(pools: Pools, mock_model: MockModel) -> None:
    async with aclosing(pools.client(mock_model.base_url)):
        pass
    async with pools.client(mock_model.base_url):
        pass
    heard = await ask(compatible(pools, mock_model.base_url))
    assert isinstance(heard.events[-1], Finished)
