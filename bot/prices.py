"""What a request cost, and how prices are written. Pure; what is not known stays unknown."""

from __future__ import annotations

from providers.base import GenerationOptions, ModelSpec, Price, Usage

HOUR = "1h"
"""The value of the parameter cacheControlTtl that keeps a cache for an hour."""


def cost(model: ModelSpec, usage: Usage | None, options: GenerationOptions | None = None) -> float | None:
    """US dollars of one request, None when the price or the usage is unknown.

    Writing what a cache keeps for an hour costs more: what the usage says of it, else what `options` asked for.
    Tokens read from and written to a cache count as input where the vendor names no price of their own; rejected
    ones of a predicted text are part of the output.
    """
    if usage is None or model.price is None:
        return None
    price = model.price
    if price.above is not None and usage.input_tokens > price.above[0]:
        price = price.above[1]
    write = price.cache_write if price.cache_write is not None else price.input
    write_hour = price.cache_write_hour if price.cache_write_hour is not None else write
    hours = usage.cache_write_hour_tokens
    if hours is None:  # not told apart: as it was asked for
        is_hour = options is not None and options.params.get("cacheControlTtl") == HOUR
        hours = usage.cache_write_tokens if is_hour else 0
    read = price.cache_read if price.cache_read is not None else price.input
    fresh = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    total = fresh * price.input + usage.cached_tokens * read + usage.output_tokens * price.output
    total += (usage.cache_write_tokens - hours) * write + hours * write_hour
    return total / 1_000_000


def price_words(price: Price | None) -> str:
    """A price in a few words."""
    if price is None:
        return "price unknown"
    if not price.input and not price.output:
        return "free"
    words = f"${price.input:g} / ${price.output:g} per million tokens"
    return words if price.cache_read is None else f"{words}, cached ${price.cache_read:g}"
