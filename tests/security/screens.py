"""What an answer brings about on each platform beside being read, judged by what arrived there over the wire."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from channels.discord.channel import DiscordChannel
from channels.errors import Refused, TooLong
from channels.matrix.outgoing import edit, message
from channels.matrix.render import TAGS
from channels.slack.channel import SlackChannel
from channels.telegram.channel import TelegramChannel
from tests.channels.discord import hosts as discord
from tests.channels.discord.peer.client import Peer as DiscordPeer
from tests.channels.slack import hosts as slack
from tests.channels.slack.peer import text as slack_text
from tests.channels.slack.peer.client import Peer as SlackPeer
from tests.channels.telegram import hosts as telegram
from tests.channels.telegram.peer.client import Peer as TelegramPeer

SUPPRESS_EMBEDS = 1 << 2
TELEGRAM_GROUP = -1001234567890
_A_ROOM = 4
"""Messages that the adapter writes to one of Discord's channels without a pause."""

SLACK_ROOM = "C0ROOM00001"
# Telegram makes a mention of this outside code (Bot API docs, MessageEntity, 2026-11).
_CALLED = re.compile(r"(?<![\w/.@])@[A-Za-z]\w{3,31}")
_PICTURE = re.compile(r"!\[[^\]\n]*\]\(")
_TAG = re.compile(r"<\s*/?\s*([A-Za-z][\w-]*)")


async def on_discord(peer: DiscordPeer, folder: Path, texts: Sequence[str]) -> list[str]:
    """Pings, previews and pictures in a server's channel."""
    await peer.limits(enabled=False)
    async with discord.running(peer, discord.KeepingHost(folder)) as channel:
        rooms = [await peer.add_channel(f"room-{at}") for at in range(0, len(texts), _A_ROOM)]
        for number, text in enumerate(texts):
            await _said(channel, discord.group(rooms[number // _A_ROOM]), text, f"d{number}")
    shown = [one for room in rooms for one in await peer.messages(room)]
    found = [f"pinged {one['pings']}" for one in shown if any(one["pings"].values())]
    calls = [*await peer.calls("create_message"), *await peer.calls("edit_message")]
    bare = [one["body"]["content"] for one in calls if not one["body"].get("flags", 0) & SUPPRESS_EMBEDS]
    return found + [f"previews {content[:60]!r}" for content in bare]


async def on_slack(peer: SlackPeer, folder: Path, texts: Sequence[str]) -> list[str]:
    """The same in a Slack channel."""
    await peer.control("limits", enabled=False)
    await peer.say(SLACK_ROOM, "hello")
    async with slack.running(peer, slack.KeepingHost(folder)) as channel:
        for number, text in enumerate(texts):
            await _said(channel, slack.address(SLACK_ROOM), text, f"s{number}")
    found = [f"pinged {one}" for one in await peer.pings()]
    for call in [*await peer.calls("chat.postMessage"), *await peer.calls("chat.update")]:
        args = call["args"]
        is_new = call["method"] == "chat.postMessage"
        if is_new and (args.get("unfurl_links"), args.get("unfurl_media")) != (False, False):
            found.append("previews links")
        blocks = "\n".join(each["text"] for each in args.get("blocks") or () if each["type"] == "markdown")
        shown = slack_text.without_code(str(args.get("markdown_text") or blocks))
        if _PICTURE.search(shown):
            found.append(f"shows a picture {shown[:60]!r}")
    return found


async def on_telegram(peer: TelegramPeer, folder: Path, texts: Sequence[str]) -> list[str]:
    """The same in a Telegram group."""
    await peer.control("set_chat", chat=TELEGRAM_GROUP)
    await peer.control("flood", limits={"enabled": False})
    async with telegram.running(peer, telegram.KeepingHost(folder), limits="none") as channel:
        for number, text in enumerate(texts):
            await _said(channel, telegram.address(TELEGRAM_GROUP), text, f"t{number}")
    found = []
    calls = [await peer.calls(name) for name in ("sendMessage", "sendRichMessage", "editMessageText")]
    for call in (each for group in calls for each in group):
        args = call["args"]
        html = args.get("rich_message", {}).get("html", "")
        if not html and args.get("link_preview_options") != {"is_disabled": True}:
            found.append("previews links")
        found += called_on_telegram(args.get("text", ""), args.get("entities", ()))
        found += embedded_on_telegram(html)
    return found


def called_on_telegram(text: str, entities: Sequence[Any]) -> list[str]:
    """Who is notified by a text with entities."""
    found = [f"calls {name}" for name in _CALLED.findall(_without_code(text, entities))]
    return found + [f"links to {each['url']}" for each in entities if "tg:" in each.get("url", "")]


def embedded_on_telegram(html: str) -> list[str]:
    """Who is notified by a rich message, and what the server would fetch for it."""
    words = re.sub(r"<(code|pre)\b[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    found = [f"calls {name}" for name in _CALLED.findall(re.sub(r"<[^>]*>", "<>", words))]
    tags = re.findall(r"<[^>]*>", html)
    return found + [f"embeds {tag}" for tag in tags if tag.startswith(("<img", "<video")) or "tg:" in tag]


def on_matrix(texts: Sequence[str]) -> list[str]:
    """The same in events, new and edited, before a homeserver takes them."""
    found = []
    for text in texts:
        try:
            contents = (message(text, msgtype="m.text"), edit(text, "$id", msgtype="m.text"))
        except (Refused, TooLong):
            continue
        for content in contents:
            if content["m.mentions"] != {} or content.get("m.new_content", content)["m.mentions"] != {}:
                found.append("mentions somebody")
            tags = {tag.lower() for tag in _TAG.findall(content.get("formatted_body", ""))}
            found += [f"embeds <{tag}>" for tag in (tags - TAGS) | (tags & {"img"})]
    return found


async def _said(
    channel: DiscordChannel | SlackChannel | TelegramChannel, address: Any, text: str, key: str
) -> None:
    """As a growing answer is: its first half, then all of it in the same message."""
    try:
        sent = await channel.send(address, text[: max(1, len(text) // 2)], key)
        await channel.edit(address, sent.id, text)
    except Refused as error:
        if error.code != "empty_text":
            raise


def _without_code(text: str, entities: Sequence[dict[str, Any]]) -> str:
    """What stands outside code; offsets count UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    for each in entities:
        if each["type"] in ("code", "pre"):
            start, end = 2 * each["offset"], 2 * (each["offset"] + each["length"])
            units = units[:start] + b" \0" * each["length"] + units[end:]
    return units.decode("utf-16-le", "replace")
