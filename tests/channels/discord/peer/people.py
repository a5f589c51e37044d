"""What people do: the verbs of /control/ that change guilds, channels and messages."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from . import interactions, messages, payloads, places
from .errors import ApiError, known
from .sessions import DM_TYPING, GUILD_MEMBERS, GUILD_TYPING, GUILDS, tell, tell_guild
from .state import TEXT, Account, Attachment, Channel, Guild, Interaction, Message, Role, User, World

Body = dict[str, Any]
Verb = Callable[[World, Body], Any]

# What every fresh world has.
PERSON = "920000000000000001"
GUILD = "930000000000000001"
CHANNEL = "940000000000000001"


def furnish(world: World) -> None:
    """A guild with a text channel, a person in it, all bots in it, and a DM of the person with each bot."""
    world.users[PERSON] = User(PERSON, "ada")
    guild = Guild(GUILD, "Testers", PERSON)
    guild.roles[GUILD] = Role(GUILD, "@everyone", payloads.ALL)
    guild.members = {PERSON: [], **{account.id: [] for account in world.accounts.values()}}
    world.guilds[GUILD] = guild
    place = Channel(CHANNEL, TEXT, "general", guild, created=world.clock.wall())
    world.channels[CHANNEL] = guild.channels[CHANNEL] = place
    for account in world.accounts.values():
        places.dm(world, account, PERSON)


def place_of(world: World, body: Body) -> Channel:
    """The channel that is meant; the first text channel without one."""
    found = world.channels.get(str(body.get("channel", CHANNEL)))
    if found is None:
        raise known(10003)
    return found


def person_of(world: World, body: Body) -> User:
    """The user that is meant; the first person without one."""
    found = world.users.get(str(body.get("user", PERSON)))
    if found is None:
        raise known(10013)
    return found


def message_of(world: World, body: Body) -> Message:
    """The message that is meant, wherever it stands; ephemeral ones too."""
    number = str(body["message"])
    for place in world.channels.values():
        if number in place.messages:
            return place.messages[number]
    raise known(10008)


def bot_of(world: World, body: Body, place: Channel | None = None) -> Account:
    """The bot that is meant; in a DM the one at the other end."""
    if "bot" not in body and place is not None and place.recipients:
        return next(one for one in world.accounts.values() if one.id in place.recipients)
    return world.account(body.get("bot"))


def add_user(world: World, body: Body) -> str:
    """`name`, and the `guild` to join (the first; null for none)."""
    one = User(world.ids.next(), str(body["name"]))
    world.users[one.id] = one
    guild = world.guilds.get(str(body.get("guild", GUILD)))
    if guild is not None:
        guild.members[one.id] = []
        data = payloads.member(world, guild, one.id) | {"guild_id": guild.id}
        tell_guild(world, guild, GUILD_MEMBERS, "GUILD_MEMBER_ADD", data)
    return one.id


def add_guild(world: World, body: Body) -> str:
    """`name`; `bots`: who is in it (all); `id` if it is to be a certain one (for shards)."""
    number = str(body.get("id") or world.ids.next())
    guild = Guild(number, str(body.get("name", "guild")), PERSON)
    guild.roles[number] = Role(number, "@everyone", payloads.ALL)
    guild.members[PERSON] = []
    world.guilds[number] = guild
    for bot in body.get("bots", [one.id for one in world.accounts.values()]):
        guild.members[world.account(bot).id] = []
    place = Channel(world.ids.next(), TEXT, "general", guild, created=world.clock.wall())
    world.channels[place.id] = guild.channels[place.id] = place
    _tell_guild_create(world, guild)
    return number


def _tell_guild_create(world: World, guild: Guild) -> None:
    accounts = [one for one in world.accounts.values() if one.id in guild.members]
    tell(
        world,
        accounts,
        guild,
        GUILDS,
        "GUILD_CREATE",
        lambda session: payloads.guild(world, guild, session.account),
    )


def add_channel(world: World, body: Body) -> str:
    """`name` in `guild`."""
    guild = world.guilds[str(body.get("guild", GUILD))]
    place = Channel(world.ids.next(), TEXT, str(body.get("name", "more")), guild, created=world.clock.wall())
    world.channels[place.id] = guild.channels[place.id] = place
    tell_guild(world, guild, GUILDS, "CHANNEL_CREATE", payloads.channel(world, place))
    return place.id


def add_role(world: World, body: Body) -> str:
    """`name`, `mentionable`, `members`: who has it."""
    guild = world.guilds[str(body.get("guild", GUILD))]
    role = Role(world.ids.next(), str(body.get("name", "role")), mentionable=bool(body.get("mentionable")))
    guild.roles[role.id] = role
    for who in body.get("members", ()):
        guild.members[str(who)].append(role.id)
    data = {"guild_id": guild.id, "role": payloads.role(role, len(guild.roles))}
    tell_guild(world, guild, GUILDS, "GUILD_ROLE_CREATE", data)
    return role.id


def open_dm(world: World, body: Body) -> str:
    """The channel of `user` with `bot`."""
    return places.dm(world, world.account(body.get("bot")), person_of(world, body).id).id


def set_channel(world: World, body: Body) -> Any:
    """`denied`: permissions that the bots lack; `closed`: a DM that takes nothing; `archived`, `locked` of a thread."""
    place = place_of(world, body)
    before = "VIEW_CHANNEL" in place.denied
    if "denied" in body:
        place.denied = set(body["denied"])
    place.is_closed = bool(body.get("closed", place.is_closed))
    place.is_archived = bool(body.get("archived", place.is_archived))
    place.is_locked = bool(body.get("locked", place.is_locked))
    if place.guild is not None:
        name = "THREAD_UPDATE" if place.is_thread else "CHANNEL_UPDATE"
        if not before or "VIEW_CHANNEL" not in place.denied:
            tell_guild(world, place.guild, GUILDS, name, payloads.channel(world, place))
    return True


def delete_channel(world: World, body: Body) -> Any:
    """CHANNEL_DELETE or THREAD_DELETE; a text channel takes its threads along."""
    place = place_of(world, body)
    assert place.guild is not None
    for other in list(place.guild.channels.values()):
        if other is place or other.parent is place:
            del place.guild.channels[other.id], world.channels[other.id]
    if place.is_thread:
        assert place.parent is not None
        data = {
            "id": place.id,
            "guild_id": place.guild.id,
            "parent_id": place.parent.id,
            "type": place.type,
        }
        tell_guild(world, place.guild, GUILDS, "THREAD_DELETE", data)
    else:
        tell_guild(world, place.guild, GUILDS, "CHANNEL_DELETE", payloads.channel(world, place))
    return True


def add_thread(world: World, body: Body) -> str:
    """A person opens a thread `name` in `channel`, on `message` if given."""
    source = message_of(world, body) if body.get("message") else None
    parent = source.channel if source is not None else place_of(world, body)
    name = str(body.get("name", "thread"))
    return places.thread(world, parent, name, person_of(world, body).id, source).id


def kick(world: World, body: Body) -> Any:
    """`bot` is thrown out of `guild`; with `outage` the guild is only unavailable for all."""
    guild = world.guilds[str(body.get("guild", GUILD))]
    if body.get("outage"):
        guild.is_down = True
        tell_guild(world, guild, GUILDS, "GUILD_DELETE", {"id": guild.id, "unavailable": True})
        return True
    account = world.account(body.get("bot"))
    tell(world, [account], guild, GUILDS, "GUILD_DELETE", lambda _: {"id": guild.id})
    guild.members.pop(account.id, None)
    return True


def invite(world: World, body: Body) -> Any:
    """`bot` comes (back) into `guild`; ends an outage too."""
    guild = world.guilds[str(body.get("guild", GUILD))]
    guild.is_down = False
    account = world.account(body.get("bot"))
    guild.members.setdefault(account.id, [])
    tell(world, [account], guild, GUILDS, "GUILD_CREATE", lambda _: payloads.guild(world, guild, account))
    return True


def _files(world: World, place: Channel, body: Body) -> list[Attachment]:
    found = []
    for one in body.get("attachments", ()):
        extra = {key: one[key] for key in ("duration_secs", "waveform", "width", "height") if key in one}
        data = base64.b64decode(one["base64"])
        mime = one.get("mime", "application/octet-stream")
        attached = Attachment(world.ids.next(), one["name"], mime, data, extra)
        world.files[attached.id] = (place, attached)
        found.append(attached)
    return found


def say(world: World, body: Body) -> Any:
    """`items`: messages in a row, each with channel, user, content, reply_to, ping, attachments, ago, silent."""
    found = []
    for item in body.get("items") or [body]:
        place, who = place_of(world, item), person_of(world, item)
        one = messages.said(
            world,
            place,
            who,
            item,
            _files(world, place, item),
            ago=float(item.get("ago", 0.0)),
            is_told=not item.get("silent"),
        )
        found.append({"id": one.id, "channel": place.id})
    return found


def edit(world: World, body: Body) -> Any:
    """A person edits a message."""
    one = message_of(world, body)
    one.content = str(body["content"])
    messages.changed(world, one)
    return True


def delete(world: World, body: Body) -> Any:
    """Somebody deletes a message, ours or another's."""
    messages.remove(world, message_of(world, body))
    return True


