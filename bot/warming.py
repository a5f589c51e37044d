"""Getting ready while somebody types: the connection always, the model's prompt cache where the owner wants it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bot import metrics
from bot.accounts import Account
from bot.answering import Answering
from bot.conversations import Conversations, Talk
from bot.lanes import Spawn
from bot.prompt import assemble
from bot.settings import Warming
from bot.sources import Models
from bot.store.people import Person
from bot.till import Till
from channels.capabilities import Surface
from channels.events import TypingStarted
from providers.base import WarmsPrompts
from providers.errors import ProviderError
from routing.errors import UnknownModel
from routing.ledger import Payer
from routing.policy import Rung, decide

log = structlog.get_logger()

CONNECTION_EVERY = 30.0
"""Seconds between two warmings of the first model's connection, however often people begin to type."""

PROMPT_EVERY = 240.0
"""Seconds that a prompt cache is taken to be warm: the usual five minutes less one (anthropic 2.11, cache_control)."""

PROMPT_DEADLINE = 30.0
MOST_AT_ONCE = 2
KEPT = 2_000


def is_wanted(wish: Warming, *, is_local: bool, is_direct: bool, since: float | None) -> bool:
    """Whether to fill a prompt cache for somebody who begins to type. Pure.

    `since`: seconds since the conversation's prompt was last sent or warmed, None for never. In a group somebody who
    types mostly speaks to others, so that only direct chats are warmed.
    """
    if wish is Warming.OFF or not is_direct or (wish is Warming.LOCAL and not is_local):
        return False
    return since is None or since >= PROMPT_EVERY


@dataclass(slots=True)
class Warmer:
    """Called whenever somebody begins to type; returns at once. `wish`: what an agent's settings say."""

    models: Models
    conversations: Conversations
    answering: Answering
    wish: Callable[[str | None], Warming]
    spawn: Spawn
    clock: Callable[[], float]
    wall: Callable[[], float]
    till: Till
    _next: float = 0.0
    _warmed: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    def __call__(self, account: Account, event: TypingStarted) -> None:
        """Somebody begins to type there."""
        now = self.clock()
        if now >= self._next:
            self._next = now + CONNECTION_EVERY
            provider = self.models.providers[self.models.catalog(account.agent).primary.model.provider]
            self.spawn(provider.warm(), "warm")
        wish = self.wish(account.agent)
        if wish is not Warming.OFF and event.address.surface is Surface.DIRECT:
            self.spawn(self._prompt(account, event, wish), "warm a prompt")

    async def _prompt(self, account: Account, event: TypingStarted, wish: Warming) -> None:
        key = str(event.address.key)
        talk = await self.conversations.get(key)
        rung = await self._rung(account, event, talk)
        if rung is None or self._slots.locked():
            return
        provider = self.models.providers[rung.model.provider]
        if not isinstance(provider, WarmsPrompts):
            return
        if not is_wanted(wish, is_local=rung.model.is_local, is_direct=True, since=self._since(key, talk)):
            return
        self._note(key)
        prompt = assemble(account.system, talk.lines, (), conversation=key, is_shared=False)
        offered = self.answering.offered(account, event)
        request = prompt.with_tools([each.tool for each in offered]).fit(rung, "")
        credential = self.models.credential(rung.model.provider, rung.credential_id)
        payer = Payer(str(Person(account.channel.name, account.channel.account, event.sender.id)), key)
        try:
            async with (
                self._slots,
                asyncio.timeout(PROMPT_DEADLINE),
                self.till.open_hold(rung.model, prompt.tokens, payer) as hold,
            ):
                usage = await provider.warm_prompt(rung.model, request, credential)
                hold.settle(usage)
        except (ProviderError, TimeoutError) as error:
            log.debug("prompt not warmed", provider=rung.model.provider, error=type(error).__name__)
            return
        metrics.tokens_used(rung.model.provider, usage.input_tokens, usage.cached_tokens, usage.output_tokens)

    def _since(self, key: str, talk: Talk) -> float | None:
        last = max(self._warmed.get(key, 0.0), talk.lines[-1].at if talk.lines else 0.0)
        return self.wall() - last if last else None

    def _note(self, key: str) -> None:
        self._warmed[key] = self.wall()
        self._warmed.move_to_end(key)
        if len(self._warmed) > KEPT:
            self._warmed.popitem(last=False)

    async def _rung(self, account: Account, event: TypingStarted, talk: Talk) -> Rung | None:
        """What would answer a message there."""
        query = await self.answering.query(account, event.address, talk)
        try:
            decision = decide(query, self.models.catalog(account.agent), self.answering.tools.health)
        except UnknownModel:
            return None
        return decision.rungs[0] if decision.rungs else None


async def warm_local(models: Models) -> None:
    """Let the first model be loaded at the start where it runs on this machine: nobody's first question then waits."""
    first = models.catalog().primary.model
    if not first.is_local:
        return
    try:
        await models.providers[first.provider].warm()
    except Exception as error:  # it may be a stranger's adapter, and nobody waits for it
        log.exception("model not loaded", provider=first.provider, error=type(error).__name__)
