"""Every command by everybody, everywhere, typed and pressed, through the real inbox: what takes effect is in the table."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from bot import words
from bot.access import Policy
from bot.commands.table import all_commands
from bot.pairing import ALPHABET, LENGTH
from bot.store import access
from channels.capabilities import Surface
from channels.commands import CommandSpec, Role
from channels.events import (
    Address,
    ConversationKey,
    Event,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
)
from providers.fake import FakeProvider, Hang, answer
from tests.story.inside import Inside, inside, message
from tests.virtual_time import virtual_time

POLICY = Policy(
    allow=frozenset({"mia"}),
    owners=frozenset({"olga"}),
    admins=frozenset({"adam"}),
    groups=frozenset({"listed"}),
    stops_loops=False,
)
DIRECT = {"olga": Role.OWNER, "adam": Role.ADMIN, "mia": Role.MEMBER, "paula": Role.MEMBER, "sue": None}
LISTED = {"olga": Role.OWNER, "adam": Role.ADMIN, "mia": Role.MEMBER, "paula": Role.GUEST, "sue": Role.GUEST}
NOBODY = {"mia": None, "paula": None, "sue": None}
PLACES = (("direct", DIRECT), ("listed", LISTED), ("another", NOBODY))
ARGUMENTS = {
    "allowlist": "add mallory",
    "wl": "mallory",
    "dwl": "mallory",
    "op": "mallory",
    "deop": "mallory",
    "pair": f"approve {ALPHABET[:LENGTH]}",
    "activation": "mention",
    "rollout": "status",
    "reset": "soft",
}
SPECS = all_commands().specs


def where(place: str, who: str, number: int) -> Address:
    """A place of its own for each event, so that none is answered together with another."""
    if place == "direct":
        return Address(ConversationKey("fake", "main", f"{who} {number}"), Surface.DIRECT)
    return Address(ConversationKey("fake", "main", place, str(number)), Surface.THREAD)


async def effects(world: Inside) -> tuple[object, ...]:
    """What events may change, but for what is said."""
    store = world.app.store
    held = await store.call(access.grants)
    changes = await store.call(access.log)
    chosen = await store.call(access.activations)
    return held, changes, chosen, len(world.provider.asked), await store.choices("global")


async def do(world: Inside, event: Event) -> list[str]:
    """What is newly said once all is quiet; seconds after what was before, so that nobody says too much."""
    await asyncio.sleep(5)
    before = len(world.channel.visible())
    assert await world.accept(event)
    await world.quiet()
    return world.channel.visible()[before:]


def is_refusal(said: list[str], spec: CommandSpec) -> bool:
    """Nothing was said, or that it is not for them, or how a stranger is let in."""
    refusals = {words.too_low(spec.role), words.OWNER_ONLY, words.IN_PRIVATE}
    return all(each in refusals or each.startswith("I do not know you yet") for each in said)


@virtual_time
async def _commands(folder: Path) -> int:
    tried = 0
    async with inside(
        folder, FakeProvider("one", default=answer("yes")), policy=POLICY, is_virtual=True
    ) as world:
        asks = replace(message("hi"), sender=Sender("paula"))
        code = await world.app.grants.code_for(world.account, asks)
        assert (await world.app.grants.approve(code or "", access.COMMAND_LINE)).let_in is not None
        for spec in SPECS:
            for place, people in PLACES:
                for who, role in people.items():
                    if spec.role is Role.GUEST and who not in ("mia", "sue"):
                        continue  # those who may more may this too
                    for is_press in (False, True)[: 1 + (spec.role > Role.GUEST)]:
                        tried += 1
                        text = f"{spec.name} {ARGUMENTS.get(spec.name, '')}".strip()
                        address = where(place, who, tried)
                        event: Event = (
                            Pressed(f"p{tried}", "1", address, Sender(who), text)
                            if is_press
                            else replace(
                                message(f"/{text}", tried), address=address, sender=Sender(who, "olga")
                            )
                        )
                        before = await effects(world)
                        said = await do(world, event)
                        if role is None or role < spec.role:
                            assert is_refusal(said, spec), (spec.name, who, place, said)
                            assert await effects(world) == before, (spec.name, who, place)
                        elif spec.role > Role.GUEST and not (spec.is_private and place != "direct"):
                            assert said, (spec.name, who, place)
                            assert not is_refusal(said, spec), (spec.name, who, place, said)
    return tried


def test_every_command_has_effect_for_those_alone_who_may_give_it(tmp_path: Path) -> None:
    assert _commands(tmp_path) > 300


async def test_outsiders_change_nothing_of_what_runs(tmp_path: Path) -> None:
    """Discord's reactions once skipped the list of members (GHSA-9vvh-2768-c8vp): no kind of event does."""
    provider = FakeProvider("one", (*answer("half an answer")[:2], Hang()), default=answer("again"))
    async with inside(tmp_path, provider, policy=POLICY) as world:
        room = Address(ConversationKey("fake", "main", "with mia"), Surface.DIRECT)
        asked = replace(message("a question"), address=room, sender=Sender("mia"))
        await world.accept(asked)
        async with asyncio.timeout(30):
            while not world.channel.visible():
                await asyncio.sleep(0)
        shown = world.channel.messages[0].id
        before = await effects(world)
        for who in ("sue", "", "robot"):
            sender = Sender(who, "mia", is_bot=who == "robot")
            for event in (
                Pressed(f"p {who}", shown, room, sender, "stop"),
                Pressed(f"r {who}", shown, room, sender, "retry"),
                Reaction(f"+ {who}", shown, room, sender, "\N{THUMBS DOWN SIGN}"),
                MessageEdited(f"e {who}", asked.message_id, room, sender, "other", asked.sent_at),
                MessageDeleted(f"d {who}", asked.message_id, room, sender),
                replace(asked, event_key=f"s {who}", message_id=f"s {who}", text="stop", sender=sender),
            ):
                await world.accept(event)
        # Nor does somebody who may talk to the bot speak for another.
        edit = MessageEdited("e adam", asked.message_id, room, Sender("adam"), "other", asked.sent_at)
        await world.accept(edit)
        assert world.app.lanes.running == 1
        assert not provider.asked[0].closed.is_set()
        assert await effects(world) == before
        await world.accept(Pressed("p mia", shown, room, Sender("mia"), "stop"))
        await world.quiet()
        assert "(stopped)" in world.channel.visible()[0]