def react(world: World, body: Body) -> Any:
    """`emoji` on `message`; `off` takes it away."""
    one, who = message_of(world, body), person_of(world, body)
    return messages.react(world, one, str(body["emoji"]), who, is_on=not body.get("off"))


def typing(world: World, body: Body) -> Any:
    """TYPING_START of a person."""
    messages.typing(world, place_of(world, body), person_of(world, body), (GUILD_TYPING, DM_TYPING))
    return True


def command(world: World, body: Body) -> Any:
    """A person sends the command `name` with `options` (name to value); `data` goes out as it is, unchecked."""
    place = place_of(world, body)
    account = bot_of(world, body, place)
    data = body.get("data") or interactions.command_data(
        account, place, body["name"], body.get("options") or {}
    )
    return _begun(
        interactions.begin(world, account, place, person_of(world, body), interactions.COMMAND, data)
    )


def complete(world: World, body: Body) -> Any:
    """A person is typing `partial` into option `focused` of the command `name`; `options`: what is filled in."""
    place = place_of(world, body)
    account = bot_of(world, body, place)
    spec = dict(body.get("options") or {})
    name = str(body["focused"])
    try:
        data = interactions.command_data(account, place, body["name"], spec)
    except ApiError:
        if spec:
            raise
        data = interactions.command_data(account, place, body["name"], {name: body.get("partial", "")})
    data = interactions.focus(data, name, body.get("partial", ""))
    kind = interactions.AUTOCOMPLETE
    return _begun(interactions.begin(world, account, place, person_of(world, body), kind, data))


