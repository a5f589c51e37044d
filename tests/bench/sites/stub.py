"""As much of a Matrix homeserver as a bot in plain rooms needs, and light: where our part is measured, Synapse's is not.

    python -m tests.bench.sites.stub

Keeps what was said in memory, echoes the bot's own events in its syncs as a homeserver does, limits nothing.
/control/ is for the bench: accounts, rooms, say, look. Paths: Matrix spec v1.16, Client-Server API.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web

Json = dict[str, Any]
PERSON = "@person:localhost"
_SEND = re.compile(r"/_matrix/client/v3/rooms/([^/]+)/send/([^/]+)/([^/]+)\Z")
_HOLD = 30.0


@dataclass(slots=True)
class Account:
    """A bot. `log`: its rooms' events in order; a sync's token is a number in it."""

    user: str
    token: str
    rooms: list[str] = field(default_factory=list)
    log: list[tuple[str, Json]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, room: str, event: Json) -> None:
        """Something happens in a room."""
        self.log.append((room, event))
        self.came.set()


@dataclass(slots=True)
class Room:
    """What was said there: (time, text), and (arrived, text) of each state of the bot's messages."""

    account: Account
    said: list[tuple[float, str]] = field(default_factory=list)
    states: list[tuple[float, str]] = field(default_factory=list)


class Stub:
    """The server."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._rooms: dict[str, Room] = {}
        self._sent: dict[tuple[str, str], str] = {}
        self._writes: list[tuple[float, bool]] = []
        self._numbers = itertools.count(1)
        self._verbs = {
            "open": self._open,
            "say": self._say,
            "look": self._look,
            "writes": self._write_times,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of anybody."""
        at, path = time.monotonic(), request.rel_url.raw_path
        raw = await request.read()
        body: Json = orjson.loads(raw) if raw else {}
        if path.startswith("/control/"):
            return _answer(self._verbs[path.removeprefix("/control/")](body))
        account = self._accounts.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if account is None:
            return _answer({"errcode": "M_UNKNOWN_TOKEN", "error": "who are you?"}, 401)
        if path.endswith("/sync"):
            return _answer(await self._sync(account, request.query))
        if request.method != "GET":
            self._writes.append((at, "/send/" in path))
        if found := _SEND.match(path):
            return _answer(self._take(account, [unquote(part) for part in found.groups()], body, at))
        if path.endswith("/account/whoami"):
            return _answer({"user_id": account.user, "device_id": "STUB"})
        return _answer({})

    def _take(self, account: Account, parts: list[str], body: Json, at: float) -> Json:
        room_id, kind, txn = parts
        known = self._sent.get((account.user, txn))
        if known is not None:
            return {"event_id": known}
        event = self._event(account.user, kind, body)
        self._sent[account.user, txn] = event["event_id"]
        room = self._rooms[room_id]
        room.states.append((at, str((body.get("m.new_content") or body).get("body", ""))))
        room.account.put(room_id, event)
        return {"event_id": event["event_id"]}

    def _event(self, sender: str, kind: str, content: Json) -> Json:
        return {
            "event_id": f"$event{next(self._numbers)}",
            "sender": sender,
            "type": kind,
            "origin_server_ts": int(time.time() * 1000),
            "content": content,
        }

    async def _sync(self, account: Account, query: Any) -> Json:
        if "since" not in query:
            part: Json = {
                "summary": {"m.joined_member_count": 2, "m.invited_member_count": 0},
                "timeline": {"events": []},
            }
            return _since(account, dict.fromkeys(account.rooms, part))
        since = int(query["since"])
        hold = min(_HOLD, int(query.get("timeout", "0")) / 1000)
        if len(account.log) == since and hold:
            account.came.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(account.came.wait(), hold)
        rooms: dict[str, Json] = {}
        for room, event in account.log[since:]:
            fresh: Json = {"timeline": {"events": [], "limited": False, "prev_batch": "0"}}
            rooms.setdefault(room, fresh)["timeline"]["events"].append(event)
        return _since(account, rooms)

    # /control/

    def _open(self, body: Json) -> Json:
        """`accounts` bots, and `rooms` conversations spread over them."""
        count = int(body["accounts"])
        made = [Account(f"@bot{at}:localhost", f"stub-token-{at}") for at in range(count)]
        self._accounts = {one.token: one for one in made}
        ids = [f"!room{at}:localhost" for at in range(int(body["rooms"]))]
        for at, room in enumerate(ids):
            account = made[at % count]
            account.rooms.append(room)
            self._rooms[room] = Room(account)
        return {"accounts": [[one.user, one.token] for one in made], "rooms": ids}

    def _say(self, body: Json) -> Json:
        """`items`: [room, text]."""
        for room_id, text in body["items"]:
            room = self._rooms[room_id]
            room.said.append((time.monotonic(), text))
            content = {"msgtype": "m.text", "body": text}
            room.account.put(room_id, self._event(PERSON, "m.room.message", content))
        return {}

    def _look(self, body: Json) -> Json:
        """`rooms`."""
        rooms = [self._rooms[room] for room in body["rooms"]]
        return {"rooms": [{"said": room.said, "states": room.states} for room in rooms]}

    def _write_times(self, body: Json) -> Json:
        """When writes arrived, and whether a person sees them as text."""
        return {"writes": self._writes}


def _since(account: Account, rooms: dict[str, Json]) -> Json:
    return {"next_batch": str(len(account.log)), "rooms": {"join": rooms}}


def _answer(found: Json, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(found), content_type="application/json")


async def _main() -> None:
    runner = web.ServerRunner(web.Server(Stub().handle, access_log=None), shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(orjson.dumps({"port": runner.addresses[0][1], "pid": os.getpid()}).decode(), flush=True)
    await stop.wait()
    await runner.cleanup()


def _run() -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_main())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())


if __name__ == "__main__":
    _run()
