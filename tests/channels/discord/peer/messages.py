"""Writing, editing and deleting messages, by bots and by people alike."""

from __future__ import annotations

from typing import Any

from . import payloads
from .errors import ApiError, known
from .mentions import allowed_of, written
from .sessions import DM_MESSAGES, DM_REACTIONS, GUILD_MESSAGES, GUILD_REACTIONS, tell_channel, tell_message
from .state import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    VOICE,
    Account,
    Attachment,
    Channel,
    Interaction,
    Message,
    User,
    World,
)
from .validation import SETTABLE, check_message

REPLY, COMMAND_ANSWER = 19, 20
# Discord docs, Create Message, File Upload: name and content type of each part.
File = tuple[str, str, bytes]


def find_channel(world: World, account: Account, channel_id: str) -> Channel:
    """A channel that the bot can see. Raises ApiError 10003 or 50001."""
    place = world.channels.get(channel_id)
    if place is None:
        raise known(10003)
    if account not in world.bots_in(place):
        raise known(50001)
    return place


def find_message(place: Channel, message_id: str) -> Message:
    """A message that stands there for all to see. Raises ApiError 10008."""
    found = place.messages.get(message_id)
    if found is None or found.only_for is not None:
        raise known(10008)
    return found


def need(place: Channel, *permissions: str) -> None:
    """Raises ApiError 50013 when the bots lack one there."""
    denied = place.denied | (place.parent.denied if place.parent is not None else set())
    if any(name in denied for name in permissions):
        raise known(50013)


def _check_place(place: Channel) -> None:
    if place.is_closed:
        raise known(50007)
    if place.is_thread:
        if place.is_archived and place.is_locked:
            raise known(50083)
        need(place, "SEND_MESSAGES_IN_THREADS")
    else:
        need(place, "SEND_MESSAGES")


def _check_nonce(world: World, account: Account, body: dict[str, Any]) -> Message | None:
    """Discord docs, Create Message, enforce_nonce: the message that was sent with it in the past few minutes."""
    if body.get("nonce") is None or not body.get("enforce_nonce"):
        return None
    oldest = world.clock.now() - world.settings.nonce_window
    while account.nonces and next(iter(account.nonces.values()))[0] < oldest:
        del account.nonces[next(iter(account.nonces))]
    found = account.nonces.get(str(body["nonce"]))
    # Assumption: a message that was deleted meanwhile does not count.
    return None if found is None or found[1].is_deleted else found[1]


def create(
    world: World, account: Account, place: Channel, body: dict[str, Any], files: list[File]
) -> tuple[Message, bool]:
    """A bot writes; (message, whether it is new)."""
    _check_place(place)
    if files:
        need(place, "ATTACH_FILES")
    check_message(body, has_files=bool(files))
    double = _check_nonce(world, account, body)
    if double is not None:
        return double, False
    reference, replied = _reference(place, body)
    one = _make(world, place, account.user, body, files)
    if reference is not None:
        one.type, one.reference = REPLY, reference
    _mention(world, one, body.get("allowed_mentions"), replied)
    one.nonce = None if body.get("nonce") is None else str(body["nonce"])
    if one.nonce is not None:
        account.nonces.pop(one.nonce, None)
        account.nonces[one.nonce] = (world.clock.now(), one)
    place.is_archived = False
    put(world, one)
    return one, True


def answer(
    world: World,
    asked: Interaction,
    body: dict[str, Any],
    files: list[File],
    *,
    is_loading: bool = False,
    is_original: bool = True,
) -> Message:
    """A bot answers an interaction, or writes a follow-up to it."""
    if not is_loading:
        check_message(body, has_files=bool(files))
    one = _make(world, asked.channel, asked.account.user, body, files)
    one.interaction = asked
    one.type = COMMAND_ANSWER if is_original and asked.kind == 2 else 0
    flags = int(body.get("flags") or 0)
    one.flags |= flags & EPHEMERAL | (LOADING if is_loading else 0)
    if one.flags & EPHEMERAL:
        one.only_for = asked.user.id
    # Assumption: without the object an answer to an interaction pings users only (Discord docs, Interactions).
    _mention(world, one, body.get("allowed_mentions", {"parse": ["users"]}), None)
    put(world, one)
    return one


