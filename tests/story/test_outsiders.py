"""People who may not come in, over the wire: in Discord's servers and Matrix's rooms, by words, menu, button and sign."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot import words
from bot.home import Home
from bot.pairing import LENGTH
from channels.commands import Role
from tests.channels.discord.peer import client as discord
from tests.channels.matrix.peer.home import open_home
from tests.channels.matrix.peer.server import Synapse
from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon

# Each starts a daemon and a server of the channel, two to four seconds.
pytestmark = pytest.mark.slow

CODE = re.compile(rf"\b[A-Z2-9]{{{LENGTH}}}\b")
RISING = ("op", "wl", "allowlist", "activation")
DENIED = {words.OWNER_ONLY, words.too_low(Role.ADMIN)}


def changes(running: Daemon) -> list[tuple[str, str]]:
    """What the record of changes tells: what, about whom or what."""
    path = Home(running.home).database
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT what, about || detail FROM access_log ORDER BY id").fetchall()


async def test_who_is_outside_on_discord_changes_nothing(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.script({"match": "/op", "text": "What is that?"}, default={"text": "an answer"})
    async with discord.start_peer() as server:
        await server.reset()
        owner, own, listed, at = server.person, server.bot.dm, server.channel, server.mention()
        # The owner's name is free for everybody to take (GHSA-4cqv-h74h-93j4).
        mallory, closed = await server.add_user("ada"), await server.add_channel("closed")
        below = await server.thread("below it", channel=closed)
        account: dict[str, Any] = {
            "token": server.token,
            "apiBase": server.api_url,
            "gateway": server.gateway_url,
        }
        account |= {"owner": [owner], "groups": [listed]}
        settings = config(mock_model.base_url, discord={"accounts": {"main": account}})
        async with daemon(tmp_path / "home", settings) as running:
            await server.wait(connected=True)
            await server.say("hello", channel=own)
            answer = (await server.wait(channel=own, contains="an answer"))["messages"][-1]["id"]

            for place in (closed, below):
                for text in ("hello", "/whoami", f"/op {mallory}"):
                    await server.say(f"{at} {text}", channel=place, user=mallory)
            for name in RISING:
                await server.say(f"{at} /{name} {mallory}", user=mallory)
            await server.react(answer, "\N{THUMBS DOWN SIGN}", user=mallory)
            for name, place in (*((each, listed) for each in RISING), ("whoami", closed), ("model", closed)):
                number = await server.command(name, channel=place, user=mallory)
                await server.wait(interaction=number, state="answered")
                said = (await server.interaction(number))["original"]
                assert said["only_for"] == mallory
                assert said["content"] in ({words.NOT_HERE} if place == closed else DENIED)
            pressed = await server.press(answer, "fw:retry", user=mallory)
            await server.wait(interaction=pressed, state="deferred answered")

            # Nor by the owner's hand: what they forward are not their words.
            forwarded = {"message": {"content": f"/op {mallory}", "type": 0}}
            author = {"id": owner, "username": "ada"}
            event: dict[str, Any] = {
                "id": str(int(answer) + 1),
                "channel_id": own,
                "author": author,
                "content": "",
            }
            event |= {"type": 0, "mentions": [], "mention_roles": [], "message_snapshots": [forwarded]}
            await server.control("dispatch", name="MESSAGE_CREATE", data=event)
            await server.wait(channel=own, contains="What is that?")

            await server.say(f"{at} and I?", user=mallory)
            await server.wait(channel=listed, contains="an answer")
            for place, shown in ((closed, []), (below, []), (own, ["an answer", "What is that?"])):
                for_all = [each["content"] for each in await server.messages(place) if not each["only_for"]]
                assert for_all == shown
            assert len(mock_model.chats()) == 3
            assert changes(running) == []
            assert await running.metric("firstword_feedback_total") == 0.0


async def test_in_a_matrix_room_what_a_direct_chat_gave_gives_no_command(
    tmp_path: Path, mock_model: MockModel, synapse: Synapse
) -> None:
    """GHSA-2gvc-4f3c-2855: commands of a room were authorised by the pairings of direct chats."""
    async with open_home(synapse) as home:
        bot = await home.bot()
        olga, mallory = await home.person("olga"), await home.person("mallory")
        room = await olga.create_room(mallory.id, name="Listed")
        await mallory.join(room)
        account: dict[str, Any] = {"homeserver": home.url, "userId": bot.id, "accessToken": bot.token}
        account |= {"owner": [olga.id], "groups": [room], "writesPerSecond": 50, "writeBurst": 100}
        settings = config(mock_model.base_url, matrix={"accounts": {"main": account}})
        async with daemon(tmp_path / "home", settings) as running:
            await olga.invite(room, bot.id)
            await olga.until_member(room, bot.id)
            await mallory.set_name("olga")
            chat = await mallory.create_room(bot.id, is_direct=True)
            await mallory.until_member(chat, bot.id)

            async def told(place: str, text: str, part: str) -> str:
                """What the bot says to it."""
                await mallory.say(place, f"{bot.name}: {text}", mentions=[bot.id])
                seen = await mallory.until_seen(
                    place, lambda seen: any(part in each.text for each in seen), sender=bot.id
                )
                return next(each.text for each in seen if part in each.text)

            code = CODE.search(await told(chat, "hello", "I do not know you yet"))
            assert code is not None
            assert (await running.ask("pairing.approve", code=code[0]))["person"]
            await told(chat, "!whoami", "(member)")
            for text in ("!activation always", f"!wl {mallory.id}", f"!op {mallory.id}"):
                await mallory.say(room, f"{bot.name}: {text}", mentions=[bot.id])
            await told(room, "!whoami", "(guest)")
            assert len(await mallory.texts(room, sender=bot.id)) == 1

            # With a third person the chat is a room that nobody has listed.
            eve = await home.person("eve")
            await mallory.invite(chat, eve.id)
            await eve.join(chat)
            for person in (mallory, eve):
                await person.say(chat, f"{bot.name}: !whoami", mentions=[bot.id])
            async with asyncio.timeout(30):
                while await running.metric("firstword_events_dropped_total", reason="ignored") < 2:
                    await asyncio.sleep(0.02)
            assert len(await mallory.texts(chat, sender=bot.id)) == 2
            assert mock_model.chats() == []
            assert [what for what, _ in changes(running)] == ["paired"]
