"""discord.py's gateway socket, with a loop of our own around it.

The library's `DiscordWebSocket` does the protocol: compression, heartbeats in a thread, HELLO, IDENTIFY, RESUME, the
opcodes. `Client.connect` around it is not used (discord.py 2.7.1, client.py, state.py): it waits for ever for RESUMED,
holds the session only in memory so that a restart loses what happened meanwhile, hands events on as objects in tasks
of which none can be confirmed, and ends for good on one event that it cannot read. Its gateway address is one class
attribute for the process; here it is an argument.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, cast

import aiohttp
import yarl

from channels.discord.session import Session

with warnings.catch_warnings():
    # The library's voice player imports audioop, which Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord.errors import ConnectionClosed
    from discord.gateway import DiscordWebSocket, ReconnectWebSocket

__all__ = [
    "ConnectionClosed",
    "Identity",
    "ReconnectWebSocket",
    "Socket",
    "intents_value",
    "quiet_library_logs",
]

Dispatched = Callable[[str, Any], None]
_FAREWELL = 1.0  # seconds


def quiet_library_logs() -> None:
    """What the library logs below warnings holds payloads; its warnings of voice codecs concern nobody here."""
    logging.getLogger("discord").setLevel(logging.WARNING)
    for name in ("discord.client", "discord.gateway", "discord.state"):
        logging.getLogger(name).setLevel(logging.ERROR)


def intents_value(*, message_content: bool) -> int:
    """The intents to identify with; only Message Content is privileged.

    Typing is asked for in direct messages alone: in servers it is most of what a gateway sends.
    """
    intents = discord.Intents.none()
    intents.guilds = True
    intents.guild_messages = True
    intents.dm_messages = True
    intents.guild_reactions = True
    intents.dm_reactions = True
    intents.dm_typing = True
    intents.message_content = message_content
    return intents.value


@dataclass(slots=True)
class _Value:
    value: int


class _Parsers(dict[str, Callable[[Any], None]]):
    """The library looks a handler up by the event's name and calls it with the payload: every name has one."""

    def __init__(self, dispatched: Dispatched) -> None:
        super().__init__()
        self._dispatched = dispatched

    def __missing__(self, name: str) -> Callable[[Any], None]:
        return lambda data: self._dispatched(name, data)


@dataclass(slots=True)
class _State:
    """The part of the library's ConnectionState that a socket reads."""

    parsers: _Parsers
    heartbeat_timeout: float
    _intents: _Value
    shard_count: int
    _activity: None = None
    _status: None = None

    async def call_hooks(self, key: str, *args: Any, **more: Any) -> None:
        """None are set."""

    def _update_references(self, ws: Any) -> None:
        """Voice alone has any."""


@dataclass(slots=True)
class _Http:
    """The part of the library's HTTPClient that a socket needs."""

    token: str
    session: aiohttp.ClientSession
    proxy: str | None
    close_seconds: float

    def __repr__(self) -> str:
        return "_Http()"

    async def ws_connect(self, url: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(
            url,
            proxy=self.proxy,
            max_msg_size=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=self.close_seconds),
            autoclose=False,
        )


@dataclass(slots=True)
class _Client:
    """The part of the library's Client that a socket reads."""

    loop: asyncio.AbstractEventLoop
    http: _Http
    _connection: _State
    _enable_debug_events: bool = False

    def dispatch(self, *args: Any) -> None:
        """Events of the library's own; ours come through the parsers."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a socket says of itself. The token stays out of its repr."""

    token: str = field(repr=False)
    intents: int
    shard: int
    shards: int


class Socket:
    """One connection to the gateway, from opening to closing. Use it in `async with`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        identity: Identity,
        dispatched: Callable[[Socket, str, Any], None],
        *,
        proxy: str | None,
        silence: float,
    ) -> None:
        self._identity = identity
        self._ws: DiscordWebSocket | None = None
        parsers = _Parsers(lambda name, data: dispatched(self, name, data))
        state = _State(parsers, silence, _Value(identity.intents), identity.shards)
        http = _Http(identity.token, session, proxy, close_seconds=min(5.0, silence))
        self._client = _Client(asyncio.get_running_loop(), http, state)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Hang up so that the session can be resumed: any code but 1000 and 1001 keeps it."""
        if self._ws is None:
            return
        ws, self._ws = self._ws, None
        # A farewell is not worth waiting for; cut short, aiohttp closes the connection all the same.
        try:
            async with asyncio.timeout(_FAREWELL):
                await ws.close(4000)
        except (TimeoutError, OSError, aiohttp.ClientError):
            pass

    async def open(self, gateway: str, session: Session | None) -> None:
        """Connect, take HELLO, IDENTIFY or RESUME. Raises what the library raises."""
        outer = self

        class Kept(DiscordWebSocket):
            """Known before it is open, so that one that hangs in HELLO is closed, too."""

            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                outer._ws = self

        await Kept.from_client(
            cast("discord.Client", self._client),
            gateway=yarl.URL(gateway),
            shard_id=self._identity.shard,
            session=session.id if session is not None else None,
            sequence=session.seq if session is not None else None,
            resume=session is not None,
        )

    async def poll(self) -> None:
        """Take one frame. Raises what the library raises."""
        assert self._ws is not None  # noqa: S101 - polled while open only
        await self._ws.poll_event()

    @property
    def seq(self) -> int:
        """The number of the last dispatch."""
        return self._ws.sequence or 0 if self._ws is not None else 0

    @property
    def close_code(self) -> int | None:
        """With which code the other end closed it."""
        return self._ws.socket.close_code if self._ws is not None else None

    def session(self) -> Session | None:
        """What can be resumed from here, None before READY."""
        ws = self._ws
        if ws is None or not ws.session_id:
            return None
        return Session(ws.session_id, ws.sequence or 0, str(ws.gateway.with_query(None)))
