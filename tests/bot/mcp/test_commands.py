"""/tools and /mcp: what may be called here, and how the servers are doing."""

from __future__ import annotations

from pathlib import Path

from bot.access import Policy
from providers.fake import FakeProvider
from tests.bot.mcp.kit import bare, box_of, connected, until
from tests.story.inside import Inside, inside

OWNER = Policy(allow=frozenset({"*"}), owners=frozenset({"ann"}))


async def ask(world: Inside, text: str, number: int) -> str:
    """The answer to one message."""
    before = len(world.channel.visible())
    await world.say(text, number)
    await world.quiet()
    return "\n".join(world.channel.visible()[before:])


async def test_the_owner_sees_tools_and_servers(tmp_path: Path) -> None:
    async with (
        connected(bare=bare(tools=["structured", "ask"])) as box,
        inside(tmp_path, FakeProvider("one"), box=box, policy=OWNER) as world,
    ):
        tools = await ask(world, "/tools", 1)
        servers = await ask(world, "/mcp", 2)
    assert tools.splitlines() == [
        "- `bare__ask`, asks first: ask",
        "- `bare__structured`: structured",
        "“asks first”: nothing happens before you press Allow.",
    ]
    assert servers == "- **bare** is connected, 2 tools."


async def test_somebody_without_trust_sees_neither(tmp_path: Path) -> None:
    async with (
        connected(bare=bare(trust="members")) as box,
        inside(tmp_path, FakeProvider("one"), box=box) as world,
    ):
        assert await ask(world, "/tools", 1) == "There are no tools for you here."
        assert "Only the owner" in await ask(world, "/mcp", 2)


async def test_a_server_that_cannot_be_reached_is_told_with_its_reason(tmp_path: Path) -> None:
    async with (
        box_of({"gone": {"command": "/nowhere/at-all"}}) as box,
        inside(tmp_path, FakeProvider("one"), box=box, policy=OWNER) as world,
    ):
        await until(lambda: "still starting" not in box.sources()[0].problem)
        servers = await ask(world, "/mcp", 1)
        tools = await ask(world, "/tools", 2)
    assert servers == "- **gone** cannot be started: /nowhere/at-all does not exist."
    assert "/mcp tells how" in tools


async def test_without_servers_the_owner_is_told_where_they_are_named(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), policy=OWNER) as world:
        assert "mcp.servers" in await ask(world, "/tools", 1)
        assert "mcp.servers" in await ask(world, "/mcp", 2)
