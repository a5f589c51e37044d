"""The routes of channels, messages, reactions and threads.

Source: Discord docs, Resources/Channel and Resources/Message (2026-11).
"""

from __future__ import annotations

from urllib.parse import unquote

from . import messages, payloads
from .errors import Form, known
from .places import thread
from .request import NOTHING, Answer, Request, Route
from .sessions import DM_TYPING, GUILD_TYPING, GUILDS, tell_guild


def _get_channel(call: Request) -> Answer:
    return 200, payloads.channel(call.world, call.channel(), viewer=call.bot)


def _typing(call: Request) -> Answer:
    place = call.channel()
    if place.is_closed:
        raise known(50007)
    messages.need(place, "SEND_MESSAGES")
    messages.typing(call.world, place, call.bot.user, (GUILD_TYPING, DM_TYPING))
    return NOTHING


def _create_message(call: Request) -> Answer:
    one, _ = messages.create(call.world, call.bot, call.channel(), call.fields, call.files)
    return 200, call.show(one)


def _get_message(call: Request) -> Answer:
    place = call.channel()
    messages.need(place, "READ_MESSAGE_HISTORY")
    return 200, call.show(messages.find_message(place, call.args["message"]))


def _edit_message(call: Request) -> Answer:
    return 200, call.show(messages.edit(call.world, call.bot, call.message(), call.fields, call.files))


def _delete_message(call: Request) -> Answer:
    one = call.message()
    if one.author.id != call.bot.id:
        if one.channel.guild is None:
            raise known(50003)
        messages.need(one.channel, "MANAGE_MESSAGES")
    messages.remove(call.world, one)
    return NOTHING


def _history(call: Request) -> Answer:
    """Discord docs, Get Channel Messages: newest first, at most 100; empty without the history permission."""
    place = call.channel()
    limit = _number(call, "limit", 50)
    form = Form()
    if not 1 <= limit <= 100:
        told = (
            "int value should be less than or equal to 100."
            if limit > 100
            else "int value should be greater than or equal to 1."
        )
        form.add("limit", "NUMBER_TYPE_MAX" if limit > 100 else "NUMBER_TYPE_MIN", told)
    form.end()
    if "READ_MESSAGE_HISTORY" in (place.denied | (place.parent or place).denied):
        return 200, []
    there = [one for one in place.messages.values() if one.only_for is None]
    after, before, around = (_number(call, name, -1) for name in ("after", "before", "around"))
    if after >= 0:
        # The oldest ones that come after it, still told newest first.
        there = [one for one in there if int(one.id) > after][:limit]
    elif before >= 0:
        there = [one for one in there if int(one.id) < before][-limit:]
    elif around >= 0:
        there = sorted(
            sorted(there, key=lambda one: abs(int(one.id) - around))[:limit], key=lambda one: int(one.id)
        )
    else:
        there = there[-limit:]
    return 200, [call.show(one) for one in reversed(there)]


def _number(call: Request, name: str, default: int) -> int:
    raw = call.query.get(name)
    if raw is None:
        return default
    if not raw.isdigit():
        form = Form()
        form.add(name, "NUMBER_TYPE_COERCE", f'Value "{raw}" is not snowflake.')
        form.end()
    return int(raw)


def _emoji(call: Request) -> str:
    found = unquote(call.args["emoji"])
    word, _, number = found.partition(":")
    if number.isdigit() or any(ord(sign) > 0x2000 or sign == "\u20e3" for sign in word):
        return found
    raise known(10014)


def _react(call: Request) -> Answer:
    one = call.message()
    messages.need(one.channel, "READ_MESSAGE_HISTORY")
    emoji = _emoji(call)
    if emoji not in one.reactions:
        messages.need(one.channel, "ADD_REACTIONS")
    messages.react(call.world, one, emoji, call.bot.user, is_on=True)
    return NOTHING


def _unreact(call: Request) -> Answer:
    messages.react(call.world, call.message(), _emoji(call), call.bot.user, is_on=False)
    return NOTHING


def _reactions(call: Request) -> Answer:
    found = call.message().reactions.get(_emoji(call), [])
    return 200, [payloads.user(call.world.users[who]) for who in found]


def _start_thread(call: Request) -> Answer:
    parent = call.channel()
    messages.need(parent, "CREATE_PUBLIC_THREADS")
    form = Form()
    form.check("name", str(call.fields.get("name") or ""), 100, 1)
    form.end()
    source = call.message() if "message" in call.args else None
    if source is not None and source.thread is not None:
        raise known(160004)
    one = thread(call.world, parent, call.fields["name"], call.bot.id, source)
    return 201, payloads.channel(call.world, one)


def _patch_channel(call: Request) -> Answer:
    place = call.channel()
    messages.need(place, "MANAGE_THREADS")
    for name, attribute in (("archived", "is_archived"), ("locked", "is_locked"), ("name", "name")):
        if name in call.fields:
            setattr(place, attribute, call.fields[name])
    data = payloads.channel(call.world, place)
    if place.guild is not None:
        tell_guild(
            call.world, place.guild, GUILDS, "THREAD_UPDATE" if place.is_thread else "CHANNEL_UPDATE", data
        )
    return 200, data


def _join_thread(call: Request) -> Answer:
    call.channel()
    return NOTHING


def _refresh_urls(call: Request) -> Answer:
    found = []
    for url in call.fields.get("attachment_urls") or ():
        number = str(url).partition("/attachments/")[2].split("/")[1:2]
        place, one = call.world.files.get(number[0] if number else "", (None, None))
        fresh = None if place is None or one is None else payloads.attachment_url(call.world, place, one)
        found.append({"original": url, "refreshed": fresh})
    return 200, {"refreshed_urls": found}


_MESSAGE = "/channels/{channel}/messages/{message}"
_PLACE = ("channel",)

ROUTES: tuple[Route, ...] = (
    Route("channel", "GET", "/channels/{channel}", _get_channel, "other", _PLACE),
    Route("edit_channel", "PATCH", "/channels/{channel}", _patch_channel, "threads", _PLACE),
    Route("typing", "POST", "/channels/{channel}/typing", _typing, "typing", _PLACE),
    Route(
        "create_message", "POST", "/channels/{channel}/messages", _create_message, "create_message", _PLACE
    ),
    Route("history", "GET", "/channels/{channel}/messages", _history, "history", _PLACE),
    Route("message", "GET", _MESSAGE, _get_message, "history", _PLACE),
    Route("edit_message", "PATCH", _MESSAGE, _edit_message, "edit_message", _PLACE),
    Route("delete_message", "DELETE", _MESSAGE, _delete_message, "delete_message", _PLACE),
    Route("react", "PUT", _MESSAGE + "/reactions/{emoji}/@me", _react, "reaction", _PLACE),
    Route("unreact", "DELETE", _MESSAGE + "/reactions/{emoji}/@me", _unreact, "reaction", _PLACE),
    Route("reactions", "GET", _MESSAGE + "/reactions/{emoji}", _reactions, "other", _PLACE),
    Route("thread", "POST", "/channels/{channel}/threads", _start_thread, "threads", _PLACE),
    Route("thread", "POST", _MESSAGE + "/threads", _start_thread, "threads", _PLACE),
    Route("join_thread", "PUT", "/channels/{channel}/thread-members/@me", _join_thread, "threads", _PLACE),
    Route("refresh_urls", "POST", "/attachments/refresh-urls", _refresh_urls),
)