def _make(world: World, place: Channel, author: User, body: dict[str, Any], files: list[File]) -> Message:
    one = Message(
        world.ids.next(),
        place,
        author,
        (body.get("content") or "").strip(),
        world.clock.wall(),
        flags=int(body.get("flags") or 0) & SETTABLE & ~EPHEMERAL,
        embeds=list(body.get("embeds") or ()),
        components=numbered(body.get("components")),
    )
    one.attachments = [attach(world, place, *file) for file in files]
    one.allowed_mentions = body.get("allowed_mentions")
    return one


def attach(world: World, place: Channel, name: str, mime: str, data: bytes, **extra: Any) -> Attachment:
    """Put a file on the CDN. Raises ApiError 40005 when it is too large."""
    if len(data) > world.settings.max_file:
        raise known(40005)
    one = Attachment(world.ids.next(), name, mime, data, extra)
    world.files[one.id] = (place, one)
    return one


def numbered(components: Any) -> list[Any]:
    """Components with the ids that Discord gives them (Discord docs, Components Reference: id)."""
    count = 0

    def walk(entries: Any) -> list[Any]:
        nonlocal count
        found = []
        for entry in entries or ():
            count += 1
            changed = {"id": count, **entry}
            if "components" in entry:
                changed["components"] = walk(entry["components"])
            found.append(changed)
        return found

    return walk(components)


def _reference(place: Channel, body: dict[str, Any]) -> tuple[dict[str, Any] | None, Message | None]:
    """Discord docs, Message Reference; an unknown message is an error unless fail_if_not_exists is false."""
    wanted = body.get("message_reference")
    if not wanted:
        return None, None
    if "READ_MESSAGE_HISTORY" in place.denied:
        raise known(160002)
    found = place.messages.get(str(wanted.get("message_id")))
    if found is None:
        if wanted.get("fail_if_not_exists", True):
            told = [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]
            raise ApiError(400, 50035, "Invalid Form Body", errors={"message_reference": {"_errors": told}})
        return None, None
    return reference_to(found), found


def reference_to(one: Message) -> dict[str, Any]:
    """A message reference object of type 0."""
    found = {"type": 0, "channel_id": one.channel.id, "message_id": one.id}
    if one.channel.guild is not None:
        found["guild_id"] = one.channel.guild.id
    return found


def _mention(
    world: World, one: Message, allowed: Any, replied: Message | None, *, pings: bool = True
) -> None:
    author = None if replied is None else replied.author.id
    if author == one.author.id:
        author = None
    one.mentioned = allowed_of(written(one.content), allowed, author)
    if not pings:
        return
    guild = one.channel.guild
    loud = set() if guild is None else {key for key, role in guild.roles.items() if role.mentionable}
    may_all = not one.author.bot or "MENTION_EVERYONE" not in one.channel.denied
    heard = one.mentioned
    roles = tuple(role for role in heard.roles if role in loud or may_all)
    one.pings = type(heard)(heard.users, roles, heard.everyone and may_all)


def put(world: World, one: Message, *, is_told: bool = True) -> None:
    """Let a message stand in its channel."""
    one.history.append((world.clock.now(), one.content))
    place = one.channel
    last = next(reversed(place.messages), "0")
    place.messages[one.id] = one
    if int(one.id) < int(last):
        place.messages = dict(sorted(place.messages.items(), key=lambda entry: int(entry[0])))
    if is_told:
        tell_message(world, "MESSAGE_CREATE", one)


