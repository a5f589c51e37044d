"""The secrets behind `profile:NAME`: HOME/credentials.json, mode 0600, apart from the configuration."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import SettingsError
from bot.files import write_private


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored secret. `provider`: whose it is, "" when nobody said."""

    secret: str
    provider: str = ""

    def __repr__(self) -> str:
        return f"Stored(provider={self.provider!r})"


def read_credentials(path: Path) -> Mapping[str, Stored]:
    """Profile name -> secret; empty when there is no file. Raises SettingsError, which holds no secret."""
    try:
        table = json.loads(path.read_text())["profiles"]
        return {
            str(name): Stored(str(row["secret"]), str(row.get("provider", ""))) for name, row in table.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path}: damaged; remove it and store the keys again with `firstword auth add`"
        ) from error


def write_credentials(path: Path, stored: Mapping[str, Stored]) -> None:
    """Replace the file in one step. Raises SettingsError."""
    rows = {name: {"provider": row.provider, "secret": row.secret} for name, row in sorted(stored.items())}
    write_private(path, json.dumps({"profiles": rows}, indent=2) + "\n")


def is_open_to_others(path: Path) -> bool:
    """Whether anybody but the owner may read or write the file or folder."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
