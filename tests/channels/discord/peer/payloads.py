"""The objects as Discord writes them. Pure.

Sources: Discord docs, Resources (User, Guild, Channel, Message, Application) and "Threads" (2026-11).
"""

from __future__ import annotations

import hashlib
from typing import Any

from .clock import iso
from .state import DM, LOADING, Account, Attachment, Channel, Guild, Message, Role, User, World

# Discord docs, Permissions, Bitwise Permission Flags.
PERMISSIONS = {
    "ADD_REACTIONS": 1 << 6,
    "VIEW_CHANNEL": 1 << 10,
    "SEND_MESSAGES": 1 << 11,
    "MANAGE_MESSAGES": 1 << 13,
    "EMBED_LINKS": 1 << 14,
    "ATTACH_FILES": 1 << 15,
    "READ_MESSAGE_HISTORY": 1 << 16,
    "MENTION_EVERYONE": 1 << 17,
    "USE_APPLICATION_COMMANDS": 1 << 31,
    "MANAGE_THREADS": 1 << 34,
    "CREATE_PUBLIC_THREADS": 1 << 35,
    "SEND_MESSAGES_IN_THREADS": 1 << 38,
}
ALL = sum(PERMISSIONS.values())

# Discord docs, Application, Application Flags: the intent for verified bots, and the limited one for others.
_FLAGS = {"presence": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}


def user(one: User) -> dict[str, Any]:
    """A user object."""
    return {
        "id": one.id,
        "username": one.username,
        "discriminator": "0" if not one.bot else "0001",
        "global_name": None if one.bot else one.username.title(),
        "avatar": None,
        "bot": one.bot,
        "public_flags": 0,
        "flags": 0,
    }


def member(world: World, guild: Guild, user_id: str, *, with_user: bool = True) -> dict[str, Any]:
    """A guild member object."""
    found: dict[str, Any] = {
        "roles": list(guild.members.get(user_id, ())),
        "nick": None,
        "avatar": None,
        "joined_at": iso(1_600_000_000),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }
    if with_user:
        found["user"] = user(world.users[user_id])
    return found


def role(one: Role, position: int) -> dict[str, Any]:
    """A role object."""
    return {
        "id": one.id,
        "name": one.name,
        "permissions": str(one.permissions),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": one.mentionable,
        "flags": 0,
    }


def channel(world: World, one: Channel, *, viewer: Account | None = None) -> dict[str, Any]:
    """A channel object; a DM shows its other side."""
    last = next(reversed(one.messages), None)
    found: dict[str, Any] = {"id": one.id, "type": one.type, "last_message_id": last, "flags": 0}
    if one.type == DM:
        others = [who for who in one.recipients if viewer is None or who != viewer.id]
        return {**found, "recipients": [user(world.users[who]) for who in others]}
    assert one.guild is not None
    found |= {"guild_id": one.guild.id, "name": one.name, "rate_limit_per_user": 0}
    if one.is_thread:
        assert one.parent is not None
        return {
            **found,
            "parent_id": one.parent.id,
            "owner_id": one.owner_id,
            "message_count": len(one.messages),
            "total_message_sent": len(one.messages) + len(one.deleted),
            "member_count": 1,
            "thread_metadata": {
                "archived": one.is_archived,
                "auto_archive_duration": 1440,
                "archive_timestamp": iso(one.created),
                "locked": one.is_locked,
                "create_timestamp": iso(one.created),
            },
        }
    deny = sum(PERMISSIONS[name] for name in one.denied if name in PERMISSIONS)
    overwrites = [
        {"id": account.id, "type": 1, "allow": "0", "deny": str(deny)} for account in world.accounts.values()
    ]
    return {
        **found,
        "position": 0,
        "topic": None,
        "nsfw": False,
        "parent_id": None,
        "permission_overwrites": overwrites if deny else [],
    }


def guild(world: World, one: Guild, viewer: Account) -> dict[str, Any]:
    """What GUILD_CREATE carries."""
    return {
        "id": one.id,
        "name": one.name,
        "owner_id": one.owner_id,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role(entry, number) for number, entry in enumerate(one.roles.values())],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "afk_channel_id": None,
        "afk_timeout": 300,
        "vanity_url_code": None,
        "description": None,
        "banner": None,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "nsfw_level": 0,
        "premium_progress_bar_enabled": False,
        "joined_at": iso(1_600_000_000),
        "large": len(one.members) > 250,
        "unavailable": False,
        "member_count": len(one.members),
        # Discord docs, Guild Create: without the presence intent only the bot itself and people in voice.
        "members": [member(world, one, viewer.id)],
        # Bots are told of channels that they may not view as well; that is what the overwrites are for.
        "channels": [channel(world, entry) for entry in one.channels.values() if not entry.is_thread],
        "threads": [
            channel(world, entry)
            for entry in one.channels.values()
            if entry.is_thread and not entry.is_archived
        ],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def sign(path: str, expires: int) -> str:
    """The signature that the CDN checks."""
    return hashlib.sha256(f"{path} {expires}".encode()).hexdigest()


