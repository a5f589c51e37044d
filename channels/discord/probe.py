"""Looks whether an account can work: token, intents, gateway, starts left. A short-lived connection of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from channels.base import Finding, Level
from channels.discord.buckets import Buckets
from channels.discord.rest import Rest
from channels.discord.settings import DiscordSettings
from channels.discord.signin import Gateway, has_message_content, read_gateway
from channels.discord.snowflake import is_snowflake
from channels.discord.timing import Timing
from channels.errors import ChannelError, NotAuthorized

DEADLINE = 10.0
_PORTAL = "https://discord.com/developers/applications"


async def probe(_account: str, settings: DiscordSettings, timing: Timing | None = None) -> Sequence[Finding]:
    """What the owner should know; never raises, done within 10 seconds."""
    findings: list[Finding] = []
    token = settings.token.get_secret_value()
    rest = Rest(
        settings.api_base,
        token,
        Buckets(),
        timing or Timing(ask=4.0),
        proxy=settings.proxy,
        clock=time.monotonic,
    )
    try:
        async with asyncio.timeout(DEADLINE - 0.5):
            await _look(rest, settings, findings)
    except TimeoutError:
        findings.append(
            Finding(Level.PROBLEM, "Discord does not answer in time", "Look at the network and at `proxy`.")
        )
    except NotAuthorized:
        remedy = f"Make a new one at {_PORTAL} under Bot, Reset Token, and set `token`."
        findings.append(Finding(Level.PROBLEM, "Discord does not accept the token", remedy))
    except ChannelError as error:
        what = f"Discord did not answer as expected ({error.detail or type(error).__name__})"
        findings.append(Finding(Level.PROBLEM, what, "Look at the network, `proxy` and `apiBase`."))
    finally:
        await rest.close()
    return findings


async def _look(rest: Rest, settings: DiscordSettings, findings: list[Finding]) -> None:
    user = await rest.ask("GET", "/users/@me")
    name = user.get("username") if isinstance(user, dict) else None
    findings.append(Finding(Level.OK, f"The token is that of {name if isinstance(name, str) else 'a bot'}"))
    application = await rest.ask("GET", "/applications/@me")
    number = application.get("id") if isinstance(application, dict) else None
    page = f"{_PORTAL}/{number}/bot" if is_snowflake(number) else _PORTAL
    if not settings.message_content:
        findings.append(
            Finding(
                Level.WARNING,
                "messageContent is off: in servers only mentions, replies that mention the bot and commands are read",
                f"Switch the intent on at {page} and set `messageContent` to true, if that is too little.",
            )
        )
    elif has_message_content(application):
        findings.append(Finding(Level.OK, "The intent Message Content is switched on"))
    else:
        findings.append(
            Finding(
                Level.PROBLEM,
                "The intent Message Content is off, so the gateway will refuse the bot",
                f"Switch it on at {page} under Privileged Gateway Intents, or set `messageContent` to false.",
            )
        )
    if isinstance(application, dict) and application.get("interactions_endpoint_url"):
        findings.append(
            Finding(
                Level.PROBLEM,
                "Commands and buttons go to another address, so the bot never hears of them",
                f"Empty the field Interactions Endpoint URL at {_PORTAL}/{number}/information.",
            )
        )
    gateway = read_gateway(await rest.ask("GET", "/gateway/bot"), settings.gateway)
    await _look_at_gateway(rest, gateway, findings)


async def _look_at_gateway(rest: Rest, gateway: Gateway | None, findings: list[Finding]) -> None:
    if gateway is None:
        findings.append(
            Finding(Level.PROBLEM, "Discord did not say where its gateway is", "Look at `apiBase`.")
        )
        return
    try:
        async with asyncio.timeout(4.0):
            socket = await rest.session.ws_connect(
                f"{gateway.url}?v=10&encoding=json",
                proxy=rest.proxy,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
            async with socket:
                await socket.receive()
        findings.append(Finding(Level.OK, "The gateway answers"))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        remedy = "Let WebSocket connections to Discord's gateway pass, or set `proxy`."
        findings.append(Finding(Level.PROBLEM, "The gateway cannot be reached", remedy))
    share = gateway.remaining / gateway.total
    what = f"{gateway.remaining} of {gateway.total} session starts are left today"
    if share < 0.2:
        remedy = "Something starts the bot again and again; at none left Discord resets the token."
        findings.append(Finding(Level.WARNING, what, remedy))
    else:
        findings.append(Finding(Level.OK, what))
