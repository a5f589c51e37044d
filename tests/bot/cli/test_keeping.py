"""`firstword deadletters`, `backup` and `data`, beside a running daemon and without one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.store.sql import SCHEMA_VERSION
from bot.store.sqlite import SqliteStore, open_store
from tests.bot.cli.terminal import Terminal
from tests.bot.store.test_people import MARK, _lived

DEMO = {"models": {"detectLocal": False, "providers": {"demo": {"ttft": 0, "tokensPerSecond": 100000}}}}
ANN = "fake:main:u-1"


def _fill(terminal: Terminal, *works: Callable[[SqliteStore], Any]) -> None:
    """Do things to the store of this home while no daemon runs."""

    async def work() -> None:
        async with open_store(terminal.home / "data" / "firstword.db") as store:
            for each in works:
                await each(store)

    asyncio.run(work())


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def lived(terminal: Terminal) -> Terminal:
    """A home in whose store and logs somebody left their mark."""
    terminal.write(DEMO)
    _fill(terminal, _lived)
    logs = terminal.home / "logs"
    logs.mkdir(mode=0o700)
    for name in ("firstword.log", "firstword.log.1"):
        line = {"event": "turn finished", "conversation": "fake:main:ann", "rung": 4711, "user": "u-1"}
        (logs / name).write_text(json.dumps(line) + "\n")
    return terminal


@pytest.mark.parametrize(
    "verb", [("deadletters", "list"), ("backup", "create"), ("data", "export", ANN), ("data", "forget", ANN)]
)
def test_without_a_store_every_verb_says_so_and_makes_none(terminal: Terminal, verb: tuple[str, ...]) -> None:
    result = terminal.run(*verb)
    assert (result.code, result.out) == (1, "")
    assert "there is no store in HOME yet" in result.err
    assert not terminal.home.exists()


def test_dead_letters_are_listed_and_shown(lived: Terminal) -> None:
    result = lived.run("deadletters", "list")
    assert result.code == 0
    assert f"{MARK} is dead" in result.out
    (row,) = lived.run("--json", "deadletters", "list").data["deadletters"]
    assert (row["turn_id"], row["sender"], row["reason"]) == ("d1", "u-1", f"because of {MARK}")
    shown = lived.run("deadletters", "show", "d1").out
    for said in (
        "id: d1",
        "fake:main:ann",
        "(u-1)",
        f"{MARK} is dead",
        f"{MARK} in vain",
        f"because of {MARK}",
    ):
        assert said in shown
    unknown = lived.run("deadletters", "show", "d9")
    assert (unknown.code, "no dead letter 'd9'" in unknown.err) == (1, True)


def test_without_a_daemon_a_dead_letter_waits_for_its_start(lived: Terminal) -> None:
    result = lived.run("deadletters", "retry", "d1")
    assert (result.code, result.out) == (0, "d1 waits; it is answered when its channel runs again\n")
    assert lived.run("deadletters", "list").out == "there are none\n"
    assert "no dead letter 'd1'" in lived.run("deadletters", "drop", "d1").err


def test_a_dropped_dead_letter_is_gone(lived: Terminal) -> None:
    assert lived.run("deadletters", "drop", "d1").out == "d1 is dropped\n"
    assert lived.run("--json", "deadletters", "list").data["deadletters"] == []


def test_a_running_daemon_keeps_and_drops_dead_letters(lived: Terminal) -> None:
    with lived.daemon():
        assert "d1 waits" in lived.run("deadletters", "retry", "d1").out  # its channel is not there
        result = lived.run("deadletters", "drop", "d1")
        assert (result.code, "no dead letter 'd1'" in result.err) == (1, True)


def test_a_copy_is_made_looked_through_and_not_put_in_place_under_a_daemon(lived: Terminal) -> None:
    with lived.daemon():
        made = lived.run("--json", "backup", "create")
        assert made.code == 0
        assert made.data["rows"]["turn"] == 44
        assert lived.run("--json", "backup", "verify").data["rows"] == made.data["rows"]
        refused = lived.run("backup", "restore")
        assert (refused.code, "another Firstword" in refused.err) == (1, True)
    result = lived.run("backup", "restore")
    assert result.code == 0
    assert "firstword-" in result.out and "the file before it is kept" in result.out
    assert "1 message that waited then is a dead letter now" in result.out
    assert len(lived.run("--json", "deadletters", "list").data["deadletters"]) == 2
    (copy,) = (lived.home / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as older:
        older.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    assert "the next start brings it up to date" in lived.run("backup", "restore").out


def test_only_so_many_copies_stay(lived: Terminal) -> None:
    folder = lived.home / "backups"
    folder.mkdir()
    for day in range(1, 7):
        (folder / f"firstword-2026010{day}-000000.db").touch()
    result = lived.run("--json", "backup", "create", "--keep", "2")
    assert len(result.data["deleted"]) == 5
    assert min(path.name for path in folder.iterdir()) == "firstword-20260106-000000.db"
    own = lived.run("backup", "create", str(lived.home / "mine.db"))
    assert own.out.startswith("HOME/mine.db is made and whole")
    assert lived.run("backup", "create", str(lived.home / "mine.db")).code == 1
    assert lived.run("backup", "create", "--keep", "-1").code == 2


def test_a_damaged_copy_fails(lived: Terminal) -> None:
    (lived.home / "bad.db").write_bytes(b"x" * 5000)
    result = lived.run("backup", "verify", str(lived.home / "bad.db"))
    assert (result.code, "take another copy" in result.err) == (1, True)
    assert lived.run("backup", "restore", str(lived.home / "bad.db")).code == 1
    assert "there is no backup in HOME/backups" in lived.run("backup", "verify").err


def test_a_person_s_data_is_printed_or_written(lived: Terminal) -> None:
    data = json.loads(lived.run("data", "export", ANN).out)
    assert len(data["lines"]) == 82
    out = lived.home / "ann.json"
    result = lived.run("data", "export", ANN, "--out", str(out))
    assert (result.code, result.out.startswith("82 lines, ")) == (0, True)
    assert json.loads(out.read_text()) == data
    assert out.stat().st_mode & 0o777 == 0o600
    assert lived.run("data", "export", ANN, "--out", str(out)).code == 1
    assert "CHANNEL:ACCOUNT:ID" in lived.run("data", "export", "ann").err


@pytest.mark.parametrize("has_daemon", [True, False], ids=["beside a daemon", "without one"])
def test_after_forgetting_no_byte_of_a_person_is_left_in_the_home(
    lived: Terminal, *, has_daemon: bool
) -> None:
    assert MARK.encode() in _everything(lived.home)
    assert b"fake:main:ann" in _everything(lived.home / "logs")
    if has_daemon:
        with lived.daemon():
            result = lived.run("data", "forget", ANN)
            assert MARK.encode() not in _everything(lived.home)
    else:
        result = lived.run("data", "forget", ANN)
    assert result.code == 0
    assert result.out.startswith(f"{ANN} is forgotten: 82 lines, 43 messages, ")
    again = lived.run("data", "forget", ANN)
    assert (again.code, again.out) == (3, f"nothing was kept of {ANN}\n")
    everything = _everything(lived.home)
    assert MARK.encode() not in everything
    assert b"fake:main:ann" not in everything
    (line,) = (lived.home / "logs" / "firstword.log.1").read_text().splitlines()
    assert json.loads(line)["rung"] == 4711
    assert b"Bob's own" in everything


@pytest.mark.parametrize("person", ["fake:main:u-3", "fake:man:u-1", "fak:main:u-1", "fake:main:u-1 "])
def test_a_person_of_whom_nothing_is_kept_is_not_said_to_be_forgotten(lived: Terminal, person: str) -> None:
    exported = lived.run("data", "export", person)
    assert (exported.code, json.loads(exported.out)["lines"]) == (3, [])
    forgotten = lived.run("data", "forget", person)
    assert (forgotten.code, forgotten.out) == (3, f"nothing was kept of {person}\n")
    for said in (exported.err, forgotten.err):
        assert "is that CHANNEL:ACCOUNT:ID, the id as /whoami shows it?" in said
    assert MARK.encode() in _everything(lived.home)


def test_what_was_typed_at_this_machine_goes_too(lived: Terminal) -> None:
    typed = lived.home / "accounts" / "fake" / "main" / "history"
    typed.parent.mkdir(parents=True)
    typed.write_text(f"# 2026-11-21\n+{MARK}\n")
    lived.run("data", "forget", "fake:main:u-3")
    assert typed.exists(), "somebody else's"
    lived.run("data", "forget", ANN)
    assert MARK.encode() not in _everything(lived.home)


def test_the_log_stays_readable_when_a_program_is_forgotten(lived: Terminal) -> None:
    log = lived.home / "logs" / "firstword.log"
    line = {"event": "turn finished", "account": "main", "conversation": "fake:main:ann"}
    log.write_text(json.dumps(line) + "\n")
    lived.write(DEMO | {"channels": {"telegram": {"accounts": {"main": {"enabled": False}}}}})
    result = lived.run("--json", "data", "forget", "fake:main:main")
    assert json.loads(log.read_text()) == line
    assert result.data["still_named_in"] == []


def test_copies_that_still_hold_a_person_are_named_or_deleted(lived: Terminal) -> None:
    lived.run("backup", "create")
    (lived.home / "data" / "firstword.db.schema-2.copy").write_text(MARK)
    result = lived.run("data", "forget", ANN)
    assert result.code == 3
    assert result.err.count("may still hold them") == 2
    assert MARK.encode() in _everything(lived.home)
    result = lived.run("data", "forget", ANN, "--copies")
    assert (result.code, result.out.count("deleted: ")) == (0, 2)
    assert MARK.encode() not in _everything(lived.home)


def test_an_allow_list_that_names_a_person_is_named(lived: Terminal) -> None:
    accounts = {"main": {"enabled": False, "token": "123456789:AA", "allow": ["u-1"]}}
    lived.write(DEMO | {"channels": {"telegram": {"accounts": accounts}}})
    result = lived.run("--json", "data", "forget", ANN)
    assert result.code == 3
    assert result.data["still_named_in"] == ["HOME/config.json"]
