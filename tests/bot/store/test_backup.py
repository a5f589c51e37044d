"""Copies of the store: made beside a writer, looked through, put in place again."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.store import backup, letters
from bot.store.connection import WAL_BYTES, connect_to_read
from bot.store.sqlite import SqliteStore, open_store
from tests.bot.store.examples import KEY, SOME_TIME, message, record


async def _fill(store: SqliteStore, name: str) -> None:
    await store.add_message(message(name), name, SOME_TIME)
    await store.finish_turn(record(name))


def _copy(path: Path, tmp_path: Path, name: str = "copy.db") -> Path:
    return backup.create(path, tmp_path / "backups" / name).path


def _exists(path: Path) -> bool:
    return path.exists()


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _touch(path: Path) -> float:
    path.touch()
    return path.stat().st_mtime


def _size(path: Path) -> int:
    return path.stat().st_size


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


async def test_a_copy_is_made_while_the_store_is_written(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    for number in range(200):
        await _fill(store, f"t{number}")
    writing = [asyncio.ensure_future(_fill(store, f"more{number}")) for number in range(200)]
    made = await asyncio.to_thread(backup.create, path, tmp_path / "backups" / "copy.db")
    await asyncio.gather(*writing)
    assert 200 <= made.rows["turn"] <= 400
    assert made.rows["history"] == 2 * (made.rows["turn"] - made.waiting)
    assert _mode(made.path) == 0o600
    assert _names(made.path.parent) == ["copy.db"]
    assert backup.verify(made.path) == made


async def test_a_copy_does_not_overwrite_a_file(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    copy = _copy(path, tmp_path)
    with pytest.raises(StoreError, match="exists already"):
        backup.create(path, copy)
    assert backup.verify(copy).rows["turn"] == 0
    assert store.writer.failed == 0


def test_what_is_not_there_or_not_ours_is_no_copy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        backup.verify(tmp_path / "nothing.db")
    (tmp_path / "text.db").write_text("not a database" * 100)
    with pytest.raises(StoreError, match=r"is damaged \(file is not .*: it cannot be put in place"):
        backup.verify(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="no store of Firstword"):
        backup.verify(tmp_path / "other.db")


async def test_a_damaged_copy_is_found_and_not_put_in_place(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    for number in range(300):
        await _fill(store, f"t{number}")
    copy = _copy(path, tmp_path)
    _damage(copy)
    with pytest.raises(StoreError, match="damaged"):
        backup.verify(copy)
    await store.close()
    before = _bytes(path)
    with pytest.raises(StoreError, match="damaged"):
        backup.restore(copy, path, SOME_TIME)
    assert _bytes(path) == before
    _damage(path)
    with pytest.raises(StoreError, match=r"store\.db is damaged, and so would be a copy of it"):
        backup.create(path, tmp_path / "backups" / "second.db")
    assert _names(tmp_path / "backups") == ["copy.db"]


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 9 * 4096] = b"\xaa" * 4 * 4096
    path.write_bytes(content)


async def test_a_copy_of_a_newer_version_is_refused(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    copy = _copy(path, tmp_path)
    with closing(sqlite3.connect(copy)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"newer Firstword \(schema 99"):
        backup.verify(copy)
    assert store.writer.failed == 0


async def test_a_copy_comes_back_and_the_file_before_it_is_kept(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        await _fill(store, "t1")
        copy = await asyncio.to_thread(_copy, path, tmp_path)
        await _fill(store, "t2")
    done = backup.restore(copy, path, SOME_TIME)
    assert done.aside is not None
    assert done.aside.name == "store.db.before-restore-20261118-110640"
    async with open_store(path) as store:
        assert [row.turn_id for row in await store.turns(None, 10)] == ["t1"]
    async with open_store(done.aside) as old:
        assert [row.turn_id for row in await old.turns(None, 10)] == ["t2", "t1"]


async def test_nothing_is_answered_twice_after_a_copy_came_back(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("waited", "Still there?"), "t1", SOME_TIME)
        store.set_cursor("fake", "main", "offset", "1")
        await store.cursor("fake", "main", "offset")
        copy = await asyncio.to_thread(_copy, path, tmp_path)
        await store.finish_turn(record("t1"))
        await _fill(store, "later")
        await store.set_cursor("fake", "main", "offset", "2")
    done = backup.restore(copy, path, SOME_TIME)
    assert (done.carried, done.backup.waiting) == (1, 1)
    async with open_store(path) as store:
        assert await store.pending() == []
        assert not await store.add_message(message("later"), "t9", SOME_TIME)
        assert await store.cursor("fake", "main", "offset") == "2"
    with closing(connect_to_read(path)) as connection:
        (letter,) = letters.letters(connection)
    assert (letter.text, letter.reason) == ("Still there?", backup.RESTORED)


async def test_a_copy_replaces_a_store_that_is_damaged(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        for number in range(300):
            await _fill(store, f"t{number}")
        copy = await asyncio.to_thread(_copy, path, tmp_path)
    _damage(path)
    with pytest.raises(StoreError, match="damaged"):
        await SqliteStore.open(path)
    done = backup.restore(copy, path, SOME_TIME)
    assert done.aside is not None
    async with open_store(path) as store:
        assert len(await store.history(str(KEY), 1, 1000)) == 600


async def test_a_copy_comes_back_where_no_store_is(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    await _fill(store, "t1")
    copy = await asyncio.to_thread(_copy, path, tmp_path)
    elsewhere = tmp_path / "new" / "data" / "store.db"
    done = backup.restore(copy, elsewhere, SOME_TIME)
    assert (done.aside, done.carried) == (None, 0)
    async with open_store(elsewhere) as other:
        assert len(await other.turns(None, 10)) == 1
    assert _mode(elsewhere) == 0o600


async def test_the_oldest_copies_go(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = [backup.create(path, backup.default_name(folder, SOME_TIME + number)).path for number in range(4)]
    own = _copy(path, tmp_path, "mine.db")
    left = folder / ".firstword-killed.db.unfinished"
    at = _touch(left)
    assert backup.prune(folder, 3, at + 60) == made[:1]
    assert _exists(left)
    assert backup.backups(folder) == made[1:]
    assert backup.prune(folder, 0, at + 7200) == []
    assert not _exists(left)
    assert _exists(own)
    assert store.writer.failed == 0


async def test_reading_changes_nothing_and_refuses_what_it_does_not_know(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await _fill(store, "t1")
    with (
        closing(connect_to_read(path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM turn")
    copy = _copy(path, tmp_path)
    with closing(sqlite3.connect(copy)) as other:
        other.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreError, match="older Firstword"):
        connect_to_read(copy)
    with pytest.raises(StoreError, match="no such file"):
        connect_to_read(tmp_path / "nothing.db")
    assert not _exists(tmp_path / "nothing.db")


@pytest.mark.slow  # writes a hundred megabytes
async def test_the_log_stays_bounded_however_much_is_written_and_read(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    log = path.with_name(f"{path.name}-wal")
    sizes = []
    for number in range(60):
        names = [f"m{number}-{each}" for each in range(100)]
        await asyncio.gather(
            *(store.add_message(message(each, "x" * 16_000), each, SOME_TIME) for each in names)
        )
        await asyncio.gather(*(store.finish_turn(record(each)) for each in names))
        if number % 20 == 10:
            await asyncio.to_thread(_copy, path, tmp_path, f"{number}.db")
        sizes.append(_size(log))
    assert _size(path) > 2 * WAL_BYTES
    assert max(sizes) < WAL_BYTES + 8_000_000
