"""Commands, suggestions and buttons over the wire: acknowledged at once, answered in place, refused in private."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from channels.capabilities import LatencyClass, Surface
from channels.delivery import open_reply
from channels.discord.channel import DiscordChannel
from channels.errors import Gone
from channels.events import Action, Message, Pressed
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.channels.discord.hosts import KeepingHost, direct, running
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]


async def asked(peer: Peer, host: KeepingHost, name: str = "help", **more: Any) -> tuple[str, Message]:
    """A person sends a command; the interaction's id and what the host was told."""
    await peer.wait(route="put_commands", status=200)
    number = await peer.command(name, channel=more.pop("channel", peer.bot.dm), **more)
    await host.until(lambda: any(one.message_id == number for one in host.of(Message)))
    return number, next(one for one in host.of(Message) if one.message_id == number)


async def test_commands_are_registered_once(peer: Peer, host: KeepingHost) -> None:
    for _ in range(2):
        async with running(peer, host):
            await host.until(lambda: "commands" in host.cursors)
    assert len(await peer.calls("put_commands")) == 1
    names = {entry["name"] for entry in (await peer.calls("put_commands"))[0]["body"]}
    assert names == {spec.name for spec in host.commands()}


async def test_changed_commands_are_registered_again(peer: Peer, host: KeepingHost, tmp_path: Path) -> None:
    async with running(peer, host):
        await host.until(lambda: "commands" in host.cursors)
    fewer = KeepingHost(tmp_path, host.commands()[:2])
    fewer.cursors = host.cursors
    before = host.cursors["commands"]
    async with running(peer, fewer):
        await fewer.until(lambda: fewer.cursors["commands"] != before)
    assert [len(call["body"]) for call in await peer.calls("put_commands")] == [6, 2]


