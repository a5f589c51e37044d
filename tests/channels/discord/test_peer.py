"""The real discord.py against the fake server: the flow that an adapter lives by."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
import yarl

from tests.channels.discord.peer.client import Peer, start_peer

with warnings.catch_warnings():
    # Its voice player imports audioop, which Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord import app_commands
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

Interaction = discord.Interaction[discord.Client]


@pytest.fixture
def here(peer: Peer) -> Iterator[Peer]:
    """discord.py has no option for a server's address: both are attributes of its classes."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = peer.api_url, yarl.URL(peer.gateway_url)
    yield peer
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


class Echo(discord.Client):
    """Answers in capitals, then edits the answer; has one command."""

    def __init__(self, peer: Peer, **more: Any) -> None:
        intents = discord.Intents(guilds=True, messages=True, message_content=True, reactions=True)
        super().__init__(
            intents=more.pop("intents", intents),
            guild_ready_timeout=0.01,
            allowed_mentions=discord.AllowedMentions.none(),
            **more,
        )
        self.peer = peer
        self.tree = app_commands.CommandTree(self)
        self.reactions: list[str] = []
        self.deleted: list[int] = []
        self.ready = asyncio.Event()

    async def setup_hook(self) -> None:
        @app_commands.describe(name="Which")
        async def model(interaction: Interaction, name: str, turns: int = 1) -> None:
            await interaction.response.defer(thinking=True)
            await interaction.edit_original_response(content=f"{name} for {turns}")
            await interaction.followup.send("and more", ephemeral=True)

        async def complete(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=current + "st", value=current + "st")]

        command: app_commands.Command[Any, ..., None] = app_commands.Command(
            name="model", description="Choose", callback=model
        )
        command.autocomplete("name")(complete)
        self.tree.add_command(command)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library's own waits for 5 s, which the server asks for only when it is told to."""

    async def on_ready(self) -> None:
        self.ready.set()

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        sent = await message.reply(message.content.upper())
        await sent.edit(content=f"{sent.content}!")

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        self.reactions.append(str(event.emoji))

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.deleted.append(event.message_id)


@asynccontextmanager
async def running(client: Echo, token: str = "") -> AsyncIterator[Echo]:
    """The client from READY until the end of the block."""
    async with client:
        task = asyncio.create_task(client.start(token or client.peer.token))
        ready = asyncio.create_task(client.ready.wait())
        try:
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
            if task.done():
                task.result()
            yield client
        finally:
            ready.cancel()
            # A client that reports READY late does so on a loop that `close` has taken away (discord.py 2.7.1).
            while late := _begun("_delay_ready"):
                await asyncio.wait(late)
            await client.close()
            await asyncio.wait({task, ready})
            if events := _begun("_run_event"):  # the library does not wait for what it has begun
                await asyncio.wait(events)


def _begun(function: str) -> set[asyncio.Task[Any]]:
    """The library's own tasks that run this."""
    return {each for each in asyncio.all_tasks() if function in str(each.get_coro())}


@pytest_asyncio.fixture
async def echo(here: Peer) -> AsyncIterator[Echo]:
    async with running(Echo(here)) as client:
        yield client


async def test_it_signs_in_hears_replies_and_edits(here: Peer, echo: Echo) -> None:
    said = await here.say("hello")
    await here.wait(channel=here.channel, equals="HELLO!")
    [seen] = await here.messages()
    assert (seen["reply_to"], seen["edits"], seen["pings"]["users"]) == (said, 1, [])
    await here.say("private", channel=here.bot.dm)
    await here.wait(channel=here.bot.dm, equals="PRIVATE!")
    thread = await here.thread("aside")
    await here.say("deeper", channel=thread)
    await here.wait(channel=thread, equals="DEEPER!")
    assert [guild.name for guild in echo.guilds] == ["Testers"]
    assert [one["name"] for one in (await here.state())["bots"][0]["commands"]["global"]] == ["model"]


async def test_its_command_is_deferred_edited_completed_and_followed_up(here: Peer, echo: Echo) -> None:
    typed = await here.complete("model", "name", "fa")
    found = await here.wait(interaction=typed, state="answered")
    assert found["choices"] == [{"name": "fast", "value": "fast"}]
    for channel in (here.channel, here.bot.dm):
        asked = await here.command("model", {"name": "fast", "turns": 2}, channel=channel)
        await here.wait(channel=channel, equals="and more")
        found = await here.interaction(asked)
        assert (found["original"]["content"], found["state"]) == ("fast for 2", "answered")
        assert found["followups"][0]["only_for"] == here.person


async def test_it_resumes_and_hears_what_it_missed(here: Peer, echo: Echo) -> None:
    await here.say("before")
    await here.wait(channel=here.channel, equals="BEFORE!")
    for number, trouble in enumerate(("drop", "reconnect"), 1):
        await here.socket("silent")
        await here.say(f"missed {number}")
        await here.socket(trouble)
        await here.wait(counted="resumed", count=number)
        await here.wait(channel=here.channel, equals=f"MISSED {number}!")
    counts = await here.counts()
    assert (counts["identify"], counts["resume_url"]) == (1, 2)
    assert await here.texts() == ["BEFORE!", "MISSED 1!", "MISSED 2!"]


