"""How people are told that there is no answer: in words, by a sign on their message, or not at all.

Only what stands in an answer's place is such a note: the end of an answer that broke off is part of it and always
stands. Nothing here is an answer, so nothing here is tried again: what is not shown stands in the log.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace

import structlog

from bot import metrics, words
from bot.access import is_shared
from bot.accounts import Manner
from bot.lanes import Turn
from bot.recent import Recent
from bot.record import note_doubt
from bot.store.outbox import LooseJournal
from channels.base import Channel
from channels.delivery import open_reply
from channels.errors import ChannelError
from channels.programs import Conclusion, Failure
from channels.signs import put_sign

log = structlog.get_logger()

INTERVAL = 60.0
"""Seconds between two notes in words in one chat; three bots once filled a channel with them (openclaw issue 29167)."""

KEPT = 2_000
DEADLINE = 30.0


@dataclass(slots=True)
class Notes:
    """Tells of failures. `clock` is monotonic; `names` are those of all commands."""

    clock: Callable[[], float]
    names: Container[str] = ()
    told: Recent = field(default_factory=lambda: Recent(KEPT))

    def manner(self, turn: Turn) -> Manner:
        """How this turn's failure is to be told, now: a second one within a minute never in words."""
        if turn.message.asked is not None:  # a program is told everything
            return Manner.REPLY
        address, errors = turn.message.address, turn.account.errors
        manner = errors.groups if is_shared(address) else errors.direct
        # A chat is all of it: where each question has a thread of its own, five of them would be told five times.
        chat = str(replace(address.key, thread=None))
        if manner is Manner.REPLY and self.told.seen(chat, self.clock(), INTERVAL):
            manner = Manner.REACTION
        metrics.failure_told(address.key.channel, str(manner))
        return manner

    def marked(self, turn: Turn, text: str) -> str:
        """Our own words as they are written there."""
        return words.marked(text, turn.account.mark, self.names)

    async def tell(self, turn: Turn, text: str, mark: str) -> None:
        """Tell it in the manner of this chat. `mark` makes the key of what is sent."""
        manner = self.manner(turn)
        if manner is Manner.REPLY:
            await self.say(turn, text, mark)
        elif manner is Manner.REACTION:
            await self.show_sign(turn)

    async def say(self, turn: Turn, text: str, mark: str) -> None:
        """A plain sentence of its own; that it cannot be shown either is only logged."""
        channel: Channel = turn.account.channel
        try:
            journal = LooseJournal(f"{turn.turn_id}{mark}")
            async with (
                asyncio.timeout(DEADLINE),
                open_reply(
                    channel, turn.message.address, journal, turn.account.budgets, clock=self.clock
                ) as reply,
            ):
                reply.tell_doubts(functools.partial(note_doubt, turn.turn_id, turn.message.address.key))
                said = self.marked(turn, text)
                await reply.finish(closing=said, conclusion=Conclusion(failure=Failure.BROKEN, words=said))
        except (ChannelError, TimeoutError) as error:
            log.error("failure not shown", error=type(error).__name__)
        except Exception as error:  # an adapter's fault, perhaps, and the same again
            log.exception("failure not shown", error=type(error).__name__)

    async def show_sign(self, turn: Turn) -> None:
        """A sign on the message, where the channel has any."""
        message = turn.message
        try:
            if not await put_sign(turn.account.channel, message.address, message.message_id, words.SIGN):
                log.info("failure not shown", reason="this channel has no signs")
        except ChannelError as error:
            log.warning("failure not shown", error=type(error).__name__)
        except Exception as error:  # an adapter's fault
            log.exception("failure not shown", error=type(error).__name__)
