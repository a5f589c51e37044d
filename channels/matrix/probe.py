"""A look at whether an account can work: homeserver, login, encryption. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from channels.base import Finding, Level
from channels.errors import ChannelError, NotAuthorized
from channels.matrix.settings import Encryption, MatrixSettings
from channels.matrix.wire import Wire, path

_DEADLINE = 9.0
_CALL = 4.0
# Spec v1.1 brought the addresses that this adapter uses (2021).
_OLDEST = (1, 1)


async def probe(_account: str, settings: MatrixSettings) -> Sequence[Finding]:
    """Findings for the owner; done within ten seconds, raises nothing."""
    wire = Wire(settings.homeserver, settings.proxy)
    found: list[Finding] = []
    try:
        async with asyncio.timeout(_DEADLINE):
            if await _reaches(wire, found):
                await _is_signed_in(wire, settings, found)
    except TimeoutError:
        found.append(Finding(Level.PROBLEM, "The homeserver answers too slowly.", "Try again later."))
    finally:
        await wire.close()
    found.append(_encryption(settings))
    return found


async def _reaches(wire: Wire, found: list[Finding]) -> bool:
    try:
        answer = await wire.ask("GET", "/_matrix/client/versions", seconds=_CALL)
    except ChannelError as error:
        remedy = "Check homeserver: it is the address that clients talk to, often not the name in user ids."
        found.append(Finding(Level.PROBLEM, f"{wire.homeserver}: {error.detail}.", remedy))
        return False
    versions = [version for version in map(_version, _list(answer.get("versions"))) if version]
    if not versions:
        found.append(
            Finding(Level.PROBLEM, f"{wire.homeserver} is no Matrix homeserver.", "Check homeserver.")
        )
        return False
    newest = max(versions)
    if newest < _OLDEST:
        found.append(Finding(Level.WARNING, "The homeserver is older than Matrix v1.1.", "Update it."))
    else:
        found.append(
            Finding(Level.OK, f"{wire.homeserver} answers and speaks Matrix v{newest[0]}.{newest[1]}.")
        )
    return True


async def _is_signed_in(wire: Wire, settings: MatrixSettings, found: list[Finding]) -> None:
    if settings.access_token is None:
        await _knows_passwords(wire, found)
        return
    wire.token = settings.access_token.get_secret_value()
    try:
        answer = await wire.ask("GET", path("account", "whoami"), seconds=_CALL)
    except NotAuthorized:
        found.append(Finding(Level.PROBLEM, "The access token is not accepted.", "Make a new one."))
        return
    except ChannelError as error:
        found.append(Finding(Level.PROBLEM, f"The login could not be checked: {error.detail}."))
        return
    user_id, device = answer.get("user_id"), answer.get("device_id")
    if user_id != settings.user_id:
        found.append(
            Finding(
                Level.PROBLEM,
                f"The token belongs to {user_id}, not to {settings.user_id}.",
                "Correct userId.",
            )
        )
        return
    found.append(Finding(Level.OK, f"Signed in as {user_id}, device {device or 'none'}."))
    if settings.device_id is not None and device != settings.device_id:
        found.append(
            Finding(Level.PROBLEM, f"The token's device is not {settings.device_id}.", "Correct deviceId.")
        )
    if not device and settings.encryption is not Encryption.OFF:
        found.append(
            Finding(
                Level.WARNING,
                "The token belongs to no device: encrypted rooms cannot be read.",
                "Log in for one.",
            )
        )


async def _knows_passwords(wire: Wire, found: list[Finding]) -> None:
    """A password is not tried: each try is a log-in, and homeservers count them."""
    try:
        answer = await wire.ask("GET", path("login"), seconds=_CALL)
    except ChannelError as error:
        found.append(Finding(Level.WARNING, f"The ways to log in could not be read: {error.detail}."))
        return
    flows = [flow.get("type") for flow in _list(answer.get("flows")) if isinstance(flow, dict)]
    if "m.login.password" in flows:
        found.append(Finding(Level.OK, "The homeserver takes passwords; the bot's is tried when it starts."))
    else:
        found.append(Finding(Level.PROBLEM, "The homeserver takes no passwords.", "Set accessToken instead."))


def _encryption(settings: MatrixSettings) -> Finding:
    if settings.encryption is Encryption.OFF:
        return Finding(Level.OK, "Encryption is off: encrypted rooms are not answered.")
    if find_spec("vodozemac") is None:
        level = Level.PROBLEM if settings.encryption is Encryption.ON else Level.WARNING
        return Finding(level, "Encrypted rooms cannot be read.", "Install matrix-nio[e2e].")
    return Finding(Level.OK, "Encryption is available.")


def _version(text: Any) -> tuple[int, int] | None:
    """v1.16 -> (1, 16); the old r0.6.1 counts as 0."""
    if not isinstance(text, str):
        return None
    if text.startswith("r0."):
        return (0, 0)
    major, _, minor = text.removeprefix("v").partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
