"""Signed requests: Slack posts events, commands and presses to us. Nothing is read before its signature is right.

Slack docs, "Verifying requests from Slack" (2026-11): HMAC-SHA256 over "v0:timestamp:body" with the signing secret,
over the raw bytes; a timestamp more than five minutes off is a replay. "Events API": 3 seconds, then up to 3 retries.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from channels.doors import BadBody, let_in, read_body

if TYPE_CHECKING:
    from aiohttp import web

    from channels.base import Host
    from channels.slack.intake import Intake, Outcome
    from channels.slack.timing import Timing

MAX_BODY = 1_048_576
REPLAY_SECONDS = 300
_FORM = "application/x-www-form-urlencoded"


def is_genuine(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether Slack signed these bytes less than five minutes ago. A blank secret accepts nothing."""
    if not secret.strip() or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now - int(timestamp)) > REPLAY_SECONDS:
        return False
    base = b"v0:" + timestamp.encode() + b":" + body
    wanted = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogateescape"))


class Webhook:
    """The handler of one account's route. `intake` is set while the channel runs."""

    def __init__(self, secret: str, host: Host, timing: Timing, now: Callable[[], float]) -> None:
        self._secret = secret
        self._host = host
        self._timing = timing
        self._now = now
        self.intake: Intake | None = None

    def __repr__(self) -> str:
        return "Webhook()"

    def rekey(self, secret: str) -> None:
        """From now on this one counts."""
        self._secret = secret

    async def handle(self, request: web.Request) -> web.Response:
        """401 for what is not Slack's, 503 when there is no room (Slack tries again), 200 once it is durable."""
        from aiohttp import web

        stamps = request.headers.getall("X-Slack-Request-Timestamp", [])
        signatures = request.headers.getall("X-Slack-Signature", [])
        if len(stamps) != 1 or len(signatures) != 1:
            return self._refused(401)
        if request.content_type not in (_FORM, "application/json"):
            return self._refused(415)
        try:
            body = await read_body(request, MAX_BODY)
        except BadBody as error:
            return self._refused(error.status)
        if not is_genuine(self._secret, stamps[0], signatures[0], body, self._now()):
            return self._refused(401)
        let_in(request)
        kind, payload = _payload(body, request.content_type)
        if isinstance(payload, dict) and payload.get("type") == "url_verification":
            return web.json_response({"challenge": str(payload.get("challenge") or "")[:2000]})
        if self.intake is None:
            return web.Response(status=503)
        if payload is None:
            self._host.signal("event_malformed")
            return web.Response(status=200)  # asking for it again would not mend it
        if isinstance(payload, dict) and payload.get("type") == "app_rate_limited":
            self._host.signal("rate_limited")
            return web.Response(status=200)
        outcome = await self._offer(self.intake, kind, payload)
        if outcome is None or not outcome.is_taken:
            return web.Response(status=503)
        if outcome.line and kind == "slash_commands":
            return web.json_response({"response_type": "ephemeral", "text": outcome.line})
        return web.Response(status=200)

    async def _offer(self, intake: Intake, kind: str, payload: Any) -> Outcome | None:
        """None when it took longer than Slack waits: it comes again then, and is known by its key."""
        parsed = await intake.read(kind, payload)
        try:
            async with asyncio.timeout(self._timing.ack):
                return await intake.settle(parsed)
        except TimeoutError:
            return None

    def _refused(self, status: int) -> web.Response:
        from aiohttp import web

        self._host.signal("request_refused")
        return web.Response(status=status)


def _payload(body: bytes, content_type: str) -> tuple[str, Any]:
    """The kind as in Socket Mode, and the payload; None for what cannot be read."""
    if content_type == _FORM:
        try:
            form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return "", None
        if "payload" in form:
            return "interactive", _json(form["payload"][0].encode("utf-8", "replace"))
        return "slash_commands", {name: values[0] for name, values in form.items()}
    return "events_api", _json(body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
