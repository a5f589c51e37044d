"""Signing in: a token that is given, or a password that is used once and a token that is kept."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from channels.errors import NotAuthorized, Refused, Unavailable
from channels.matrix.problems import LoggedOut
from channels.matrix.settings import MatrixSettings
from channels.matrix.wire import Wire, path

log = structlog.get_logger()

_FILE = "login.json"
KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the homeserver. `device_id` "" where the token belongs to no device."""

    user_id: str
    device_id: str


async def sign_in(wire: Wire, settings: MatrixSettings, folder: Path, seconds: float) -> Login:
    """Give `wire` a token that works. Raises NotAuthorized where the settings cannot work, other ChannelErrors else.

    With a password the device of the last time is kept, as its keys open the rooms; a device that was deleted on the
    homeserver is replaced by a new one, and its keys are thrown away.
    """
    if settings.access_token is not None:
        wire.token = settings.access_token.get_secret_value()
        return await _who(wire, settings, seconds)
    kept = _read(folder, settings)
    device = settings.device_id
    if kept is not None:
        wire.token, device = kept
        try:
            return await _who(wire, settings, seconds)
        except LoggedOut as error:
            wire.token = ""
            forget(folder)
            if not error.is_soft:
                log.warning("device was deleted", channel="matrix", reason="logging in as a new one")
                shutil.rmtree(folder / KEYS, ignore_errors=True)
                device = settings.device_id
    return await _log_in(wire, settings, folder, device, seconds)


def forget(folder: Path) -> None:
    """Throw the kept token away."""
    (folder / _FILE).unlink(missing_ok=True)


async def _who(wire: Wire, settings: MatrixSettings, seconds: float) -> Login:
    found = await wire.ask("GET", path("account", "whoami"), seconds=seconds)
    user_id, device_id = found.get("user_id"), found.get("device_id")
    if not isinstance(user_id, str):
        raise Unavailable("the homeserver does not say whose token it is")
    if user_id != settings.user_id:
        raise NotAuthorized("the token belongs to another user than userId names")
    device_id = device_id if isinstance(device_id, str) else ""
    if (
        settings.device_id is not None
        and device_id != settings.device_id
        and settings.access_token is not None
    ):
        raise NotAuthorized("the token belongs to another device than deviceId names")
    return Login(user_id, device_id)


async def _log_in(
    wire: Wire, settings: MatrixSettings, folder: Path, device: str | None, seconds: float
) -> Login:
    assert settings.password is not None  # noqa: S101  (the settings have one of the two)
    body: dict[str, Any] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": settings.user_id},
        "password": settings.password.get_secret_value(),
        "initial_device_display_name": settings.device_name,
    }
    if device:
        body["device_id"] = device
    try:
        found = await wire.ask("POST", path("login"), body, seconds=seconds)
    except Refused as error:
        raise NotAuthorized(f"the homeserver does not accept the password ({error.code})") from None
    token, user_id, device_id = (found.get(key) for key in ("access_token", "user_id", "device_id"))
    if not isinstance(token, str) or not isinstance(user_id, str) or not isinstance(device_id, str):
        raise Unavailable("the homeserver's answer to the log-in is not complete")
    wire.token = token
    _write(
        folder,
        {"homeserver": settings.homeserver, "user_id": user_id, "device_id": device_id, "token": token},
    )
    log.info("logged in", channel="matrix", device=device_id)
    return Login(user_id, device_id)


def _read(folder: Path, settings: MatrixSettings) -> tuple[str, str] | None:
    """The kept token and device; None where there is none for this user and homeserver."""
    try:
        found = orjson.loads((folder / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    wanted = {"homeserver": settings.homeserver, "user_id": settings.user_id}
    token, device = found.get("token"), found.get("device_id")
    if any(found.get(key) != value for key, value in wanted.items()):
        return None
    return (token, device) if isinstance(token, str) and isinstance(device, str) else None


def _write(folder: Path, login: dict[str, str]) -> None:
    """Replaced as a whole, readable by nobody else at any moment."""
    new = folder / f"{_FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(orjson.dumps(login))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / _FILE)
