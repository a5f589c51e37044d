from __future__ import annotations

import asyncio

from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.delivery import open_reply
from channels.fake import FakeChannel, MemoryJournal, direct, limited
from channels.pacing import Budgets
from tests.virtual_time import virtual_time

EDITS = Capabilities(LatencyClass.SEMI_SYNC, Streaming.EDIT, budgets=limited(1.0, 3), typing_ttl=5.0)


@virtual_time
async def test_an_answer_is_shown_at_its_first_text_and_grows_by_edits() -> None:
    channel = FakeChannel(EDITS)
    loop = asyncio.get_running_loop()
    async with open_reply(channel, direct(), MemoryJournal(), Budgets(), clock=loop.time) as reply:
        await asyncio.sleep(1.0)
        assert channel.is_typing()
        for i in range(200):
            reply.write(f"word{i} ")
            await asyncio.sleep(0.02)
        await reply.finish()
    assert channel.visible() == ["".join(f"word{i} " for i in range(200)).strip()]
    assert channel.violations == []
