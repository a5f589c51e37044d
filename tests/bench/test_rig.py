"""The rig works and nothing gets lost on it; no figure is asserted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench import mixed, providers, rows, streams, surfaces
from tests.bench.askers import CLIENTS
from tests.bench.rig import Kind
from tests.peers import find_synapse, require_peer

QUICK = rows.Scale(quick=True)
SMALL = streams.Load(rate=40, tokens=5, gap=0.2, hold=2)
# Three processes and some hundred messages a test: several seconds.
pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_message_one_by_one_is_answered_whole(kind: Kind) -> None:
    found = await rows.serial(kind, QUICK)
    assert found["serial.lost"] == 0
    for part in ("inbound", "first", "tail", "added"):
        assert found[f"serial.{part}.p50"] is not None
    assert (found["serial.calls"] or 0) >= 1


async def test_every_message_of_32_lanes_is_answered_whole() -> None:
    found = await rows.throughput(Kind.FIRSTWORD, QUICK)
    assert found["throughput.lost"] == 0
    assert (found["throughput.rate"] or 0) > 0


async def test_every_stream_of_many_at_once_is_shown_whole() -> None:
    found = await streams.streams(Kind.FIRSTWORD, "small", SMALL)
    assert found["small.lost"] == 0
    assert (found["small.peak"] or 0) > 1


@pytest.mark.parametrize("ground", [grounds[0] for grounds in surfaces.GROUNDS.values()])
async def test_every_channel_shows_its_answers_whole_within_its_limits(ground: surfaces.Ground) -> None:
    if ground.key.startswith("matrix"):
        require_peer("Synapse", found=find_synapse())
    found = await surfaces.measure(replace(ground, count=4), QUICK)
    assert found[f"{ground.key}.lost"] == 0
    assert found[f"{ground.key}.refused"] == 0
    assert (found[f"{ground.key}.over"] or 0) > 0


async def test_streams_of_all_channels_at_once_are_shown_whole() -> None:
    found = await mixed.mixed(streams.Load(rate=16, tokens=5, gap=0.2, hold=2))
    assert found["mixed500.lost"] == 0
    assert found["mixed500.refused"] == 0
    assert (found["mixed500.peak"] or 0) > 1


async def test_every_provider_and_what_it_is_compared_with_is_asked() -> None:
    found = await providers.providers(None, QUICK)
    for client in CLIENTS:
        assert (found[f"providers.{client.key}.many.p99"] or 0) > 0
        assert (found[f"providers.{client.key}.cpu"] or 0) > 0
    assert found["providers.openai.cpu.library"] is not None
    assert found["providers.loaded"] == 0


async def test_the_next_request_is_asked_beside_streams_that_stay_open() -> None:
    found = await providers.streams1000(None, QUICK, ("chat_httpx", "openai", "anthropic_http"))
    assert found["streams1000.open"] == 100
    for key in ("chat_httpx", "openai", "anthropic_http"):
        assert (found[f"streams1000.{key}.ratio"] or 0) > 0
