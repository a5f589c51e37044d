"""One account as a whole: what arrives, menu, files, budgets, and what never leaves it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.capabilities import Operation
from channels.commands import CommandSpec
from channels.errors import Gone, NotAuthorized, TooLong, Unavailable
from channels.events import Action, Membership, Message, MessageEdited, Pressed, Reaction
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.hosts import QUICK, KeepingHost, address, running, settings
from tests.channels.telegram.peer.client import ROOT, Peer

CHAT = 4711
GROUP = -1001234567890
BASIC_GROUP = -555


def test_budgets_stay_below_the_published_limits(peer: Peer, host: KeepingHost) -> None:
    channel = TelegramChannel("main", settings(peer), host)
    group = {budget.scope: budget for budget in channel.capabilities(address(GROUP)).budgets}
    whole = group[f"chat:{GROUP}"]
    assert whole.burst + 60 * whole.rate <= 20 and whole.operations >= {Operation.SEND, Operation.EDIT}
    assert group[f"edits:{GROUP}"].rate == pytest.approx(1 / 3)
    assert group["token"].burst + group["token"].rate <= 30
    private = {budget.scope: budget for budget in channel.capabilities(address(CHAT)).budgets}
    assert private[f"chat:{CHAT}"].rate < 1.0 and Operation.STREAM not in private[f"chat:{CHAT}"].operations
    topic = {budget.scope for budget in channel.capabilities(address(GROUP, thread=9)).budgets}
    assert topic == set(group)
    free = TelegramChannel("main", settings(peer, limits="none", editInterval=5), host)
    assert {budget.scope: budget.rate for budget in free.capabilities(address(GROUP)).budgets} == {
        f"edits:{GROUP}": 0.2
    }


async def test_messages_edits_presses_reactions_and_membership_arrive(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    said = await peer.say(CHAT, "hello 👋")
    await peer.edit(CHAT, said["message_id"], "hello there")
    actions = [Action("yes", "Yes"), Action("no", "No")]
    sent = await channel.send(address(CHAT), "choose", "k", actions=actions)
    press = await peer.press(CHAT, int(sent.id), "yes")
    await peer.control("react", chat=CHAT, message_id=int(sent.id), old=["👍"], new=["❤"])
    await peer.control("member", chat=GROUP, user=7, new="member")
    await host.until(lambda: len(host.events) == 6)
    message, edited, pressed, *reactions, joined = host.events
    assert isinstance(message, Message) and message.text == "hello 👋" and message.addressed
    assert message.sender.id == str(CHAT) and message.sender.name == f"Person {CHAT}"
    assert isinstance(edited, MessageEdited) and edited.text == "hello there"
    assert edited.message_id == message.message_id and edited.event_key != message.event_key
    assert isinstance(pressed, Pressed) and pressed.action == "yes" and pressed.message_id == sent.id
    assert [(one.emoji, one.added) for one in reactions if isinstance(one, Reaction)] == [
        ("👍", False),
        ("❤", True),
    ]
    assert isinstance(joined, Membership) and joined.change == "joined"
    await peer.wait(method="answerCallbackQuery")
    assert press in (await peer.state())["answers"]


async def test_a_file_is_opened_within_its_limit(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.file("photo-1", b"x" * 1000)
    await peer.file("liar", b"x" * 1000, size=10)
    await peer.file("huge", b"x", size=30_000_000)
    await peer.say(
        CHAT, extra={"photo": [{"file_id": "photo-1", "width": 9, "height": 9}], "caption": "look"}
    )
    await host.until(lambda: bool(host.events))
    message = host.events[0]
    assert isinstance(message, Message) and message.text == "look"
    ref = message.attachments[0].ref
    assert await channel.open_attachment(ref, 1000) == b"x" * 1000
    for name, limit in (("photo-1", 999), ("liar", 999), ("huge", 10**9)):
        with pytest.raises(TooLong):
            await channel.open_attachment(name, limit)
    with pytest.raises(Gone):
        await channel.open_attachment("unknown", 1000)


async def test_the_menu_is_set_once_and_again_only_when_it_changed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as channel:
        await host.until(lambda: "menu" in host.cursors)
        await channel.register_commands(host.commands())
        assert len(await peer.calls("setMyCommands")) == 1
        await channel.register_commands((CommandSpec("new", "start over"),))
    [commands] = (await peer.state())["commands"].values()
    assert commands == [{"command": "new", "description": "start over"}]
    [first, _] = await peer.calls("setMyCommands")
    assert [entry["command"] for entry in first["args"]["commands"]] == ["model", "stop"]


async def test_a_menu_that_telegram_finds_too_long_is_shortened(peer: Peer, tmp_path: Path) -> None:
    many = [CommandSpec(f"c{number}", "does it") for number in range(150)]
    await peer.fault("setMyCommands", times=2, error=[400, "Bad Request: BOT_COMMANDS_TOO_MUCH"])
    host = KeepingHost(tmp_path, many)
    async with running(peer, host):
        await host.until(lambda: "menu" in host.cursors)
    [commands] = (await peer.state())["commands"].values()
    assert len(commands) == 64 and commands[0]["command"] == "c0"


async def test_a_menu_that_fails_does_not_stop_the_account(peer: Peer, host: KeepingHost) -> None:
    await peer.fault("setMyCommands", status=502)
    async with running(peer, host):
        await peer.wait(method="setMyCommands")
        await peer.say(CHAT, "still here?")
        await host.until(lambda: bool(host.events))
        assert host.signals["menu_failed"] == 1


async def test_a_refused_token_ends_the_run_with_one_clear_error(peer: Peer, host: KeepingHost) -> None:
    await peer.control("revoke")
    channel = TelegramChannel("main", settings(peer), host, timing=QUICK)
    with pytest.raises(NotAuthorized):
        await channel.run()
    await peer.control("revoke", off=True)
    task = asyncio.create_task(channel.run())
    await peer.wait(holding=True)
    await peer.control("revoke")
    await peer.say(CHAT, "wake up")
    with pytest.raises(NotAuthorized) as caught:
        await asyncio.wait_for(task, 30)
    await peer.control("revoke", off=True)
    assert peer.token not in str(caught.value) and peer.token not in repr(host.states)


async def test_the_token_is_in_no_log_and_no_error(
    peer: Peer, host: KeepingHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[BaseException] = []
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host) as channel:
        for fault in ({"status": 502}, {"drop": "before"}, {"malformed": True}, {"status": 302}):
            await peer.fault("sendMessage", **fault)
            with pytest.raises(Unavailable) as caught:
                await channel.send(address(CHAT), "x", "k")
            errors.append(caught.value)
    await peer.control("revoke")
    with pytest.raises(NotAuthorized) as refused:
        await TelegramChannel("main", settings(peer), host, timing=QUICK).run()
    await peer.control("revoke", off=True)
    errors.append(refused.value)
    told = "".join(f"{error!r} {error.__cause__!r} {error.__suppress_context__}" for error in errors)
    assert peer.token not in told + caplog.text + repr(channel) + repr(settings(peer))
    assert "False" not in told


async def test_sends_still_work_while_the_account_is_being_stopped(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    await peer.fault("sendMessage", delay=0.2)
    async with running(peer, host) as channel:
        under_way = asyncio.create_task(channel.send(address(CHAT), "while it stops", "k1"))
        await peer.wait(method="sendMessage", arrived=True)
    await under_way
    await channel.send(address(CHAT), "after it stopped", "k2")
    assert await peer.texts(CHAT) == ["while it stops", "after it stopped"]


def test_what_a_channel_needs_to_be_listed_imports_no_sdk() -> None:
    code = (
        "import sys; from channels.telegram import SPEC; "
        "print(SPEC.name, sorted({'telegram', 'aiohttp', 'pyromark', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "telegram []"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"token": "abc"}, "BotFather"),
        ({"token": ""}, "BotFather"),
        ({"baseUrl": "ftp://example.org"}, "http"),
        ({"editInterval": 0}, "0.2"),
        ({"pollSeconds": 51}, "50"),
        ({"stream": "sometimes"}, "'auto', 'drafts', 'edits' or 'off'"),
        ({"webhook": {"url": "http://example.org"}}, "https"),
        ({"webhook": {"url": "https://example.org", "secret": "short"}}, "32"),
        ({"webhook": {"url": "https://example.org", "secret": "with spaces" * 5}}, "32"),
        ({"tokn": "x"}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(peer: Peer, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(peer, **wrong)
    [problem] = caught.value.errors(include_input=False)
    assert told in problem["msg"] and str(problem["loc"][0]) == next(iter(wrong))
    assert peer.token not in str(caught.value) and "with spaces" not in str(caught.value)


def test_the_usual_spellings_of_a_server_mean_the_same(peer: Peer) -> None:
    for url in ("http://127.0.0.1:8081", "http://127.0.0.1:8081/", "http://127.0.0.1:8081/bot"):
        assert settings(peer, baseUrl=url).base_url == "http://127.0.0.1:8081"