async def test_an_invalid_session_makes_it_identify_again(here: Peer, echo: Echo) -> None:
    await here.socket("invalid")
    await here.wait(counted="ready", count=2)
    await here.say("again")
    await here.wait(channel=here.channel, equals="AGAIN!")


async def test_it_sees_reactions_and_deletions(here: Peer, echo: Echo) -> None:
    one = await here.say("look")
    await here.wait(channel=here.channel, equals="LOOK!")
    await here.react(one, "\U0001f44d")
    await here.delete(one)
    await here.say("after")
    await here.wait(channel=here.channel, equals="AFTER!")
    assert (echo.reactions, echo.deleted) == (["\U0001f44d"], [int(one)])


async def test_a_nonce_of_ours_makes_a_retried_message_one(here: Peer, echo: Echo) -> None:
    channel = echo.get_partial_messageable(int(here.channel))
    await here.fault("create_message", drop="after")
    with pytest.raises(OSError, match="reset by peer"):
        await channel.send("once", nonce="key-0")
    again = await channel.send("once", nonce="key-0")
    assert [(one["id"], one["nonce"]) for one in await here.messages()] == [(str(again.id), "key-0")]


async def test_discord_py_reads_the_errors_as_discords(here: Peer, echo: Echo) -> None:
    channel = echo.get_partial_messageable(int(here.channel))
    with pytest.raises(discord.HTTPException) as caught:
        await channel.send("x" * 2001)
    assert "Must be 2000 or fewer in length" in str(caught.value)
    with pytest.raises(discord.NotFound) as missing:
        await channel.get_partial_message(1).edit(content="x")
    assert missing.value.code == 10008
    await here.deny("SEND_MESSAGES")
    with pytest.raises(discord.Forbidden) as denied:
        await channel.send("x")
    assert denied.value.code == 50013


async def test_a_429_with_via_is_waited_out_and_one_without_is_raised(here: Peer, echo: Echo) -> None:
    channel = echo.get_partial_messageable(int(here.channel))
    await here.fault("create_message", rate_limit={"retry_after": 0.05})
    await channel.send("waited")
    assert [one["status"] for one in await here.calls("create_message")] == [429, 200]
    await here.fault("create_message", rate_limit={"retry_after": 9, "via": False})
    with pytest.raises(discord.HTTPException) as caught:
        await channel.send("raised")
    assert caught.value.status == 429


@pytest.mark.slow
async def test_the_library_keeps_within_the_bucket_by_itself(here: Peer, echo: Echo) -> None:
    """Slow: the sixth message waits for the bucket's window, made one second here."""
    await here.limits(buckets={"create_message": [5, 1.0]})
    channel = echo.get_partial_messageable(int(here.channel))
    for number in range(6):
        await channel.send(str(number))
    calls = await here.calls("create_message")
    assert [one["status"] for one in calls] == [200] * 6
    assert calls[5]["at"] - calls[0]["at"] >= 1.0


async def test_wrong_intents_and_a_wrong_token_end_the_client(here: Peer) -> None:
    await here.control("grant", intents=[])
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with running(Echo(here)):
            raise AssertionError
    with pytest.raises(discord.LoginFailure):
        async with running(Echo(here), token="wrong"):
            raise AssertionError


async def test_a_sharded_client_starts_as_many_as_are_recommended(here: Peer) -> None:
    class Sharded(Echo, discord.AutoShardedClient):
        pass

    await here.settings(shards=2)
    await here.add_guild("other", id=str((int(here.guild) >> 22) + 1 << 22))
    async with running(Sharded(here)) as client:
        await here.wait(counted="ready", count=2)
        assert len(client.guilds) == 2
        shards = [tuple(one["shard"]) for one in (await here.state())["bots"][0]["sessions"]]
        assert shards == [(0, 2), (1, 2)]


async def test_two_bots_live_in_one_process(here: Peer) -> None:
    async with running(Echo(here)), running(Echo(here), token=here.bots[1].token):
        await here.say("both", channel=here.bots[1].dm)
        await here.wait(channel=here.bots[1].dm, equals="BOTH!")
        await here.say("all")
        found = await here.wait(channel=here.channel, equals="ALL!", count=2)
        authors = {one["author"] for one in found["messages"] if one["from_bot"]}
        assert authors == {bot.id for bot in here.bots}


async def test_a_process_of_its_own_can_be_started_by_any_program() -> None:
    async with start_peer("--lean") as peer:
        await peer.say("hello")
        assert [one["content"] for one in await peer.messages(from_bot=False)] == ["hello"]
        with pytest.raises(TimeoutError, match="waited"):
            await peer.wait(timeout=0.01, channel=peer.channel, equals="never")
