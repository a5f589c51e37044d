"""What is remembered of conversations, scopes and channels."""

from __future__ import annotations

from pathlib import Path

from bot.store.base import Conversation
from bot.store.sqlite import SqliteStore, open_store


async def test_an_unknown_conversation_is_a_fresh_one(store: SqliteStore) -> None:
    assert await store.conversation("fake:main:1") == Conversation("fake:main:1")
    assert await store.choices("global") == {}
    assert await store.cursor("fake", "main", "offset") is None


async def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    kept = Conversation("fake:main:1", 3, {"model": "fast", "mode": "collect"}, "handle \N{SNOWMAN}")
    async with open_store(path) as store:
        store.save_conversation(Conversation("fake:main:1", 2, {"model": "deep"}))
        store.save_conversation(kept)
        store.set_choice("global", "model", "fast")
        store.set_choice("global", "language", "en")
        store.set_choice("account:fake:main", "model", "deep")
        store.set_choice("global", "language", None)
        store.set_cursor("fake", "main", "offset", "17")
        store.set_cursor("fake", "main", "offset", "18")
        store.set_cursor("fake", "other", "offset", "3")
    async with open_store(path) as store:
        assert await store.conversation("fake:main:1") == kept
        assert await store.choices("global") == {"model": "fast"}
        assert await store.choices("account:fake:main") == {"model": "deep"}
        assert await store.cursor("fake", "main", "offset") == "18"
        assert await store.cursor("fake", "other", "offset") == "3"


async def test_a_read_shows_what_was_handed_over_before_it(store: SqliteStore) -> None:
    for n in range(20):
        store.save_conversation(Conversation("fake:main:1", n))
        assert (await store.conversation("fake:main:1")).session == n
        store.set_choice("global", "n", str(n))
        assert await store.choices("global") == {"n": str(n)}
        store.set_cursor("fake", "main", "offset", str(n))
        assert await store.cursor("fake", "main", "offset") == str(n)


async def test_unsetting_what_was_never_set_changes_nothing(store: SqliteStore) -> None:
    await store.set_choice("global", "model", None)
    assert await store.choices("global") == {}
