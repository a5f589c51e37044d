"""One server's life: connect in the background, know its tools, connect again when it has gone; and calls meanwhile."""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from bot.mcp.naming import described, is_listed, offered_name
from bot.mcp.results import result_of
from bot.settings import ToolServer
from bot.tools import CALL_DEADLINE, OfferedTool, ToolResult, ToolSource
from channels.waiting import backoff
from providers.base import Tool

if TYPE_CHECKING:
    from bot.mcp.session import Rows, Session

log = structlog.get_logger()

CONNECT_DEADLINE = 60.0
"""Seconds for starting and shaking hands: some programs are fetched by their launcher first."""

LIST_DEADLINE = 30.0
LOOK_EVERY = 60.0
"""Seconds between two looks at a server's tools, which also tell whether it still answers."""

CHANGE_PAUSE = 1.0
"""Seconds between being told of a change and looking, so that a server that never stops telling costs little."""

LEAVE = 4.0
"""Seconds for ending a connection; a program is killed by then."""

WAIT_FIRST = 1.0
WAIT_LAST = 60.0

SHORT_BREAK = 5.0
"""Seconds for which a call waits rather than fails; half of what it has."""

MAX_TOOLS = 128
"""Tools of all servers together: models take no more at a time (OpenAI, docs 2026-11)."""

MAX_DESCRIPTION = 1024
MAX_SCHEMA = 16_384
MAX_REMARK = 500


