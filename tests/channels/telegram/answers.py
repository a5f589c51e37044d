"""Answers that show what a channel can do with Markdown, and a way to give them as the daemon does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from channels.delivery import Delivery, open_reply
from channels.events import Action, Address
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.telegram.channel import TelegramChannel

STOP = Action("stop", "Stop")
RETRY = Action("retry", "Retry")

TABLE = "| name | value |\n| :-- | --: |\n| left | **right** |\n| 四 | `code` |"
CODE = (
    "```python\n" + "\n".join(f"line_{number} = compute({number}, more)" for number in range(200)) + "\n```"
)
LIST = "- alpha\n- beta\n  1. gamma\n  2. delta\n- [x] done"
RAW = "Set <name> and <b>not bold</b> & more."
WHOLE = f"# Result\n\nIn short.\n\n{TABLE}\n\n{CODE}\n\n{LIST}\n\n{RAW}\n"


async def answer(
    channel: TelegramChannel,
    where: Address,
    text: str,
    *,
    name: str = "t",
    size: int = 400,
    pause: float = 0.0,
    actions: Sequence[Action] = (),
) -> Delivery:
    """Give it in pieces of `size` characters."""
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, where, MemoryJournal(turn=name), Budgets(), clock=clock) as reply:
        reply.offer((STOP,) if actions else ())
        for start in range(0, len(text), size):
            reply.write(text[start : start + size])
            await asyncio.sleep(pause)
        return await reply.finish(actions=actions)
