"""What a request cost, and how prices are written. Pure; what is not known stays unknown."""

from __future__ import annotations

from providers.base import GenerationOptions, ModelSpec, Price, Usage

HOUR = "1h"
"""The value of the parameter cacheControlTtl that keeps a cache for an hour."""


def cost(model: ModelSpec, usage: Usage | None, options: GenerationOptions | None = None) -> float | None:
    """US dollars of one request, None when the price or the usage is unknown.

    `options`: how it was asked; where they keep the cache for an hour, writing it costs more. Tokens read from
    and written to a cache count as input where the vendor names no price of their own.
    """
    if usage is None or model.price is None:
        return None
    price = model.price
    if price.above is not None and usage.input_tokens > price.above[0]:
        price = price.above[1]
    is_hour = options is not None and options.params.get("cacheControlTtl") == HOUR
    write = price.cache_write_hour if is_hour and price.cache_write_hour is not None else price.cache_write
    read = price.cache_read if price.cache_read is not None else price.input
    fresh = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    total = fresh * price.input + usage.cached_tokens * read + usage.output_tokens * price.output
    total += usage.cache_write_tokens * (write if write is not None else price.input)
    return total / 1_000_000


def price_words(price: Price | None) -> str:
    """A price in a few words."""
    if price is None:
        return "price unknown"
    if not price.input and not price.output:
        return "free"
    words = f"${price.input:g} / ${price.output:g} per million tokens"
    return words if price.cache_read is None else f"{words}, cached ${price.cache_read:g}"
