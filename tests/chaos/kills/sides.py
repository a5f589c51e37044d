"""The fake platforms as the crowd, the moments and the verdict use them: one class each, and a line in `open_sides`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from tests.channels.discord.peer import client as discord
from tests.channels.slack.peer import client as slack
from tests.channels.telegram.peer import client as telegram
from tests.chaos.kills.rooms import Room, Seen, Size
from tests.story.conftest import speak

MOMENT = 5.0
"""Seconds that a named moment may take to come; then the process is killed where it is."""


class Side(Protocol):
    """A platform. `keeps_keys`: it knows a repeated send by its key (class A). `ping`: a command, as it is typed."""

    keeps_keys: ClassVar[bool]
    ping: ClassVar[str]

    async def gather(self, size: Size) -> list[Room]:
        """The rooms there."""

    def settings(self, rooms: Sequence[Room]) -> dict[str, Any]:
        """The account that lets the people of these rooms in."""

    async def say(self, room: Room, text: str) -> str:
        """The person says something; returns the message's id."""

    async def edit(self, room: Room, message: str, text: str) -> None:
        """The person corrects it."""

    async def again(self, room: Room, message: str) -> None:
        """The platform tells of a message once more."""

    async def calls(self) -> int:
        """How many calls there were so far."""

    async def hold(self, call: str, room: Room | None, *, taken: bool) -> int:
        """The next such call is carried out and not answered, or neither; returns the calls so far."""

    async def called(
        self, call: str, since: int, room: Room | None = None, *, answered: bool = False
    ) -> None:
        """Wait until such a call has come."""

    async def reads(self, room: Room, text: str) -> None:
        """Wait until a message of the bot there holds this text."""

    async def calm(self) -> None:
        """No trouble any more but what has begun."""

    async def seen(self, room: Room) -> Sequence[Seen]:
        """What stands of the bot's words."""


@dataclass(frozen=True, slots=True)
class Telegram:
    """Private chats and groups."""

    peer: telegram.Peer
    keeps_keys: ClassVar[bool] = False
    ping: ClassVar[str] = "/ping"

    async def gather(self, size: Size) -> list[Room]:
        """See Side."""
        chats = [Room("telegram", str(1001 + number), str(1001 + number)) for number in range(size.chats)]
        groups = [
            Room("telegram", str(-2001 - number), str(3001 + number), is_group=True)
            for number in range(size.groups)
        ]
        return [*chats, *groups]

    def settings(self, rooms: Sequence[Room]) -> dict[str, Any]:
        """See Side."""
        return {
            "token": self.peer.token,
            "baseUrl": self.peer.base_url,
            "allow": [int(each.person) for each in rooms],
            "groups": [int(each.id) for each in rooms if each.is_group],
            "rich": "off",
            "limits": "none",  # as the server: twenty messages a minute in a group would be most of a chain's time
        }

    async def say(self, room: Room, text: str) -> str:
        """See Side."""
        if room.is_group:
            said = await speak(self.peer, int(room.id), text, int(room.person))
        else:
            said = await self.peer.say(int(room.id), text)
        return str(said["message_id"])

    async def edit(self, room: Room, message: str, text: str) -> None:
        """See Side."""
        await self.peer.edit(int(room.id), int(message), text)

    async def again(self, room: Room, message: str) -> None:
        """See Side."""
        await self.peer.control("again", chat=int(room.id), message_id=int(message))

    async def calls(self) -> int:
        """See Side."""
        return int((await self.peer.state())["counts"].get("calls", 0))

    async def hold(self, call: str, room: Room | None, *, taken: bool) -> int:
        """See Side."""
        await self.peer.fault(call, chat=int(room.id) if room else None, **_trouble(taken=taken))
        return await self.calls()

    async def called(
        self, call: str, since: int, room: Room | None = None, *, answered: bool = False
    ) -> None:
        """See Side."""
        where: dict[str, Any] = {"chat": int(room.id)} if room else {}
        where |= {"status": 200} if answered else {"arrived": True}
        await self.peer.wait(MOMENT, method=call, since=since, **where)

    async def reads(self, room: Room, text: str) -> None:
        """See Side."""
        await self.peer.wait(MOMENT, chat=int(room.id), contains=text)

    async def calm(self) -> None:
        """See Side."""
        await self.peer.control("clear_faults")

    async def seen(self, room: Room) -> Sequence[Seen]:
        """See Side."""
        shown = (await self.peer.chat(int(room.id)))["messages"]
        return [_seen(each, str(each["id"]), each["text"]) for each in shown if each["from_bot"]]


