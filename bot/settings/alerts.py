"""What the owner is told of their bot's troubles, and what people are told in a chat."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from bot.accounts import Errors, Manner
from bot.alerts import COOLDOWN, Kind
from bot.settings.fields import Section
from bot.settings.shapes import Allowed
from channels.events import ConversationKey


def _key(value: str) -> str:
    """As `/whoami` and the log write it."""
    ConversationKey.parse(value)
    return value


Key = Annotated[
    str,
    Field(strict=True, min_length=1),
    AfterValidator(_key),
    Allowed('a conversation as "channel:account:space" (/whoami tells its parts)'),
]


class AlertsSection(Section):
    """What the owner is told without having asked."""

    to: tuple[Key, ...] = Field(
        default=(),
        description="Conversations that alerts are said in; none: each account's direct chat in which an owner spoke "
        "last, the first one that is connected.",
    )
    cooldown: float = Field(
        default=COOLDOWN,
        ge=1.0,
        allow_inf_nan=False,
        description="Seconds between two alerts of one kind; how many came between is said with the next.",
    )
    kinds: tuple[Kind, ...] = Field(default=tuple(Kind), description="What is told; an empty list: nothing.")
    offline_after: float = Field(
        default=300.0,
        ge=1.0,
        allow_inf_nan=False,
        description="Seconds that an account may be without its connection before that is told.",
    )


class ErrorsSection(Section):
    """What people see when there is no answer: words, nothing, or a sign on their message."""

    direct: Manner = Field(default=Manner.REPLY, description="In direct chats.")
    groups: Manner = Field(
        default=Manner.REPLY,
        description="In groups and their threads. A sign is a reaction, where the channel has any; else nothing.",
    )

    def plain(self) -> Errors:
        """The same, as the core takes it."""
        return Errors(self.direct, self.groups)