def press(world: World, body: Body) -> Any:
    """A person presses the button `custom_id` under `message`."""
    one, who = message_of(world, body), person_of(world, body)
    if one.only_for not in (None, who.id):
        raise known(10008)
    account = next(entry for entry in world.accounts.values() if entry.id == one.author.id)
    data = interactions.button(one, str(body["custom_id"]))
    return _begun(interactions.begin(world, account, one.channel, who, interactions.COMPONENT, data, one))


def _begun(asked: Interaction) -> Body:
    return {"id": asked.id}


def again(world: World, body: Body) -> Any:
    """MESSAGE_CREATE of `message` a second time."""
    messages.say_again(world, message_of(world, body))
    return True


def dispatch(world: World, body: Body) -> Any:
    """Any event `name` with `data`, to the sessions of `bot`."""
    for session in world.account(body.get("bot")).sessions.values():
        session.push(str(body["name"]), body["data"])
    world.changed()
    return True


VERBS: dict[str, Verb] = {
    "add_user": add_user,
    "add_guild": add_guild,
    "add_channel": add_channel,
    "add_role": add_role,
    "add_thread": add_thread,
    "open_dm": open_dm,
    "set_channel": set_channel,
    "delete_channel": delete_channel,
    "kick": kick,
    "invite": invite,
    "say": say,
    "edit": edit,
    "delete": delete,
    "react": react,
    "typing": typing,
    "command": command,
    "complete": complete,
    "press": press,
    "again": again,
    "dispatch": dispatch,
}
