"""/readyz: one account that fails takes the others out of service at no load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.access import Policy
from bot.server import Health, open_servers
from providers.fake import FakeProvider, answer
from tests.story.inside import inside

ANY_PORT = ("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("online", "is_draining", "status", "missing"),
    [
        ({"one": True, "two": True, "page": True}, False, 200, []),
        ({"one": True, "two": False, "page": True}, False, 200, ["fake:two"]),
        ({"one": False, "two": False, "page": True}, False, 503, ["fake:one", "fake:two"]),
        ({"page": True}, False, 200, []),
        ({"page": False}, False, 503, ["fake:page"]),
        ({"one": True, "page": True}, True, 503, ["daemon"]),
    ],
    ids=["all there", "one away", "both away", "the page alone", "the page alone away", "stopping"],
)
async def test_it_is_ready_while_anybody_out_there_can_be_answered_and_tells_what_is_missing(
    tmp_path: Path, online: Mapping[str, bool], is_draining: bool, status: int, missing: list[str]
) -> None:
    async with inside(tmp_path, FakeProvider("fake", answer("x"))) as running:
        app = running.app
        app.accounts.clear()
        for name, is_online in online.items():
            policy = Policy(is_local=name == "page")
            app.accounts["fake", name] = replace(running.account, policy=policy, is_online=is_online)
        app.is_draining = is_draining
        health = Health(app.missing, lambda: (b"", "text/plain"), serves=app.serves)
        async with (
            open_servers([], health, ANY_PORT, ANY_PORT) as listening,
            aiohttp.ClientSession() as session,
            session.get(f"{listening.private}/readyz") as response,
        ):
            said = await response.json()
    assert (response.status, said["ready"], sorted(said["missing"])) == (status, status == 200, missing)
