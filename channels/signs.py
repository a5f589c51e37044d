"""Signs of our own on people's messages: the one caller of that ability."""

from __future__ import annotations

import asyncio
from typing import cast

from channels.base import Channel, Signs
from channels.errors import Unavailable
from channels.events import Address

CALL_DEADLINE = 30.0


async def put_sign(channel: Channel, address: Address, message_id: str, emoji: str) -> bool:
    """Put a sign on somebody's message. False: there are none there. Raises ChannelError, within its own deadline."""
    if not channel.capabilities(address).signs or not message_id:
        return False
    try:
        async with asyncio.timeout(CALL_DEADLINE):
            await cast("Signs", channel).sign(address, message_id, emoji)
    except TimeoutError:
        raise Unavailable("no answer within the deadline") from None
    return True
