"""The daemon's health seen from outside: each check is a row that says what is wrong and what to do.

Imports no SDK by itself: channels and providers are asked through their own contracts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.checkup import Row, State
from bot.credentials import Stored, is_open_to_others, read_credentials, write_credentials
from bot.doctor_channels import account_rows, probe_rows, running_rows
from bot.doctor_providers import provider_rows
from bot.doctor_tools import tool_rows
from bot.errors import BotError, SettingsError
from bot.home import PRIVATE_FILE, PRIVATE_FOLDER, Home
from bot.plugins import collisions
from bot.remedies import Silence, silence_remedy
from bot.settings import Settings, load_settings
from bot.settings.edit import ConfigFile
from bot.settings.paths import get_at, set_at
from bot.settings.problems import join_path
from bot.settings.sources import read_file

LEAST_FREE_BYTES = 200_000_000
CHECK_STORE_BYTES = 500_000_000


@dataclass(slots=True)
class Patient:
    """What is looked at. `settings` stays None while the configuration cannot be read."""

    home: Home
    config_file: Path
    environ: Mapping[str, str]
    folder: Path
    settings: Settings | None = None
    broken: SettingsError | None = field(default=None)


async def examine(patient: Patient, *, is_offline: bool = False) -> list[Row]:
    """Every check, in order; takes at most half a minute and never raises.

    Asks the channels' services, the providers and the servers of tools side by side unless `is_offline`.
    """
    load(patient)
    if patient.settings is None:
        patient.settings = _what_is_whole(patient)
    rows = [row for check in CHECKS for row in _guarded(check, patient)]
    settings = patient.settings
    if settings is not None:
        if _daemon_runs(patient.home):
            rows += await running_rows(settings)
        if not is_offline:
            async with asyncio.TaskGroup() as tasks:
                looks = (probe_rows(settings), provider_rows(settings), tool_rows(settings))
                asked = [tasks.create_task(look) for look in looks]
            rows += [row for task in asked for row in task.result()]
    return rows


def mend(patient: Patient) -> list[str]:
    """Put right what needs no decision: modes of files, secrets that stand in the configuration.

    Returns a sentence for each. Raises BotError when a write fails.
    """
    done: list[str] = []
    for path, mode in (
        (patient.home.root, PRIVATE_FOLDER),
        *((each, PRIVATE_FILE) for each in _private(patient)),
    ):
        if path.exists() and is_open_to_others(path):
            path.chmod(mode)
            done.append(f"{path} is the owner's alone now")
    load(patient)
    if patient.settings is not None:
        done += _move_secrets(patient)
    return done


def load(patient: Patient) -> None:
    """Read the settings, or keep why that cannot be done."""
    try:
        patient.settings = load_settings(
            patient.home, patient.config_file, patient.environ, folder=patient.folder
        )
    except SettingsError as error:
        patient.broken = error


def _what_is_whole(patient: Patient) -> Settings | None:
    """The settings without the accounts that lack a token, so that the rest is looked at too."""
    try:
        return load_settings(
            patient.home, patient.config_file, patient.environ, folder=patient.folder, is_looking=True
        )
    except SettingsError:
        return None


def _guarded(check: Callable[[Patient], Iterator[Row]], patient: Patient) -> list[Row]:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return list(check(patient))
    except (OSError, BotError) as error:
        return [Row(name, State.FAIL, str(error))]


def _config(patient: Patient) -> Iterator[Row]:
    if patient.broken is not None:
        for path, text in patient.broken.problems or (("", str(patient.broken)),):
            yield Row(
                "config", State.FAIL, f"{path}: {text}" if path else text, f"edit {patient.config_file}"
            )
    elif not patient.config_file.exists():
        yield Row("config", State.OK, f"{patient.config_file} does not exist; the defaults are in force")
    else:
        yield Row("config", State.OK, f"{patient.config_file} is valid")
    for warning in patient.settings.warnings if patient.settings is not None else ():
        yield Row("config", State.WARN, warning)


def _home(patient: Patient) -> Iterator[Row]:
    home = patient.home
    if not home.root.exists():
        yield Row("home", State.OK, f"{home.root} does not exist yet; the first start makes it")
        return
    if not os.access(home.root, os.W_OK | os.X_OK):
        yield Row(
            "home", State.FAIL, f"{home.root} cannot be written", "give it to the user who runs firstword"
        )
        return
    is_fine = True
    for path in (home.root, *_private(patient)):
        if is_open_to_others(path):
            is_fine = False
            mode = PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE
            todo = f"run: chmod {mode:o} {path} (or firstword doctor --fix)"
            yield Row("home", State.WARN, f"{path} can be read by others on this machine", todo)
    if is_fine:
        yield Row("home", State.OK, f"{home.root} is the owner's alone")


def _private(patient: Patient) -> list[Path]:
    files = (patient.config_file, patient.home.dotenv, patient.home.credentials, patient.home.database)
    return [path for path in files if path.is_file()]


def _packages(_: Patient) -> Iterator[Row]:
    found = collisions()
    for sentence in found:
        yield Row("packages", State.FAIL, sentence)
    if not found:
        yield Row("packages", State.OK, "no other distribution writes into ours")


def _port(patient: Patient) -> Iterator[Row]:
    if patient.settings is None:
        return
    host, port = patient.settings.server.host, patient.settings.server.port
    if port == 0:
        yield Row("port", State.OK, "server.port is 0: any free one")
        return
    is_ours = _daemon_runs(patient.home)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if is_ours:
            yield Row("port", State.OK, f"{host}:{port} is in use by the daemon of this home")
        else:
            todo = "stop what uses it, or set server.port to another one"
            yield Row("port", State.FAIL, f"{host}:{port} cannot be used ({error.strerror})", todo)
        return
    yield Row("port", State.OK, f"{host}:{port} is free")


def _daemon(patient: Patient) -> Iterator[Row]:
    if _daemon_runs(patient.home):
        yield Row("daemon", State.OK, f"one runs in {patient.home.root}")
    else:
        todo = silence_remedy(Silence.NO_DAEMON)
        yield Row("daemon", State.OK, f"none runs in {patient.home.root}: nobody is answered", todo)


def _daemon_runs(home: Home) -> bool:
    """Whether a process holds the home's lock."""
    import fcntl

    try:
        handle = os.open(home.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _channels(patient: Patient) -> Iterator[Row]:
    if patient.settings is not None:
        yield from account_rows(patient.settings)


def _disk(patient: Patient) -> Iterator[Row]:
    folder = next(each for each in (patient.home.root, *patient.home.root.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    state = State.OK if free >= LEAST_FREE_BYTES else State.WARN
    todo = "" if state is State.OK else "make room: messages are refused when the disk is full"
    yield Row("disk", state, f"{free // 1_000_000:,} MB free", todo)


def _store(patient: Patient) -> Iterator[Row]:
    path = patient.home.database
    if not path.is_file():
        yield Row("store", State.OK, "there is none yet; the first start makes it")
        return
    from bot.store.connection import look_through

    was_checked = look_through(path, CHECK_STORE_BYTES)
    size = path.stat().st_size // 1_000_000
    what = f"{path} is whole" if was_checked else f"{path} was not looked through, as it is large"
    yield Row("store", State.OK, f"{what} ({size} MB)")


CHECKS: tuple[Callable[[Patient], Iterator[Row]], ...] = (
    _config,
    _home,
    _packages,
    _daemon,
    _port,
    _channels,
    _disk,
    _store,
)
"""What is looked at without asking anybody, in this order; each gives one row or more."""


_ROOMS = ("models", "providers", "channels", "accounts", "mcp", "servers")
"""Parts of a path that need not stand in a secret's name."""


def _move_secrets(patient: Patient) -> list[str]:
    """Secrets that stand in the file go to credentials.json; a reference takes their place."""
    from bot.settings.checks import literal_secrets

    file = ConfigFile(patient.home, patient.config_file, patient.environ, patient.folder)
    values = read_file(patient.config_file)
    paths = list(literal_secrets(values, file.shape()))
    if not paths:
        return []
    stored = dict(read_credentials(patient.home.credentials))
    names: dict[Any, str] = {}
    for path in paths:
        name = "-".join(str(part) for part in path if part not in _ROOMS)
        names[path] = name
        stored[name] = Stored(str(get_at(values, path)))
    # First the secrets, then the references: a crash in between loses nothing.
    write_credentials(patient.home.credentials, stored)

    def refer(config: dict[str, Any]) -> None:
        for path, name in names.items():
            set_at(config, path, f"profile:{name}")

    file.replace(refer)
    return [f"{join_path(path)} is stored as profile:{name}" for path, name in names.items()]
