"""What is known of servers and their channels: which are threads, of what, and whether the bot takes part. Bounded.

discord.py's own cache is not used: it takes 358 bytes for a channel in servers of 50, this 140 (tracemalloc, 2026-11),
as most channels share one value; and it is filled from events that it must be able to read.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from channels.discord.snowflake import is_snowflake

Json = dict[str, Any]

MAX_CHANNELS = 200_000
MAX_GUILDS = 20_000
MAX_OWN = 5_000
# Discord docs, Channel resource, Channel Types (2026-11).
_THREADS = (10, 11, 12)
_DIRECT = (1, 3)


@dataclass(frozen=True, slots=True)
class Place:
    """A channel. `parent`: of a thread, the channel it belongs to. `is_joined`: the bot takes part in the thread."""

    parent: str | None = None
    is_joined: bool = False
    is_direct: bool = False


_CHANNEL = Place()
_DIRECT_PLACE = Place(is_direct=True)


class Places:
    """Filled by gateway events and looked-up channels."""

    def __init__(self, bot_id: str) -> None:
        self._bot_id = bot_id
        self._channels: OrderedDict[str, Place] = OrderedDict()
        self._own: OrderedDict[str, None] = OrderedDict()  # the bot's latest messages: threads grow from them
        self._guilds: OrderedDict[str, frozenset[str]] = OrderedDict()  # guild -> the bot's own roles there

    def at(self, channel: str) -> Place | None:
        """What is known of a channel, None for nothing."""
        return self._channels.get(channel)

    def is_guild_known(self, guild: str) -> bool:
        """Whether the bot is known to be in a server."""
        return guild in self._guilds

    def roles(self, guild: str) -> frozenset[str]:
        """The roles that are the bot's own: mentioning one is mentioning the bot."""
        return self._guilds.get(guild, frozenset())

    def learn(self, name: str, data: Any) -> None:
        """Take an event of the gateway into account. Never raises."""
        if not isinstance(data, dict):
            return
        if name == "READY":
            for guild in _dicts(data.get("guilds")):
                self.add_guild(guild.get("id"), frozenset())
        elif name in ("GUILD_CREATE", "GUILD_UPDATE"):
            self._guild(data)
        elif name == "MESSAGE_CREATE":
            self._wrote(data)
        elif name == "GUILD_DELETE" and data.get("unavailable") is not True:
            self._guilds.pop(str(data.get("id")), None)
        elif name in ("CHANNEL_CREATE", "THREAD_CREATE", "THREAD_UPDATE"):
            self.add_channel(data)
        elif name in ("CHANNEL_DELETE", "THREAD_DELETE"):
            self._channels.pop(str(data.get("id")), None)
        elif name == "THREAD_LIST_SYNC":
            self._sync(data)
        elif name == "THREAD_MEMBERS_UPDATE":
            self._members(data)

    def add_guild(self, guild: Any, roles: frozenset[str]) -> None:
        """A server that the bot is in."""
        if is_snowflake(guild):
            self._guilds[guild] = roles or self._guilds.get(guild, frozenset())
            if len(self._guilds) > MAX_GUILDS:
                self._guilds.popitem(last=False)

    def add_channel(self, channel: Any, *, joined: bool = False) -> Place | None:
        """A channel object as events and REST carry it; None when it is none."""
        if not isinstance(channel, dict) or not is_snowflake(channel.get("id")):
            return None
        number, kind, parent = channel["id"], channel.get("type"), channel.get("parent_id")
        place = _CHANNEL
        if kind in _DIRECT:
            place = _DIRECT_PLACE
        elif kind in _THREADS and is_snowflake(parent):
            before = self._channels.get(number)
            is_joined = joined or isinstance(channel.get("member"), dict)
            is_joined = is_joined or channel.get("owner_id") == self._bot_id or number in self._own
            place = Place(parent, is_joined or (before is not None and before.is_joined))
        self._put(number, place)
        return place

    def joined(self, thread: str, *, is_joined: bool) -> None:
        """The bot came into a thread, or is out of it."""
        before = self._channels.get(thread)
        if before is not None and before.parent is not None:
            self._put(thread, Place(before.parent, is_joined))

    def _wrote(self, message: Json) -> None:
        """Where the bot writes it takes part, and in a thread that somebody opens from its message, too.

        Such a thread has the id of its message (Discord docs, Channel resource, Start Thread from Message).
        """
        author, number = message.get("author"), message.get("id")
        if not isinstance(author, dict) or author.get("id") != self._bot_id or not is_snowflake(number):
            return
        self.joined(str(message.get("channel_id")), is_joined=True)
        self._own[str(number)] = None
        if len(self._own) > MAX_OWN:
            self._own.popitem(last=False)

    def _put(self, number: str, place: Place) -> None:
        self._channels[number] = place
        if len(self._channels) > MAX_CHANNELS:
            self._channels.popitem(last=False)

    def _guild(self, guild: Json) -> None:
        own = set()
        for role in _dicts(guild.get("roles")):
            tags = role.get("tags")
            # Discord docs, Permissions, Role Tags: bot_id is the bot that the role belongs to.
            if isinstance(tags, dict) and tags.get("bot_id") == self._bot_id and is_snowflake(role.get("id")):
                own.add(role["id"])
        self.add_guild(guild.get("id"), frozenset(own))
        for channel in (*_dicts(guild.get("channels")), *_dicts(guild.get("threads"))):
            self.add_channel(channel)

    def _sync(self, data: Json) -> None:
        members = [one.get("id") for one in _dicts(data.get("members"))]
        for thread in _dicts(data.get("threads")):
            self.add_channel(thread, joined=thread.get("id") in members)

    def _members(self, data: Json) -> None:
        thread = str(data.get("id"))
        removed = data.get("removed_member_ids")
        if isinstance(removed, list) and self._bot_id in removed:
            self.joined(thread, is_joined=False)
        if any(one.get("user_id") == self._bot_id for one in _dicts(data.get("added_members"))):
            self.joined(thread, is_joined=True)


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