def edit(world: World, account: Account, one: Message, body: dict[str, Any], files: list[File]) -> Message:
    """A bot edits its own message; absent fields stay. Raises ApiError 50005, 30046, 50035, 50006."""
    if one.author.id != account.id:
        raise known(50005)
    before = {
        "content": one.content,
        "embeds": one.embeds,
        "components": one.components,
        "attachments": one.attachments,
        "flags": one.flags & COMPONENTS_V2,
    }
    check_message(body, has_files=bool(files), before=before)
    if world.clock.wall() - one.created > world.settings.old_after:
        one.old_edits += 1
        if one.old_edits > world.settings.old_edits:
            raise known(30046, retry_after=60.0, **{"global": False})
    if "content" in body:
        one.content = (body["content"] or "").strip()
    if "embeds" in body:
        one.embeds = list(body["embeds"] or ())
    if "components" in body:
        one.components = numbered(body["components"])
    if "attachments" in body:
        kept = {str(entry.get("id")) for entry in body["attachments"] or ()}
        one.attachments = [entry for entry in one.attachments if entry.id in kept]
    if "flags" in body:
        one.flags = one.flags & ~4 | int(body["flags"] or 0) & (4 | COMPONENTS_V2)
    one.attachments += [attach(world, one.channel, *file) for file in files]
    if "allowed_mentions" in body:
        one.allowed_mentions = body["allowed_mentions"]
    _mention(world, one, body.get("allowed_mentions", one.allowed_mentions), None, pings=False)
    changed(world, one)
    return one


def changed(world: World, one: Message) -> None:
    """An edit is made: note it and tell it."""
    one.flags &= ~LOADING
    one.edited = world.clock.wall()
    one.history.append((world.clock.now(), one.content))
    tell_message(world, "MESSAGE_UPDATE", one)


def remove(world: World, one: Message) -> None:
    """A message goes."""
    one.is_deleted = True
    one.channel.messages.pop(one.id, None)
    one.channel.deleted.append(one)
    if one.only_for is None:
        tell_channel(
            world,
            one.channel,
            (GUILD_MESSAGES, DM_MESSAGES),
            "MESSAGE_DELETE",
            {"id": one.id, "channel_id": one.channel.id},
        )
    world.changed()


def react(world: World, one: Message, emoji: str, who: User, *, is_on: bool) -> bool:
    """Somebody puts a reaction or takes it away; False when it is so already."""
    there = one.reactions.setdefault(emoji, [])
    if (who.id in there) is is_on:
        return False
    if is_on:
        there.append(who.id)
    else:
        there.remove(who.id)
    if not there:
        del one.reactions[emoji]
    place = one.channel
    data: dict[str, Any] = {
        "user_id": who.id,
        "channel_id": place.id,
        "message_id": one.id,
        "emoji": payloads.emoji(emoji),
        "type": 0,
        "burst": False,
    }
    if is_on:
        data["message_author_id"] = one.author.id
        if place.guild is not None:
            data["member"] = payloads.member(world, place.guild, who.id)
    name = "MESSAGE_REACTION_ADD" if is_on else "MESSAGE_REACTION_REMOVE"
    tell_channel(world, place, (GUILD_REACTIONS, DM_REACTIONS), name, data)
    return True


def said(
    world: World,
    place: Channel,
    who: User,
    body: dict[str, Any],
    attachments: list[Attachment],
    *,
    ago: float = 0.0,
    is_told: bool = True,
) -> Message:
    """A person writes. `ago`: it was written so many seconds ago."""
    one = Message(
        world.ids.next(ago),
        place,
        who,
        str(body.get("content", "")),
        world.clock.wall() - ago,
        attachments=attachments,
    )
    replied = None
    if body.get("reply_to"):
        replied = place.messages.get(str(body["reply_to"]))
        one.type = REPLY
        one.reference = {"type": 0, "channel_id": place.id, "message_id": str(body["reply_to"])}
        if place.guild is not None:
            one.reference["guild_id"] = place.guild.id
    if any("waveform" in entry.extra for entry in attachments):
        one.flags |= VOICE
    allowed = {"parse": ["users", "roles", "everyone"], "replied_user": bool(body.get("ping", True))}
    _mention(world, one, allowed, replied)
    if place.is_thread and place.is_archived:
        place.is_archived = False
    put(world, one, is_told=is_told)
    return one


def say_again(world: World, one: Message) -> None:
    """A second dispatch of the same message, as a gateway may make."""
    tell_message(world, "MESSAGE_CREATE", one)


def typing(world: World, place: Channel, who: User, intents: tuple[int, int]) -> None:
    """TYPING_START."""
    place.typing.append((who.id, world.clock.now()))
    data: dict[str, Any] = {
        "channel_id": place.id,
        "user_id": who.id,
        "timestamp": int(world.clock.wall()),
    }
    if place.guild is not None:
        data["member"] = payloads.member(world, place.guild, who.id)
    tell_channel(world, place, intents, "TYPING_START", data)
