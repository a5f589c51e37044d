"""The secrets behind `profile:NAME`: HOME/credentials.json, mode 0600, apart from the configuration.

A row may say that its secret lies in the system's keyring instead; the library `keyring` is imported only then.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.errors import SettingsError
from bot.files import write_private

SERVICE = "firstword"
"""Under what name the system's keyring keeps our secrets."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored secret. `provider`: whose it is, "" when nobody said. `in_keyring`: the file holds no secret."""

    secret: str = field(repr=False)
    provider: str = ""
    in_keyring: bool = False


def read_credentials(path: Path, *, opens_keyring: bool = True) -> Mapping[str, Stored]:
    """Profile name -> secret; empty when there is no file. Raises SettingsError, which holds no secret.

    Without `opens_keyring` a secret of the keyring is given as "".
    """
    try:
        table = json.loads(path.read_text())["profiles"]
        stored = {str(name): _row(row) for name, row in table.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path}: damaged; remove it and store the keys again with `firstword auth add`"
        ) from error
    if not opens_keyring:
        return stored
    return {
        name: Stored(_from_keyring(path, name), row.provider, in_keyring=True) if row.in_keyring else row
        for name, row in stored.items()
    }


def write_credentials(path: Path, stored: Mapping[str, Stored]) -> None:
    """Replace the file in one step; secrets of the keyring are not in it. Raises SettingsError."""
    rows = {
        name: {"provider": row.provider, **({"keyring": True} if row.in_keyring else {"secret": row.secret})}
        for name, row in sorted(stored.items())
    }
    write_private(path, json.dumps({"profiles": rows}, indent=2) + "\n")


def change_credentials(path: Path, changes: Mapping[str, Stored | None]) -> bool:
    """Put in or take out secrets, in the file and in the keyring; False when one to take out was not there.

    Whoever calls holds the home's lock. Raises SettingsError.
    """
    stored = dict(read_credentials(path, opens_keyring=False))
    was_there = all(row is not None or name in stored for name, row in changes.items())
    dropped = [name for name in changes if name in stored and stored[name].in_keyring]
    for name, row in changes.items():
        if row is None:
            stored.pop(name, None)
            continue
        if row.in_keyring:
            _ask_keyring(path, "set_password", _account(path, name), row.secret)
        stored[name] = row
    write_credentials(path, stored)
    _forget(path, [name for name in dropped if name not in stored or not stored[name].in_keyring])
    return was_there


def is_open_to_others(path: Path) -> bool:
    """Whether anybody but the owner may read or write the file or folder."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _row(row: Mapping[str, Any]) -> Stored:
    provider = str(row.get("provider", ""))
    if row.get("keyring") is True:
        return Stored("", provider, in_keyring=True)
    return Stored(str(row["secret"]), provider)


def _account(path: Path, name: str) -> str:
    """Two homes on one machine may use the same name."""
    return f"{path.parent}:{name}"


def _from_keyring(path: Path, name: str) -> str:
    secret = _ask_keyring(path, "get_password", _account(path, name))
    if not secret:
        text = f"{path}: the system's keyring has no secret {name!r}; store it: firstword auth add {name} --keyring"
        raise SettingsError(text)
    return str(secret)


def _forget(path: Path, names: Iterable[str]) -> None:
    for name in names:
        _ask_keyring(path, "delete_password", _account(path, name))


def _ask_keyring(path: Path, method: str, *arguments: str) -> Any:
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]
        from keyring.errors import KeyringError  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        text = f"{path}: secrets in the system's keyring need the library keyring (pip install keyring)"
        raise SettingsError(text) from error
    try:
        return getattr(keyring, method)(SERVICE, *arguments)
    except (KeyringError, OSError, RuntimeError) as error:
        reason = type(error).__name__
        raise SettingsError(f"{path}: the system's keyring does not answer ({reason})") from None
