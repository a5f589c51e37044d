"""One account of one channel as the core sees it: the channel, who may talk, which persona answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from bot.access import NOTHING_GRANTED, Granted, Policy
from channels.base import Channel
from channels.pacing import Budgets


class Manner(StrEnum):
    """What people see of an answer that failed."""

    REPLY = "reply"  # words
    SILENT = "silent"  # nothing
    REACTION = "reaction"  # a sign on their message, nothing where the channel has none


@dataclass(frozen=True, slots=True)
class Errors:
    """What people see of an answer that failed, by the kind of chat."""

    direct: Manner = Manner.REPLY
    groups: Manner = Manner.REPLY


@dataclass(slots=True)
class Account:
    """A running account.

    `allow_path` and `groups_path` name its lists in the settings, for people. `agent` names who answers (None:
    the default agent), `system` is that agent's prompt, `persona` the same where the owner wrote it, else "". `mark`:
    what a typed command begins with there. `granted`: what was decided beside the settings.
    `is_online` and `offline_reason`: what the adapter said, and
    `since` when that began (Unix time; None while it has said nothing). `errors`: what people see of an answer that
    failed. `silence`: how long a healthy connection may say nothing, None where that is not known; `heard_at`: when it
    last said something, None before the first time. `id_pattern` and `id_hint`: what people's ids look like there, see
    channels.base.ChannelSpec. `life`: the number of the run of the channel that is heard now.
    """

    channel: Channel
    policy: Policy
    system: str
    allow_path: str
    groups_path: str
    agent: str | None = None
    mark: str = "/"
    persona: str = ""
    granted: Granted = NOTHING_GRANTED
    budgets: Budgets = field(default_factory=Budgets)
    is_online: bool = False
    offline_reason: str = "starting"
    since: float | None = None
    errors: Errors = Errors()
    silence: float | None = None
    life: int = 0
    heard_at: float | None = None
    id_pattern: str | None = None
    id_hint: str = ""

    def report(self, *, is_online: bool, reason: str, now: float) -> bool:
        """Take over how the connection is; True when that is news. `now` is Unix time."""
        is_news = (self.is_online, self.offline_reason) != (is_online, reason)
        if is_news or self.since is None:
            self.since = now
        self.is_online, self.offline_reason = is_online, reason
        return is_news

    def can_know(self, sender_id: str) -> bool:
        """Whether somebody there can have this id: names and whatever else was typed are none."""
        return re.fullmatch(self.id_pattern or r"\S+", sender_id) is not None

    @property
    def scope_name(self) -> str:
        """How the owner knows it."""
        return f"{self.channel.name}:{self.channel.account}"

    @property
    def scope(self) -> str:
        """The name under which choices for this account are stored."""
        return f"account:{self.channel.name}:{self.channel.account}"
