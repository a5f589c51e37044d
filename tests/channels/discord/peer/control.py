"""/control/: a test plays the people, looks at what they see, and makes trouble. JSON in, JSON out.

Where a verb takes `bot`, an id or token is meant; without it the first one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from . import people, view
from .errors import ApiError, known
from .gateway import DISALLOWED_INTENTS, INVALID_SESSION, RECONNECT, Socket
from .interactions import buttons
from .state import Account, Call, Channel, Fault, Message, World

if TYPE_CHECKING:
    from .server import Server

Body = dict[str, Any]


class Control:
    """The verbs below /control/."""

    def __init__(self, server: Server) -> None:
        self._server = server
        people.furnish(server.world)

    async def handle(self, request: web.BaseRequest, verb: str) -> web.Response:
        """Run one verb; {"ok": true, "result": ...} or {"ok": false, "description": ...}."""
        raw = await request.read()
        body: Body = orjson.loads(raw) if raw else {}
        try:
            found = {"ok": True, "result": await self._run(verb, body)}
        except ApiError as error:
            found = {"ok": False, "description": f"{error.code}: {error.message}"}
        except (KeyError, ValueError, TypeError, AttributeError, StopIteration, AssertionError) as error:
            found = {"ok": False, "description": f"{type(error).__name__}: {error}"}
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    async def _run(self, verb: str, body: Body) -> Any:
        world = self._server.world
        if verb == "wait":
            return await _wait(world, body)
        if verb == "reset":
            self._server.reset()
            people.furnish(self._server.world)
            return _state(self._server.world)
        if verb == "socket":
            return self._socket(world, body)
        handler = people.VERBS.get(verb) or _VERBS.get(verb)
        if handler is None:
            told = ", ".join(sorted({**people.VERBS, **_VERBS}))
            raise ApiError(404, 0, f"no such verb: {verb}; there are {told}, reset, socket, wait")
        found = handler(world, body)
        world.changed()
        return found

    def _socket(self, world: World, body: Body) -> int:
        """Trouble on the sockets of `bot` now; returns how many were concerned.

        `do`: drop (cut), close (with `code`), no_acks, silent (dispatches are kept but not sent; `off` ends it and
        sends them), reconnect (op 7), invalid (op 9, `resumable`), forget (the sessions end: the next RESUME gets op 9),
        revoked (4004), disallowed (4014), raw (`text` goes out as it is).
        """
        account, do = world.account(body.get("bot")), str(body["do"])
        links = [link for link in self._server.gateway.sockets if _is_of(link, account)]
        for link in links:
            _trouble(link, do, body)
        if do == "forget":
            for session in list(account.sessions.values()):
                session.left_at = -1e12
                if session.link is None:
                    del account.sessions[session.id]
        world.changed()
        return len(links)


def _is_of(link: Socket, account: Account) -> bool:
    return link.session is not None and link.session.account is account


def _trouble(link: Socket, do: str, body: Body) -> None:
    session = link.session
    assert session is not None
    if do == "drop":
        link.drop()
    elif do == "close":
        link.close(int(body["code"]))
    elif do == "disallowed":
        link.close(DISALLOWED_INTENTS)
    elif do == "no_acks":
        link.acks = bool(body.get("off"))
    elif do == "silent":
        _silence(link, is_on=not body.get("off"))
    elif do == "reconnect":
        link.send(RECONNECT)
    elif do == "invalid":
        if not body.get("resumable"):
            session.account.sessions.pop(session.id, None)
        link.send(INVALID_SESSION, bool(body.get("resumable")))
    elif do == "raw":
        link.put(str(body["text"]).encode())
    elif do == "forget":
        session.account.sessions.pop(session.id, None)
    else:
        raise ApiError(400, 0, f"nothing to do called {do}")


def _silence(link: Socket, *, is_on: bool) -> None:
    session = link.session
    assert session is not None
    if session.is_silent and not is_on:
        for seq, frame in session.buffer:
            if seq > session.told:
                link.put(frame)
    elif is_on:
        session.told = session.seq
    session.is_silent = is_on


def _state(world: World, body: Body | None = None) -> Body:
    return {
        "bots": [_bot(world, one) for one in world.accounts.values()],
        "guild": people.GUILD,
        "channel": people.CHANNEL,
        "person": people.PERSON,
        "invalid_requests": world.limiter.invalid,
        "calls": world.call_count,
        "now": time.monotonic(),
    }


def _bot(world: World, one: Account) -> Body:
    dms = [place.id for place in world.channels.values() if one.id in place.recipients]
    return {
        "id": one.id,
        "token": one.token,
        "username": one.user.username,
        "dm": dms[0] if dms else None,
        "counts": one.counts,
        "sessions": [
            {
                "id": session.id,
                "shard": session.shard,
                "intents": session.intents,
                "seq": session.seq,
                "connected": session.link is not None,
            }
            for session in one.sessions.values()
        ],
        "commands": {scope: list(there.values()) for scope, there in one.commands.items()},
        "creates": sum(one.creates.values()),
    }


def _calls(world: World, body: Body) -> list[Body]:
    """Recorded calls after number `since`, of one `route` (several with spaces), `bot`, `channel`; at most `limit`."""
    recent = list(takewhile(lambda one: one.seq > int(body.get("since", 0)), reversed(world.calls)))
    found = [one for one in reversed(recent) if _fits(one, body)]
    return [view.call(one) for one in found[: int(body.get("limit", 100_000))]]


def _fits(one: Call, body: Body) -> bool:
    names = str(body.get("route", "")).split()
    return (
        (not names or one.name in names)
        and body.get("bot") in (None, one.bot)
        and body.get("channel") in (None, one.args.get("channel"))
        and body.get("status") in (None, one.status)
    )


def _channel(world: World, body: Body) -> Any:
    """Several at once with `channels`."""
    if "channels" in body:
        return [view.channel(world, world.channels[str(one)]) for one in body["channels"]]
    person = body.get("person")
    return view.channel(world, people.place_of(world, body), None if person is None else str(person))


def _interaction(world: World, body: Body) -> Body:
    return view.interaction(world, world.interactions[str(body["id"])])


def _settings(world: World, body: Body) -> bool:
    """Fields of state.Settings."""
    for name, value in body.items():
        if not hasattr(world.settings, name):
            raise KeyError(name)
        setattr(world.settings, name, value)
    return True


def _limits(world: World, body: Body) -> bool:
    """`enabled`, `global_rate`, `invalid_limit`; `buckets`: name to [requests, seconds]."""
    for name in ("enabled", "global_rate", "invalid_limit"):
        if name in body:
            setattr(world.limiter, name, body[name])
    for name, (requests, seconds) in body.get("buckets", {}).items():
        if name not in world.limiter.figures:
            raise KeyError(name)
        world.limiter.figures[name] = (int(requests), float(seconds))
    return True


def _fault(world: World, body: Body) -> int:
    """Trouble for the next `times` calls of `route` ("*" for all), of one `bot` or `channel` if given.

    `what` holds one or more of these. error: [status, code, message, more]; status and body: a raw answer; delay and
    delay_after: seconds; hold: until the verb release; drop: "before" or "after" it was carried out (the connection
    is reset); malformed: half of the JSON; hang: no answer; rate_limit: {retry_after, global, scope, via}.
    """
    world.faults.append(
        Fault(
            str(body["route"]), int(body.get("times", 1)), body["what"], body.get("bot"), body.get("channel")
        )
    )
    return len(world.faults)


def _clear_faults(world: World, body: Body) -> bool:
    world.faults.clear()
    world.socket_faults.clear()
    return True


def _release(world: World, body: Body) -> bool:
    """Calls that are held go on; those that come later are held anew."""
    world.released.set()
    world.released = asyncio.Event()
    return True


def _next_socket(world: World, body: Body) -> bool:
    """`ignore_resume`: so many RESUMEs get no answer; `disallow`: the next IDENTIFY is closed with 4014."""
    world.socket_faults.update(body)
    return True


def _grant(world: World, body: Body) -> list[str]:
    """The privileged intents of `bot`: presence, members, message_content."""
    account = world.account(body.get("bot"))
    account.granted = set(body["intents"])
    return sorted(account.granted)


def _revoke(world: World, body: Body) -> bool:
    """The token of `bot` is not accepted any more (or is again, with `off`); its sockets close with 4004."""
    account = world.account(body.get("bot"))
    account.is_revoked = not body.get("off", False)
    if account.is_revoked:
        for session in list(account.sessions.values()):
            if session.link is not None:
                session.link.close(4004)
        account.sessions.clear()
    return account.is_revoked


def _advance(world: World, body: Body) -> float:
    """Move the clock forward by `seconds`."""
    world.clock.shift += float(body["seconds"])
    return world.clock.shift


_VERBS: dict[str, Callable[[World, Body], Any]] = {
    "state": _state,
    "calls": _calls,
    "channel": _channel,
    "interaction": _interaction,
    "settings": _settings,
    "limits": _limits,
    "fault": _fault,
    "clear_faults": _clear_faults,
    "release": _release,
    "next_socket": _next_socket,
    "grant": _grant,
    "revoke": _revoke,
    "advance": _advance,
}


def _condition(world: World, body: Body) -> Callable[[], Any]:
    """What `wait` waits for; returns None until it holds."""
    if "route" in body:
        count, names = int(body.get("count", 1)), str(body["route"]).split()
        since = int(body.get("since", 0))

        def enough() -> Any:
            if sum(world.route_counts.get(name, 0) for name in names) < count:
                return None
            there = [
                one
                for one in world.calls
                if one.seq > since and (one.status or body.get("arrived")) and _fits(one, body)
            ]
            return [view.call(one) for one in there] if len(there) >= count else None

        return enough
    if "counted" in body:
        account, least = world.account(body.get("bot")), int(body.get("count", 1))
        what = str(body["counted"])
        return lambda: account.counts.get(what, 0) if account.counts.get(what, 0) >= least else None
    if "connected" in body:
        account, wanted = world.account(body.get("bot")), bool(body["connected"])
        return lambda: True if _is_connected(account) is wanted else None
    if "interaction" in body:
        asked, state = world.interactions[str(body["interaction"])], str(body["state"]).split()

        def stands() -> Any:
            found = view.interaction(world, asked)
            return found if found["state"] in state else None

        return stands
    if "channel" in body:
        return lambda: _seen(world, people.place_of(world, body), body)
    raise known(50109)


def _is_connected(account: Account) -> bool:
    return any(session.link is not None and session.is_ready for session in account.sessions.values())


def _seen(world: World, place: Channel, body: Body) -> Any:
    """The channel, once a message of a bot (or not, with from_bot false) fits.

    `contains`, `equals`: its content; `count`: so many messages; `message` names one; `edits`: it has so many;
    `buttons`: exactly these ids are under it; `typing`: so many signs of typing.
    """
    if "typing" in body:
        fits = len(place.typing) >= int(body["typing"])
    else:
        own = bool(body.get("from_bot", True))
        there = [one for one in place.messages.values() if one.author.bot is own]
        wanted = [one for one in there if _matches(one, body)]
        fits = len(wanted) >= int(body.get("count", 1))
    return view.channel(world, place) if fits else None


def _matches(one: Message, body: Body) -> bool:
    return (
        body.get("message") in (None, one.id)
        and body.get("contains", "") in one.content
        and body.get("equals") in (None, one.content)
        and len(one.history) - 1 >= int(body.get("edits", 0))
        and ("buttons" not in body or _ids(one) == body["buttons"])
        and body.get("reaction") in (None, *one.reactions)
    )


def _ids(one: Message) -> list[str]:
    return [entry["custom_id"] for entry in buttons(one)]


async def _wait(world: World, body: Body) -> Any:
    """Hold until the condition is met or `timeout` seconds (default 10) have passed; then null."""
    condition = _condition(world, body)
    found = condition()
    if found is not None:
        return found
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    world.watchers.append((condition, future))
    try:
        return await asyncio.wait_for(future, float(body.get("timeout", 10.0)))
    except TimeoutError:
        return None
