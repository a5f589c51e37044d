"""What a person sees, and what the record of calls says, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from . import interactions, payloads
from .state import EPHEMERAL, Call, Channel, Interaction, Message, World


def call(one: Call) -> dict[str, Any]:
    """A recorded call; `since_previous` in seconds, `at` in seconds of the monotonic clock of this machine."""
    return asdict(one)


def message(world: World, one: Message) -> dict[str, Any]:
    """A message with everything that a test may ask of it."""
    return {
        "id": one.id,
        "channel": one.channel.id,
        "author": one.author.id,
        "from_bot": one.author.bot,
        "content": one.content,
        "type": one.type,
        "flags": one.flags,
        "components": one.components,
        "buttons": [
            {
                "custom_id": entry["custom_id"],
                "label": entry.get("label"),
                "disabled": bool(entry.get("disabled")),
            }
            for entry in interactions.buttons(one)
        ],
        "embeds": one.embeds,
        "attachments": [payloads.attachment(world, one.channel, entry) for entry in one.attachments],
        "reply_to": None if one.reference is None else one.reference["message_id"],
        "edits": len(one.history) - 1,
        "history": one.history,
        "ephemeral": bool(one.flags & EPHEMERAL),
        "only_for": one.only_for,
        "thinking": payloads.is_loading(one),
        "interaction": None if one.interaction is None else one.interaction.id,
        "reactions": one.reactions,
        "nonce": one.nonce,
        "mentions": asdict(one.mentioned),
        "pings": asdict(one.pings),
        "allowed_mentions": one.allowed_mentions,
        "thread": None if one.thread is None else one.thread.id,
        "deleted": one.is_deleted,
    }


def channel(world: World, place: Channel, person: str | None = None) -> dict[str, Any]:
    """The channel; with `person` only what that person sees. Deleted messages stand by themselves."""
    there = [one for one in place.messages.values() if person is None or one.only_for in (None, person)]
    return {
        "id": place.id,
        "type": place.type,
        "name": place.name,
        "messages": [message(world, one) for one in there],
        "deleted": [message(world, one) for one in place.deleted],
        "typing": place.typing,
        "archived": place.is_archived,
    }


def interaction(world: World, asked: Interaction) -> dict[str, Any]:
    """How an interaction stands; `ack_after` in seconds."""
    return {
        "id": asked.id,
        "type": asked.kind,
        "state": interactions.state(world, asked),
        "callback": asked.callback,
        "ack_after": None if asked.acked is None else asked.acked - asked.created,
        "original": None if asked.original is None else message(world, asked.original),
        "followups": [message(world, one) for one in asked.followups],
        "choices": asked.choices,
        "modal": asked.modal,
        "token": asked.token,
        "channel": asked.channel.id,
    }