def attachment_url(world: World, place: Channel, one: Attachment) -> str:
    """A signed URL (Discord docs, Reference, Signed Attachment CDN URLs): ex and is are hexadecimal times."""
    path = f"/attachments/{place.id}/{one.id}/{one.name}"
    issued = int(world.clock.wall())
    expires = issued + int(world.settings.attachment_life)
    return f"{world.base_url}{path}?ex={expires:x}&is={issued:x}&hm={sign(path, expires)}&"


def attachment(world: World, place: Channel, one: Attachment) -> dict[str, Any]:
    """An attachment object."""
    url = attachment_url(world, place, one)
    return {
        "id": one.id,
        "filename": one.name,
        "size": len(one.data),
        "url": url,
        "proxy_url": url,
        "content_type": one.mime,
        **one.extra,
    }


def emoji(name: str) -> dict[str, Any]:
    """A standard emoji, or a custom one given as name:id."""
    word, _, number = name.partition(":")
    return {"id": number or None, "name": word}


def _mentions(world: World, one: Message, *, gateway: bool) -> list[dict[str, Any]]:
    found = []
    for who in one.mentioned.users:
        if who in world.users:
            entry = user(world.users[who])
            if gateway and one.channel.guild is not None:
                entry["member"] = member(world, one.channel.guild, who, with_user=False)
            found.append(entry)
    return found


def _hidden(one: Message, viewer: Account, *, has_content: bool) -> bool:
    """Discord docs, Gateway, Message Content Intent: exempt are own messages, DMs and those that mention the bot."""
    return not (
        has_content
        or one.author.id == viewer.id
        or one.channel.guild is None
        or viewer.id in one.mentioned.users
        or (one.interaction is not None and one.interaction.account is viewer)
    )


def message(
    world: World,
    one: Message,
    viewer: Account,
    *,
    has_content: bool = True,
    gateway: bool = False,
    nested: bool = True,
) -> dict[str, Any]:
    """A message object for one bot; on the gateway with guild_id and member."""
    hidden = _hidden(one, viewer, has_content=has_content)
    place = one.channel
    found: dict[str, Any] = {
        "id": one.id,
        "channel_id": place.id,
        "type": one.type,
        "content": "" if hidden else one.content,
        "author": user(one.author),
        "timestamp": iso(one.created),
        "edited_timestamp": None if one.edited is None else iso(one.edited),
        "tts": False,
        "mention_everyone": one.mentioned.everyone,
        "mentions": _mentions(world, one, gateway=gateway),
        "mention_roles": list(one.mentioned.roles),
        "attachments": [] if hidden else [attachment(world, place, entry) for entry in one.attachments],
        "embeds": [] if hidden else one.embeds,
        "components": [] if hidden else one.components,
        "pinned": False,
        "flags": one.flags,
    }
    if one.reactions:
        found["reactions"] = [
            {
                "emoji": emoji(name),
                "count": len(who),
                "count_details": {"burst": 0, "normal": len(who)},
                "me": viewer.id in who,
                "me_burst": False,
                "burst_colors": [],
            }
            for name, who in one.reactions.items()
        ]
    if one.nonce is not None and one.author.id == viewer.id:
        found["nonce"] = one.nonce
    if one.thread is not None and nested:
        found["thread"] = channel(world, one.thread)
    _add_links(world, one, viewer, found, has_content=has_content, nested=nested)
    if gateway and place.guild is not None:
        found["guild_id"] = place.guild.id
        found["member"] = member(world, place.guild, one.author.id, with_user=False)
    return found


def _add_links(
    world: World, one: Message, viewer: Account, found: dict[str, Any], *, has_content: bool, nested: bool
) -> None:
    """What it answers: a message, or an interaction."""
    if one.reference is not None:
        found["message_reference"] = one.reference
        if nested:
            there = world.channels.get(one.reference.get("channel_id", ""))
            other = None if there is None else there.messages.get(one.reference.get("message_id", ""))
            found["referenced_message"] = (
                None
                if other is None
                else message(world, other, viewer, has_content=has_content, nested=False)
            )
    if one.interaction is not None:
        asked = one.interaction
        found["application_id"] = found["webhook_id"] = asked.account.id
        found["interaction_metadata"] = {
            "id": asked.id,
            "type": asked.kind,
            "user": user(asked.user),
            "authorizing_integration_owners": {},
            **({} if asked.message is None else {"interacted_message_id": asked.message.id}),
        }


def application(world: World, account: Account) -> dict[str, Any]:
    """What GET applications/@me answers."""
    flags = sum(_FLAGS[name] for name in account.granted)
    owner = next((one for one in world.users.values() if not one.bot), account.user)
    return {
        "id": account.id,
        "name": account.user.username,
        "icon": None,
        "description": "",
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": user(owner),
        "verify_key": "0" * 64,
        "team": None,
        "rpc_origins": [],
        "flags": flags,
        "approximate_guild_count": sum(account.id in one.members for one in world.guilds.values()),
        "bot": user(account.user),
    }


def is_loading(one: Message) -> bool:
    """Whether a person sees "thinking" there."""
    return bool(one.flags & LOADING)
