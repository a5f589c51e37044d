"""The four chat channels as places of one shape: whoever tells a story there needs not know which one it is.

Each is the person of that channel's own conformance tests, in one conversation with the bot, plus the account's
settings for a daemon and the ids of what stands there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from bot.commands.table import all_commands
from channels.capabilities import Surface
from channels.conformance_peers import Peer as Person
from channels.discord.commands import options_of
from channels.events import Address, ConversationKey
from tests.canary import canary
from tests.channels.discord.peer import client as discord
from tests.channels.discord.test_conformance import Person as DiscordPerson
from tests.channels.matrix.peer.home import open_home
from tests.channels.matrix.peer.kit import open_kit
from tests.channels.matrix.peer.relay import open_relay
from tests.channels.matrix.peer.server import Synapse
from tests.channels.slack.hosts import address as slack_address
from tests.channels.slack.peer import client as slack
from tests.channels.slack.test_conformance import Person as SlackPerson
from tests.channels.telegram.hosts import address as telegram_address
from tests.channels.telegram.peer import client as telegram
from tests.channels.telegram.test_conformance import CHAT
from tests.channels.telegram.test_conformance import Person as TelegramPerson

SPECS = {command.name: command for command in all_commands().specs}
TOKENS = (
    f"700100:{canary('telegram1')}-of-the-first-of-two-bots-here",
    f"700200:{canary('telegram2')}-of-the-second-of-two-bots-here",
)

Find = Callable[[str], Any]
"""Gives the fixture of that name: what lives for the whole session."""


class Seated(Person, Protocol):
    """A person who can also press a button and cut the bot's connection."""

    async def hang_up(self) -> None:
        """See channels.conformance_peers."""


@dataclass(frozen=True, slots=True)
class Place:
    """`account`: the settings of one account. `mark`: what a typed command begins with there.

    `ids`: the message ids of the bot's messages that stand, in order. `previews`: what is shown and will not stay, None
    where there is no such thing. `command`: the platform's own way to give one,
    None where there is none. `second`: another bot of the same channel, its settings and its person.
    """

    channel: str
    account: Mapping[str, Any]
    person: Seated
    ids: Callable[[], Awaitable[Sequence[str]]]
    mark: str = "/"
    command: Callable[[str, str], Awaitable[None]] | None = None
    second: tuple[Mapping[str, Any], Person] | None = None
    previews: Callable[[], Awaitable[Sequence[str]]] | None = None

    async def visible(self) -> Sequence[str]:
        """All that the person sees of the bot's words, also what will not stay."""
        seen = await self.person.seen()
        return seen if self.previews is None else [*seen, *await self.previews()]

    async def give(self, name: str, argument: str = "") -> None:
        """The command, as a person there gives it."""
        if self.command is not None:
            await self.command(name, argument)
        else:
            await self.person.say(f"{self.mark}{name} {argument}".strip())


class OtherTelegram:
    """The same person, in the chat with the second bot."""

    def __init__(self, server: telegram.Peer, token: str) -> None:
        self.address = telegram_address(CHAT)
        self._server = server
        self._token = token

    async def seen(self) -> Sequence[str]:
        """See channels.conformance_peers."""
        there = await self._server.control("chat", chat=CHAT, token=self._token)
        return [message["text"] for message in there["messages"] if message["from_bot"]]

    async def say(self, text: str) -> None:
        """See channels.conformance_peers."""
        await self._server.control("say", token=self._token, items=[{"chat": CHAT, "text": text}])


@asynccontextmanager
async def open_telegram(_: Find) -> AsyncIterator[Place]:
    """A private chat."""
    async with telegram.start_peer("--token", TOKENS[0], "--token", TOKENS[1]) as server:
        await server.control("set_chat", chat=CHAT)
        state = await server.state()
        person = TelegramPerson(server, telegram_address(CHAT), state["user"]["username"])

        async def ids() -> Sequence[str]:
            there = (await server.chat(CHAT))["messages"]
            return [str(message["id"]) for message in there if message["from_bot"]]

        async def previews() -> Sequence[str]:
            return [str(draft["text"]) for draft in (await server.chat(CHAT))["drafts"].values()]

        account = {"baseUrl": server.base_url, "allow": [CHAT]}
        second = ({**account, "token": TOKENS[1]}, OtherTelegram(server, TOKENS[1]))
        yield Place(
            "telegram", {**account, "token": TOKENS[0]}, person, ids, second=second, previews=previews
        )


@asynccontextmanager
async def open_discord(_: Find) -> AsyncIterator[Place]:
    """A direct message."""
    async with discord.start_peer() as server:
        await server.reset()
        first, other = server.bots[0], server.bots[1]

        def seat(name: str, bot: discord.Bot) -> tuple[dict[str, Any], DiscordPerson]:
            where = Address(ConversationKey("discord", name, bot.dm), Surface.DIRECT)
            given = {"token": bot.token, "apiBase": server.api_url, "gateway": server.gateway_url}
            return {**given, "allow": [server.person]}, DiscordPerson(server, bot.dm, where, says_name=False)

        account, person = seat("main", first)

        async def ids() -> Sequence[str]:
            return [message["id"] for message in await server.messages(first.dm)]

        async def command(name: str, argument: str) -> None:
            first_option = options_of(SPECS[name])[0].name if argument else ""
            options = {first_option: argument} if argument else {}
            await server.command(name, options, channel=first.dm)

        yield Place("discord", account, person, ids, "/", command, seat("other", other))


@asynccontextmanager
async def open_slack(_: Find) -> AsyncIterator[Place]:
    """A thread of a direct message."""
    async with slack.start_peer() as server:
        space = "D0PERSON01"
        seats = []
        for name, side in (("main", server), ("other", server.other(1))):
            thread = (await side.say(space, "the beginning", silent=True))["ts"]
            where = slack_address(space, thread, team=side.team, account=name)
            given = {"botToken": side.bot_token, "appToken": side.app_token, "apiBase": side.base_url}
            person = SlackPerson(side, where)
            seats.append(({**given, "allow": ["*"]}, person))
        (account, person), second = seats

        async def ids() -> Sequence[str]:
            there = await server.messages(space)
            return [each["ts"] for each in there if each["thread"] == person.address.key.thread]

        yield Place("slack", account, person, ids, "!", None, second)


@asynccontextmanager
async def open_matrix(find: Find) -> AsyncIterator[Place]:
    """A direct chat on a real Synapse, behind a relay that can cut connections."""
    synapse: Synapse = find("synapse")
    async with open_home(synapse) as home, open_relay(home.url) as relay:
        seats = []
        for name in ("main", "other"):
            bot = await home.bot()
            person = await open_kit(home, relay, bot, account=name)
            given: dict[str, Any] = {"homeserver": relay.url, "userId": bot.id, "accessToken": bot.token}
            given |= {"writesPerSecond": 50, "writeBurst": 100}
            seats.append(({**given, "allow": [person.person.id]}, person))
        (account, person), second = seats

        async def ids() -> Sequence[str]:
            there = await person.person.seen(person.room, sender=person.bot.id)
            return [message.id for message in there]

        yield Place("matrix", account, person, ids, "!", None, second)


PLACES: Mapping[str, Callable[[Find], AbstractAsyncContextManager[Place]]] = {
    "telegram": open_telegram,
    "discord": open_discord,
    "slack": open_slack,
    "matrix": open_matrix,
}
