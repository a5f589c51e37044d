"""Whether an account can work with its settings: tokens, scopes, reachability. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from channels.base import Finding, Level
from channels.errors import ChannelError, NotAuthorized, Refused
from channels.slack.calls import Api
from channels.slack.manifest import SCOPES
from channels.slack.settings import Mode, SlackSettings, public_address

SECONDS = 9.0
_APPS = "https://api.slack.com/apps"


async def probe(account: str, settings: SlackSettings) -> Sequence[Finding]:
    """See ChannelSpec.probe."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(SECONDS):
            await _bot(settings, found)
            if settings.mode is Mode.SOCKET:
                await _socket(settings, found)
            else:
                await _address(account, settings, found)
    except TimeoutError:
        found.append(
            Finding(Level.PROBLEM, "Slack did not answer in time", "look at the network and the proxy")
        )
    return found


async def _bot(settings: SlackSettings, found: list[Finding]) -> None:
    api = Api(settings.bot_token.get_secret_value(), settings.api_base, proxy=settings.proxy, seconds=5.0)
    try:
        data, scopes = await api.sign_in()
    except NotAuthorized as error:
        remedy = f"copy the Bot User OAuth Token of the app at {_APPS} (OAuth & Permissions) into botToken"
        found.append(Finding(Level.PROBLEM, error.detail, remedy))
        return
    except ChannelError as error:
        found.append(_unreachable(error))
        return
    who, where = str(data.get("user") or "?")[:80], str(data.get("team") or "?")[:80]
    found.append(Finding(Level.OK, f"signed in as {who} in the workspace {where}"))
    missing = [f"{scope} ({what})" for scope, what in SCOPES.items() if scope not in scopes]
    if scopes and missing:
        remedy = f"add them at {_APPS} (OAuth & Permissions, or the whole manifest) and reinstall the app"
        needs_chat = "chat:write" not in scopes
        level = Level.PROBLEM if needs_chat else Level.WARNING
        found.append(Finding(level, f"scopes are missing: {', '.join(missing)}", remedy))
    elif scopes:
        found.append(Finding(Level.OK, "all scopes are granted"))


async def _socket(settings: SlackSettings, found: list[Finding]) -> None:
    if settings.app_token is None:
        found.append(
            Finding(Level.PROBLEM, "appToken is missing", f"make one at {_APPS} (Basic Information)")
        )
        return
    api = Api(settings.app_token.get_secret_value(), settings.api_base, proxy=settings.proxy, seconds=5.0)
    try:
        await api.open_socket()
    except NotAuthorized as error:
        remedy = f"make an app-level token with connections:write at {_APPS} (Basic Information) for appToken"
        found.append(Finding(Level.PROBLEM, f"appToken: {error.detail}", remedy))
    except Refused as error:
        remedy = f"switch Socket Mode on at {_APPS} and give appToken the scope connections:write"
        found.append(Finding(Level.PROBLEM, f"no socket: {error.detail}", remedy))
    except ChannelError as error:
        found.append(_unreachable(error))
    else:
        found.append(Finding(Level.OK, "Socket Mode is open to the app-level token"))


async def _address(account: str, settings: SlackSettings, found: list[Finding]) -> None:
    """An unsigned request has to be refused by us, which shows that the way to us is open."""
    url = public_address(settings, account)
    if url is None:
        remedy = "set publicUrl to the https address that is entered in the app's Event Subscriptions"
        found.append(Finding(Level.WARNING, "publicUrl is not set, so its way was not tried", remedy))
        return
    api = Api("-", settings.api_base, proxy=settings.proxy)
    try:
        async with api.post(url, {}, 4.0) as response:
            status = response.status
    except ChannelError as error:
        remedy = "let the TLS proxy pass this path to the webhook listener, and start the daemon"
        found.append(Finding(Level.PROBLEM, f"the public address was not reached ({error.detail})", remedy))
        return
    if status == 401:
        found.append(Finding(Level.OK, "the public address leads to the webhook listener"))
    else:
        remedy = "it has to reach the webhook listener, which answers 401 to what Slack has not signed"
        found.append(Finding(Level.WARNING, f"the public address answered with status {status}", remedy))


def _unreachable(error: ChannelError) -> Finding:
    return Finding(
        Level.PROBLEM, f"Slack cannot be reached: {error.detail}", "look at the network and the proxy"
    )
