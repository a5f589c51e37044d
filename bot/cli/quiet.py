"""Logging of a verb that speaks for itself: to the home's log when there is a home, never to the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.settings import Settings


@contextlib.contextmanager
def quiet(settings: Settings) -> Iterator[None]:
    """Log to HOME/logs while the block runs; nowhere when the home does not exist yet."""
    from bot.redact import Redactor
    from bot.telemetry import open_logging

    log_file = settings.home.log_file if settings.home.root.is_dir() else None
    with open_logging(settings.logging, Redactor(settings.secrets()), log_file=log_file, to_stderr=False):
        yield


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Log nowhere while the block runs: for a verb that says all it learns, even of a home that is broken."""
    from bot.redact import Redactor
    from bot.settings.tree import LoggingSection
    from bot.telemetry import open_logging

    with open_logging(LoggingSection(), Redactor(), to_stderr=False):
        yield
