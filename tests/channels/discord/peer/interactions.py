"""Interactions: how they come about, and the callback and webhook routes that answer them.

Source: Discord docs, "Receiving and Responding to Interactions" (2026-11): the first answer within 3 s, the token
good for 15 minutes, an answer once only, a first follow-up after a deferral edits the deferred message.
"""

from __future__ import annotations

import asyncio
from typing import Any

from . import messages, payloads
from .commands import check_choices
from .errors import ApiError, Form, known
from .state import EPHEMERAL, LOADING, Account, Channel, Interaction, Message, User, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
PONG, ANSWER, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
_ALLOWED = {
    COMMAND: (ANSWER, DEFER, MODAL),
    COMPONENT: (ANSWER, DEFER, DEFER_UPDATE, UPDATE, MODAL),
    AUTOCOMPLETE: (CHOICES,),
    MODAL_SUBMIT: (ANSWER, DEFER, DEFER_UPDATE, UPDATE),
}


def begin(
    world: World,
    account: Account,
    place: Channel,
    who: User,
    kind: int,
    data: dict[str, Any],
    message: Message | None = None,
) -> Interaction:
    """A person does something; INTERACTION_CREATE goes to the bot, whatever its intents."""
    asked = Interaction(
        world.ids.next(), world.new_token(), kind, account, place, who, world.clock.now(), data, message
    )
    world.interactions[asked.id] = world.interaction_tokens[asked.token] = asked
    payload = _payload(world, asked)
    account.count("interactions")
    # Whoever waits for it to fail is woken when the time is up.
    asyncio.get_running_loop().call_later(world.settings.ack_deadline + 0.001, world.changed)
    for session in account.sessions.values():
        if session.covers(place.guild):
            session.push("INTERACTION_CREATE", payload)
    world.changed()
    return asked


def _payload(world: World, asked: Interaction) -> dict[str, Any]:
    place, guild = asked.channel, asked.channel.guild
    found: dict[str, Any] = {
        "id": asked.id,
        "application_id": asked.account.id,
        "type": asked.kind,
        "token": asked.token,
        "version": 1,
        "data": asked.data,
        "channel_id": place.id,
        "channel": payloads.channel(world, place, viewer=asked.account) | {"permissions": str(payloads.ALL)},
        "app_permissions": str(payloads.ALL),
        "locale": "en-US",
        "entitlements": [],
        "entitlement_sku_ids": [],
        "attachment_size_limit": world.settings.max_file,
        "authorizing_integration_owners": {"0": guild.id if guild is not None else "0"},
        # Discord docs, Interaction Context Types: 0 a guild, 1 a DM with the bot.
        "context": 0 if guild is not None else 1,
    }
    if guild is None:
        found["user"] = payloads.user(asked.user)
    else:
        found["guild_id"] = guild.id
        found["guild"] = {"id": guild.id, "locale": "en-US", "features": []}
        found["guild_locale"] = "en-US"
        found["member"] = payloads.member(world, guild, asked.user.id) | {"permissions": str(payloads.ALL)}
    if asked.message is not None:
        found["message"] = payloads.message(world, asked.message, asked.account)
    return found


def state(world: World, asked: Interaction) -> str:
    """waiting, deferred, answered or failed: what the person sees of it."""
    if asked.acked is None:
        late = world.clock.now() > asked.created + world.settings.ack_deadline
        return "failed" if late else "waiting"
    original = asked.original
    loading = asked.callback == DEFER and original is not None and payloads.is_loading(original)
    return "deferred" if loading else "answered"


def callback(
    world: World, interaction_id: str, token: str, body: dict[str, Any], files: list[messages.File]
) -> dict[str, Any]:
    """POST interactions/{id}/{token}/callback; returns what `with_response` shows."""
    asked = world.interactions.get(interaction_id)
    if asked is None or asked.token != token or state(world, asked) == "failed":
        raise known(10062)
    if asked.acked is not None:
        raise known(40060)
    kind = body.get("type")
    form = Form()
    form.choice("type", kind, _ALLOWED[asked.kind])
    form.end()
    data = body.get("data") or {}
    if kind == CHOICES:
        choices = data.get("choices")
        if not isinstance(choices, list):
            form.required("data.choices")
        else:
            check_choices(form, "data.choices", choices)
        form.end()
        asked.choices = choices
    elif kind == MODAL:
        asked.modal = data
    elif kind == UPDATE:
        assert asked.message is not None
        asked.original = _update(world, asked, asked.message, data, files)
    elif kind == DEFER_UPDATE:
        asked.original = asked.message
    else:
        asked.original = messages.answer(world, asked, data, files, is_loading=kind == DEFER)
    assert isinstance(kind, int)
    asked.acked, asked.callback = world.clock.now(), kind
    world.changed()
    return _response(world, asked, kind)


def _response(world: World, asked: Interaction, kind: int) -> dict[str, Any]:
    told: dict[str, Any] = {"id": asked.id, "type": asked.kind}
    found: dict[str, Any] = {"interaction": told}
    original = asked.original
    if original is not None and kind in (ANSWER, DEFER, UPDATE, DEFER_UPDATE):
        told["response_message_id"] = original.id
        told["response_message_loading"] = kind == DEFER
        told["response_message_ephemeral"] = bool(original.flags & EPHEMERAL)
        found["resource"] = {"type": kind, "message": payloads.message(world, original, asked.account)}
    return found


