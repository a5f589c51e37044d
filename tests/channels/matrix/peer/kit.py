"""The person of the channel's conformance tests: one conversation with the bot, seen through a server and a relay."""

from __future__ import annotations

from collections.abc import Sequence

from channels.capabilities import Surface
from channels.events import Address, ConversationKey
from tests.channels.matrix.peer.api import Api
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay
from tests.channels.matrix.peer.secret import SecretPerson


class KitPeer:
    """Every ability of channels.conformance_peers but PressingPeer (Matrix has no buttons).

    Outside of a direct chat everything that is said mentions the bot, as Element writes it. In an encrypted room
    nothing is said before the bot has a device.
    """

    def __init__(self, person: Person, relay: Relay, bot: Account, address: Address) -> None:
        self.person = person
        self.relay = relay
        self.bot = bot
        self.address = address
        self.room = address.key.space
        self._said = ""
        self._ready = not isinstance(person, SecretPerson)

    async def seen(self) -> Sequence[str]:
        if isinstance(self.person, SecretPerson):
            await self.person.watch.refresh()  # the keys of what stands there come with a sync
        thread = self.address.key.thread or ""
        return await self.person.texts(self.room, sender=self.bot.id, thread=thread)

    async def say(self, text: str) -> None:
        await self._until_ready()
        words, mentions = self._addressed(text)
        self._said = await self.person.say(
            self.room, words, mentions=mentions, thread=self.address.key.thread or ""
        )

    async def rewrite(self, text: str) -> None:
        words, mentions = self._addressed(text)
        await self.person.edit(self.room, self._said, words, mentions=mentions)

    async def unsay(self) -> None:
        await self.person.redact(self.room, self._said)

    async def attach(self, name: str, mime: str, data: bytes) -> None:
        await self._until_ready()
        _, mentions = self._addressed("")
        thread = self.address.key.thread or ""
        await self.person.attach(self.room, name, mime, data, thread=thread, mentions=mentions)

    async def react(self, message_id: str, emoji: str) -> None:
        await self.person.react(self.room, message_id, emoji)

    async def signs(self) -> Sequence[str]:
        there = await self.person.seen(self.room, sender=self.person.id)
        said = next(one for one in there if one.id == self._said)
        return [emoji for emoji, who in said.reactions.items() if self.bot.id in who]

    async def remove(self, message_id: str) -> None:
        await self.person.redact(self.room, message_id, "not here")

    async def close(self) -> None:
        await self.person.kick(self.room, self.bot.id)

    async def hang_up(self) -> None:
        self.relay.drop_all()

    def limit_next(self, seconds: float) -> None:
        self.relay.limit_next(seconds)

    def drop_next(self) -> None:
        self.relay.lose_next()

    def _addressed(self, text: str) -> tuple[str, Sequence[str]]:
        if self.address.surface is Surface.DIRECT:
            return text, ()
        return f"{self.bot.name}: {text}", (self.bot.id,)

    async def _until_ready(self) -> None:
        if isinstance(self.person, SecretPerson) and not self._ready:
            await self.person.until_devices(self.room, self.bot.id)
            self._ready = True


async def open_kit(
    home: Home,
    relay: Relay,
    bot: Account,
    *,
    person: Person | None = None,
    surface: Surface = Surface.DIRECT,
    is_encrypted: bool = False,
    account: str = "main",
) -> KitPeer:
    """A person in a room that the bot has joined already, so that the channel finds it in its first sync.

    DIRECT: alone with the bot. GROUP: a third person is there. THREAD: the same, below a message of the person's.
    """
    person = person or await home.person()
    others = [] if surface is Surface.DIRECT else [await home.person("bob")]
    invited = [bot.id, *(other.id for other in others)]
    room = await person.create_room(
        *invited, is_direct=surface is Surface.DIRECT, is_encrypted=is_encrypted, name="Kit"
    )
    registered = {"user_id": bot.id, "device_id": bot.device, "access_token": bot.token}
    for joining in (Person(Api(home.session, home.url, bot.token), registered), *others):
        await joining.join(room)
    root = await person.say(room, "Let us talk below this.") if surface is Surface.THREAD else None
    return KitPeer(person, relay, bot, Address(ConversationKey("matrix", account, room, root), surface))
