"""Writing a person's files so that a crash leaves either the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot.errors import SettingsError
from bot.home import PRIVATE_FILE, make_private

BACKUPS = 5


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text`, mode 0600: a temporary file beside it, fsync, rename, fsync of the folder.

    A symbolic link stays one; the file that it names is replaced. Raises SettingsError.
    """
    target = Path(os.path.realpath(path))
    make_private(target.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                os.fchmod(out.fileno(), PRIVATE_FILE)
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        _sync_folder(target.parent)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"{path}: cannot be written ({reason}); the old file is untouched") from error


def keep_backup(path: Path) -> None:
    """Copy `path` to `path`.bak before it is replaced; older copies move on to .bak.1 ... .bak.4.

    Nothing happens when there is no file, or when the newest copy is the same. Raises SettingsError.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be copied before the change ({type(error).__name__})") from error
    newest = path.with_name(f"{path.name}.bak")
    if newest.exists() and newest.read_bytes() == content.encode():
        return
    for number in range(BACKUPS - 1, 0, -1):
        newer = backup_path(path, number - 1)
        if newer.exists():
            newer.replace(backup_path(path, number))
    write_private(newest, content)


def backup_path(path: Path, number: int) -> Path:
    """The backup of that age; 0 is the newest."""
    return path.with_name(f"{path.name}.bak" + (f".{number}" if number else ""))


@contextlib.contextmanager
def open_folder_lock(folder: Path) -> Iterator[None]:
    """Hold off other processes that change files of this folder. Raises SettingsError when it cannot be had."""
    make_private(folder)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be opened ({error.strerror})") from error
    try:
        # Held for the milliseconds of one read and write; flock is let go when the process dies.
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
