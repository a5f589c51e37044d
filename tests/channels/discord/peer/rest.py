"""REST v10: the routes with their buckets, and what each does.

Source: Discord docs, the resource pages of User, Application, Application Commands, Channel, Message, Guild,
Webhook and "Receiving and Responding to Interactions" (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import commands, interactions, messages, payloads
from .errors import ApiError, Form, known, not_found
from .sessions import DM_TYPING, GUILD_TYPING, GUILDS, tell_guild
from .state import DM, HAS_THREAD, PUBLIC_THREAD, Account, Channel, Interaction, Message, World

NOTHING = (204, None)
Answer = tuple[int, Any]


@dataclass(slots=True)
class Request:
    """One call, taken apart. `account` is None on routes without a bot's token."""

    world: World
    account: Account | None
    args: dict[str, str]
    query: dict[str, str]
    body: Any
    files: list[messages.File] = field(default_factory=list)

    @property
    def bot(self) -> Account:
        """The bot that calls."""
        assert self.account is not None
        return self.account

    @property
    def fields(self) -> dict[str, Any]:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise known(50109)
        return self.body

    def channel(self) -> Channel:
        """The channel of the path."""
        return messages.find_channel(self.world, self.bot, self.args["channel"])

    def message(self) -> Message:
        """The message of the path."""
        return messages.find_message(self.channel(), self.args["message"])

    def show(self, one: Message) -> dict[str, Any]:
        """The message for this bot; without the application's flag others' content is hidden."""
        has_content = "message_content" in self.bot.granted
        return payloads.message(self.world, one, self.bot, has_content=has_content)


Handler = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is what a fault and the record of calls go by; `major` are the arguments that split its bucket."""

    name: str
    method: str
    path: str
    handler: Handler
    bucket: str = "other"
    major: tuple[str, ...] = ()
    needs_token: bool = True

    def pattern(self) -> re.Pattern[str]:
        """The path with its arguments as groups."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + r"\Z")


def _me(call: Request) -> Answer:
    return 200, {**payloads.user(call.bot.user), "verified": True, "mfa_enabled": False, "email": None}


def _application(call: Request) -> Answer:
    return 200, payloads.application(call.world, call.bot)


def _gateway(call: Request) -> Answer:
    return 200, {"url": call.world.base_url.replace("http", "ws", 1) + "/gateway"}


def _gateway_bot(call: Request) -> Answer:
    settings, used = call.world.settings, call.bot.counts.get("identify", 0)
    limit = {"total": 1000, "remaining": max(0, 1000 - used), "reset_after": 86_400_000}
    _, found = _gateway(call)
    return 200, {
        **found,
        "shards": settings.shards,
        "session_start_limit": {**limit, "max_concurrency": settings.max_concurrency},
    }


def _user(call: Request) -> Answer:
    found = call.world.users.get(call.args["user"])
    if found is None:
        raise known(10013)
    return 200, payloads.user(found)


def _create_dm(call: Request) -> Answer:
    recipient = str(call.fields.get("recipient_id"))
    person = call.world.users.get(recipient)
    if person is None or person.bot:
        raise known(50007)
    return 200, payloads.channel(call.world, dm(call.world, call.bot, recipient), viewer=call.bot)


def dm(world: World, account: Account, person: str) -> Channel:
    """The DM of a bot and a person; made when it is not there yet."""
    pair = tuple(sorted((account.id, person)))
    for place in world.channels.values():
        if place.recipients == pair:
            return place
    place = Channel(world.ids.next(), DM, recipients=pair, created=world.clock.wall())
    world.channels[place.id] = place
    return place


def _get_commands(call: Request) -> Answer:
    return 200, list(call.bot.commands.get(_scope(call), {}).values())


def _scope(call: Request) -> str:
    if call.args["application"] != call.bot.id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    guild = call.args.get("guild", "global")
    if guild != "global" and call.bot.id not in getattr(call.world.guilds.get(guild), "members", ()):
        raise known(50001)
    return guild


def _put_commands(call: Request) -> Answer:
    return 200, commands.replace(call.world, call.bot, _scope(call), call.body)


def _post_command(call: Request) -> Answer:
    found, is_new = commands.upsert(call.world, call.bot, _scope(call), call.body)
    return (201 if is_new else 200), found


def _get_command(call: Request) -> Answer:
    return 200, commands.find(call.bot, _scope(call), call.args["command"])


def _patch_command(call: Request) -> Answer:
    before = commands.find(call.bot, _scope(call), call.args["command"])
    found, _ = commands.upsert(call.world, call.bot, _scope(call), {**before, **call.fields})
    return 200, found


def _delete_command(call: Request) -> Answer:
    commands.delete(call.bot, _scope(call), call.args["command"])
    return NOTHING


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


def _get_guild(call: Request) -> Answer:
    found = call.world.guilds.get(call.args["guild"])
    if found is None or call.bot.id not in found.members:
        raise known(10004)
    return 200, payloads.guild(call.world, found, call.bot)


def _guild_channels(call: Request) -> Answer:
    _get_guild(call)
    guild = call.world.guilds[call.args["guild"]]
    return 200, [payloads.channel(call.world, one) for one in guild.channels.values() if not one.is_thread]


def _guild_threads(call: Request) -> Answer:
    _get_guild(call)
    guild = call.world.guilds[call.args["guild"]]
    there = [one for one in guild.channels.values() if one.is_thread and not one.is_archived]
    return 200, {"threads": [payloads.channel(call.world, one) for one in there], "members": []}


