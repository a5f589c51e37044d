"""What a request costs."""

from __future__ import annotations

import pytest

from bot.prices import cost, price_words
from providers.base import GenerationOptions, ModelSpec, Price, Usage

PLAIN = Price(2.0, 10.0)
CACHED = Price(2.0, 10.0, 0.2, 2.5, 4.0)
LONG = Price(2.0, 10.0, 0.2, 2.5, 4.0, (1000, Price(4.0, 15.0, 0.4, 5.0, 8.0)))
HOUR = GenerationOptions(params={"cacheControlTtl": "1h"})


def dollars(
    price: Price | None, usage: Usage | None, options: GenerationOptions | None = None
) -> float | None:
    spent = cost(ModelSpec("p", "m", price=price), usage, options)
    return None if spent is None else round(spent * 1_000_000, 6)


@pytest.mark.parametrize(
    ("price", "usage", "options", "spent"),
    [
        (PLAIN, Usage(100, 10), None, 300),
        (PLAIN, Usage(100, 10, cached_tokens=50), None, 300),
        (PLAIN, Usage(100, 10, cache_write_tokens=50), None, 300),
        (CACHED, Usage(100, 10, cached_tokens=50), None, 50 * 2 + 50 * 0.2 + 100),
        (CACHED, Usage(100, 10, cached_tokens=50, cache_write_tokens=40), None, 10 * 2 + 10 + 40 * 2.5 + 100),
        (CACHED, Usage(100, 10, cache_write_tokens=100), HOUR, 400 + 100),
        (PLAIN, Usage(100, 10, cache_write_tokens=100), HOUR, 300),
        (CACHED, Usage(100, 0, cache_write_tokens=100, cache_write_hour_tokens=60), None, 40 * 2.5 + 60 * 4),
        (CACHED, Usage(100, 0, cache_write_tokens=100, cache_write_hour_tokens=0), HOUR, 250),
        (PLAIN, Usage(100, 10, predicted_tokens=4, rejected_tokens=5), None, 300),
        (LONG, Usage(1000, 10), None, 2100),
        (LONG, Usage(1001, 10), None, 1001 * 4 + 150),
        (LONG, Usage(2000, 0, cached_tokens=2000), None, 800),
        (CACHED, Usage(10, 0, cached_tokens=50), None, 10.0),
        (None, Usage(100, 10), None, None),
        (PLAIN, None, None, None),
        (Price(0.0, 0.0), Usage(100, 10), None, 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_token_has_its_price(
    price: Price | None, usage: Usage | None, options: GenerationOptions | None, spent: float | None
) -> None:
    assert dollars(price, usage, options) == spent


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (None, "price unknown"),
        (Price(0, 0), "free"),
        (PLAIN, "$2 / $10 per million tokens"),
        (CACHED, "$2 / $10 per million tokens, cached $0.2"),
    ],
)
def test_a_price_is_written_in_a_few_words(price: Price | None, words: str) -> None:
    assert price_words(price) == words
