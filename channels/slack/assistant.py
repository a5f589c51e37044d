"""The chat with the bot as Slack shows it: suggestions when it is opened, a title when it has a subject.

Slack docs, "Migrating to the Agent messaging experience" (2026-11): apps made since July 2026 hear app_home_opened
and set suggestions without a thread; older ones hear assistant_thread_started and name the thread.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from channels.base import Host
from channels.capabilities import Surface
from channels.errors import ChannelError
from channels.events import Address, ConversationKey, Message, Sender, TypingStarted
from channels.slack.calls import Api
from channels.slack.memory import Recent
from channels.slack.payload import Me, Opened
from channels.slack.settings import Prompt
from channels.slack.timing import Timing

log = structlog.get_logger()

MAX_THREADS = 1_000
MAX_TITLE = 60
GREET_SECONDS = 600.0


class Assistant:
    """One account's. Failures are only logged: everything here is decoration."""

    def __init__(
        self,
        me: Me,
        api: Api,
        host: Host,
        prompts: tuple[Prompt, ...],
        timing: Timing,
        clock: Callable[[], float],
    ) -> None:
        self._me = me
        self._api = api
        self._host = host
        self._prompts = prompts
        self._timing = timing
        self._clock = clock
        self._untitled: Recent[bool] = Recent(MAX_THREADS)
        self._greeted: Recent[float] = Recent(MAX_THREADS)

    async def greet(self, opened: Opened) -> None:
        """Show the suggestions, to people who may talk to the bot; warm what answers them."""
        key = ConversationKey("slack", self._me.account, opened.channel, opened.thread)
        event = TypingStarted(
            f"o:{opened.channel}:{opened.thread or ''}:{opened.user}",
            "",
            Address(key, Surface.DIRECT),
            Sender(opened.user),
        )
        if self._host.refusal(event) is not None:
            return
        if opened.thread is not None:
            self._untitled.put(f"{opened.channel}:{opened.thread}", True)  # noqa: FBT003 - a value
        await self._host.accept(event)
        if not self._prompts or (opened.thread is None and not self._is_new(opened.channel)):
            return
        prompts = [{"title": prompt.title, "message": prompt.message} for prompt in self._prompts]
        args: dict[str, object] = {"channel_id": opened.channel, "prompts": prompts}
        if opened.thread is not None:
            args["thread_ts"] = opened.thread
        await self._decorate("assistant.threads.setSuggestedPrompts", args)

    def _is_new(self, channel: str) -> bool:
        """Whether nothing was suggested there lately: a chat without threads is opened at every glance."""
        now, before = self._clock(), self._greeted.get(channel)
        if before is not None and now - before < GREET_SECONDS:
            return False
        self._greeted.put(channel, now)
        return True

    def needs_title(self, message: Message) -> bool:
        """Whether this is the first message of a chat that was opened empty."""
        key = message.address.key
        return self._untitled.pop(f"{key.space}:{key.thread}", None) is not None

    async def name(self, message: Message) -> None:
        """Call the chat after what was asked first."""
        words = " ".join(message.text.split())
        title = words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1].rstrip() + "\u2026"
        key = message.address.key
        if title:
            args: dict[str, object] = {"channel_id": key.space, "thread_ts": key.thread, "title": title}
            await self._decorate("assistant.threads.setTitle", args)

    async def rest(self, channel: str, thread: str | None) -> None:
        """Somebody stopped the answer: say that the bot is not at work there (docs, agent_session_stopped)."""
        args: dict[str, object] = {"channel_id": channel, "status": "active"}
        if thread is not None:
            args["thread_ts"] = thread
        await self._decorate("agents.sessions.setStatus", args)

    async def _decorate(self, method: str, args: dict[str, object]) -> None:
        try:
            await self._api.write(method, args, seconds=self._timing.typing, shows=False)
        except ChannelError as error:
            log.debug(
                "chat not decorated",
                channel="slack",
                account=self._me.account,
                method=method,
                reason=error.detail,
            )
