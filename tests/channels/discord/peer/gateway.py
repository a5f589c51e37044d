"""The gateway: HELLO, IDENTIFY, heartbeats, RESUME, and the codes that it closes with.

Source: Discord docs, "Gateway" and "Opcodes and Status Codes", Gateway Close Event Codes (2026-11).
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections import deque
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from . import payloads
from .sessions import GUILD_MEMBERS, GUILD_PRESENCES, GUILDS, MESSAGE_CONTENT, Session
from .state import Account, World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, ACK = 7, 8, 9, 10, 11

UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, BAD_TOKEN, ALREADY_AUTHENTICATED = (
    4001,
    4002,
    4003,
    4004,
    4005,
)
INVALID_SEQ, RATE_LIMITED, TIMED_OUT, INVALID_SHARD, SHARDING_REQUIRED = 4007, 4008, 4009, 4010, 4011
INVALID_VERSION, INVALID_INTENTS, DISALLOWED_INTENTS = 4012, 4013, 4014

# Discord docs, Gateway, Rate Limiting: 120 events in 60 s; Sending Events: 4096 bytes.
MAX_SENDS = 120
MAX_PAYLOAD = 4096
# All documented intents: bits 0-16, 20, 21, 24, 25.
KNOWN_INTENTS = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25
_PRIVILEGED = {"members": GUILD_MEMBERS, "presence": GUILD_PRESENCES, "message_content": MESSAGE_CONTENT}


class Socket:
    """One WebSocket; frames go out in order from a task of its own."""

    def __init__(self, request: web.BaseRequest, ws: web.WebSocketResponse, *, is_compressed: bool) -> None:
        self._request = request
        self._ws = ws
        self._zlib = zlib.compressobj() if is_compressed else None
        self._out: asyncio.Queue[bytes | int] = asyncio.Queue()
        self.session: Session | None = None
        self.acks = True
        self.is_closing = False
        self.has_code = False
        self.last_beat = 0.0

    def put(self, frame: bytes) -> None:
        """Send a frame after those before it."""
        self._out.put_nowait(frame)

    def send(self, op: int, data: Any = None) -> None:
        """Send what is no dispatch."""
        self.put(orjson.dumps({"op": op, "d": data, "s": None, "t": None}))

    def close(self, code: int) -> None:
        """Close after what was put before."""
        self.is_closing = self.has_code = True
        self._out.put_nowait(code)

    def drop(self) -> None:
        """Cut the connection now."""
        self.is_closing = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def pump(self) -> None:
        """Until the socket is closed."""
        with contextlib.suppress(ConnectionError):
            while True:
                frame = await self._out.get()
                if isinstance(frame, int):
                    await self._ws.close(code=frame)
                    return
                if self._zlib is None:
                    await self._ws.send_str(frame.decode())
                else:
                    # Discord docs, Gateway, Transport Compression: one zlib context for the whole connection.
                    data = self._zlib.compress(frame) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self._ws.send_bytes(data)


class Gateway:
    """All sockets of the server."""

    def __init__(self) -> None:
        self.sockets: set[Socket] = set()

    async def handle(self, request: web.BaseRequest, world: World) -> web.StreamResponse:
        """One connection from its first frame to its last."""
        ws = web.WebSocketResponse(max_msg_size=1 << 20, timeout=1.0)
        await ws.prepare(request)
        compressed = request.query.get("compress") == "zlib-stream"
        socket = Socket(request, ws, is_compressed=compressed)
        self.sockets.add(socket)
        pump = asyncio.create_task(socket.pump())
        try:
            socket.send(
                HELLO, {"heartbeat_interval": int(world.settings.heartbeat * 1000), "_trace": ["fake"]}
            )
            if request.query.get("v", "10") not in ("9", "10"):
                socket.close(INVALID_VERSION)
            await self._talk(world, socket, ws, path=request.path)
        finally:
            self.sockets.discard(socket)
            self._leave(world, socket)
            if socket.has_code:
                await asyncio.wait({pump}, timeout=2)
            pump.cancel()
            await asyncio.wait({pump})
        return ws

    def _leave(self, world: World, socket: Socket) -> None:
        session = socket.session
        if session is not None and session.link is socket:
            session.link = None
            session.left_at = world.clock.now()
            session.account.count("left")
            world.changed()

    async def _talk(self, world: World, socket: Socket, ws: web.WebSocketResponse, *, path: str) -> None:
        interval = world.settings.heartbeat
        socket.last_beat = asyncio.get_running_loop().time()
        sent: deque[float] = deque(maxlen=MAX_SENDS)
        while True:
            # Assumption: Discord's grace for a late heartbeat is not published; half an interval here.
            patience = socket.last_beat + 1.5 * interval - asyncio.get_running_loop().time()
            try:
                frame = await ws.receive(max(0.0, patience))
            except TimeoutError:
                self._forget(socket)
                socket.close(TIMED_OUT)
                return
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                if frame.type is WSMsgType.CLOSE and frame.data in (1000, 1001):
                    # Discord docs, Gateway, Disconnecting: closing with 1000 or 1001 invalidates the session.
                    self._forget(socket)
                return
            if socket.is_closing:
                continue
            now = asyncio.get_running_loop().time()
            if len(sent) == MAX_SENDS and sent[0] > now - 60:
                socket.close(RATE_LIMITED)
                continue
            sent.append(now)
            code = self._take(world, socket, frame.data, path)
            if code is not None:
                socket.close(code)

    def _forget(self, socket: Socket) -> None:
        if socket.session is not None:
            socket.session.account.sessions.pop(socket.session.id, None)

    def _take(self, world: World, socket: Socket, data: str | bytes, path: str) -> int | None:
        """One frame of the bot; a code to close with."""
        if len(data) > MAX_PAYLOAD:
            return DECODE_ERROR
        try:
            frame = orjson.loads(data)
            op, body = frame["op"], frame.get("d")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return DECODE_ERROR
        if op == HEARTBEAT:
            socket.last_beat = asyncio.get_running_loop().time()
            if socket.session is not None:
                socket.session.account.count("heartbeats")
            if socket.acks:
                socket.send(ACK)
            return None
        if op == IDENTIFY:
            return ALREADY_AUTHENTICATED if socket.session else self._identify(world, socket, body)
        if op == RESUME:
            return ALREADY_AUTHENTICATED if socket.session else self._resume(world, socket, body, path)
        if op not in (PRESENCE, VOICE, REQUEST_MEMBERS, 31):
            return UNKNOWN_OPCODE
        if socket.session is None:
            return NOT_AUTHENTICATED
        if op == REQUEST_MEMBERS:
            _members(world, socket.session, body)
        return None

    def _identify(self, world: World, socket: Socket, body: Any) -> int | None:
        if not isinstance(body, dict) or "properties" not in body:
            return DECODE_ERROR
        account = world.accounts.get(str(body.get("token", "")).removeprefix("Bot "))
        if account is None or account.is_revoked:
            return BAD_TOKEN
        account.count("identify")
        world.changed()
        if account.counts["identify"] > world.settings.session_starts:
            account.is_revoked = True
            return BAD_TOKEN
        number, count = body.get("shard") or (0, 1)
        refused = self._refuse(world, account, body.get("intents"), number, count)
        if refused is not None:
            return refused
        if world.socket_faults.get("disallow"):
            world.socket_faults.pop("disallow")
            return DISALLOWED_INTENTS
        if not _may_identify(world, account, number):
            # Discord docs, Gateway, Rate Limiting: too many IDENTIFYs in 5 s get an invalid session.
            account.count("identify_too_early")
            socket.send(INVALID_SESSION, False)
            return None
        session = Session(account, int(body["intents"]), (number, count), link=socket)
        socket.session = session
        account.sessions[session.id] = session
        _ready(world, session)
        return None

    def _refuse(self, world: World, account: Account, intents: Any, number: int, count: int) -> int | None:
        if not isinstance(intents, int) or intents & ~KNOWN_INTENTS:
            return INVALID_INTENTS
        for name, bit in _PRIVILEGED.items():
            if intents & bit and name not in account.granted:
                return DISALLOWED_INTENTS
        if not 0 <= number < count:
            return INVALID_SHARD
        if count == 1 and world.settings.sharding_required:
            return SHARDING_REQUIRED
        return None

    def _resume(self, world: World, socket: Socket, body: Any, path: str) -> int | None:
        if not isinstance(body, dict) or not {"token", "session_id", "seq"} <= set(body):
            return DECODE_ERROR
        account = world.accounts.get(str(body["token"]).removeprefix("Bot "))
        if account is None or account.is_revoked:
            return BAD_TOKEN
        account.count("resume")
        if path == "/resume":
            account.count("resume_url")
        world.changed()
        ignored = int(world.socket_faults.get("ignore_resume", 0))
        if ignored:
            world.socket_faults["ignore_resume"] = ignored - 1
            return None
        session = account.sessions.get(str(body["session_id"]))
        if session is None or session.is_over(world):
            account.sessions.pop(str(body["session_id"]), None)
            socket.send(INVALID_SESSION, False)
            return None
        if not isinstance(body["seq"], int) or body["seq"] > session.seq:
            return INVALID_SEQ
        if session.link is not None:
            session.link.drop()
        session.link, session.left_at, session.is_silent = socket, None, False
        socket.session = session
        if not session.replay(body["seq"]):
            del account.sessions[session.id]
            session.link = socket.session = None
            socket.send(INVALID_SESSION, False)
            return None
        session.push("RESUMED", {"_trace": ["fake"]})
        account.count("resumed")
        world.changed()
        return None


def _may_identify(world: World, account: Account, number: int) -> bool:
    now, settings = world.clock.now(), world.settings
    key = number % settings.max_concurrency
    recent = [(at, slot) for at, slot in account.identifies if at > now - settings.identify_interval]
    account.identifies = [*recent, (now, key)]
    return not settings.identify_interval or all(slot != key for _, slot in recent)


def _ready(world: World, session: Session) -> None:
    account = session.account
    guilds = [one for one in world.guilds.values() if account.id in one.members and session.covers(one)]
    flags = payloads.application(world, account)["flags"]
    session.push(
        "READY",
        {
            "v": 10,
            "user": {**payloads.user(account.user), "verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": one.id, "unavailable": True} for one in guilds],
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "session_id": session.id,
            "session_type": "normal",
            # Its own path, so that a test sees whether the bot used it.
            "resume_gateway_url": world.base_url.replace("http", "ws", 1) + "/resume",
            "shard": list(session.shard),
            "application": {"id": account.id, "flags": flags},
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
        },
    )
    session.is_ready = True
    account.count("ready")
    if session.has(GUILDS):
        for one in guilds:
            if not one.is_down:
                session.push("GUILD_CREATE", payloads.guild(world, one, account))
    world.changed()


def _members(world: World, session: Session, body: Any) -> None:
    """Discord docs, Request Guild Members; the full list only with the members intent."""
    guild = world.guilds.get(str(body.get("guild_id")) if isinstance(body, dict) else "")
    if guild is None or session.account.id not in guild.members:
        return
    wanted = body.get("user_ids")
    if wanted is not None:
        ids = [str(who) for who in (wanted if isinstance(wanted, list) else [wanted])]
    elif session.has(GUILD_MEMBERS) or body.get("query"):
        prefix = str(body.get("query") or "").lower()
        ids = [who for who in guild.members if world.users[who].username.lower().startswith(prefix)]
        ids = ids[: int(body.get("limit") or len(ids))]
    else:
        ids = [session.account.id]
    chunk: dict[str, Any] = {
        "guild_id": guild.id,
        "members": [payloads.member(world, guild, who) for who in ids if who in guild.members],
        "not_found": [who for who in ids if who not in guild.members],
        "chunk_index": 0,
        "chunk_count": 1,
    }
    if body.get("nonce"):
        chunk["nonce"] = body["nonce"]
    session.push("GUILD_MEMBERS_CHUNK", chunk)
