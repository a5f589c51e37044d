"""What an owner is told of an account before it runs: over the wire, and from what Telegram may say."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from channels.base import Finding, Level
from channels.telegram import SPEC
from channels.telegram.parse import WANTED
from channels.telegram.probe import about_bot, about_webhook
from tests.channels.telegram.hosts import settings
from tests.channels.telegram.peer.client import Peer

HOOK = "https://bot.example.org"
NOW = 1_763_700_000.0


async def probe(peer: Peer, **more: Any) -> list[Finding]:
    assert SPEC.probe is not None
    found = list(await SPEC.probe("main", settings(peer, **more)))
    told = " ".join(f"{finding.what} {finding.remedy}" for finding in found)
    assert peer.token not in told and peer.token.partition(":")[2] not in told
    return found


def problems(found: list[Finding]) -> list[str]:
    return [finding.what for finding in found if finding.level is not Level.OK]


async def test_an_account_that_is_well_has_nothing_to_mend(peer: Peer) -> None:
    found = await probe(peer)
    assert problems(found) == []
    assert any("firstword_700100_bot" in finding.what for finding in found)
    assert any("Privacy mode is on" in finding.what for finding in found)
    assert {call["method"] for call in await peer.calls()} == {"getme", "getwebhookinfo"}


async def test_a_token_that_is_not_accepted_is_one_problem(peer: Peer) -> None:
    await peer.control("revoke")
    [finding] = await probe(peer)
    assert finding.level is Level.PROBLEM and "token" in finding.what and "BotFather" in finding.remedy
    await peer.control("revoke", off=True)


@pytest.mark.parametrize("fault", [{"status": 502}, {"drop": "before"}, {"malformed": True}])
async def test_a_server_that_does_not_answer_is_one_problem(peer: Peer, fault: dict[str, Any]) -> None:
    await peer.fault("getMe", **fault)
    [finding] = await probe(peer)
    assert finding.level is Level.PROBLEM and "cannot be reached" in finding.what


async def test_a_server_that_is_not_there_is_one_problem(peer: Peer) -> None:
    [finding] = await probe(peer, baseUrl="http://127.0.0.1:9")
    assert finding.level is Level.PROBLEM and "127.0.0.1:9" in finding.what


async def test_an_open_privacy_mode_is_told(peer: Peer) -> None:
    await peer.control("set_bot", user={"can_read_all_group_messages": True, "can_join_groups": False})
    told = problems(await probe(peer))
    assert len(told) == 2 and any("Privacy mode is off" in what for what in told)


async def test_a_webhook_in_the_way_of_polling_is_told(peer: Peer) -> None:
    await _set_webhook(peer, "https://elsewhere.example.org/x")
    assert len(problems(await probe(peer))) == 1
    assert problems(await probe(peer, webhook={"url": HOOK})) == ["The webhook points to another place."]
    await _set_webhook(peer, f"{HOOK}/telegram/main")
    assert problems(await probe(peer, webhook={"url": HOOK})) == []


async def _set_webhook(peer: Peer, url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{peer.base_url}/bot{peer.token}/setWebhook", json={"url": url}) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize(
    ("hook", "level", "part"),
    [
        ({"url": ""}, Level.WARNING, "No webhook is set yet"),
        (
            {"last_error_date": int(NOW) - 60, "last_error_message": "SSL error"},
            Level.PROBLEM,
            "SSL error",
        ),
        ({"last_error_date": int(NOW) - 86_400, "last_error_message": "old"}, Level.OK, "points to"),
        ({"allowed_updates": ["message"]}, Level.WARNING, "message_reaction"),
        ({"allowed_updates": list(WANTED)}, Level.OK, "points to"),
        ({"pending_update_count": 101}, Level.WARNING, "101 updates"),
        ({"pending_update_count": "x", "allowed_updates": 5, "last_error_date": "y"}, Level.OK, "points to"),
    ],
)
def test_what_telegram_says_of_the_webhook_is_put_into_words(
    peer: Peer, hook: dict[str, Any], level: Level, part: str
) -> None:
    given = {"url": f"{HOOK}/telegram/main", **hook}
    found = about_webhook(given, "main", settings(peer, webhook={"url": HOOK}), NOW)
    assert any(finding.level is level and part in finding.what for finding in found), found
    assert all(finding.level in (Level.OK, level) for finding in found)


def test_an_answer_of_another_shape_is_no_fault_of_ours() -> None:
    assert about_bot({})[0].level is Level.OK
