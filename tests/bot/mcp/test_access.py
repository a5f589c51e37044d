"""Who may use which tool, and which calls are asked about."""

from __future__ import annotations

from typing import Any

import pytest

from bot.access import Trust
from tests.bot.mcp.kit import bare, connected, names, offered

READS, ACTS = "bare__structured", "bare__ask"


def two(**more: Any) -> dict[str, object]:
    """A server with one tool that calls itself read-only and one that says nothing."""
    return bare(tools=["structured", "ask"], **more)


@pytest.mark.parametrize(
    ("trust", "allowed"),
    [("owners", {Trust.OWNER}), ("members", {Trust.OWNER, Trust.MEMBER})],
)
async def test_tools_are_for_owners_unless_members_may_and_never_for_anybody(
    trust: str, allowed: set[Trust]
) -> None:
    async with connected(bare=two(trust=trust)) as box:
        assert {each for each in Trust if names(box, trust=each)} == allowed


async def test_tools_are_for_the_agents_that_are_named() -> None:
    async with connected(bare=two(agents=["clerk"]), plain=two(agents=["defaults"]), all=two()) as box:
        found = {agent: {name.partition("__")[0] for name in names(box, agent)} for agent in ("clerk", None)}
    assert found == {"clerk": {"bare", "all"}, None: {"plain", "all"}}


async def test_the_order_of_tools_is_that_of_the_settings_and_their_names() -> None:
    async with connected(zebra=two(), ant=two()) as box:
        assert names(box) == ["zebra__ask", "zebra__structured", "ant__ask", "ant__structured"]


async def test_only_listed_tools_are_offered() -> None:
    async with connected(bare=bare(tools=["str*", "slow"])) as box:
        assert names(box) == ["bare__slow", "bare__structured"]
        assert box.sources()[0].tools == 2


@pytest.mark.parametrize(
    ("settings", "asks"),
    [
        ({}, {ACTS}),
        ({"confirm": "always"}, {READS, ACTS}),
        ({"confirm": "never"}, set()),
        ({"confirmExcept": ["as*"]}, set()),
        ({"confirm": "always", "confirmExcept": ["structured"]}, {ACTS}),
    ],
    ids=lambda value: str(sorted(value)),
)
async def test_the_calls_that_are_asked_about_are_those_of_the_settings(
    settings: dict[str, object], asks: set[str]
) -> None:
    async with connected(bare=two(**settings)) as box:
        assert {name for name in (READS, ACTS) if offered(box, name).needs_consent} == asks
        assert [offered(box, name).has_side_effects for name in (READS, ACTS)] == [False, True]
