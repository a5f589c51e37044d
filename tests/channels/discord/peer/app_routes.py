"""The routes of the bot itself, its commands, and guilds.

Source: Discord docs, Resources/User, Application, Guild, and "Application Commands" (2026-11).
"""

from __future__ import annotations

from . import commands, payloads
from .errors import ApiError, known
from .places import dm
from .request import NOTHING, Answer, Request, Route


def _me(call: Request) -> Answer:
    return 200, {**payloads.user(call.bot.user), "verified": True, "mfa_enabled": False, "email": None}


def _application(call: Request) -> Answer:
    return 200, payloads.application(call.world, call.bot)


def _gateway(call: Request) -> Answer:
    return 200, {"url": call.world.base_url.replace("http", "ws", 1) + "/gateway"}


def _gateway_bot(call: Request) -> Answer:
    settings, used = call.world.settings, call.bot.counts.get("identify", 0)
    total = settings.session_starts
    limit = {"total": total, "remaining": max(0, total - used), "reset_after": 86_400_000}
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


def _scope(call: Request) -> str:
    if call.args["application"] != call.bot.id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    guild = call.args.get("guild", "global")
    if guild != "global" and call.bot.id not in getattr(call.world.guilds.get(guild), "members", ()):
        raise known(50001)
    return guild


def _get_commands(call: Request) -> Answer:
    return 200, list(call.bot.commands.get(_scope(call), {}).values())


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


_APP = "/applications/{application}"

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
    Route("guild", "GET", "/guilds/{guild}", _get_guild, "other", ("guild",)),
    Route("guild_channels", "GET", "/guilds/{guild}/channels", _guild_channels, "other", ("guild",)),
    Route("guild_threads", "GET", "/guilds/{guild}/threads/active", _guild_threads, "other", ("guild",)),
    Route("member", "GET", "/guilds/{guild}/members/{user}", _member, "other", ("guild",)),
)
