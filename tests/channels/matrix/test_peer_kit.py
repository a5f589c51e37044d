"""The person of the conformance tests, with a bot of matrix-nio in its place."""

from __future__ import annotations

import contextlib

import nio
import pytest

from channels import conformance_peers as abilities
from channels.capabilities import Surface
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.kit import open_kit
from tests.channels.matrix.peer.relay import Relay


@pytest.mark.parametrize("surface", [Surface.DIRECT, Surface.GROUP, Surface.THREAD])
async def test_what_the_kit_asks_of_a_person_happens_on_the_wire(
    home: Home, relay: Relay, bot: Account, surface: Surface
) -> None:
    kit = await open_kit(home, relay, bot, surface=surface)
    for ability in vars(abilities).values():
        if isinstance(ability, type) and ability.__name__.endswith("Peer"):
            assert isinstance(kit, ability) == (ability is not abilities.PressingPeer), ability
    client = nio.AsyncClient(
        relay.url, bot.id, config=nio.AsyncClientConfig(max_limit_exceeded=0, max_timeouts=1)
    )
    client.restore_login(bot.id, bot.device, bot.token)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        await client.sync(0)
        await kit.say("first")
        await kit.rewrite("second")
        await kit.attach("a.txt", "text/plain", b"words")
        await kit.unsay()
        heard = await client.sync(10_000)
        events = [event.source for event in heard.rooms.join[kit.room].timeline.events]
        said, edit, file, redaction = events
        prefix = "" if surface is Surface.DIRECT else f"{bot.name}: "
        mentioned = {} if surface is Surface.DIRECT else {"user_ids": [bot.id]}
        assert "body" not in said["content"]  # unsaid already
        assert edit["content"]["m.new_content"]["body"] == f"{prefix}second"
        assert edit["content"]["m.new_content"]["m.mentions"] == mentioned
        assert (file["content"]["filename"], file["content"]["m.mentions"]) == ("a.txt", mentioned)
        assert redaction["redacts"] == said["event_id"]
        content: dict[str, object] = {"msgtype": "m.text", "body": "answer"}
        if kit.address.key.thread:
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": kit.address.key.thread}
        sent = await client.room_send(kit.room, "m.room.message", content)
        assert await kit.seen() == ["answer"]
        await kit.react(sent.event_id, "\N{THUMBS UP SIGN}")
        await kit.remove(sent.event_id)
        assert await kit.seen() == []
        kit.limit_next(1)
        assert (await client.room_send(kit.room, "m.room.message", content)).retry_after_ms == 1000
        await kit.hang_up()
        kit.drop_next()
        with contextlib.suppress(OSError):
            await client.room_send(kit.room, "m.room.message", content, "once")
        assert await kit.seen() == ["answer"]
        await kit.close()
        refused = await client.room_send(kit.room, "m.room.message", content)
        assert refused.status_code == "M_FORBIDDEN"
