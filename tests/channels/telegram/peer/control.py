"""/control/: a test plays the people, looks at what they see, and makes trouble. JSON in, JSON out.

Every body may name a bot by "token"; without it the first one is meant. Times are time.monotonic().
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from .flood import Flood
from .methods import live_drafts
from .people import again, edit, member, press, react, remove, say, stop_draft
from .state import Bot, Chat, Fault, Update
from .wire import ApiError, bad, reply

if TYPE_CHECKING:
    from .polling import Outgoing

Verb = Callable[[Bot, dict[str, Any]], Any]


class Control:
    """The verbs below /control/."""

    def __init__(
        self, bots: dict[str, Bot], outgoing: dict[str, Outgoing], hang_up: Callable[[str], int]
    ) -> None:
        self._bots = bots
        self._hang_up = hang_up
        self._outgoing = outgoing
        self._limits = {token: bot.limits for token, bot in bots.items()}

    async def handle(self, request: web.BaseRequest, verb: str) -> web.Response:
        """Run one verb."""
        raw = await request.read()
        body: dict[str, Any] = orjson.loads(raw) if raw else {}
        bot = self._bots[body["token"]] if "token" in body else next(iter(self._bots.values()))
        if verb == "wait":
            return reply(await _wait(bot, body))
        if verb == "reset":
            self._reset(bot)
            return reply(True)
        if verb == "hang_up":
            return reply(self._hang_up(bot.token))
        if verb == "state":
            return reply(self._state(bot))
        handler = _VERBS.get(verb)
        if handler is None:
            raise ApiError(
                404,
                f"no such verb: {verb}; there are {', '.join(sorted(_VERBS))}, state, reset, hang_up, wait",
            )
        result = handler(bot, body)
        bot.changed()
        return reply(result)

    def _state(self, bot: Bot) -> dict[str, Any]:
        return {
            "token": bot.token,
            "user": bot.user,
            "pending": [update.id for update in bot.updates],
            "next_update": bot.next_update,
            "confirmed": bot.confirmed,
            "allowed": bot.allowed,
            "holding": bot.is_held,
            "counts": bot.counts,
            "errors": bot.errors,
            "commands": bot.commands,
            "answers": bot.answers,
            "webhook": self._outgoing[bot.token].webhook,
            "chats": list(bot.chats),
            "now": time.monotonic(),
        }

    def _reset(self, bot: Bot) -> None:
        """A fresh bot under the same token. Update ids go on, as they do at Telegram."""
        self._outgoing[bot.token].forget()
        fresh = Bot(bot.token, self._limits[bot.token], lean=bot.lean)
        fresh.next_update, fresh.on_update = bot.next_update, bot.on_update
        for name, value in vars(fresh).items():
            setattr(bot, name, value)


def _calls(bot: Bot, body: dict[str, Any]) -> Any:
    """Recorded calls after number `since`, of one `method` (any case) and `chat`; at most `limit`."""
    method, chat, since = str(body.get("method", "")).lower(), body.get("chat"), int(body.get("since", 0))
    found = []
    # From the newest back: whoever follows a long record reads its end only.
    recent = list(takewhile(lambda call: call.seq > since, reversed(bot.calls)))
    for call in reversed(recent):
        if (method and call.method != method) or (chat is not None and call.chat != chat):
            continue
        found.append(call.json())
        if len(found) >= int(body.get("limit", 100_000)):
            break
    return found


def chat_json(bot: Bot, chat: Chat) -> dict[str, Any]:
    """What a person sees in the chat, and how it came about."""
    messages = [
        {
            "id": message.id,
            "from_bot": message.sender["id"] == bot.id,
            "text": message.text,
            "entities": message.entities,
            "rich": message.rich,
            "reply_to": message.reply_to,
            "thread": message.thread,
            "markup": message.markup,
            "history": message.history,
        }
        for message in sorted(chat.messages.values(), key=lambda m: m.id)
    ]
    drafts = {
        str(thread): {
            "id": draft.id,
            "text": draft.text,
            "entities": draft.entities,
            "at": draft.at,
            "is_rich": draft.is_rich,
            "can_stop": draft.can_stop,
        }
        for thread, draft in live_drafts(chat).items()
    }
    return {
        "id": chat.id,
        "type": chat.type,
        "messages": messages,
        "drafts": drafts,
        "draft_log": chat.draft_log,
        "actions": chat.actions,
        "reactions": chat.reactions,
    }


def _chat(bot: Bot, body: dict[str, Any]) -> Any:
    """Several at once with `chats`: a list of ids."""
    if "chats" in body:
        return [chat_json(bot, bot.chat(number)) for number in body["chats"]]
    return chat_json(bot, bot.chat(body["chat"]))


def _set_chat(bot: Bot, body: dict[str, Any]) -> Any:
    """Make or change a chat: type, title, is_forum, is_admin, trouble, migrated_to, threads, closed_threads, limits."""
    chat = bot.chat(body["chat"])
    for name in ("type", "title", "is_forum", "is_admin", "trouble", "migrated_to"):
        if name in body:
            setattr(chat, name, body[name])
    for name in ("threads", "closed_threads"):
        if name in body:
            setattr(chat, name, set(body[name]))
    if "limits" in body:
        bot.flood.per_chat[chat.id] = replace(bot.flood.per_chat.get(chat.id, bot.limits), **body["limits"])
    return chat.json()


def _flood(bot: Bot, body: dict[str, Any]) -> Any:
    """New limits for the whole bot (fields of flood.Limits); buckets start full, bans are lifted."""
    bot.limits = replace(bot.limits, **body.get("limits", {}))
    bot.flood = Flood(bot.limits, dict(bot.flood.per_chat))
    return True


def _faults(bot: Bot, body: dict[str, Any]) -> Any:
    """Trouble for the next `times` calls of `method` ("*" for all), in one `chat` if given.

    `what` holds one of these. error: [code, description, parameters]; status and body: a raw answer; delay and
    delay_after: seconds; drop: "before" or "after" it was carried out; malformed: half of the JSON; hang: no answer.
    """
    method = str(body["method"]).lower()
    bot.faults.append(Fault(method, int(body.get("times", 1)), body.get("chat"), body["what"]))
    return len(bot.faults)


def _clear_faults(bot: Bot, body: dict[str, Any]) -> Any:
    bot.faults.clear()
    return True


def _update(bot: Bot, body: dict[str, Any]) -> Any:
    """Any update: `kind` and `payload`, whatever they are; `update_id` if it is to be a certain one."""
    chat = int(body.get("chat", 0))
    if chat:
        bot.chat(chat)
    return bot.add_update(body["kind"], body["payload"], chat, update_id=body.get("update_id"))


def _junk(bot: Bot, body: dict[str, Any]) -> Any:
    """`json`: text that is put into the answer of getUpdates as one element, unchecked; `id`: where in the queue."""
    number = int(body.get("id", bot.next_update))
    bot.next_update = max(bot.next_update, number + 1)
    bot.queue(Update(number, "junk", 0, body["json"].encode(), time.monotonic() + 3600))
    return number


def _next_update(bot: Bot, body: dict[str, Any]) -> Any:
    """Draw update ids anew, as Telegram does after a week of silence."""
    bot.next_update = int(body["id"])
    return bot.next_update


def _file(bot: Bot, body: dict[str, Any]) -> Any:
    """A file that getFile knows; `size` may lie."""
    data = base64.b64decode(body["base64"])
    bot.files[body["file_id"]] = (
        body.get("path", f"files/{body['file_id']}"),
        data,
        int(body.get("size", len(data))),
    )
    return True


def _revoke(bot: Bot, body: dict[str, Any]) -> Any:
    """The token is not accepted any more (or is again, with `off`)."""
    bot.revoked = not body.get("off", False)
    return bot.revoked


def _set_bot(bot: Bot, body: dict[str, Any]) -> Any:
    """`user`: fields of getMe; `has_rich`: a server from before 10.1 without; `press_life`: seconds of a press."""
    bot.user.update(body.get("user", {}))
    bot.has_rich = body.get("has_rich", bot.has_rich)
    bot.press_life = float(body.get("press_life", bot.press_life))
    return bot.user


def _garble(bot: Bot, body: dict[str, Any]) -> Any:
    """The next new message of the bot in `chat` keeps `keep` characters only: a fault, to see whether it is noticed."""
    bot.chat(body["chat"]).garble = int(body["keep"])
    return True


_VERBS: dict[str, Verb] = {
    "calls": _calls,
    "chat": _chat,
    "set_chat": _set_chat,
    "flood": _flood,
    "faults": _faults,
    "clear_faults": _clear_faults,
    "update": _update,
    "junk": _junk,
    "next_update": _next_update,
    "file": _file,
    "revoke": _revoke,
    "say": say,
    "again": again,
    "edit": edit,
    "press": press,
    "react": react,
    "member": member,
    "stop_draft": stop_draft,
    "remove": remove,
    "set_bot": _set_bot,
    "garble": _garble,
}


def _condition(bot: Bot, body: dict[str, Any]) -> Callable[[], Any]:
    """What `wait` waits for; returns None until it holds."""
    if "method" in body:
        method, count, chat = str(body["method"]).lower(), int(body.get("count", 1)), body.get("chat")
        since, status = int(body.get("since", 0)), body.get("status")

        def enough() -> Any:
            if chat is None and not since and status is None and bot.counts.get(method, 0) < count:
                return None
            found = [
                call
                for call in bot.calls
                if call.method == method
                and call.seq > since
                and (call.status or body.get("arrived"))
                and (chat is None or call.chat == chat)
                and (status is None or call.status == status)
            ]
            return [call.json() for call in found] if len(found) >= count else None

        return enough
    if "answered" in body:
        return lambda: bot.answers.get(str(body["answered"]))
    if "confirmed" in body:
        return lambda: bot.confirmed if bot.confirmed >= body["confirmed"] else None
    if body.get("holding"):
        after = int(body.get("after", 0))
        return lambda: True if bot.is_held and bot.counts.get("getupdates", 0) > after else None
    if "webhook_errors" in body:
        return lambda: (
            found if (found := bot.counts.get("webhook_errors", 0)) >= body["webhook_errors"] else None
        )
    if "chat" in body:
        return lambda: _seen(bot, bot.chat(body["chat"]), body)
    raise bad("wait for one of: method, answered, confirmed, holding, webhook_errors, chat")


def _seen(bot: Bot, chat: Chat, body: dict[str, Any]) -> Any:
    """The chat, once a message (with from_bot, default true) or draft fits `contains`, `equals` or `count`."""
    if "draft" in body:
        fits = any(body["draft"] in draft.text for draft in live_drafts(chat).values())
        return chat_json(bot, chat) if fits else None
    own = body.get("from_bot", True)
    texts = [m.text for m in chat.messages.values() if (m.sender["id"] == bot.id) is own]
    if "count" in body:
        return chat_json(bot, chat) if len(texts) >= body["count"] else None
    if "equals" in body:
        return chat_json(bot, chat) if body["equals"] in texts else None
    return chat_json(bot, chat) if any(body.get("contains", "") in text for text in texts) else None


async def _wait(bot: Bot, body: dict[str, Any]) -> Any:
    """Hold until the condition is met or `timeout` seconds (default 10) have passed; then null."""
    condition = _condition(bot, body)
    found = condition()
    if found is not None:
        return found
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    bot.watchers.append((condition, future))
    try:
        return await asyncio.wait_for(future, float(body.get("timeout", 10.0)))
    except TimeoutError:
        return None
