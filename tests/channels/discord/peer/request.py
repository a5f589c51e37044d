"""A REST call taken apart, and what a route is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import messages, payloads
from .errors import known
from .state import Account, Channel, Message, World

NOTHING = (204, None)
Answer = tuple[int, Any]


@dataclass(slots=True)
class Request:
    """One call, taken apart. `account` is None on routes without a bot's token."""

    world: World
    account: Account | None
    args: dict[str, str]
    query: dict[str, str]
    body: Any
    files: list[messages.File] = field(default_factory=list)

    @property
    def bot(self) -> Account:
        """The bot that calls."""
        assert self.account is not None
        return self.account

    @property
    def fields(self) -> dict[str, Any]:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise known(50109)
        return self.body

    def channel(self) -> Channel:
        """The channel of the path."""
        return messages.find_channel(self.world, self.bot, self.args["channel"])

    def message(self) -> Message:
        """The message of the path."""
        return messages.find_message(self.channel(), self.args["message"])

    def show(self, one: Message) -> dict[str, Any]:
        """The message for this bot; without the application's flag others' content is hidden."""
        has_content = "message_content" in self.bot.granted
        return payloads.message(self.world, one, self.bot, has_content=has_content)


Handler = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is what a fault and the record of calls go by; `major` are the arguments that split its bucket."""

    name: str
    method: str
    path: str
    handler: Handler
    bucket: str = "other"
    major: tuple[str, ...] = ()
    needs_token: bool = True

    def pattern(self) -> re.Pattern[str]:
        """The path with its arguments as groups."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + r"\Z")
