"""Interactions of the gateway: commands, what is typed into their options, presses of buttons. Pure.

Source: Discord docs, Receiving and Responding (2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from channels.capabilities import Surface
from channels.discord.content import Json
from channels.discord.handles import TOKEN_LIFE, Interaction, for_interaction, is_token
from channels.discord.parse import Me, Odd, address_in, snowflake, user_of
from channels.discord.places import Places
from channels.discord.snowflake import seconds_of, time_of
from channels.events import Action, Address, Message, Pressed, Sender
from channels.markup import clean

_COMMAND, _COMPONENT, _AUTOCOMPLETE = 2, 3, 4
_BUTTON = 2
_ACTION_ROW = 1
_SECONDARY = 2
_PREFIX = "fw:"
_MAX_ARGUMENT = 6000  # Discord docs, Application Commands: a string option holds at most 6000 characters


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was invoked; `event` is what the host is offered."""

    way: Interaction
    event: Message


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed."""

    way: Interaction
    event: Pressed


@dataclass(frozen=True, slots=True)
class Typed:
    """Somebody types into the option `option` of the command `command`."""

    way: Interaction
    command: str
    option: str
    text: str
    event: Message


def read(data: Any, me: Me, places: Places) -> Command | Press | Typed | str:
    """What an interaction asks for; a string says why it is dropped. Never raises."""
    if not isinstance(data, dict):
        return "not_an_object"
    try:
        return _read(data, me, places)
    except Odd as odd:
        return str(odd)


def _read(data: Json, me: Me, places: Places) -> Command | Press | Typed | str:
    way = _way(data)
    channel, inner = data.get("channel"), data.get("data")
    guild = data.get("guild_id")
    if isinstance(channel, dict) and guild is not None:
        known = places.at(str(channel.get("id")))
        if known is None:
            places.add_channel(channel)
    if not isinstance(inner, dict):
        raise Odd("no_data")
    member = data.get("member")
    sender = user_of(member.get("user") if isinstance(member, dict) else data.get("user"), member)
    where = address_in(snowflake(data.get("channel_id"), "channel"), guild, me, places)
    match data.get("type"):
        case 2:
            return Command(way, _invoked(inner, way, where, sender))
        case 3:
            return _pressed(data, inner, way, where, sender)
        case 4:
            return _typed(inner, way, where, sender)
        case _:
            return "unknown_kind"


def _way(data: Json) -> Interaction:
    number, token = snowflake(data.get("id"), "id"), data.get("token")
    if not is_token(token):
        raise Odd("no_token")
    expires = float(int(seconds_of(number) + TOKEN_LIFE))
    return Interaction(snowflake(data.get("application_id"), "application"), number, str(token), expires)


def _options(inner: Json) -> list[Json]:
    options = inner.get("options")
    return [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []


def _name(inner: Json) -> str:
    name = inner.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 32:
        raise Odd("no_name")
    return clean(name)


def _invoked(inner: Json, way: Interaction, where: Address, sender: Sender) -> Message:
    words = [f"/{_name(inner)}"]
    for one in _options(inner):
        value = one.get("value")
        if isinstance(value, str) and value.strip():
            words.append(value.strip()[:_MAX_ARGUMENT])
        elif type(value) in (int, float):
            words.append(str(value))
    handle = for_interaction(way)
    return Message(
        event_key=f"i:{way.id}",
        message_id=way.id,
        address=Address(
            where.key, Surface.COMMAND, None, handle, is_shared=where.surface is not Surface.DIRECT
        ),
        sender=sender,
        text=clean(" ".join(words)),
        sent_at=time_of(way.id),
        addressed=True,
    )


def _pressed(data: Json, inner: Json, way: Interaction, where: Address, sender: Sender) -> Press | str:
    message, action = data.get("message"), inner.get("custom_id")
    if not isinstance(message, dict) or not isinstance(action, str) or not action.startswith(_PREFIX):
        return "no_content"
    number = snowflake(message.get("id"), "message")
    event = Pressed(
        event_key=f"p:{way.id}",
        message_id=number,
        address=Address(where.key, where.surface, number),
        sender=sender,
        action=clean(action.removeprefix(_PREFIX)),
    )
    return Press(way, event)


def _typed(inner: Json, way: Interaction, where: Address, sender: Sender) -> Typed | str:
    for one in _options(inner):
        if one.get("focused") is True and isinstance(one.get("name"), str):
            value = one.get("value")
            text = value if isinstance(value, str) else ""
            return Typed(way, _name(inner), one["name"], text, _invoked(inner, way, where, sender))
    return "no_content"


def buttons(actions: Any) -> list[Json]:
    """The components under a message: one row of at most five buttons."""
    row = [
        {
            "type": _BUTTON,
            "style": _SECONDARY,
            "label": action.label[:80],
            "custom_id": f"{_PREFIX}{action.id}"[:100],
        }
        for action in actions
        if isinstance(action, Action) and action.label
    ][:5]
    return [{"type": _ACTION_ROW, "components": row}] if row else []
