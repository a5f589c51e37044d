"""Where a daemon keeps everything: one folder, nothing outside it. Makes paths; only `prepare` touches the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bot.errors import SettingsError

HOME_VARIABLE = "FIRSTWORD_HOME"
CONFIG_VARIABLE = "FIRSTWORD_CONFIG"
DEFAULT_HOME = "~/.firstword"

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of one home folder.

    config.json .env credentials.json   what the owner writes
    data/        the store
    backups/     copies of it that were asked for
    accounts/    one folder for each account of a channel
    logs/        firstword.log and its older parts
    run/         lock and control socket of a running daemon
    """

    root: Path

    @property
    def config(self) -> Path:
        """The configuration, unless `--config` names another file."""
        return self.root / "config.json"

    @property
    def dotenv(self) -> Path:
        """Variables that stand in for the environment's."""
        return self.root / ".env"

    @property
    def credentials(self) -> Path:
        """The secrets behind `profile:NAME`, mode 0600."""
        return self.root / "credentials.json"

    @property
    def data(self) -> Path:
        """The folder of the store."""
        return self.root / "data"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "firstword.db"

    @property
    def backups(self) -> Path:
        """Where `firstword backup create` puts its copies."""
        return self.root / "backups"

    @property
    def logs(self) -> Path:
        """The folder of the log."""
        return self.root / "logs"

    @property
    def log_file(self) -> Path:
        """The log that is being written."""
        return self.logs / "firstword.log"

    @property
    def run(self) -> Path:
        """What exists only while a daemon runs."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held by the process that owns this home."""
        return self.run / "lock"

    @property
    def control_socket(self) -> Path:
        """How command-line verbs reach the daemon."""
        return self.run / "control.sock"

    def account(self, channel: str, account: str) -> Path:
        """An account's own folder; names become single path parts, whatever they hold."""
        return self.root / "accounts" / _part(channel) / _part(account)

    def prepare(self) -> None:
        """Make the folders, readable by nobody else. Raises SettingsError when that cannot be done."""
        for folder in (self.root, self.data, self.logs, self.run):
            make_private(folder)


def find_home(option: str | Path | None, environ: Mapping[str, str]) -> Home:
    """The home that `--home`, else FIRSTWORD_HOME, else ~/.firstword names, as an absolute path."""
    named = option or environ.get(HOME_VARIABLE) or DEFAULT_HOME
    try:
        return Home(Path(named).expanduser().absolute())
    except RuntimeError as error:
        raise SettingsError(
            f"{named}: there is no such user's home folder; name a folder with --home"
        ) from error


def find_config(option: str | Path | None, home: Home, environ: Mapping[str, str]) -> Path:
    """The configuration file that `--config`, else FIRSTWORD_CONFIG, else the home names."""
    named = option or environ.get(CONFIG_VARIABLE)
    return Path(named).expanduser().absolute() if named else home.config


def make_private(folder: Path) -> None:
    """Make a folder, and what is missing above it, with mode 0700; what exists keeps its own. Raises SettingsError."""
    try:
        for each in (*reversed(folder.parents), folder):
            # `parents=True` would make those above with the usual mode, readable by others.
            if not each.is_dir():
                each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"{folder}: cannot be made ({reason}); name another folder with --home or {HOME_VARIABLE}"
        raise SettingsError(text) from error


def _part(name: str) -> str:
    quoted = quote(name, safe="")
    # "." and ".." survive quoting and would leave the folder.
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted
