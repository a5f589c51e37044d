"""From a payload to the host: the same way for sockets, signed requests and messages that were missed.

`read` is called in the order of arrival and waits for next to nothing; `Taken.settle` may then run beside others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from channels.base import Host
from channels.events import Event, Message, MessageEdited, Pressed
from channels.slack.interact import parse_command, parse_press
from channels.slack.memory import Memory, Names, Recent
from channels.slack.parse import QUIET, parse_event
from channels.slack.payload import Me, Opened, Parsed
from channels.slack.text import escape

# What a drop is counted as (names of the metrics' closed set). The rest is no event for us and nothing odd.
_SIGNALS = {"own": "self_message", "unknown_kind": "event_unknown"}
_SILENT = frozenset({"bot", "subtype", "same_text", "somebody_else", "no_content"})

MAX_TAKEN = 5_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """`is_taken`: confirm it. `line`: a refusal to show to that person alone, in answer to a command."""

    is_taken: bool
    line: str = ""


TAKEN = Outcome(is_taken=True)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What else follows; none of them may block, but `on_message`, which is waited for before a message is confirmed.

    `on_opened`: a chat was opened. `on_message`: a message was taken. `on_refused`: tell the presser in private
    (response_url, line). `on_revoked`: the app was removed. `on_stopped`: Slack's own stop button was used there.
    `on_full`: an event found no room. `in_turn` waits until what was missed before a message is found.
    """

    on_opened: Callable[[Opened], None]
    on_message: Callable[[Message], Awaitable[None]]
    on_refused: Callable[[str, str], None]
    on_revoked: Callable[[str], None]
    on_stopped: Callable[[str, str | None], None]
    on_full: Callable[[Event], None]
    in_turn: Callable[[Message], Awaitable[None]]


class Intake:
    """One account's. Everything is handed in."""

    def __init__(
        self,
        me: Me,
        host: Host,
        memory: Memory,
        names: Names,
        hooks: Hooks,
        *,
        follow_ups: bool,
        now: Callable[[], float],
    ) -> None:
        self.me = me
        self._host = host
        self._memory = memory
        self._names = names
        self._hooks = hooks
        self._follow_ups = follow_ups
        self._now = now
        self._commands: frozenset[str] | None = None
        self._taken: Recent[bool] = Recent(MAX_TAKEN)
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def read(self, kind: str, payload: Any) -> Parsed:
        """What a payload holds. `kind` as in Socket Mode: events_api, slash_commands, interactive."""
        if kind == "events_api":
            parsed = parse_event(payload, self.me, self._memory.known)
            self._join(parsed)
            parsed = await self._follow(parsed)
        elif kind == "slash_commands":
            parsed = parse_command(
                payload, self.me, self._known_commands(), datetime.fromtimestamp(self._now(), UTC)
            )
        elif kind == "interactive":
            parsed = parse_press(payload, self.me)
        else:
            parsed = Parsed(dropped="unknown_kind")
        if parsed.dropped and parsed.dropped not in _SILENT and not _is_quiet(payload):
            self._host.signal(_SIGNALS.get(parsed.dropped, "event_malformed"))
        self._names.want(parsed.strangers)
        return parsed

    async def settle(self, parsed: Parsed, *, is_missed: bool = False) -> Outcome:
        """Hand the events over. `is_taken` False: there is no room, Slack has to offer it again.

        `is_missed`: a look back has found them. What arrives meanwhile was said later, and waits for them.
        """
        if parsed.revoked:
            self._hooks.on_revoked(parsed.revoked)
        if parsed.opened is not None:
            self._hooks.on_opened(parsed.opened)
        for event in parsed.events:
            if parsed.response_url and isinstance(event, Message | Pressed):
                line = self._host.refusal(event)
                if line is not None:
                    return self._refuse(event, parsed.response_url, line)
            if isinstance(event, Message) and not is_missed:
                await self._hooks.in_turn(event)
            if not await self._accept(event):
                self._hooks.on_full(event)
                return Outcome(is_taken=False)
        if parsed.stopped is not None:
            self._hooks.on_stopped(*parsed.stopped)
        return TAKEN

    async def _accept(self, event: Event) -> bool:
        """Once for each key: an event comes again, a mention comes twice, a look back finds it a third time.

        The host knows keys for good; here only the latest are known, and those that are on their way.
        """
        if event.event_key in self._taken:
            return True
        waiting = self._waiting.get(event.event_key)
        if waiting is not None:
            return await asyncio.shield(waiting)
        waiting = self._waiting[event.event_key] = asyncio.get_running_loop().create_future()
        is_taken = False
        try:
            is_taken = await self._host.accept(event)
        finally:
            del self._waiting[event.event_key]
            waiting.set_result(is_taken)
        if is_taken:
            self._taken.put(event.event_key, True)  # noqa: FBT003 - a value
            if isinstance(event, Message):
                await self._hooks.on_message(event)
        return is_taken

    def _refuse(self, event: Event, url: str, line: str) -> Outcome:
        if isinstance(event, Pressed):
            if line:
                self._hooks.on_refused(url, line)
            return TAKEN
        return Outcome(is_taken=True, line=escape(line))

    def _join(self, parsed: Parsed) -> None:
        """What is said next in that thread may come before this message is durable, and means the bot too."""
        for event in parsed.events:
            if isinstance(event, Message) and event.addressed and self._host.refusal(event) is None:
                self._memory.joined(event.address.key)

    async def _follow(self, parsed: Parsed) -> Parsed:
        """In a thread with the bot a message means it although nobody is named."""
        if not (parsed.is_follow_up and self._follow_ups) or not parsed.events:
            return parsed
        event = parsed.events[0]
        if not isinstance(event, Message | MessageEdited):
            return parsed
        if not await self._memory.takes_part(event.address.key):
            return parsed
        return replace(parsed, events=(replace(event, addressed=True),))

    def _known_commands(self) -> frozenset[str]:
        if self._commands is None:
            names: set[str] = set()
            for spec in self._host.commands():
                names |= {spec.name, *spec.aliases, *spec.channel_names.values()}
            self._commands = frozenset(names)
        return self._commands


def _is_quiet(payload: Any) -> bool:
    event = payload.get("event") if isinstance(payload, dict) else None
    return isinstance(event, dict) and event.get("type") in QUIET
