"""The small Matrix homeserver of this folder as a site: many rooms, a few accounts, no limits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from tests.bench.daemon import ROOT
from tests.bench.sites.base import Look, Said, State, Write


class LightMatrix:
    """See sites.base.Site."""

    channel = "matrix"

    def __init__(self, url: str, session: aiohttp.ClientSession, more: dict[str, Any]) -> None:
        self._url = url
        self._session = session
        self._more = more
        self._bots: list[tuple[str, str]] = []
        self._rooms: list[str] = []

    @property
    def places(self) -> int:
        """See sites.base.Site."""
        return len(self._rooms)

    async def furnish(self, places: int, bots: int) -> None:
        """Make the bots and the conversations."""
        found = await self._control("open", accounts=bots, rooms=places)
        self._bots, self._rooms = [tuple(one) for one in found["accounts"]], found["rooms"]

    def accounts(self) -> dict[str, Any]:
        """See sites.base.Site."""
        return {
            f"bot{at}": {
                "homeserver": self._url,
                "userId": user,
                "accessToken": token,
                "encryption": "off",
                "allow": ["*"],
                "stopLoops": False,  # its people are programs
                "groups": ["*"],
                **self._more,
            }
            for at, (user, token) in enumerate(self._bots)
        }

    async def connected(self) -> None:
        """See sites.base.Site. Nothing to add to the daemon's own word: it says so after its first sync."""

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """See sites.base.Site."""
        await self._control("say", items=[[self._rooms[place], text] for place, text in items])

    async def look(self, places: Sequence[int]) -> list[Look]:
        """See sites.base.Site."""
        found = await self._control("look", rooms=[self._rooms[place] for place in places])
        return [
            Look(tuple(Said(*one) for one in room["said"]), tuple(State(*one) for one in room["states"]))
            for room in found["rooms"]
        ]

    async def writes(self) -> list[Write]:
        """See sites.base.Site."""
        return [Write(at, is_text, 200) for at, is_text in (await self._control("writes"))["writes"]]

    async def _control(self, verb: str, **body: Any) -> Any:
        async with self._session.post(f"{self._url}/control/{verb}", data=orjson.dumps(body)) as response:
            return orjson.loads(await response.read())


@asynccontextmanager
async def open_light_matrix(places: int, *, bots: int, **more: Any) -> AsyncIterator[LightMatrix]:
    """`more`: further settings of the accounts, as in config.json."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.sites.stub", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        if not line:
            raise RuntimeError(f"the small homeserver ended with {await process.wait()}")
        url = f"http://127.0.0.1:{orjson.loads(line)['port']}"
        async with aiohttp.ClientSession() as session:
            site = LightMatrix(url, session, more)
            await site.furnish(places, bots)
            yield site
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
