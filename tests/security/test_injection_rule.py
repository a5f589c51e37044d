"""The rule itself: what makes a turn read foreign words, which calls are asked about then, and who is offered what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.access import Trust
from bot.exchange import Exchange
from bot.settings.mcp import McpServer
from bot.store.base import HistoryRow
from bot.taint import CLEAN, Origin, Taint, offered_to, taint_of
from bot.tools import OfferedTool
from channels.capabilities import Surface
from channels.events import Address, Attachment, AttachmentKind, ConversationKey, Message, Sender
from channels.programs import Asked, Said
from providers.base import PromptMessage, Role, Tool, ToolCall

PLAIN = Message(
    "e",
    "1",
    Address(ConversationKey("fake", "main", "room"), Surface.GROUP),
    Sender("ann"),
    "hello",
    datetime(2026, 11, 21, tzinfo=UTC),
)
SAFE: dict[str, Any] = {"is_local": True, "has_foreign_results": False, "has_foreign_words": False}


def tool(name: str = "notes__read", **how: Any) -> OfferedTool:
    known = {**SAFE, "has_side_effects": False, "needs_consent": False, **how}
    return OfferedTool(Tool(name, "", {}), name.partition("__")[0], **known)


def line(**kept: Any) -> HistoryRow:
    return HistoryRow("assistant", "text", "1", 0.0, exchange=Exchange((), **kept))


def called(name: str) -> HistoryRow:
    """An answer for which this tool was called."""
    messages = (
        PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("c", name, "{}"),)),
        PromptMessage(Role.TOOL, "found", call_id="c"),
        PromptMessage(Role.ASSISTANT, "done"),
    )
    return HistoryRow("assistant", "done", "1", 0.0, exchange=Exchange(messages))


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (PLAIN, set()),
        (replace(PLAIN, quotes=True), {Origin.QUOTED}),
        (replace(PLAIN, attachments=(Attachment(AttachmentKind.FILE, "r"),)), {Origin.FILE}),
        (replace(PLAIN, attachments=(Attachment(AttachmentKind.IMAGE, "r"),)), {Origin.FILE}),
        (replace(PLAIN, attachments=(Attachment(AttachmentKind.VOICE, "r"),)), set()),
        (replace(PLAIN, asked=Asked((Said("user", "hi"),))), {Origin.PROGRAM}),
    ],
)
def test_what_a_message_holds_beside_its_senders_words(message: Message, found: set[Origin]) -> None:
    assert taint_of((message,), (), (), Trust.OWNER).origins == found


@pytest.mark.parametrize(
    ("row", "trust", "found"),
    [
        (line(), Trust.OWNER, set()),
        (line(taint=("file",)), Trust.OWNER, {Origin.FILE}),
        (line(taint=("of a later version",)), Trust.OWNER, {Origin.UNKNOWN}),
        (line(trust="owner"), Trust.OWNER, set()),
        (line(trust="member"), Trust.OWNER, {Origin.OTHERS}),
        (line(trust="anybody"), Trust.MEMBER, {Origin.OTHERS}),
        (line(trust="member"), Trust.MEMBER, set()),
        (line(trust="owner"), Trust.MEMBER, set()),
        (line(trust="of a later version"), Trust.MEMBER, {Origin.OTHERS}),
        (called("notes__read"), Trust.OWNER, set()),
        (called("web__read"), Trust.OWNER, {Origin.TOOL}),
        (called("gone__since"), Trust.OWNER, {Origin.TOOL}),
    ],
)
def test_what_was_said_before_counts_while_it_is_in_the_prompt(
    row: HistoryRow, trust: Trust, found: set[Origin]
) -> None:
    offered = (tool("notes__read"), tool("web__read", has_foreign_results=True))
    assert taint_of((PLAIN,), (row,), offered, trust).origins == found


def test_a_line_keeps_what_it_was_made_of_over_a_restart() -> None:
    kept = Exchange((), taint=("file", "tool"), trust="member")
    assert Exchange.from_plain(kept.to_plain()) == kept
    assert Exchange.from_plain({"messages": []}) == Exchange(())


@pytest.mark.parametrize(
    ("how", "is_asked"),
    [
        ({}, False),
        ({"has_side_effects": True}, True),
        ({"is_local": False}, True),
        ({"has_side_effects": True, "is_local": False}, True),
    ],
)
def test_after_foreign_words_all_that_changes_or_sends_is_asked_about(
    how: dict[str, Any], *, is_asked: bool
) -> None:
    assert Taint(frozenset({Origin.FILE})).asks_about(tool(**how)) is is_asked
    assert not CLEAN.asks_about(tool(**how))


def test_a_servers_description_has_no_say_over_the_tools_of_others() -> None:
    offered = (tool("weather__today", has_foreign_words=True), tool("notes__write", has_side_effects=True))
    taint = taint_of((PLAIN,), (), offered, Trust.OWNER)
    assert taint.origins == set()
    assert taint.asks_about(offered[1])
    assert not taint.asks_about(tool("weather__set", has_side_effects=True))


def test_a_result_counts_from_the_next_step_on() -> None:
    assert CLEAN.after(tool()) == CLEAN
    assert CLEAN.after(tool(has_foreign_results=True)).origins == {Origin.TOOL}


def test_guests_are_offered_nothing_that_changes_or_sends_anything() -> None:
    kit = [tool(), tool("a", has_side_effects=True), tool("b", is_local=False), tool("c", needs_consent=True)]
    assert [each.tool.name for each in offered_to(kit, Trust.ANYBODY)] == ["notes__read", "c"]
    assert list(offered_to(kit, Trust.MEMBER)) == kit


@pytest.mark.parametrize(
    ("given", "results", "words"),
    [
        ({"command": "x"}, True, False),
        ({"url": "https://a.b"}, True, True),
        ({"command": "x", "foreign": "all"}, True, True),
        ({"url": "https://a.b", "foreign": "results"}, True, False),
        ({"url": "https://a.b", "foreign": "nothing"}, False, False),
    ],
)
def test_a_server_is_distrusted_until_the_settings_say_otherwise(
    given: dict[str, str], *, results: bool, words: bool
) -> None:
    server = McpServer.model_validate(given)
    assert (server.foreign != "nothing", server.has_foreign_words, server.reach) == (
        results,
        words,
        "outside",
    )
