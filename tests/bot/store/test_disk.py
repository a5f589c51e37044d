"""A disk that is full, read-only, damaged or somebody else's: a clear sentence, and life goes on."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.store import backup, kinds
from bot.store import connection as connecting
from bot.store.connection import check, connect
from bot.store.executors import ThreadExecutor
from bot.store.migrate import ensure_schema
from bot.store.sqlite import SqliteStore, open_store
from bot.store.writer import Writer
from tests.bot.store.examples import SOME_TIME, message, record
from tests.disks import small_disk


def _size(path: Path) -> int:
    return path.stat().st_size


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True, timeout=30)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


async def _fill(store: SqliteStore) -> int:
    """Hand over messages until one is refused; how many were taken."""
    for number in range(200):
        try:
            await store.add_message(message(f"e{number}", "x" * 20_000), f"t{number}", SOME_TIME)
        except StoreError:
            return number
    raise AssertionError("the disk never got full")


async def test_a_full_disk_is_told_and_later_writes_work_again(tiny_disk: Path) -> None:
    path = tiny_disk / "store.db"
    async with open_store(path) as store:
        ballast = tiny_disk / "ballast"
        ballast.write_bytes(b"x" * 300_000)
        taken = await _fill(store)
        with pytest.raises(StoreError, match=r"store\.db: the disk is full"):
            await store.add_message(message("more", "x" * 20_000), "more", SOME_TIME)
        assert len(await store.history("fake:main:4711", 1, 10)) == 0
        ballast.unlink()
        assert await store.add_message(message("again"), "again", SOME_TIME)
        await store.finish_turn(record("again"))
        assert len(await store.pending()) == taken
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_on_a_full_disk_what_still_fits_is_kept(tiny_disk: Path) -> None:
    async with open_store(tiny_disk / "store.db") as store:
        ballast = tiny_disk / "ballast"
        ballast.write_bytes(b"x" * 100_000)
        await _fill(store)
        ballast.unlink()  # how much room the last message left is chance
        futures = [
            store.add_message(message("huge", "x" * 900_000), "huge", SOME_TIME),
            store.add_key("fake", "main", "small"),
        ]
        huge, small = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(huge, StoreError)
        assert small is True


async def test_a_file_that_may_not_grow_is_told_and_later_writes_work_again(path: Path) -> None:
    with closing(connect(path)) as connection:
        ensure_schema(connection, path)
        executor = ThreadExecutor("writer")
        writer = Writer(connection, path, executor)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        large = ("fake", "main", "large", SOME_TIME, "t1", "fake:main:1", b"x" * 20_000, "u-1", 0)
        small = ("fake", "main", "small", SOME_TIME, "t2", "fake:main:1", b"x", "u-1", 0)
        outcomes = [writer.add(kinds.ADD_MESSAGE, row) for row in (large, small)]
        with pytest.raises(StoreError, match=r"store\.db: the disk is full"):
            await outcomes[0]
        assert await outcomes[1]
        connection.execute(f"PRAGMA max_page_count = {pages + 100}")
        assert await writer.add(kinds.ADD_MESSAGE, large)
        await writer.close()
        executor.close()


async def test_a_disk_that_takes_no_more_bytes_is_told_and_later_writes_work_again(
    store: SqliteStore, path: Path
) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_size(path.with_name("store.db-wal")), hard))
    try:
        with pytest.raises(StoreError, match=r"store\.db: the disk failed"):
            await store.add_message(message("e2", "x" * 20_000), "t2", SOME_TIME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await store.add_message(message("e2", "x" * 20_000), "t2", SOME_TIME)
    assert len(await store.pending()) == 2


async def test_a_file_that_turns_read_only_is_told_and_later_writes_work_again(path: Path) -> None:
    with closing(connect(path)) as connection:
        ensure_schema(connection, path)
        executor = ThreadExecutor("writer")
        writer = Writer(connection, path, executor)
        rows = [("fake", "main", str(number), SOME_TIME) for number in range(50)]
        connection.execute("PRAGMA query_only = ON")
        failures = await asyncio.gather(
            *(writer.add(kinds.ADD_KEY, row) for row in rows), return_exceptions=True
        )
        assert all(isinstance(one, StoreError) for one in failures)
        with pytest.raises(StoreError, match=r"store\.db: the disk or the file is read-only"):
            await writer.add(kinds.ADD_KEY, rows[0])
        connection.execute("PRAGMA query_only = OFF")
        assert await writer.add(kinds.ADD_KEY, rows[0])
        await writer.close()
        executor.close()


async def test_a_read_only_folder_is_told_at_the_start(tiny_disk: Path) -> None:
    _make_read_only(tiny_disk)
    with pytest.raises(StoreError, match=r"store\.db cannot be used: Read-only file system"):
        await SqliteStore.open(tiny_disk / "store.db")


@pytest.mark.slow  # waits two seconds for the other program, as it should
async def test_a_file_that_another_program_locks_is_told(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        first = store.add_key("fake", "main", "e1")
        rest = [store.add_key("fake", "main", f"r{n}") for n in range(20)]
        with pytest.raises(StoreError, match="another program keeps it locked"):
            await first
        other.execute("ROLLBACK")
    await asyncio.gather(*rest, return_exceptions=True)
    assert await store.add_key("fake", "main", "e1")


@pytest.mark.parametrize("start", [0, 4096])
async def test_a_damaged_file_is_told_and_left_alone(path: Path, start: int) -> None:
    async with open_store(path) as store:
        await asyncio.gather(*(store.add_message(message(f"e{n}"), f"t{n}", SOME_TIME) for n in range(200)))
    data = _read(path)
    broken = data[:start] + b"\x37" * 16384 + data[start + 16384 :]
    _write(path, broken)
    with pytest.raises(StoreError, match=r"store\.db.*damaged.*put a backup in its place"):
        await SqliteStore.open(path)
    assert _read(path) == broken


async def test_the_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="belongs to another program"):
        await SqliteStore.open(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_folder_in_place_of_the_file_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"store\.db cannot be used: Is a directory"):
        connect(path)


def test_a_file_above_the_limit_is_not_looked_through(path: Path) -> None:
    with closing(connect(path)) as opened:
        ensure_schema(opened, path)
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert check(opened, path, path.stat().st_size)
        assert not check(opened, path, path.stat().st_size - 1)


async def test_only_the_owner_may_read(path: Path, store: SqliteStore) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    files = sorted(one.name for one in path.parent.iterdir())
    assert files == ["store.db", "store.db-shm", "store.db-wal"]
    assert {_mode(one) for one in path.parent.iterdir()} == {0o600}
    assert _mode(path.parent) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    with closing(connect(path)):
        assert _mode(path) == 0o600


async def test_every_write_is_flushed_and_the_log_is_bounded(path: Path, store: SqliteStore) -> None:
    with closing(connect(path)) as opened:

        def pragma(name: str) -> object:
            return opened.execute(f"PRAGMA {name}").fetchone()[0]

        assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)
        assert pragma("wal_autocheckpoint") == connecting.WAL_PAGES
        assert pragma("journal_size_limit") == connecting.WAL_BYTES


@pytest.mark.slow  # writes four thousand messages
async def test_the_log_begins_again_instead_of_growing(path: Path, store: SqliteStore) -> None:
    """Without that, what is written here fills the log up to its bound."""
    log = path.with_name("store.db-wal")
    largest = 0
    for batch in range(40):
        for number in range(100):
            name = f"{batch}-{number}"
            store.add_message(message(name, "x" * 500), name, SOME_TIME)
            if number % 10 == 0:
                await store.final(name, "text")
        await store.pending()
        largest = max(largest, _size(log))
    assert 1_000_000 < largest < connecting.WAL_BYTES * 3 // 4


async def test_another_program_that_looks_in_and_leaves_takes_nothing_away(
    path: Path, store: SqliteStore
) -> None:
    """Whoever leaves last deletes the log, so our locks have to tell that we are still there."""
    await store.add_message(message("e1"), "t1", SOME_TIME)
    log = path.with_name("store.db-wal")
    before = log.stat().st_ino
    look = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM inbox').fetchall()"
    )
    subprocess.run([sys.executable, "-c", look, str(path)], check=True, timeout=30)  # noqa: ASYNC221 - as above
    assert log.exists() and log.stat().st_ino == before


async def test_the_log_is_worked_off_at_the_end(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
    assert [one.name for one in path.parent.iterdir()] == ["store.db"]
    assert _size(path) > 4096


async def test_a_copy_that_does_not_fit_on_the_disk_leaves_nothing(tiny_disk: Path, path: Path) -> None:
    async with open_store(path) as store:
        for number in range(100):
            await store.add_message(message(f"e{number}", "x" * 20_000), f"t{number}", SOME_TIME)
    with pytest.raises(StoreError, match=r"copy\.db: there is no room for the copy"):
        backup.create(path, tiny_disk / "copies" / "copy.db")
    assert _names(tiny_disk / "copies") == []
