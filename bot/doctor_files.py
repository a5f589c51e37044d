"""The security check's look at the home folder: who else on this machine may read it, and how old the backups are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bot.checkup import State, counted
from bot.credentials import is_open_to_others
from bot.doctor_rows import Exposure
from bot.home import PRIVATE_FILE, PRIVATE_FOLDER, Home

MOST_ROWS = 10
OLD_BACKUP = 30 * 86_400.0
"""Seconds."""

_OTHERS = "other users of this machine"
_TIGHTEN = "firstword security audit --fix"


def open_paths(home: Home, config_file: Path) -> list[Path]:
    """Everything of this home that others on the machine may read, write or enter. Links are not followed."""
    found = [path for path in (home.root, *_below(home.root)) if not path.is_symlink()]
    if config_file not in found and config_file.is_file():
        found.append(config_file)
    return [path for path in found if is_open_to_others(path)]


def tighten(home: Home, config_file: Path) -> list[str]:
    """Make all of it the owner's alone; a sentence for each. Raises OSError."""
    done = []
    for path in open_paths(home, config_file):
        path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
        done.append(f"{path} is the owner's alone now")
    return done


def file_rows(home: Home, config_file: Path) -> Iterator[Exposure]:
    """A row for each such path, the first ones one by one."""
    if not home.root.exists():
        yield Exposure("files", State.OK, f"{home.root} does not exist yet", "")
        return
    found = open_paths(home, config_file)
    is_reached = is_open_to_others(home.root) or not config_file.is_relative_to(home.root)
    state = State.FAIL if is_reached else State.WARN
    to = _OTHERS if is_reached else f"{_OTHERS}, once {home.root} is opened to them"
    for path in found[:MOST_ROWS]:
        yield Exposure("files", state, str(path), to, _TIGHTEN)
    if len(found) > MOST_ROWS:
        what = f"{len(found) - MOST_ROWS:,} more files and folders of {home.root}"
        yield Exposure("files", state, what, to, _TIGHTEN)
    if not found:
        yield Exposure("files", State.OK, str(home.root), "you alone")


def backup_row(home: Home, now: float | None = None) -> Exposure:
    """The newest backup. A backup holds what people had forgotten since."""
    made = [path.stat().st_mtime for path in home.backups.glob("*.db")]
    if not home.database.exists():
        return Exposure("backups", State.OK, "there is nothing to lose yet", "")
    if not made:
        what = f"there is no copy of {home.database}: a broken disk takes everything"
        return Exposure("backups", State.WARN, what, "", "firstword backup create")
    days = int(((time.time() if now is None else now) - max(made)) // 86_400)
    if days * 86_400 >= OLD_BACKUP:
        what = f"the newest of {len(made)} backups is {days} days old, and all hold what was forgotten since"
        return Exposure("backups", State.WARN, what, "", "firstword backup create, and delete the old ones")
    return Exposure(
        "backups", State.OK, f"{counted(len(made), 'backup')}, the newest {_age(days)}", "you alone"
    )


def _below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*")) if folder.is_dir() else []


def _age(days: int) -> str:
    return f"{counted(days, 'day')} old" if days else "of today"
