"""Who was let in beside the settings, and the record of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path

from bot.access import Activation
from bot.grants import Grants
from bot.pairing import ALPHABET, LENGTH, LIFETIME, fits, new_code, seal, typed
from bot.store import access
from bot.store.access import MAX_GRANTS, By, GrantRow, Waiting, What
from bot.store.people import Person
from bot.store.sqlite import open_store
from bot.store.sweep import Retention
from channels.commands import Role

NOW = 1_795_000_000.0
SUE = Person("fake", "main", "sue")
OWNER = By("fake:main:olga", "chat")
DAY = 86_400.0


def test_a_code_has_eight_letters_that_nobody_mistakes() -> None:
    codes = {new_code(secrets.randbits) for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == LENGTH and set(code) <= set(ALPHABET) for code in codes)
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("01IO")


def test_a_code_is_kept_as_a_digest_and_known_however_it_is_spelled() -> None:
    code = new_code(secrets.randbits)
    sealed = seal(code, secrets.randbits)
    assert code.encode() not in sealed.digest + sealed.salt
    assert fits(sealed, typed(f" {code[:4].lower()}-{code[4:]} "))
    assert not fits(sealed, code[:-1])
    assert seal(code, secrets.randbits) != sealed


async def test_changes_and_codes_are_forgotten_in_time(tmp_path: Path) -> None:
    now = [NOW]
    retention = Retention(history=DAY, every=0.01)
    async with open_store(tmp_path / "s.db", clock=lambda: now[0], retention=retention) as store:
        await store.call(
            lambda opened: access.wait(
                opened, Waiting(SUE, "Sue", "c", NOW, NOW + LIFETIME), seal("A", secrets.randbits)
            )
        )
        await store.call(lambda opened: access.record(opened, OWNER, What.GRANTED, SUE, NOW, "old"))
        await store.call(lambda opened: access.record(opened, OWNER, What.GRANTED, SUE, NOW + DAY, "new"))
        now[0] = NOW + DAY + 1

        def left() -> list[object]:
            return [store.call(access.log), store.call(lambda opened: access.waiting(opened, NOW))]

        async with asyncio.timeout(30):
            while [len(await each) for each in left()] != [1, 0]:  # type: ignore[misc]
                await asyncio.sleep(0.01)
        assert [row.detail for row in await store.call(access.log)] == ["new"]


async def test_what_was_granted_and_chosen_is_there_after_a_start(tmp_path: Path) -> None:
    async with open_store(tmp_path / "s.db") as store:
        grants = Grants(store, lambda: NOW, secrets.randbits)
        await grants.give(SUE, Role.ADMIN, OWNER)
        await grants.activate("fake", "main", "a:group", Activation.ALWAYS, OWNER)
    async with open_store(tmp_path / "s.db") as store:
        grants = Grants(store, lambda: NOW, secrets.randbits)
        held = grants.of("fake", "main")
        assert (dict(held.people), dict(held.activation)) == ({}, {})
        await grants.load()
        assert [grant.role for grant in held.people["sue"]] == [Role.ADMIN]
        assert held.activation == {"a:group": Activation.ALWAYS}
        await grants.take(SUE, OWNER)
        await grants.activate("fake", "main", "a:group", None, OWNER)
        assert (dict(held.people), dict(held.activation)) == ({}, {})


async def test_an_account_lets_in_ten_thousand_and_no_more(tmp_path: Path) -> None:
    row = GrantRow(SUE, "", "member", is_paired=False, granted_at=NOW, granted_by="o")
    async with open_store(tmp_path / "s.db") as store:
        await store.call(lambda opened: opened.execute(_CROWD, (MAX_GRANTS - 1,)))
        assert await store.call(lambda opened: access.grant(opened, row, OWNER))
        another = replace(row, person=replace(SUE, sender="tim"))
        assert not await store.call(lambda opened: access.grant(opened, another, OWNER))
        assert await store.call(lambda opened: access.take(opened, SUE, OWNER, NOW))
        assert await store.call(lambda opened: access.grant(opened, another, OWNER))


_CROWD = """INSERT INTO access_grant WITH RECURSIVE number (at) AS (
    SELECT 1 UNION ALL SELECT at + 1 FROM number WHERE at < ?)
    SELECT 'fake', 'main', 'u' || at, '', 'member', 0, 0.0, 'o' FROM number"""
