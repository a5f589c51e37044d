"""Start the server as a process and speak to /control/ from a test or a bench."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

ROOT = Path(__file__).resolve().parents[4]


class Peer:
    """A running server. `base_url` is what the setting `baseUrl` takes, `token` the first bot's token."""

    def __init__(self, port: int, token: str, session: aiohttp.ClientSession) -> None:
        self.port = port
        self.token = token
        self.base_url = f"http://127.0.0.1:{port}"
        self._session = session

    async def control(self, verb: str, **body: Any) -> Any:
        """One verb of /control/. Raises RuntimeError with the server's words when it is refused."""
        url = f"{self.base_url}/control/{verb}"
        async with self._session.post(url, data=orjson.dumps(body)) as response:
            found = orjson.loads(await response.read())
        if not found["ok"]:
            raise RuntimeError(f"/control/{verb}: {found['description']}")
        return found["result"]

    async def say(self, chat: int, text: str = "", **more: Any) -> dict[str, Any]:
        """A person writes; returns {"update_id", "message_id", "at", "payload"}."""
        found = await self.control("say", items=[{"chat": chat, "text": text, **more}])
        return dict(found[0])

    async def say_all(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Many at once; the same fields."""
        return list(await self.control("say", items=items))

    async def edit(self, chat: int, message_id: int, text: str) -> int:
        """A person edits a message; returns the update id."""
        return int(await self.control("edit", chat=chat, message_id=message_id, text=text))

    async def press(self, chat: int, message_id: int, data: str, **more: Any) -> str:
        """A person presses a button; returns the callback query's id."""
        return str(await self.control("press", chat=chat, message_id=message_id, data=data, **more))

    async def album(self, chat: int, group: str, names: list[str], **more: Any) -> list[dict[str, Any]]:
        """A person sends photos together: one update each, the caption (`caption`) with the first."""
        caption = more.pop("caption", "")
        items = []
        for place, name in enumerate(names):
            extra: dict[str, Any] = {"media_group_id": group}
            extra["photo"] = [{"file_id": name, "file_unique_id": f"u{name}", "width": 9, "height": 9}]
            if caption and not place:
                extra["caption"] = caption
            items.append({"chat": chat, "extra": extra, **more})
        return await self.say_all(items)

    async def hang_up(self) -> int:
        """Cut every connection of the bot now."""
        return int(await self.control("hang_up"))

    async def update(self, kind: str, payload: Any, **more: Any) -> int:
        """Any update; returns its id."""
        return int(await self.control("update", kind=kind, payload=payload, **more))

    async def fault(self, method: str, times: int = 1, chat: int | None = None, **what: Any) -> None:
        """Trouble for the next calls; see Control's `_faults` for the fields."""
        await self.control("faults", method=method, times=times, chat=chat, what=what)

    async def file(self, file_id: str, data: bytes, **more: Any) -> None:
        """Let getFile know a file."""
        await self.control("file", file_id=file_id, base64=base64.b64encode(data).decode(), **more)

    async def chat(self, chat: int) -> dict[str, Any]:
        """The chat: messages with history, drafts, actions."""
        return dict(await self.control("chat", chat=chat))

    async def texts(self, chat: int) -> list[str]:
        """What the bot's messages read now, oldest first."""
        found = await self.chat(chat)
        return [message["text"] for message in found["messages"] if message["from_bot"]]

    async def calls(self, method: str = "", **more: Any) -> list[dict[str, Any]]:
        """Recorded calls; `since`, `chat` and `limit` narrow them."""
        return list(await self.control("calls", method=method, **more))

    async def state(self) -> dict[str, Any]:
        """Counts, waiting updates, confirmed offset, webhook, commands."""
        return dict(await self.control("state"))

    async def wait(self, timeout: float = 30.0, **condition: Any) -> Any:
        """Wait until a condition holds, and return what it is about.

        `chat=` with contains/equals/count/draft; `method=` with count/since/chat/status (`arrived=True` counts calls
        that are still being answered); `holding=True`: a poll is held, after that many with `after=`; `confirmed=`; `answered=` a press;
        `webhook_errors=`. Raises TimeoutError with the chat as it is.
        """
        found = await self.control("wait", timeout=timeout, **condition)
        if found is None:
            state = await self.state()
            seen = await self.chat(condition["chat"]) if "chat" in condition else None
            raise TimeoutError(f"waited {timeout} s for {condition}; counts {state['counts']}; chat {seen}")
        return found


@asynccontextmanager
async def start_peer(*flags: str, python: str = sys.executable) -> AsyncIterator[Peer]:
    """Run the server with these command-line flags; it is ended on the way out."""
    process = await asyncio.create_subprocess_exec(
        python, "-m", "tests.channels.telegram.peer", *flags, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        if not line:
            raise RuntimeError(f"the fake Bot API server ended with {await process.wait()}")
        ready = orjson.loads(line)
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            yield Peer(ready["port"], ready["token"], session)
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
