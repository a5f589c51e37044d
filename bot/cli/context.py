"""What every verb gets: where things are, how to read the settings, how to speak."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bot.errors import BotError, SettingsError
from bot.home import Home
from bot.terminals import harmless

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.settings.edit import ConfigFile

OK, FAULT, USAGE, WARNING = 0, 1, 2, 3
"""Exit codes of every verb. INTERRUPTED is Ctrl-C, as shells count it."""

INTERRUPTED = 130


class CommandError(BotError):
    """A verb cannot do its work. The text says what to do next; `kind` is the error's type in JSON."""

    def __init__(self, text: str, *, kind: str = "fault", code: int = FAULT) -> None:
        super().__init__(text)
        self.kind = kind
        self.code = code


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read or written, as people say it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return error.strerror or type(error).__name__


@dataclass(slots=True)
class Context:
    """One run of the command line."""

    home: Home
    config_file: Path
    environ: Mapping[str, str]
    folder: Path
    is_json: bool = False
    has_color: bool = False
    log_level: str | None = None
    is_config_named: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    _warned: set[str] = field(default_factory=set)

    def settings(self, overrides: Mapping[str, Any] | None = None, *, is_looking: bool = True) -> Settings:
        """The settings, with what the command line said on top. Raises SettingsError.

        `is_looking`: the verb starts no channel. A daemon may have been given variables that this terminal has not;
        so an account whose token is not to be seen here is left out with a warning.
        """
        from bot.settings import load_settings

        if self.is_config_named and not self.config_file.exists():
            raise SettingsError(f"{self.config_file}: there is no such file; name another with --config")
        said: dict[str, Any] = {"logging": {"level": self.log_level}} if self.log_level else {}
        settings = load_settings(
            self.home,
            self.config_file,
            self.environ,
            folder=self.folder,
            overrides={**said, **(overrides or {})},
            is_looking=is_looking,
        )
        for each in settings.lacking:
            if each not in self._warned:
                self._warned.add(each)
                self.warn(f"{each}; this command goes on without that account")
        return settings

    def config(self) -> ConfigFile:
        """The configuration file, to read or change single values."""
        from bot.settings.edit import ConfigFile

        return ConfigFile(self.home, self.config_file, self.environ, self.folder)

    def say(self, data: Mapping[str, Any], lines: Iterable[str]) -> None:
        """The result: `data` as one JSON object with --json, else the lines."""
        if self.is_json:
            self.put(json.dumps({"ok": True, **data}, ensure_ascii=False, default=str))
        else:
            for line in lines:
                print(harmless(line, has_colours=self.has_color), file=self.out)

    def put(self, text: str, end: str = "\n") -> None:
        """Text that is no line of ours: JSON, or what a model says."""
        print(harmless(text), end=end, file=self.out, flush=True)

    def warn(self, text: str) -> None:
        """A remark beside the result, on standard error; nothing with --json."""
        if not self.is_json:
            print(f"{self.paint('warning:', '33')} {harmless(text)}", file=self.err)

    def paint(self, text: str, code: str) -> str:
        """`text` in a terminal's colour, where there is one."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_color else text

    def fail(self, error: BaseException) -> int:
        """Say an error on standard error; returns the exit code."""
        kind, code = _kind(error)
        text = str(error) or type(error).__name__
        if self.is_json:
            row: dict[str, Any] = {"type": kind, "message": text}
            problems = getattr(error, "problems", ())
            if problems:
                row["problems"] = [{"path": path, "message": message} for path, message in problems]
            self.put(json.dumps({"ok": False, "error": row}, ensure_ascii=False))
        else:
            print(f"{self.paint('error:', '31')} {harmless(text)}", file=self.err)
        return code


def _kind(error: BaseException) -> tuple[str, int]:
    if isinstance(error, CommandError):
        return error.kind, error.code
    if isinstance(error, SettingsError):
        # What a person wrote is wrong, and starting again would not mend it.
        return "settings", USAGE
    name = type(error).__name__
    return name.removesuffix("Error").lower() or "fault", FAULT
