"""Start the server as a process and speak to /control/ from a test or a bench."""

from __future__ import annotations

import asyncio
import base64
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

ROOT = Path(__file__).resolve().parents[4]


class Peer:
    """One workspace of a running server, with its tokens. `other(1)` is the second workspace.

    `base_url` is what slack_sdk takes as `base_url`, `root_url` the server itself.
    """

    def __init__(
        self,
        port: int,
        accounts: list[dict[str, str]],
        session: aiohttp.ClientSession,
        number: int = 0,
    ) -> None:
        identity = accounts[number]
        self.port = port
        self.root_url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root_url}/api/"
        self.team = identity["team"]
        self.app_id = identity["app"]
        self.bot_user = identity["bot_user"]
        self.bot_id = identity["bot"]
        self.bot_token = identity["bot_token"]
        self.app_token = identity["app_token"]
        self.signing_secret = identity["signing_secret"]
        self._accounts = accounts
        self._session = session

    def other(self, number: int) -> Peer:
        """Another workspace of the same server."""
        return Peer(self.port, self._accounts, self._session, number)

    async def control(self, verb: str, **body: Any) -> Any:
        """One verb of /control/ (control.py). Raises RuntimeError with the server's words when it is refused."""
        url = f"{self.root_url}/control/{verb}"
        async with self._session.post(url, data=orjson.dumps({"team": self.team, **body})) as response:
            found = orjson.loads(await response.read())
        if not found["ok"]:
            raise RuntimeError(f"/control/{verb}: {found['error']} {found.get('description', '')}")
        return found["result"]

    def control_now(self, verb: str, **body: Any) -> Any:
        """The same, blocking: for what has to stand before the next line of a plain function."""
        data = orjson.dumps({"team": self.team, **body})
        with urllib.request.urlopen(f"{self.root_url}/control/{verb}", data, timeout=5) as response:
            return orjson.loads(response.read())["result"]

    # What people do

    async def say(self, channel: str, text: str = "", **more: Any) -> dict[str, Any]:
        """A person writes; returns {"channel", "ts", "event_ids"}. See people.say for `more`."""
        found = await self.control("say", items=[{"channel": channel, "text": text, **more}])
        return dict(found[0])

    async def say_all(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Many at once; the same fields."""
        return list(await self.control("say", items=items))

    async def mention(self, channel: str, text: str, **more: Any) -> dict[str, Any]:
        """A person writes to the bot by name."""
        return await self.say(channel, f"<@{self.bot_user}> {text}", **more)

    async def attach(
        self, channel: str, name: str, mime: str, data: bytes, text: str = "", **more: Any
    ) -> dict[str, Any]:
        """A person writes with a file."""
        file = {"name": name, "mime": mime, "base64": base64.b64encode(data).decode()}
        return await self.say(channel, text, files=[{**file, **more.pop("file", {})}], **more)

    async def edit(self, channel: str, ts: str, text: str) -> None:
        """A person edits their message."""
        await self.control("edit", channel=channel, ts=ts, text=text)

    async def delete(self, channel: str, ts: str) -> None:
        """Somebody deletes a message, theirs or the bot's."""
        await self.control("delete", channel=channel, ts=ts)

    async def react(self, channel: str, ts: str, name: str, *, off: bool = False) -> None:
        """A person reacts."""
        await self.control("react", channel=channel, ts=ts, name=name, off=off)

    async def press(self, channel: str, ts: str, action_id: str, **more: Any) -> dict[str, Any]:
        """A person presses a button; returns the delivery's number and the response_url."""
        return dict(await self.control("press", channel=channel, ts=ts, action_id=action_id, **more))

    async def command(self, channel: str, command: str, text: str = "", **more: Any) -> dict[str, Any]:
        """A person types a slash command; returns the delivery's number and the response_url."""
        return dict(await self.control("command", channel=channel, command=command, text=text, **more))

    # Trouble

    async def fault(self, method: str, times: int = 1, channel: str = "", **what: Any) -> None:
        """Trouble for the next calls; see control._faults for the fields."""
        await self.control("faults", method=method, times=times, channel=channel, what=what)

    async def settings(self, **fields: Any) -> None:
        """Set fields of state.Settings."""
        await self.control("settings", **fields)

    async def advance(self, seconds: float) -> None:
        """Move the workspace's clock."""
        await self.control("advance", seconds=seconds)

    async def drop_sockets(self) -> int:
        """Cut every connection; returns how many there were."""
        return int(await self.control("drop"))

    # What can be seen

    async def channel(self, channel: str) -> dict[str, Any]:
        """The channel as a person sees it: messages, deleted, statuses, titles."""
        return dict(await self.control("channel", channel=channel))

    async def messages(self, channel: str, *, from_bot: bool = True) -> list[dict[str, Any]]:
        """The bot's (or the others') messages, oldest first; ephemeral ones have a person in `to`."""
        found = await self.channel(channel)
        return [message for message in found["messages"] if message["from_bot"] is from_bot]

    async def texts(self, channel: str) -> list[str]:
        """What a person reads of the bot's messages, oldest first."""
        return [message["shown"] for message in await self.messages(channel)]

    async def calls(self, method: str = "", **more: Any) -> list[dict[str, Any]]:
        """Recorded calls; `since`, `channel` and `limit` narrow them; a method "chat." means all of that family."""
        return list(await self.control("calls", method=method, **more))

    async def deliveries(self, **more: Any) -> list[dict[str, Any]]:
        """What was handed to the app, with every attempt; `kind`, `event`, `since` narrow them."""
        return list(await self.control("deliveries", **more))

    async def state(self) -> dict[str, Any]:
        """Counts, errors, sockets, pings of people, homes, response addresses."""
        return dict(await self.control("state"))

    async def pings(self) -> list[str]:
        """Whom the bot's messages have notified by a control sequence, in any state that they ever had."""
        return [ping["ping"] for ping in (await self.state())["pings"]]

    async def wait(self, timeout: float = 30.0, **condition: Any) -> Any:
        """Wait until a condition holds, and return what it is about.

        `method=` with count/since/channel/error; `sockets=` (open now) with `opened=` (in all); `acked=` (so many)
        with kind/event/event_id/outcome; `channel=` with contains/equals/count/state/thread/buttons/from_bot, or
        status, or deleted. Raises TimeoutError with what there is instead.
        """
        found = await self.control("wait", timeout=timeout, **condition)
        if found is None:
            state = await self.state()
            seen = await self.texts(condition["channel"]) if "channel" in condition else None
            told = {name: state[name] for name in ("counts", "errors", "sockets", "opened")}
            raise TimeoutError(f"waited {timeout} s for {condition}; {told}; channel {seen}")
        return found


@asynccontextmanager
async def start_peer(*flags: str, python: str = sys.executable) -> AsyncIterator[Peer]:
    """Run the server with these command-line flags; it is ended on the way out."""
    process = await asyncio.create_subprocess_exec(
        python, "-m", "tests.channels.slack.peer", *flags, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        if not line:
            raise RuntimeError(f"the fake Slack ended with {await process.wait()}")
        ready = orjson.loads(line)
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            yield Peer(ready["port"], ready["accounts"], session)
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
