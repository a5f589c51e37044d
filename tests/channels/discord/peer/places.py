"""Where people and bots meet: DMs and threads are made on demand."""

from __future__ import annotations

from . import payloads
from .sessions import GUILDS, tell_guild
from .state import DM, HAS_THREAD, PUBLIC_THREAD, Account, Channel, Message, World


def dm(world: World, account: Account, person: str) -> Channel:
    """The DM of a bot and a person; made when it is not there yet."""
    pair = tuple(sorted((account.id, person)))
    for place in world.channels.values():
        if place.recipients == pair:
            return place
    place = Channel(world.ids.next(), DM, recipients=pair, created=world.clock.wall())
    world.channels[place.id] = place
    return place


def thread(world: World, parent: Channel, name: str, owner: str, source: Message | None = None) -> Channel:
    """Open a public thread; one that hangs on a message has its id (Discord docs, Threads)."""
    assert parent.guild is not None
    number = world.ids.next() if source is None else source.id
    one = Channel(
        number, PUBLIC_THREAD, name, parent.guild, parent, owner_id=owner, created=world.clock.wall()
    )
    world.channels[number] = parent.guild.channels[number] = one
    if source is not None:
        source.thread = one
        source.flags |= HAS_THREAD
    data = payloads.channel(world, one) | {"newly_created": True}
    tell_guild(world, parent.guild, GUILDS, "THREAD_CREATE", data)
    return one
