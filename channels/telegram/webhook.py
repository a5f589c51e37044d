"""The webhook: Telegram posts updates to us. Every request is verified before its body is read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telegram.error import TelegramError

from channels.doors import BadBody, let_in, read_body
from channels.telegram.request import loads

if TYPE_CHECKING:
    from aiohttp import web

    from channels.base import Host
    from channels.telegram.intake import Intake
    from channels.telegram.settings import WebhookSettings

# Bot API docs, setWebhook (2026-11).
_HEADER = "X-Telegram-Bot-Api-Secret-Token"
# An update is a few KB; Telegram itself keeps it under 64 KB (tdlib/telegram-bot-api, Client.cpp, add_update_impl).
MAX_BODY = 1_048_576


def public_url(settings: WebhookSettings, account: str) -> str:
    """Where Telegram posts to: the configured address, with a path of ours if it has none."""
    return settings.url if urlsplit(settings.url).path else f"{settings.url}/telegram/{account}"


def secret_of(settings: WebhookSettings, token: str, account: str) -> str:
    """The secret that comes with every update: the configured one, else 256 bits that only the token gives."""
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    purpose = f"firstword webhook {public_url(settings, account)}"
    return hmac.new(token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class Webhook:
    """The handler of one account's route. `intake` is set while the channel runs."""

    def __init__(self, secret: str, host: Host) -> None:
        self.secret = secret
        self.changed = asyncio.Event()
        self._host = host
        self.intake: Intake | None = None

    def rekey(self, secret: str) -> None:
        """From now on this one counts; `changed` is set until Telegram was told."""
        if secret != self.secret:
            self.secret = secret
            self.changed.set()

    async def handle(self, request: web.Request) -> web.Response:
        """401 without the secret, 503 when there is no room (Telegram tries again), 200 once it is durable."""
        from aiohttp import web

        if not self._is_genuine(request.headers.getall(_HEADER, [])):
            self._host.signal("request_refused")
            return web.Response(status=401)
        let_in(request)
        if request.content_type != "application/json":
            self._host.signal("request_refused")
            return web.Response(status=415)
        if self.intake is None:
            return web.Response(status=503)
        try:
            body = await read_body(request, MAX_BODY)
        except BadBody as error:
            self._host.signal("request_refused")
            return web.Response(status=error.status)
        try:
            update: Any = loads(body)
        except TelegramError:
            update = None  # counted as malformed below; asking for it again would not mend it
        return web.Response(status=200 if await self.intake.offer(update) else 503)

    def _is_genuine(self, given: list[str]) -> bool:
        found = given[0].encode("utf-8", "surrogateescape") if len(given) == 1 else b""
        return bool(self.secret.strip()) and hmac.compare_digest(found, self.secret.encode())
