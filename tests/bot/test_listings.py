"""What providers listed last, kept on disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bot.home import Home
from bot.listings import (
    REFRESH_EVERY,
    REFRESH_LOCAL_EVERY,
    Listing,
    listings_path,
    read_listings,
    renewed,
    write_listings,
)
from providers.base import ModelSettings, ModelSpec

DAY = 86_400.0


def offered(*ids: str) -> list[ModelSpec]:
    return [ModelSpec("one", each, context_window=4096) for each in ids]


def test_a_list_is_kept_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    listing = renewed(None, offered("a", "b"), 100.0, "http://127.0.0.1:1/v1")
    write_listings(listings_path(home), {"one": listing})
    assert stat.S_IMODE(listings_path(home).stat().st_mode) == 0o600
    assert read_listings(listings_path(home)) == {"one": listing}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"providers": 1}', '{"providers": {"one": {}}}', '{"providers": {"one": {"at": "x"}}}'],
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lists.json"
    assert read_listings(path) == {}
    path.write_text(text)
    assert read_listings(path) == {}


def test_what_is_no_longer_listed_is_gone_since_then() -> None:
    first = renewed(None, offered("a", "b"), 1.0)
    second = renewed(first, offered("b", "c"), 2.0)
    assert (second.ids, dict(second.gone)) == ({"b", "c"}, {"a": 2.0})
    third = renewed(second, offered("b"), 3.0)
    assert dict(third.gone) == {"a": 2.0, "c": 3.0}
    assert dict(renewed(third, offered("a", "b"), 4.0).gone) == {"c": 3.0}
    assert dict(renewed(third, offered("b"), 91 * DAY).gone) == {}


def test_another_address_is_another_list() -> None:
    first = renewed(None, offered("a"), 1.0, "http://one")
    assert dict(renewed(first, offered("b"), 2.0, "http://two").gone) == {}


def test_a_list_of_this_machine_is_due_after_less_than_an_hour() -> None:
    assert not Listing(100.0).is_due(3000.0, REFRESH_LOCAL_EVERY)
    assert Listing(100.0).is_due(3100.0, REFRESH_LOCAL_EVERY)


@pytest.mark.parametrize(("now", "is_due"), [(100.0, False), (99.0, True), (100.0 + REFRESH_EVERY, True)])
def test_a_list_is_due_after_a_day_or_when_the_clock_was_set_back(now: float, is_due: bool) -> None:
    assert Listing(100.0).is_due(now) is is_due


def test_a_window_that_nobody_stated_is_not_kept_as_stated() -> None:
    assert renewed(None, [ModelSpec("one", "a")], 1.0).models == (ModelSettings("a"),)
