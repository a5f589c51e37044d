"""Probes run side by side, within their deadlines, and none takes another one down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from bot.probes import AT_ONCE, DEADLINE, TOTAL, probe_accounts
from bot.settings import AccountSettings
from channels.base import Finding, Level
from tests.bot.settings.places import RADIO, RadioSettings
from tests.virtual_time import virtual_time

SECRET = "a-canary-of-a-secret"
Probe = Callable[[str, Any], Awaitable[Sequence[Finding]]]


def account(probe: Probe | None, name: str = "main", **spec: Any) -> AccountSettings:
    """An account of a stranger's channel with that probe."""
    settings = RadioSettings.model_validate({"token": SECRET})
    return AccountSettings("radio", name, replace(RADIO, probe=probe, **spec), settings, owner=("1",))


async def fine(name: str, settings: Any) -> Sequence[Finding]:
    return [Finding(Level.OK, f"{name} is there")]


async def silent(name: str, settings: Any) -> Sequence[Finding]:
    await asyncio.Event().wait()
    return ()


@virtual_time
async def test_a_service_that_never_answers_is_a_problem_after_the_deadline() -> None:
    began = asyncio.get_running_loop().time()
    stuck, good = await probe_accounts([account(silent), account(fine, "team")])
    assert asyncio.get_running_loop().time() - began == DEADLINE
    assert (stuck.worst, stuck.findings[0].what) == (Level.PROBLEM, "did not answer in time")
    assert "channels.radio.accounts.main" in stuck.findings[0].remedy
    assert good.findings == (Finding(Level.OK, "team is there"),)


@virtual_time
async def test_many_silent_services_end_at_the_deadline_of_all() -> None:
    many = [account(silent, f"n{number}") for number in range(5 * AT_ONCE)]
    began = asyncio.get_running_loop().time()
    found = await probe_accounts(many)
    assert asyncio.get_running_loop().time() - began == TOTAL
    assert [each.account.name for each in found] == [each.name for each in many]
    assert {each.worst for each in found} == {Level.PROBLEM}


@virtual_time
async def test_only_so_many_probes_run_at_once() -> None:
    running, most = 0, 0

    async def counted(name: str, settings: Any) -> Sequence[Finding]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return await fine(name, settings)

    found = await probe_accounts([account(counted, f"n{number}") for number in range(3 * AT_ONCE)])
    assert most == AT_ONCE
    assert {each.worst for each in found} == {Level.OK}


async def test_a_probe_that_raises_is_a_problem_without_the_secret() -> None:
    async def broken(name: str, settings: Any) -> Sequence[Finding]:
        raise ValueError(f"no such thing as {settings.token.get_secret_value()}")

    bad, good = await probe_accounts([account(broken), account(fine, "team")], [SECRET])
    assert bad.worst is Level.PROBLEM
    assert bad.findings[0].what == "its probe failed: ValueError: no such thing as ***"
    assert good.worst is Level.OK


async def test_a_finding_that_holds_a_secret_is_masked() -> None:
    async def careless(name: str, settings: Any) -> Sequence[Finding]:
        return [Finding(Level.WARNING, f"{SECRET} is old", f"replace {SECRET}")]

    [found] = await probe_accounts([account(careless)], [SECRET])
    assert found.findings == (Finding(Level.WARNING, "*** is old", "replace ***"),)
    assert found.worst is Level.WARNING


async def test_an_account_without_a_probe_or_a_finding_is_in_order() -> None:
    async def nothing(name: str, settings: Any) -> Sequence[Finding]:
        return ()

    without, empty = await probe_accounts([account(None), account(nothing, "team")])
    assert without.findings == (Finding(Level.OK, "can be checked only while it runs"),)
    assert empty.findings == (Finding(Level.OK, "is in order"),)


async def test_a_channel_of_the_foreground_is_not_probed() -> None:
    assert await probe_accounts([account(silent, is_foreground=True)]) == []
