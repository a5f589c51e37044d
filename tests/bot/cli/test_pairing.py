"""`firstword pairing` without a daemon: the store is the truth, and guessing ends soon."""

from __future__ import annotations

import asyncio
import functools
import json
import secrets
import time
from typing import Any

import pytest

from bot.pairing import LIFETIME, MAX_WRONG, new_code, seal
from bot.store import access
from bot.store.access import By, GrantRow, Waiting
from bot.store.chores import forget_person
from bot.store.people import Person
from bot.store.sqlite import SqliteStore, open_store
from tests.bot.cli.terminal import Terminal

SUE = Person("fake", "main", "sue")
MARK = "Sue-with-a-name-of-her-own"
CODE = new_code(secrets.randbits)


@pytest.fixture
def asked(terminal: Terminal) -> Terminal:
    """A home in which Sue was told a code, and Tim was let in as an admin."""
    terminal.write({"models": {"detectLocal": False}})
    (terminal.home / "data").mkdir(mode=0o700)
    now = time.time()
    row = GrantRow(
        Person("fake", "main", "tim"), "", "admin", is_paired=False, granted_at=now, granted_by="o"
    )

    async def fill(store: SqliteStore) -> None:
        waits = Waiting(SUE, MARK, "fake:main:sue", now, now + LIFETIME)
        assert await store.call(lambda opened: access.wait(opened, waits, seal(CODE, secrets.randbits)))
        assert await store.call(lambda opened: access.grant(opened, row, By("o", "chat")))

    _with_store(terminal, fill)
    return terminal


def _with_store(terminal: Terminal, work: Any) -> None:
    async def run() -> None:
        async with open_store(terminal.home / "data" / "firstword.db") as store:
            await work(store)

    asyncio.run(run())


def test_the_list_shows_who_waits_and_no_code(asked: Terminal) -> None:
    result = asked.run("pairing", "list")
    assert result.code == 0
    assert f"fake:main:sue  {MARK}" in result.out
    assert "admin" in result.out
    assert CODE not in result.out
    stored = b"".join(path.read_bytes() for path in (asked.home / "data").iterdir())
    assert CODE.encode() not in stored


def test_a_code_lets_in_once_and_revoking_takes_it_back(asked: Terminal) -> None:
    spelled = f" {CODE[:4].lower()}-{CODE[4:]}"
    assert json.loads(asked.run("--json", "pairing", "approve", spelled).out)["person"] == str(SUE)
    again = asked.run("pairing", "approve", CODE, "--notify")
    assert (again.code, "No one holds this code" in again.err) == (1, True)
    assert asked.run("pairing", "revoke", str(SUE)).code == 0
    assert "was granted nothing" in asked.run("pairing", "revoke", str(SUE)).err
    changes = json.loads(asked.run("--json", "pairing", "log").out)["changes"]
    assert [(row["what"], row["about"], row["actor"]) for row in changes] == [
        ("revoked", str(SUE), "owner"),
        ("wrong code", "", "owner"),
        ("paired", str(SUE), "owner"),
        ("granted", "fake:main:tim", "o"),
    ]


@pytest.mark.parametrize("typed", ["", "ABC", "ABCDEFGHJ", "my code"])
def test_a_code_of_another_length_is_a_slip_and_counts_for_nothing(asked: Terminal, typed: str) -> None:
    result = asked.run("pairing", "approve", typed)
    assert (result.code, "A code has eight letters and digits" in result.err) == (1, True)
    assert len(json.loads(asked.run("--json", "pairing", "log").out)["changes"]) == 1


def test_ten_thousand_guesses_get_no_further_than_five(asked: Terminal) -> None:
    """By one way; the right code is not taken there for an hour either, and the record does not grow."""

    async def guess(store: SqliteStore) -> None:
        now = time.time()
        for number in range(10_000):
            work = functools.partial(access.approve, code=f"AAAA{number:04}", by=access.COMMAND_LINE, now=now)
            found = await store.call(work)
            assert found.let_in is None
            assert found.is_locked == (number >= MAX_WRONG)

    _with_store(asked, guess)
    locked = asked.run("pairing", "approve", CODE)
    assert (locked.code, "Too many wrong codes" in locked.err) == (1, True)
    assert len(json.loads(asked.run("--json", "pairing", "log").out)["changes"]) == MAX_WRONG + 1


def test_somebody_who_is_forgotten_is_let_in_no_more_and_named_nowhere(asked: Terminal) -> None:
    asked.run("pairing", "approve", CODE)
    assert MARK in asked.run("data", "export", str(SUE)).out
    _with_store(asked, lambda store: forget_person(store, SUE))
    assert "sue" not in asked.run("pairing", "list").out
    stored = b"".join(path.read_bytes() for path in (asked.home / "data").iterdir())
    assert MARK.encode() not in stored
    assert b"fake:main:sue" not in stored