@dataclass(frozen=True, slots=True)
class Discord:
    """Direct messages."""

    peer: discord.Peer
    keeps_keys: ClassVar[bool] = True
    ping: ClassVar[str] = "/ping"

    async def gather(self, size: Size) -> list[Room]:
        """See Side."""
        await self.peer.reset()
        await self.peer.limits(enabled=False)
        users = [await self.peer.add_user(f"person{number}") for number in range(size.direct)]
        return [Room("discord", await self.peer.dm(user=user), user) for user in users]

    def settings(self, rooms: Sequence[Room]) -> dict[str, Any]:
        """See Side."""
        return {
            "token": self.peer.token,
            "apiBase": self.peer.api_url,
            "gateway": self.peer.gateway_url,
            "allow": [each.person for each in rooms],
        }

    async def say(self, room: Room, text: str) -> str:
        """See Side."""
        return await self.peer.say(text, channel=room.id, user=room.person)

    async def edit(self, room: Room, message: str, text: str) -> None:
        """See Side."""
        await self.peer.edit(message, text)

    async def again(self, room: Room, message: str) -> None:
        """See Side."""
        await self.peer.say_again(message)

    async def calls(self) -> int:
        """See Side."""
        return int((await self.peer.state())["calls"])

    async def hold(self, call: str, room: Room | None, *, taken: bool) -> int:
        """See Side."""
        where = {"channel": room.id} if room else {}
        await self.peer.control("fault", route=call, times=1, what=_trouble(taken=taken), **where)
        return await self.calls()

    async def called(
        self, call: str, since: int, room: Room | None = None, *, answered: bool = False
    ) -> None:
        """See Side."""
        where: dict[str, Any] = {"channel": room.id} if room else {}
        where |= {"status": 200} if answered else {"arrived": True}
        await self.peer.wait(MOMENT, route=call, since=since, **where)

    async def reads(self, room: Room, text: str) -> None:
        """See Side."""
        await self.peer.wait(MOMENT, channel=room.id, contains=text)

    async def calm(self) -> None:
        """See Side."""
        await self.peer.control("clear_faults")

    async def seen(self, room: Room) -> Sequence[Seen]:
        """See Side."""
        return [_seen(each, str(each["id"]), each["content"]) for each in await self.peer.messages(room.id)]


@dataclass(frozen=True, slots=True)
class Slack:
    """Threads of direct messages, where answers are streamed, and channels, where they grow by edits."""

    peer: slack.Peer
    keeps_keys: ClassVar[bool] = False
    ping: ClassVar[str] = "!ping"

    async def gather(self, size: Size) -> list[Room]:
        """See Side."""
        direct = [Room("slack", f"D0ROOM{number:04}", f"U0ROOM{number:04}") for number in range(size.threads)]
        shared = [
            Room("slack", f"C0ROOM{number:04}", f"U1ROOM{number:04}", is_group=True)
            for number in range(size.channels)
        ]
        return [*direct, *shared]

    def settings(self, rooms: Sequence[Room]) -> dict[str, Any]:
        """See Side."""
        return {
            "botToken": self.peer.bot_token,
            "appToken": self.peer.app_token,
            "apiBase": self.peer.base_url,
            "allow": [each.person for each in rooms],
            "groups": [each.id for each in rooms if each.is_group],
            "channel": "inline",
        }

    async def say(self, room: Room, text: str) -> str:
        """See Side. The first message in a direct chat opens the thread in which the others stand."""
        if room.is_group:
            return str((await self.peer.mention(room.id, text, user=room.person))["ts"])
        where = {"thread": room.thread} if room.thread else {}
        ts = str((await self.peer.say(room.id, text, user=room.person, **where))["ts"])
        room.thread = room.thread or ts
        return ts

    async def edit(self, room: Room, message: str, text: str) -> None:
        """See Side."""
        await self.peer.edit(room.id, message, text)

    async def again(self, room: Room, message: str) -> None:
        """See Side."""
        told = await self.peer.deliveries(event="message")
        one = next(each for each in told if each["payload"]["event"].get("ts") == message)
        await self.peer.control("deliver", kind=one["kind"], payload=one["payload"], event_id=one["event_id"])

    async def calls(self) -> int:
        """See Side."""
        return int((await self.peer.state())["counts"].get("calls", 0))

    async def hold(self, call: str, room: Room | None, *, taken: bool) -> int:
        """See Side."""
        await self.peer.fault(call, channel=room.id if room else "", **_trouble(taken=taken))
        return await self.calls()

    async def called(
        self, call: str, since: int, room: Room | None = None, *, answered: bool = False
    ) -> None:
        """See Side."""
        where: dict[str, Any] = {"channel": room.id} if room else {}
        await self.peer.wait(MOMENT, method=call, since=since, arrived=not answered, **where)

    async def reads(self, room: Room, text: str) -> None:
        """See Side."""
        await self.peer.wait(MOMENT, channel=room.id, contains=text)

    async def calm(self) -> None:
        """See Side."""
        await self.peer.control("clear_faults")
        await self.peer.settings(ack=3.0)

    async def seen(self, room: Room) -> Sequence[Seen]:
        """See Side."""
        return [_seen(each, each["ts"], each["shown"]) for each in await self.peer.messages(room.id)]


@asynccontextmanager
async def open_sides() -> AsyncIterator[Mapping[str, Side]]:
    """A process for each platform."""
    async with AsyncExitStack() as stack:
        yield {
            "telegram": Telegram(await stack.enter_async_context(telegram.start_peer("--no-flood"))),
            "discord": Discord(await stack.enter_async_context(discord.start_peer())),
            "slack": Slack(await stack.enter_async_context(slack.start_peer("--no-limits"))),
        }


def _trouble(*, taken: bool) -> dict[str, Any]:
    """What holds a moment until the process is dead."""
    return {"delay_after": 60} if taken else {"hang": True}


def _seen(message: Mapping[str, Any], name: str, text: str) -> Seen:
    return Seen(name, text, tuple((at, said) for at, said, *_ in message["history"]))