class Server:
    """One server. `run` keeps it connected; everything else looks at what is known and waits for nothing but calls."""

    def __init__(
        self,
        configured: ToolServer,
        *,
        sleep: Callable[[float], Any] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = configured.name
        self.settings = configured.settings
        self.offered: Sequence[OfferedTool] = ()
        self.problem = "is still starting"
        self._own_names: Mapping[str, str] = {}
        self._session: Session | None = None
        self._settled = asyncio.Event()
        self._lost = asyncio.Event()
        self._calls = 0
        self._code: int | None = None
        self._said = ""
        self._sleep = sleep
        self._chance = chance
        self._clock = clock
        self._since = 0.0

    async def run(self) -> None:
        """Connect, and again whenever the connection has gone, for ever. Raises nothing but cancellation."""
        failures, before = 0, ""
        while True:
            try:
                await self._once()
                reason = "ended the connection"
            except Exception as error:  # noqa: BLE001 - whatever a server or the library does, the daemon lives on
                reason = _why(error)
            reason = self._with_code(reason)
            has_lasted = self._session is not None and self._clock() - self._since > WAIT_LAST
            failures = 1 if has_lasted else failures + 1
            wait = backoff(failures, WAIT_FIRST, WAIT_LAST, self._chance())
            self._gone(reason, wait)
            # One line for each reason, not one a minute.
            tell = log.warning if failures == 1 or reason != before else log.debug
            before = reason
            tell(
                "tool server lost",
                server=self.name,
                reason=reason,
                said=self._said,
                retry_after=round(wait, 1),
            )
            await self._sleep(wait)

    async def _once(self) -> None:
        """One connection from its start to its end. Raises what `why` of bot.mcp.session explains."""
        library = await asyncio.to_thread(_library)
        session: Session = library.Session(self.settings, self._remark)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as leaving, AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_DEADLINE):
                    await stack.enter_async_context(session.open())
                    stack.callback(lambda: leaving.reschedule(loop.time() + LEAVE))
                    stack.callback(self._settled.clear)  # first of all: calls wait from here on
                    self._take(await session.tools())
                self._lost.clear()
                self._session, self._since, self.problem = session, self._clock(), ""
                self._settled.set()
                log.info("tool server connected", server=self.name, tools=len(self.offered))
                await self._keep(session)
        finally:
            self._code = session.code

    def _with_code(self, reason: str) -> str:
        code, self._code = self._code, None
        return reason if code is None or not reason.startswith("ended") else f"ended with exit code {code}"

    def _gone(self, reason: str, wait: float) -> None:
        """Withdraw what it offered, unless it may be back soon: prompts keep their prefix over a short break."""
        self.problem = reason
        was_there, self._session = self._session is not None, None
        if was_there and wait <= SHORT_BREAK:
            self._settled.clear()  # calls wait for the next attempt
        else:
            self.offered, self._own_names = (), {}
            self._settled.set()

    async def _keep(self, session: Session) -> None:
        """Until the connection has gone: look at the tools when they change, and now and then."""
        watching = asyncio.create_task(session.watch())
        try:
            while await self._is_there(session):
                if session.changed.is_set():
                    await self._sleep(CHANGE_PAUSE)
                    session.changed.clear()
                elif self._calls:
                    continue  # one that does one thing at a time would seem to be dead
                async with asyncio.timeout(LIST_DEADLINE):
                    self._take(await session.tools())
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _is_there(self, session: Session) -> bool:
        """Wait until it is time to look; False when the connection has gone."""
        events = (session.ended, self._lost, session.changed)
        waits = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return not (session.ended.is_set() or self._lost.is_set())

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool by its name towards models. Never raises but for cancellation; within CALL_DEADLINE."""
        self._calls += 1
        was_sent, session = False, None
        try:
            async with asyncio.timeout(CALL_DEADLINE):
                await self.settled()
                session, own = self._session, self._own_names.get(name)
                if session is None:
                    return self._fault(self.problem)
                if own is None:
                    return ToolResult(f"The tool “{name}” is no longer there.", is_error=True)
                was_sent = True
                answer = await session.call(own, arguments)
        except TimeoutError:
            late = f"did not answer within {CALL_DEADLINE:.0f} seconds"
            return self._fault(f"{late}, and may have done something" if was_sent else late)
        except Exception as error:  # noqa: BLE001 - as in `run`
            if not _library().is_lost(error):
                return self._fault(_why(error))
            if session is self._session:
                self._lost.set()
            return self._fault(f"{_why(error)} in the middle of the call, and may have done something")
        finally:
            self._calls -= 1
        if answer.get("resultType") == "input_required":
            return self._fault("asks for something that cannot be given here")
        return result_of(answer)

    def source(self) -> ToolSource:
        """How it is doing."""
        return ToolSource(self.name, len(self.offered), self.problem)

    async def settled(self) -> None:
        """Until it is known whether a session stands. What has just gone is on its way to the next attempt."""
        if self._session is not None and (self._session.ended.is_set() or self._lost.is_set()):
            self._settled.clear()
        await self._settled.wait()

    def _fault(self, reason: str) -> ToolResult:
        return ToolResult(f"The tool server “{self.name}” {reason}.", is_error=True)

    def _remark(self, text: str) -> None:
        self._said = text[:MAX_REMARK]
        log.debug("tool server remarked", server=self.name, said=self._said)

    def _take(self, rows: Rows) -> None:
        """Take over what a server lists, in an order that stays while the tools do."""
        found: dict[str, tuple[OfferedTool, str]] = {}
        for row in sorted(rows, key=lambda each: str(each["name"])):
            tool = self._tool(row)
            if tool is not None:
                found.setdefault(tool.tool.name, (tool, str(row["name"])))
        if len(found) > MAX_TOOLS:
            log.warning("too many tools", server=self.name, tools=len(found), offered=MAX_TOOLS)
        kept = dict(list(found.items())[:MAX_TOOLS])
        self.offered = tuple(tool for tool, _ in kept.values())
        self._own_names = {name: own for name, (_, own) in kept.items()}

    def _tool(self, row: Mapping[str, Any]) -> OfferedTool | None:
        own = str(row["name"])
        settings = self.settings
        if not own or (settings.tools and not is_listed(own, settings.tools)):
            return None
        schema = described(row.get("inputSchema", {}))
        if schema is None or len(orjson.dumps(schema)) > MAX_SCHEMA:
            reason = (
                "it needs a parameter whose name models do not take"
                if schema is None
                else "its schema is too long"
            )
            log.warning("tool left out", server=self.name, tool=own[:MAX_REMARK], reason=reason)
            return None
        description = str(row.get("description") or row.get("title") or own)
        if len(description) > MAX_DESCRIPTION:
            description = description[: MAX_DESCRIPTION - 1] + "…"
        annotations = row.get("annotations") or {}
        has_side_effects = annotations.get("readOnlyHint") is not True
        needs = settings.confirm == "always" or (settings.confirm == "sideEffects" and has_side_effects)
        return OfferedTool(
            tool=Tool(offered_name(self.name, own), description, schema),
            source=self.name,
            has_side_effects=has_side_effects,
            needs_consent=needs and not is_listed(own, settings.confirm_except),
            is_local=settings.reach == "local",
            has_foreign_results=settings.foreign != "nothing",
            has_foreign_words=settings.has_foreign_words,
        )


def _library() -> ModuleType:
    """The module over the protocol's library: half a second of work when it is first asked for (mcp 2.3, 2026-11)."""
    return importlib.import_module("bot.mcp.session")


def _why(error: Exception) -> str:
    try:
        return str(_library().why(error))
    except ImportError as missing:
        return f"cannot be used: {missing}"