def _my_guilds(call: Request) -> Answer:
    there = [one for one in call.world.guilds.values() if call.bot.id in one.members]
    return 200, [
        {"id": one.id, "name": one.name, "owner": False, "permissions": str(payloads.ALL)} for one in there
    ]


def _member(call: Request) -> Answer:
    _get_guild(call)
    guild, who = call.world.guilds[call.args["guild"]], call.args["user"].replace("@me", call.bot.id)
    if who not in guild.members:
        raise known(10007)
    return 200, payloads.member(call.world, guild, who)


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


def thread(world: World, parent: Channel, name: str, owner: str, source: Message | None = None) -> Channel:
    """Open a public thread; one that hangs on a message has its id (Discord docs, Threads)."""
    assert parent.guild is not None
    number = world.ids.next() if source is None else source.id
    one = Channel(
        number, PUBLIC_THREAD, name, parent.guild, parent, owner_id=owner, created=world.clock.wall()
    )
    world.channels[number] = parent.guild.channels[number] = one
    if source is not None:
        source.thread = one
        source.flags |= HAS_THREAD
    data = payloads.channel(world, one) | {"newly_created": True}
    tell_guild(world, parent.guild, GUILDS, "THREAD_CREATE", data)
    return one


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


def _callback(call: Request) -> Answer:
    found = interactions.callback(
        call.world, call.args["interaction"], call.args["token"], call.fields, call.files
    )
    wants = call.query.get("with_response", "").lower() in ("1", "true")
    return (200, found) if wants else NOTHING


def _webhook(call: Request) -> tuple[Interaction, Request]:
    asked = interactions.of_webhook(call.world, call.args["application"], call.args["token"])
    call.account = asked.account
    return asked, call


def _follow_up(call: Request) -> Answer:
    asked, call = _webhook(call)
    return 200, call.show(interactions.follow_up(call.world, asked, call.fields, call.files))


def _get_webhook_message(call: Request) -> Answer:
    asked, call = _webhook(call)
    return 200, call.show(interactions.webhook_message(asked, call.args["message"]))


def _edit_webhook_message(call: Request) -> Answer:
    asked, call = _webhook(call)
    one = interactions.webhook_message(asked, call.args["message"])
    return 200, call.show(interactions.edit(call.world, asked, one, call.fields, call.files))


def _delete_webhook_message(call: Request) -> Answer:
    asked, call = _webhook(call)
    interactions.remove(call.world, interactions.webhook_message(asked, call.args["message"]))
    return NOTHING


_APP = "/applications/{application}"
_MESSAGE = "/channels/{channel}/messages/{message}"
_HOOK = "/webhooks/{application}/{token}"
_PLACE = ("channel",)
_HOOKED = ("application", "token")

ROUTES: tuple[Route, ...] = (
    Route("me", "GET", "/users/@me", _me),
    Route("my_guilds", "GET", "/users/@me/guilds", _my_guilds),
    Route("create_dm", "POST", "/users/@me/channels", _create_dm, "create_dm"),
    Route("user", "GET", "/users/{user}", _user),
    Route("application", "GET", "/oauth2/applications/@me", _application),
    Route("application", "GET", "/applications/@me", _application),
    Route("gateway", "GET", "/gateway", _gateway, needs_token=False),
    Route("gateway_bot", "GET", "/gateway/bot", _gateway_bot),
    *(
        Route(
            f"{verb}{'_guild' if below else ''}_{what}",
            method,
            f"{_APP}{below}/commands{tail}",
            handler,
            "commands",
            major,
        )
        for below, major in (("", ("application",)), ("/guilds/{guild}", ("guild",)))
        for verb, what, method, tail, handler in (
            ("get", "commands", "GET", "", _get_commands),
            ("put", "commands", "PUT", "", _put_commands),
            ("post", "command", "POST", "", _post_command),
            ("get", "command", "GET", "/{command}", _get_command),
            ("patch", "command", "PATCH", "/{command}", _patch_command),
            ("delete", "command", "DELETE", "/{command}", _delete_command),
        )
    ),
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
    Route("guild", "GET", "/guilds/{guild}", _get_guild, "other", ("guild",)),
    Route("guild_channels", "GET", "/guilds/{guild}/channels", _guild_channels, "other", ("guild",)),
    Route("guild_threads", "GET", "/guilds/{guild}/threads/active", _guild_threads, "other", ("guild",)),
    Route("member", "GET", "/guilds/{guild}/members/{user}", _member, "other", ("guild",)),
    Route(
        "callback", "POST", "/interactions/{interaction}/{token}/callback", _callback, "", needs_token=False
    ),
    Route("follow_up", "POST", _HOOK, _follow_up, "webhook", _HOOKED, needs_token=False),
    *(
        Route(
            name + kind,
            method,
            f"{_HOOK}/messages/{message}",
            handler,
            "webhook_message",
            _HOOKED,
            needs_token=False,
        )
        for kind, message in (("original", "@original"), ("follow_up", "{message}"))
        for name, method, handler in (
            ("get_", "GET", _get_webhook_message),
            ("edit_", "PATCH", _edit_webhook_message),
            ("delete_", "DELETE", _delete_webhook_message),
        )
    ),
)


class Router:
    """Finds the route of a request."""

    def __init__(self) -> None:
        self._routes = [(route, route.pattern()) for route in ROUTES]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its arguments. Raises ApiError 404 or 405."""
        is_known = False
        for route, pattern in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            if route.method == method:
                args = match.groupdict()
                if "/@original" in route.path:
                    args["message"] = "@original"
                return route, args
            is_known = True
        if is_known:
            raise ApiError(405, 0, "405: Method Not Allowed")
        raise not_found()
