"""Whether an account can work with its settings: asked over a connection of its own, changing nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from telegram.error import InvalidToken, TelegramError

from channels.base import Finding, Level
from channels.telegram.parse import WANTED
from channels.telegram.problems import problem
from channels.telegram.request import AiohttpRequest, quiet_library_logs
from channels.telegram.settings import TelegramSettings
from channels.telegram.webhook import public_url

Json = dict[str, Any]

# Both calls together; the contract gives a probe ten seconds.
DEADLINE = 9.0
# A delivery that failed longer ago says nothing about now.
_RECENT = 3600


async def probe(account: str, settings: TelegramSettings) -> Sequence[Finding]:
    """What was found. Raises nothing."""
    quiet_library_logs()
    request = AiohttpRequest(settings.base_url, deadline=DEADLINE, proxy=settings.proxy)
    base = f"{settings.base_url}/bot{settings.token.get_secret_value()}"
    found: list[Finding] = []
    try:
        async with asyncio.timeout(DEADLINE):
            await request.initialize()
            me = await _ask(request.invoke(f"{base}/getMe", {}, DEADLINE))
            found += about_bot(me)
            hook = await _ask(request.invoke(f"{base}/getWebhookInfo", {}, DEADLINE))
            found += about_webhook(hook, account, settings, time.time())
    except InvalidToken:
        found.append(
            Finding(
                Level.PROBLEM,
                "Telegram does not accept the token.",
                "Ask BotFather for the current one (/mybots, API Token) and set it as `token`.",
            )
        )
    except TelegramError as error:
        found.append(_unreachable(settings, problem(error, is_write=False).detail or "an error"))
    except TimeoutError:
        found.append(_unreachable(settings, f"no answer within {DEADLINE:g} s"))
    finally:
        await request.shutdown()
    return found


async def _ask(call: Awaitable[Any]) -> Json:
    found = await call
    return found if isinstance(found, dict) else {}


def _unreachable(settings: TelegramSettings, why: str) -> Finding:
    return Finding(
        Level.PROBLEM,
        f"{settings.base_url} cannot be reached: {why}.",
        "Look at the network and DNS of this machine, or set `proxy`.",
    )


def about_bot(me: Json) -> list[Finding]:
    """What getMe says. Pure."""
    found = [Finding(Level.OK, f"Signed in as @{me.get('username', '')} ({me.get('id', '')}).")]
    if me.get("can_join_groups") is not True:
        found.append(
            Finding(
                Level.WARNING,
                "The bot cannot be added to groups.",
                "If you want it there: BotFather, /setjoingroups, Enable.",
            )
        )
    if me.get("can_read_all_group_messages") is True:
        what = "Privacy mode is off: in groups the bot is sent everything, and answers only what is meant for it."
        found.append(
            Finding(Level.WARNING, what, "It needs no more than its share: BotFather, /setprivacy, Enable.")
        )
    else:
        found.append(
            Finding(
                Level.OK,
                "Privacy mode is on: in groups the bot is sent what is meant for it, which is enough.",
            )
        )
    return found


def about_webhook(hook: Json, account: str, settings: TelegramSettings, now: float) -> list[Finding]:
    """What getWebhookInfo says, against what was set up. Pure; `now` in Unix seconds."""
    url = str(hook.get("url") or "")
    if settings.webhook is None:
        if url:
            return [
                Finding(
                    Level.WARNING,
                    "A webhook is set for this bot, though it is set up to poll.",
                    "The daemon removes it at its start. If it comes back, another program uses this bot.",
                )
            ]
        return [Finding(Level.OK, "No webhook is in the way of polling."), *_about_waiting(hook)]
    if url != public_url(settings.webhook, account):
        what = "No webhook is set yet." if not url else "The webhook points to another place."
        remedy = (
            "The daemon sets it at its start and looks every five minutes; another program may change it."
        )
        return [Finding(Level.WARNING, what, remedy)]
    found = [Finding(Level.OK, "The webhook points to this bot's route.")]
    failed = hook.get("last_error_date")
    if type(failed) is int and now - failed < _RECENT:
        why = str(hook.get("last_error_message") or "no reason given")[:200]
        remedy = "Let the proxy pass the path to the webhook listener; its certificate has to be valid."
        found.append(Finding(Level.PROBLEM, f"Telegram cannot deliver: {why}.", remedy))
    allowed = hook.get("allowed_updates")
    missing = sorted(set(WANTED) - set(allowed)) if isinstance(allowed, list) and allowed else []
    if missing:
        found.append(
            Finding(
                Level.WARNING,
                f"Telegram does not send: {', '.join(missing)}.",
                "Restart the daemon, which asks for them; a Bot API server of your own may be too old for some.",
            )
        )
    return found + _about_waiting(hook)


def _about_waiting(hook: Json) -> list[Finding]:
    waiting = hook.get("pending_update_count")
    if type(waiting) is int and waiting > 100:
        return [Finding(Level.WARNING, f"{waiting} updates wait to be fetched.", "Is the daemon running?")]
    return []