async def test_a_command_becomes_the_text_that_would_be_typed(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    _, message = await asked(peer, host, "model", options={"name": "demo/large", "flag": "-a"})
    assert message.text == "/model demo/large -a"
    assert message.address.surface is Surface.COMMAND
    assert str(message.address.key) == f"discord:main:{peer.bot.dm}"
    assert channel.capabilities(message.address).latency is LatencyClass.SYNC


async def test_a_command_is_acknowledged_while_the_host_still_writes_it_down(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    held = asyncio.Event()
    host.gate = lambda _: held.wait()
    await peer.wait(route="put_commands", status=200)
    number = await peer.command("help", channel=peer.bot.dm)
    state = await peer.wait(interaction=number, state="deferred")
    assert state["ack_after"] < 3.0
    assert host.events == []
    held.set()
    await host.first(Message)


async def test_the_answer_takes_the_place_of_thinking(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number, message = await asked(peer, host)
    sent = await channel.send(message.address, "**Help**", "turn-0")
    state = await peer.interaction(number)
    assert state["original"]["content"] == "**Help**"
    assert state["original"]["id"] == sent.id
    assert not state["original"]["thinking"]
    await channel.edit(message.address, sent.id, "More help")
    assert (await peer.interaction(number))["original"]["content"] == "More help"
    assert [one["content"] for one in await peer.messages(peer.bot.dm)] == ["More help"]


async def test_an_answer_that_comes_before_the_acknowledgement_waits_for_it(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.fault("callback", delay=0.3)
    number, message = await asked(peer, host)
    await channel.send(message.address, "quick", "turn-0")
    state = await peer.interaction(number)
    assert state["original"]["content"] == "quick"
    assert state["followups"] == []


async def test_a_long_answer_goes_on_in_follow_ups(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number, message = await asked(peer, host)
    text = " ".join(f"w{one}" for one in range(900))
    loop = asyncio.get_running_loop()
    async with open_reply(channel, message.address, MemoryJournal(), Budgets(), clock=loop.time) as reply:
        reply.write(text)
        delivery = await reply.finish()
    state = await peer.interaction(number)
    there = [state["original"], *state["followups"]]
    assert [one["id"] for one in there] == list(delivery.message_ids)
    assert " ".join(one["content"] for one in there).split() == text.split()
    assert await peer.calls("create_message") == []


async def test_a_follow_up_whose_confirmation_is_lost_stands_once(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number, message = await asked(peer, host)
    await channel.send(message.address, "first", "turn-0")
    await peer.fault("follow_up", drop="after")
    with pytest.raises(Exception, match=r"Disconnected|OSError|deadline"):
        await channel.send(message.address, "second", "turn-1")
    sent = await channel.send(message.address, "second", "turn-1")
    followups = (await peer.interaction(number))["followups"]
    assert [one["id"] for one in followups] == [sent.id]


async def test_an_answer_after_a_restart_takes_the_place_of_thinking(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        number, message = await asked(peer, host)
        await peer.wait(interaction=number, state="deferred")
    async with running(peer, host) as fresh:
        await fresh.send(message.address, "late but here", "turn-0")
        await fresh.send(message.address, "and more", "turn-1")
    state = await peer.interaction(number)
    assert state["original"]["content"] == "late but here"
    assert [one["content"] for one in state["followups"]] == ["and more"]


async def test_an_answer_that_was_shown_before_a_restart_is_not_shown_twice(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host) as first:
        number, message = await asked(peer, host)
        sent = await first.send(message.address, "the answer", "turn-0")
    async with running(peer, host) as fresh:
        again = await fresh.send(message.address, "the answer", "turn-0")
    assert again.id == sent.id
    assert (await peer.interaction(number))["followups"] == []


async def test_when_the_token_has_ended_the_answer_is_an_ordinary_message(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number, message = await asked(peer, host)
    sent = await channel.send(message.address, "before", "turn-0")
    await peer.advance(901)
    await channel.edit(message.address, sent.id, "edited after")
    await channel.send(message.address, "after", "turn-1")
    assert await peer.texts(peer.bot.dm) == ["edited after", "after"]
    assert (await peer.interaction(number))["followups"] == []


async def test_an_answer_that_could_not_be_acknowledged_grows_as_one_ordinary_message(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.fault("callback", times=2, error=[404, 10062, "Unknown interaction"])
    _, message = await asked(peer, host)
    loop = asyncio.get_running_loop()
    async with open_reply(channel, message.address, MemoryJournal(), Budgets(), clock=loop.time) as reply:
        reply.write("one ")
        await peer.wait(channel=peer.bot.dm, contains="one")
        reply.write("two")
        await reply.finish()
    assert await peer.texts(peer.bot.dm) == ["one two"]
    assert await peer.calls("edit_original edit_follow_up") == []


async def test_an_ordinary_message_of_an_earlier_process_is_edited_where_it_stands(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host) as first:
        await peer.fault("callback", times=2, error=[404, 10062, "Unknown interaction"])
        _, message = await asked(peer, host)
        sent = await first.send(message.address, "before", "turn-0")
    async with running(peer, host) as fresh:
        await fresh.edit(message.address, sent.id, "after")
        assert await peer.texts(peer.bot.dm) == ["after"]
        await fresh.delete(message.address, sent.id)
        with pytest.raises(Gone):
            await fresh.edit(message.address, sent.id, "too late")


async def test_a_token_known_to_have_ended_is_not_even_tried(peer: Peer, host: KeepingHost) -> None:
    shift = [0.0]
    async with running(peer, host, wall=lambda: time.time() + shift[0]) as channel:
        number, message = await asked(peer, host)
        await peer.wait(interaction=number, state="deferred")
        assert channel.capabilities(message.address).typing_ttl is None
        shift[0] = 900.0
        assert channel.capabilities(message.address).typing_ttl == 10.0
        await channel.send(message.address, "much later", "turn-0")
    assert await peer.calls("edit_original") == []
    assert (await peer.texts(peer.bot.dm))[-1] == "much later"


async def test_somebody_who_may_not_is_told_so_alone(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    host.refusals[peer.person] = "Your id is 1. The owner has to let you in."
    await peer.wait(route="put_commands", status=200)
    number = await peer.command("help", channel=peer.channel)
    state = await peer.wait(interaction=number, state="answered")
    assert state["original"]["content"] == "Your id is 1. The owner has to let you in."
    assert state["original"]["ephemeral"]
    assert state["original"]["only_for"] == peer.person
    assert host.events == []


async def test_somebody_refused_without_a_line_is_answered_nothing(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    host.refusals[peer.person] = ""
    await peer.wait(route="put_commands", status=200)
    number = await peer.command("help", channel=peer.channel)
    await peer.say(f"{peer.mention()} still there?")
    await host.first(Message)
    assert (await peer.interaction(number))["state"] in ("waiting", "failed")
    assert await peer.calls("callback") == []


async def test_thinking_is_taken_away_when_there_is_no_room_for_the_question(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    host.room = lambda _: False
    await peer.wait(route="put_commands", status=200)
    await peer.command("help", channel=peer.bot.dm)
    await peer.wait(route="delete_original", status=204)
    assert await peer.messages(peer.bot.dm) == []


async def test_thinking_is_taken_away_before_the_token_ends_when_nobody_answers(
    peer: Peer, host: KeepingHost
) -> None:
    shift = [0.0]
    async with running(peer, host, wall=lambda: time.time() + shift[0]):
        answered, other = await asked(peer, host), await asked(peer, host)
        assert answered[0] != other[0]
        await peer.wait(interaction=other[0], state="deferred")
        shift[0] = 845.0
        await peer.wait(route="delete_original", count=2, status=204)
    assert await peer.messages(peer.bot.dm) == []


async def test_an_answer_that_stands_is_not_taken_away(peer: Peer, host: KeepingHost) -> None:
    shift = [0.0]
    async with running(peer, host, wall=lambda: time.time() + shift[0]) as channel:
        _, first = await asked(peer, host)
        await channel.send(first.address, "the answer", "turn-0")
        number, _ = await asked(peer, host)
        await peer.wait(interaction=number, state="deferred")
        shift[0] = 845.0
        await peer.wait(route="delete_original", status=204)
    assert await peer.texts(peer.bot.dm) == ["the answer"]


async def test_models_are_suggested_while_somebody_types(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.wait(route="put_commands", status=200)
    number = await peer.complete("model", "name", "la", channel=peer.bot.dm)
    state = await peer.wait(interaction=number, state="answered")
    assert [one["value"] for one in state["choices"]] == ["demo/large"]
    host.refusals[peer.person] = "no"
    number = await peer.complete("model", "name", "", channel=peer.bot.dm)
    assert (await peer.wait(interaction=number, state="answered"))["choices"] == []
    assert host.events == []


async def test_a_press_is_acknowledged_and_told(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    sent = await channel.send(direct(peer.bot.dm), "working", "turn-0", actions=(Action("stop", "Stop"),))
    number = await peer.press(sent.id, "fw:stop")
    event = await host.first(Pressed)
    assert (event.action, event.message_id, event.address.reply_to) == ("stop", sent.id, sent.id)
    assert event.sender.id == peer.person
    state = await peer.wait(interaction=number, state="deferred answered")
    assert state["callback"] == 6


async def test_a_press_by_somebody_who_may_not_is_refused_in_private(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    host.refusals[peer.person] = "Not you."
    sent = await channel.send(direct(peer.bot.dm), "working", "turn-0", actions=(Action("stop", "Stop"),))
    number = await peer.press(sent.id, "fw:stop")
    await peer.wait(interaction=number, state="answered")
    assert host.of(Pressed) == []


async def test_a_closed_direct_chat_ends_an_answer_whose_token_has_ended(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    _, message = await asked(peer, host)
    await peer.advance(901)
    await peer.close_dm(peer.bot.dm)
    with pytest.raises(Gone):
        await channel.send(message.address, "nobody there", "turn-0")
