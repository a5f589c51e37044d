"""The routes that answer interactions; they need no bot's token.

Source: Discord docs, "Receiving and Responding to Interactions" (2026-11).
"""

from __future__ import annotations

from . import interactions
from .request import NOTHING, Answer, Request, Route
from .state import Interaction


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


_HOOK = "/webhooks/{application}/{token}"
_HOOKED = ("application", "token")

ROUTES: tuple[Route, ...] = (
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
