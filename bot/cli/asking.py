"""Asks a model once, outside of any conversation, and says how fast it was."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.prices import cost
from bot.prompt import assemble
from bot.remedies import remedy
from bot.settings import Settings
from bot.sources import Models, open_models
from channels.capabilities import LatencyClass, Streaming
from providers.base import TextDelta, Usage
from providers.errors import ErrorKind
from routing.catalog import Catalog
from routing.errors import NoModel
from routing.execute import Attempt, Restarted, Tools, Unbounded, open_stream
from routing.health import Health
from routing.policy import NO_CREDENTIAL, RouteQuery, decide

_CONVERSATION = "command-line"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one question. Seconds; `speed` is without TTFT. `failures`: models that did not answer.

    `cost`: US dollars, None where price or usage is unknown.
    """

    model: str
    text: str
    ttft: float | None
    took: float
    speed: float | None
    usage: Usage | None
    failures: tuple[Attempt, ...]
    is_cut: bool = False
    cost: float | None = None

    @property
    def last_failure(self) -> tuple[str, ErrorKind, str] | None:
        """Provider, kind and detail of the last failure."""
        for attempt in reversed(self.failures):
            if attempt.kind is not None:
                return attempt.rung.model.provider, attempt.kind, attempt.detail
        return None

    @property
    def remedy(self) -> str:
        """What to do about the last failure, "" where there was none."""
        for attempt in reversed(self.failures):
            if attempt.kind is not None:
                spec, has_key = attempt.rung.model, attempt.rung.credential_id != NO_CREDENTIAL
                return remedy(attempt.kind, spec.provider, model=spec.model, has_key=has_key)
        return ""

    def summary(self) -> str:
        """One line of figures."""
        ttft = f"TTFT {self.ttft * 1000:.0f} ms" if self.ttft is not None else "TTFT unknown"
        speed = f"{self.speed:.0f} tokens/s" if self.speed is not None else "tokens/s unknown"
        tokens = (
            f"{self.usage.input_tokens} + {self.usage.output_tokens} tokens"
            if self.usage
            else "tokens unknown"
        )
        price = f"${self.cost:.6f}" if self.cost is not None else "cost unknown"
        return f"{ttft}, {speed}, {tokens}, {price}, {self.took:.2f} s in all, {self.model}"

    def figures(self) -> dict[str, Any]:
        """The same as values."""
        usage = self.usage
        return {
            "model": self.model,
            "ttft": self.ttft,
            "seconds": self.took,
            "tokens_per_s": self.speed,
            "input_tokens": usage.input_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "cached_tokens": usage.cached_tokens if usage else None,
            "cost_usd": self.cost,
            "failures": [{"model": each.rung.model.ref, "error": str(each.kind)} for each in self.failures],
        }


async def ask(settings: Settings, text: str, show: Callable[[str], None]) -> Asked:
    """Ask the primary model, then its fallbacks; `show` gets the text as it comes. Raises BotError."""
    async with open_models(settings) as models:
        return await _ask(settings, models, models.catalog(), text, show)


async def ask_one(settings: Settings, models: Models, name: str, text: str) -> Asked:
    """Ask one model, by its ref or an alias, and nobody else. Raises UnknownModel."""
    catalog = models.catalog()
    alone = replace(catalog, primary=catalog.resolve(name)[0], fallbacks=())
    return await _ask(settings, models, alone, text, lambda _: None)


async def _ask(
    settings: Settings, models: Models, catalog: Catalog, text: str, show: Callable[[str], None]
) -> Asked:
    attempts: list[Attempt] = []
    tools = Tools(
        providers=models.providers,
        credential=models.credential,
        health=Health(),
        clock=time.monotonic,
        roll=random.SystemRandom().random,
        sleep=asyncio.sleep,
        report=attempts.append,
        money=Unbounded(),
    )
    system = settings.agents.defaults.system_prompt or ""
    prompt = assemble(system, (), [("", text)], conversation=_CONVERSATION, is_shared=False)
    query = RouteQuery(
        LatencyClass.ASYNC, Streaming.NATIVE, time.monotonic(), least_tokens=prompt.least_tokens
    )
    decision = decide(query, catalog, tools.health)
    parts: list[str] = []
    began = time.monotonic()
    is_cut = False
    async with open_stream(decision, prompt.fit, tools, lambda: not parts) as answer:
        try:
            async for event in answer.events:
                if isinstance(event, TextDelta):
                    parts.append(event.text)
                    show(event.text)
                elif isinstance(event, Restarted):
                    parts.clear()
        except NoModel:
            is_cut = True
    last = attempts[-1] if attempts else None
    rung = answer.rung or (last.rung if last is not None else None)
    return Asked(
        model=rung.model.ref if rung is not None else "",
        text="".join(parts),
        ttft=answer.ttft,
        took=time.monotonic() - began,
        speed=last.speed if last is not None else None,
        usage=answer.usage,
        failures=tuple(each for each in attempts if each.kind is not None),
        is_cut=is_cut,
        cost=cost(rung.model, answer.usage, rung.options) if rung is not None else None,
    )
