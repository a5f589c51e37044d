"""Payloads of the gateway as Discord documents them, for the parser alone (Gateway Events, Message, 2026-11)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

BOT = "100000000000000001"
ROLE = "100000000000000002"
GUILD = "200000000000000001"
CHANNEL = "300000000000000001"
THREAD = "300000000000000002"
DM = "300000000000000003"
ANN = "400000000000000001"
MESSAGE = "1310000000000000001"


def user(number: str = ANN, **more: Any) -> Json:
    return {
        "id": number,
        "username": "ann",
        "global_name": "Ann",
        "discriminator": "0",
        "avatar": None,
        **more,
    }


def message(content: str = "hello", **more: Any) -> Json:
    return {
        "id": MESSAGE,
        "channel_id": CHANNEL,
        "guild_id": GUILD,
        "type": 0,
        "content": content,
        "author": user(),
        "member": {"nick": None, "roles": [], "joined_at": "2024-01-01T00:00:00+00:00"},
        "attachments": [],
        "embeds": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "timestamp": "2026-11-21T10:00:00.000000+00:00",
        "edited_timestamp": None,
        "pinned": False,
        "tts": False,
        "flags": 0,
        **more,
    }


def direct(content: str = "hello", **more: Any) -> Json:
    found = message(content, channel_id=DM, **more)
    del found["guild_id"], found["member"]
    return found


def guild(**more: Any) -> Json:
    return {
        "id": GUILD,
        "name": "Guild",
        "roles": [
            {"id": GUILD, "name": "@everyone"},
            {"id": ROLE, "name": "bot", "managed": True, "tags": {"bot_id": BOT}},
        ],
        "channels": [{"id": CHANNEL, "type": 0, "name": "general"}],
        "threads": [{"id": THREAD, "type": 11, "parent_id": CHANNEL, "owner_id": ANN}],
        "members": [],
        **more,
    }


def attachment(name: str = "a.png", mime: str | None = "image/png", **more: Any) -> Json:
    number = "500000000000000001"
    url = f"https://cdn.discordapp.com/attachments/{CHANNEL}/{number}/{name}?ex=1&is=2&hm=3"
    return {
        "id": number,
        "filename": name,
        "size": 12,
        "url": url,
        "proxy_url": url,
        "content_type": mime,
        **more,
    }


def interaction(kind: int = 2, **more: Any) -> Json:
    return {
        "id": "1310000000000000009",
        "application_id": BOT,
        "type": kind,
        "token": "aW50ZXJhY3Rpb246MTIz" * 8,
        "version": 1,
        "channel_id": CHANNEL,
        "guild_id": GUILD,
        "channel": {"id": CHANNEL, "type": 0},
        "member": {"user": user(), "roles": [], "permissions": "0"},
        "data": {
            "id": "1",
            "name": "model",
            "type": 1,
            "options": [{"name": "name", "type": 3, "value": "fast"}],
        },
        **more,
    }
