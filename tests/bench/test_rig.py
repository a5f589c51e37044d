"""The rig works and nothing gets lost on it; no figure is asserted."""

from __future__ import annotations

import pytest

from tests.bench import rows, streams
from tests.bench.rig import Kind

QUICK = rows.Scale(quick=True)
# Three processes and some hundred messages a bot: several seconds.
pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
KINDS = [Kind.FLOOR]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_message_one_by_one_is_answered_whole(kind: Kind) -> None:
    found = await rows.serial(kind, QUICK)
    assert found["serial.lost"] == 0
    for part in ("inbound", "first", "tail", "added"):
        assert found[f"serial.{part}.p50"] is not None
    assert (found["serial.calls"] or 0) >= 2


@pytest.mark.parametrize("kind", KINDS)
async def test_every_message_of_many_lanes_is_answered_whole(kind: Kind) -> None:
    found = await rows.throughput(kind, QUICK)
    assert found["throughput.lost"] == 0
    assert (found["throughput.rate"] or 0) > 0


@pytest.mark.parametrize("kind", KINDS)
async def test_every_stream_of_many_at_once_is_shown_whole(kind: Kind) -> None:
    found = await streams.streams1k(kind, QUICK)
    assert found["streams1k.lost"] == 0
    assert (found["streams1k.peak"] or 0) > 10
