"""Logging of a verb that speaks for itself: to the home's log when there is a home, never to the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bot.redact import Redactor
from bot.settings import Settings
from bot.telemetry import open_logging


@contextlib.contextmanager
def quiet(settings: Settings) -> Iterator[None]:
    """Log to HOME/logs while the block runs; nowhere when the home does not exist yet."""
    log_file = settings.home.log_file if settings.home.root.is_dir() else None
    with open_logging(settings.logging, Redactor(settings.secrets()), log_file=log_file, to_stderr=False):
        yield