def _update(
    world: World, asked: Interaction, one: Message, data: dict[str, Any], files: list[messages.File]
) -> Message:
    return messages.edit(world, asked.account, one, data, files)


def of_webhook(world: World, application_id: str, token: str) -> Interaction:
    """The interaction of a webhook route. Raises ApiError 10015 or 50027."""
    found = world.interaction_tokens.get(token)
    # discord/discord-api-docs#6851 (2024-05) saw 404 for tokens of interactions that nobody answered yet.
    if found is None or found.account.id != application_id or found.acked is None:
        raise known(10015)
    if world.clock.now() > found.created + world.settings.token_life:
        raise known(50027)
    return found


def webhook_message(asked: Interaction, message_id: str) -> Message:
    """@original or a follow-up by its id. Raises ApiError 10008."""
    if message_id == "@original":
        found = asked.original
    else:
        mine = [asked.original, *asked.followups]
        found = next((one for one in mine if one is not None and one.id == message_id), None)
    if found is None or found.is_deleted:
        raise known(10008)
    return found


def follow_up(world: World, asked: Interaction, body: dict[str, Any], files: list[messages.File]) -> Message:
    """POST webhooks/{app}/{token}: after a deferral the first one fills the deferred message."""
    original = asked.original
    if asked.callback == DEFER and original is not None and original.flags & LOADING:
        return messages.edit(world, asked.account, original, {**body, "flags": 0}, files)
    one = messages.answer(world, asked, body, files, is_original=False)
    if original is not None:
        one.reference = messages.reference_to(original)
        one.type = messages.REPLY
    asked.followups.append(one)
    world.changed()
    return one


def edit(
    world: World, asked: Interaction, one: Message, body: dict[str, Any], files: list[messages.File]
) -> Message:
    """PATCH webhooks/{app}/{token}/messages/{id}."""
    return messages.edit(world, asked.account, one, body, files)


def remove(world: World, one: Message) -> None:
    """DELETE webhooks/{app}/{token}/messages/{id}."""
    messages.remove(world, one)


def command_data(account: Account, place: Channel, line: str, options: dict[str, Any]) -> dict[str, Any]:
    """What typing "/line" sends: `line` is the name, with a sub-command after it; `options` name to value.

    Raises ApiError when the menu has no such command, or the person's client would not let them send it.
    """
    name, *below = line.removeprefix("/").split()
    scopes = ([] if place.guild is None else [place.guild.id]) + ["global"]
    found = next(
        (
            account.commands[scope][1, name]
            for scope in scopes
            if (1, name) in account.commands.get(scope, {})
        ),
        None,
    )
    if found is None:
        raise ApiError(400, 0, f"no command {name} in the menu")
    data = {"id": found["id"], "name": name, "type": 1}
    if found.get("guild_id"):
        data["guild_id"] = found["guild_id"]
    here, spec = data, found
    for step in below:
        inside = [one for one in spec.get("options") or () if one["name"] == step]
        if not inside:
            raise ApiError(400, 0, f"/{line}: no sub-command {step}")
        spec = inside[0]
        inner = {"name": step, "type": spec["type"]}
        here["options"] = [inner]
        here = inner
    filled = [_option(one, options) for one in spec.get("options") or () if one["name"] in options]
    unknown = set(options) - {one["name"] for one in spec.get("options") or ()}
    missing = [
        one["name"] for one in spec.get("options") or () if one.get("required") and one["name"] not in options
    ]
    if unknown or missing:
        raise ApiError(400, 0, f"/{line}: no such options {sorted(unknown)}, required {missing}")
    if filled:
        here["options"] = filled
    return data


_TYPES: dict[int, tuple[type, ...]] = {3: (str,), 4: (int,), 5: (bool,), 10: (int, float)}


def _option(spec: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    name, value = spec["name"], options[spec["name"]]
    wanted = _TYPES.get(spec["type"], (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ApiError(400, 0, f"option {name}: {value!r} is not of type {spec['type']}")
    choices = spec.get("choices") or ()
    if choices and value not in [one["value"] for one in choices]:
        raise ApiError(400, 0, f"option {name}: {value!r} is no choice")
    return {"name": name, "type": spec["type"], "value": value}


def focus(data: dict[str, Any], name: str, partial: Any) -> dict[str, Any]:
    """The same while a person is typing option `name`: Discord docs, autocomplete, sends what is there so far."""
    here = data
    while here.get("options") and here["options"][0]["type"] in (1, 2):
        here = here["options"][0]
    others = [one for one in here.get("options") or () if one["name"] != name]
    here["options"] = [*others, {"name": name, "type": 3, "value": partial, "focused": True}]
    return data


def button(one: Message, custom_id: str) -> dict[str, Any]:
    """The button with that id under a message. Raises ApiError when it is not there or cannot be pressed."""
    for entry in _buttons(one.components):
        if entry.get("custom_id") == custom_id:
            if entry.get("disabled"):
                raise ApiError(400, 0, f"button {custom_id} is disabled")
            return {"custom_id": custom_id, "component_type": entry["type"], "id": entry["id"]}
    raise ApiError(400, 0, f"no button {custom_id} under message {one.id}")


def _buttons(components: list[Any]) -> list[dict[str, Any]]:
    found = []
    for entry in components:
        if entry.get("custom_id"):
            found.append(entry)
        found += _buttons(entry.get("components") or [])
    return found


def buttons(one: Message) -> list[dict[str, Any]]:
    """What can be pressed under it, in order."""
    return _buttons(one.components)
