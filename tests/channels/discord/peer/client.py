"""Start the server as a process and speak to /control/ from a test, a bench or a story."""

from __future__ import annotations

import asyncio
import base64
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

ROOT = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot of the server: `dm` is its channel with the first person."""

    id: str
    token: str
    dm: str


class Peer:
    """A running server.

    `api_url` is what discord.py's Route.BASE takes, `gateway_url` its DEFAULT_GATEWAY. `guild`, `channel`, `person`:
    the ids of what every fresh world has; `bots`: its bots, `bot` the first of them.
    """

    def __init__(self, port: int, tokens: Sequence[str], session: aiohttp.ClientSession) -> None:
        self.port = port
        self.tokens = tuple(tokens)
        self.base_url = f"http://127.0.0.1:{port}"
        self.api_url = f"{self.base_url}/api/v10"
        self.gateway_url = f"ws://127.0.0.1:{port}/gateway"
        self.guild = self.channel = self.person = ""
        self.bots: tuple[Bot, ...] = ()
        self._session = session

    @property
    def bot(self) -> Bot:
        """The first bot."""
        return self.bots[0]

    @property
    def token(self) -> str:
        """The first bot's token."""
        return self.tokens[0]

    async def control(self, verb: str, **body: Any) -> Any:
        """One verb of /control/. Raises RuntimeError with the server's words when it is refused."""
        url = f"{self.base_url}/control/{verb}"
        async with self._session.post(url, data=orjson.dumps(body)) as response:
            found = orjson.loads(await response.read())
        if not found["ok"]:
            raise RuntimeError(f"/control/{verb}: {found['description']}")
        return found["result"]

    def order(self, verb: str, **body: Any) -> Any:
        """The same, but it blocks: for what must be arranged before the next line of a synchronous method runs."""
        request = urllib.request.Request(f"{self.base_url}/control/{verb}", orjson.dumps(body))
        with urllib.request.urlopen(request, timeout=10) as response:
            found = orjson.loads(response.read())
        if not found["ok"]:
            raise RuntimeError(f"/control/{verb}: {found['description']}")
        return found["result"]

    async def reset(self) -> None:
        """A fresh world: one guild, one text channel, one person, a DM with each bot; every socket is cut."""
        found = await self.control("reset")
        self.guild, self.channel, self.person = found["guild"], found["channel"], found["person"]
        self.bots = tuple(Bot(one["id"], one["token"], one["dm"]) for one in found["bots"])

    # What people do. Without `channel` the first text channel is meant, without `user` the first person.

    async def say(self, content: str = "", *, channel: str | None = None, **more: Any) -> str:
        """A person writes; returns the message's id. `more`: user, reply_to, ping, attachments, ago, silent."""
        item = {"content": content, "channel": channel or self.channel, **more}
        return str((await self.control("say", items=[item]))[0]["id"])

    async def say_all(self, items: Sequence[dict[str, Any]]) -> list[str]:
        """Many at once; the same fields."""
        full = [{"channel": self.channel, **item} for item in items]
        return [str(one["id"]) for one in await self.control("say", items=full)]

    async def attach(
        self, name: str, mime: str, data: bytes, *, content: str = "", channel: str | None = None, **more: Any
    ) -> str:
        """A person sends a file; `more` may hold duration_secs and waveform (a voice message)."""
        one = {"name": name, "mime": mime, "base64": base64.b64encode(data).decode(), **more}
        return await self.say(content, channel=channel, attachments=[one])

    def mention(self, bot: Bot | None = None) -> str:
        """The text that mentions a bot."""
        return f"<@{(bot or self.bot).id}>"

    async def edit(self, message: str, content: str) -> None:
        """A person edits a message."""
        await self.control("edit", message=message, content=content)

    async def say_again(self, message: str) -> None:
        """The gateway dispatches a message a second time."""
        await self.control("again", message=message)

    async def delete(self, message: str) -> None:
        """Somebody deletes a message; also one of ours."""
        await self.control("delete", message=message)

    async def react(self, message: str, emoji: str, *, off: bool = False, **more: Any) -> None:
        """A person puts a reaction, or takes it away."""
        await self.control("react", message=message, emoji=emoji, off=off, **more)

    async def typing(self, *, channel: str | None = None, **more: Any) -> None:
        """A person types."""
        await self.control("typing", channel=channel or self.channel, **more)

    async def command(
        self, name: str, options: dict[str, Any] | None = None, *, channel: str | None = None, **more: Any
    ) -> str:
        """A person sends a command of the menu; returns the interaction's id. "model set" names a sub-command."""
        where = channel or self.channel
        found = await self.control("command", name=name, options=options or {}, channel=where, **more)
        return str(found["id"])

    async def complete(
        self, name: str, focused: str, partial: str, *, channel: str | None = None, **more: Any
    ) -> str:
        """A person is typing an option that completes; returns the interaction's id."""
        where = channel or self.channel
        found = await self.control(
            "complete", name=name, focused=focused, partial=partial, channel=where, **more
        )
        return str(found["id"])

    async def press(self, message: str, custom_id: str, **more: Any) -> str:
        """A person presses a button; returns the interaction's id."""
        return str((await self.control("press", message=message, custom_id=custom_id, **more))["id"])

    async def thread(self, name: str, *, channel: str | None = None, message: str | None = None) -> str:
        """A person opens a thread; returns its id."""
        where = channel or self.channel
        return str(await self.control("add_thread", name=name, channel=where, message=message))

    async def dm(self, *, user: str | None = None, bot: Bot | None = None) -> str:
        """The DM of a person with a bot; returns its id."""
        return str(await self.control("open_dm", user=user or self.person, bot=(bot or self.bot).id))

    async def add_user(self, name: str, **more: Any) -> str:
        """Another person, in the guild; returns the id."""
        return str(await self.control("add_user", name=name, **more))

    async def add_channel(self, name: str, **more: Any) -> str:
        """Another text channel; returns its id."""
        return str(await self.control("add_channel", name=name, **more))

    async def add_role(self, name: str, **more: Any) -> str:
        """A role; `mentionable`, `members`. Returns its id."""
        return str(await self.control("add_role", name=name, **more))

    async def add_guild(self, name: str, **more: Any) -> str:
        """Another guild with one channel; returns its id."""
        return str(await self.control("add_guild", name=name, **more))

    async def deny(self, *permissions: str, channel: str | None = None) -> None:
        """Take permissions from the bots in a channel (VIEW_CHANNEL, SEND_MESSAGES ...); none gives all back."""
        await self.control("set_channel", channel=channel or self.channel, denied=list(permissions))

    async def close_dm(self, channel: str) -> None:
        """The person takes no messages there any more: 50007."""
        await self.control("set_channel", channel=channel, closed=True)

    async def kick(self, bot: Bot | None = None) -> None:
        """The bot is thrown out of the guild."""
        await self.control("kick", bot=(bot or self.bot).id)

    # Trouble.

    async def fault(self, route: str, times: int = 1, **what: Any) -> None:
        """Trouble for the next calls of a route (a name of rest.ROUTES, or "*").

        `what`: error=[status, code, message], status=502, delay=s, delay_after=s, hold=True (until `release`),
        drop="before" | "after", hang=True, malformed=True, rate_limit={"retry_after": s, "global": False, "scope": "user", "via": True}.
        """
        await self.control("fault", route=route, times=times, what=what)

    async def release(self) -> None:
        """Calls that are held go on."""
        await self.control("release")

    async def socket(self, do: str, *, bot: Bot | None = None, **more: Any) -> int:
        """Trouble on the bot's sockets now: drop, close (code=), no_acks, silent, reconnect, invalid, forget, raw."""
        return int(await self.control("socket", do=do, bot=(bot or self.bot).id, **more))

    async def settings(self, **changes: Any) -> None:
        """Fields of state.Settings: heartbeat, ack_deadline, shards ..."""
        await self.control("settings", **changes)

    async def limits(self, **changes: Any) -> None:
        """`enabled`, `global_rate`, `invalid_limit`, `buckets={"edit_message": [5, 5.0]}`."""
        await self.control("limits", **changes)

    async def advance(self, seconds: float) -> None:
        """Move the server's clock."""
        await self.control("advance", seconds=seconds)

    # What is to be seen.

    async def view(self, channel: str | None = None, *, person: str | None = None) -> dict[str, Any]:
        """The channel: messages, deleted ones, typing. With `person` only what that person sees."""
        return dict(await self.control("channel", channel=channel or self.channel, person=person))

    async def messages(self, channel: str | None = None, *, from_bot: bool = True) -> list[dict[str, Any]]:
        """The messages of bots there (of people, with from_bot False), oldest first."""
        found = (await self.view(channel))["messages"]
        return [one for one in found if one["from_bot"] is from_bot]

    async def texts(self, channel: str | None = None) -> list[str]:
        """What the bots' messages read now, oldest first."""
        return [one["content"] for one in await self.messages(channel)]

    async def interaction(self, number: str) -> dict[str, Any]:
        """How an interaction stands: state, ack_after, original, followups, choices."""
        return dict(await self.control("interaction", id=number))

    async def calls(self, route: str = "", **more: Any) -> list[dict[str, Any]]:
        """Recorded calls; `since`, `bot`, `channel`, `status` and `limit` narrow them; several routes by spaces."""
        return list(await self.control("calls", route=route, **more))

    async def state(self) -> dict[str, Any]:
        """Bots with counts, sessions and commands; invalid requests."""
        return dict(await self.control("state"))

    async def counts(self, bot: Bot | None = None) -> dict[str, int]:
        """identify, ready, resume, resume_url, resumed, left, heartbeats, interactions of a bot so far."""
        found = (await self.state())["bots"]
        return next(dict(one["counts"]) for one in found if one["id"] == (bot or self.bot).id)

    async def wait(self, timeout: float = 30.0, **condition: Any) -> Any:
        """Wait until a condition holds, and return what it is about.

        `channel=` with contains / equals / count / message / edits / buttons / reaction / typing / from_bot;
        `route=` with count / since / status / channel (`arrived=True` counts calls that are still being answered);
        `counted=` (a name of `counts`) with count; `connected=True | False`; `interaction=` with state
        (waiting, deferred, answered, failed). `bot=` for another than the first. Raises TimeoutError.
        """
        found = await self.control("wait", timeout=timeout, **condition)
        if found is None:
            seen = await self.texts(condition["channel"]) if "channel" in condition else None
            calls = [(one["name"], one["status"]) for one in (await self.calls())[-20:]]
            counts = await self.counts()
            raise TimeoutError(
                f"waited {timeout} s for {condition}; texts {seen}; {counts}; last calls {calls}"
            )
        return found


@asynccontextmanager
async def start_peer(*flags: str, python: str = sys.executable) -> AsyncIterator[Peer]:
    """Run the server with these command-line flags; it is ended on the way out."""
    process = await asyncio.create_subprocess_exec(
        python, "-m", "tests.channels.discord.peer", *flags, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        if not line:
            raise RuntimeError(f"the fake Discord ended with {await process.wait()}")
        ready = orjson.loads(line)
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            peer = Peer(ready["port"], ready["tokens"], session)
            await peer.reset()
            yield peer
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
