"""Logs: structlog to HOME/logs and standard error, libraries' logs the same way, secrets taken out at the sink."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import orjson
import structlog

from bot.home import PRIVATE_FILE, make_private
from bot.redact import Redactor
from bot.terminals import harmless

MAX_FILE_BYTES = 10_000_000
MAX_FILES = 5
"""The log and four older parts: at most 50 MB."""

MAX_LINE_BYTES = 16_000
"""A longer line is cut: a log is no place for whole payloads."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_CHATTY = ("httpx", "httpcore", "aiohttp", "asyncio", "telegram", "discord", "slack_bolt", "nio", "urllib3")

Sink = Callable[[bytes], None]


class Levels(Protocol):
    """The part of the settings that says what is logged (settings.logging)."""

    @property
    def level(self) -> str:
        """The least that we log."""

    @property
    def libraries(self) -> str:
        """The least that libraries log."""

    @property
    def format(self) -> str:
        """auto, json or pretty."""


class RotatingFile:
    """Appends lines; at MAX_FILE_BYTES the file becomes .1, .1 becomes .2, and the oldest goes.

    A disk that takes no more loses log lines, never the daemon: a failed write is counted in `lost` and told to
    `on_lost`.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int = MAX_FILE_BYTES,
        max_files: int = MAX_FILES,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._path, self._max_bytes, self._max_files = path, max_bytes, max_files
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._handle = -1
        self._size = 0
        self._is_closed = False
        self.lost = 0
        self._open()

    def __call__(self, line: bytes) -> None:
        """Append `line`."""
        with self._lock:
            try:
                if self._handle < 0 and not self._is_closed:
                    self._open()
                if self._size + len(line) > self._max_bytes and self._size:
                    self._rotate()
                self._size += os.write(self._handle, line)
            except OSError:
                self.lost += 1
                if self._on_lost is not None:
                    self._on_lost()

    def close(self) -> None:
        """Close the file; later lines are lost."""
        with self._lock, contextlib.suppress(OSError):
            self._is_closed = True
            self._let_go()

    def _open(self) -> None:
        self._handle = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE
        )
        self._size = os.fstat(self._handle).st_size

    def _let_go(self) -> None:
        """Its number belongs to whatever is opened next, so nothing may be written or closed by it any more."""
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _rotate(self) -> None:
        self._let_go()
        for number in range(self._max_files - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        self._open()


def setup_logging(
    levels: Levels,
    redactor: Redactor,
    *,
    log_file: Path | None = None,
    stream: TextIO | None = None,
    to_stderr: bool = True,
    on_lost: Callable[[], None] | None = None,
) -> Callable[[], None]:
    """Send our logs and the libraries' to `log_file` (JSON) and `stream`; returns what closes them again.

    `stream` None is standard error, or nothing with `to_stderr` False. On a terminal (or with format "pretty")
    it gets coloured lines, else the same JSON as the file. Call it once, before the loop runs; structlog and
    logging are process-wide. `on_lost` is called for each line that the file does not take.
    """
    out = stream if stream is not None else sys.stderr if to_stderr else None
    file_sink = _open_file(log_file, on_lost)
    is_pretty = out is not None and (levels.format == "pretty" or (levels.format == "auto" and out.isatty()))
    sinks: list[Sink] = [file_sink] if file_sink is not None else []
    if out is not None and not is_pretty:
        sinks.append(_stream_sink(out))
    render = _Renderer(
        redactor, sinks, _pretty_sink(out, redactor) if out is not None and is_pretty else None
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[levels.level]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    undo = _take_over_logging(_LEVELS[levels.libraries], render)

    def close() -> None:
        undo()
        structlog.reset_defaults()
        if file_sink is not None:
            file_sink.close()

    return close


@contextlib.contextmanager
def open_logging(
    levels: Levels,
    redactor: Redactor,
    *,
    log_file: Path | None = None,
    stream: TextIO | None = None,
    to_stderr: bool = True,
    on_lost: Callable[[], None] | None = None,
) -> Iterator[None]:
    """`setup_logging` for the time of a `with` block."""
    close = setup_logging(
        levels, redactor, log_file=log_file, stream=stream, to_stderr=to_stderr, on_lost=on_lost
    )
    try:
        yield
    finally:
        close()


class _Renderer:
    """The last processor: renders once, masks, writes; returns "" to structlog's ReturnLogger."""

    def __init__(
        self, redactor: Redactor, sinks: list[Sink], pretty: Callable[[dict[str, Any]], None] | None
    ) -> None:
        self._redactor, self._sinks, self._pretty = redactor, sinks, pretty

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        self.write(dict(event))
        return ""

    def write(self, event: dict[str, Any]) -> None:
        """One line, to every sink."""
        if "exc_info" in event:
            event = dict(structlog.processors.format_exc_info(None, "", event))
        if self._pretty is not None:
            self._pretty(dict(event))
        if not self._sinks:
            return
        ordered = {
            "at": event.pop("at", ""),
            "level": event.pop("level", ""),
            "event": event.pop("event", ""),
        }
        ordered.update((key, value) for key, value in event.items() if value is not None)
        line = self._redactor.line(_json(ordered))
        if len(line) > MAX_LINE_BYTES:
            line = _json({key: _cut(ordered[key]) for key in list(ordered)[:40]} | {"cut": len(line)})
            line = self._redactor.line(line)
        for sink in self._sinks:
            sink(line + b"\n")


def _json(values: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(values, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        # Lone surrogates and endless nesting are no JSON; a log line must come out all the same.
        return orjson.dumps(
            {str(key): repr(value).encode(errors="replace").decode() for key, value in values.items()}
        )


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, str | Exception | Path) else repr(value)


def _cut(value: Any) -> Any:
    return (
        value[:400]
        if isinstance(value, str)
        else value
        if isinstance(value, int | float | bool)
        else repr(value)[:400]
    )


def _open_file(path: Path | None, on_lost: Callable[[], None] | None) -> RotatingFile | None:
    if path is None:
        return None
    make_private(path.parent)
    return RotatingFile(path, on_lost=on_lost)


def _stream_sink(out: TextIO) -> Sink:
    raw = getattr(out, "buffer", None)

    def write(line: bytes) -> None:
        # A closed terminal or pipe must not end the daemon.
        with contextlib.suppress(OSError, ValueError):
            if raw is not None:
                raw.write(line)
                raw.flush()
            else:
                out.write(line.decode(errors="replace"))

    return write


def _pretty_sink(out: TextIO, redactor: Redactor) -> Callable[[dict[str, Any]], None]:
    has_colours = out.isatty() and "NO_COLOR" not in os.environ
    renderer = structlog.dev.ConsoleRenderer(
        colors=has_colours,
        timestamp_key="at",
        # Where Rich is installed structlog would paint all locals: seconds on the loop, and people's words.
        exception_formatter=structlog.dev.plain_traceback,
    )

    def write(event: dict[str, Any]) -> None:
        event = {key: value for key, value in event.items() if value is not None}
        event["at"] = str(event.get("at", ""))[11:19]
        with contextlib.suppress(OSError, ValueError):
            line = redactor.text(str(renderer(None, "", event)))
            out.write(harmless(line, has_colours=has_colours) + "\n")
            out.flush()

    return write


class _Bridge(logging.Handler):
    """What libraries log, in our form."""

    def __init__(self, render: _Renderer) -> None:
        super().__init__()
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: dict[str, Any] = {
                "at": structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")(None, "", {})["at"],
                "level": record.levelname.lower(),
                "event": "library said",
                "library": record.name,
                "detail": record.getMessage(),
            }
            if record.exc_info:
                event["exc_info"] = record.exc_info
            self._render.write(event)
        except Exception:  # noqa: BLE001 - logging must not fail the caller; logging's own rule
            self.handleError(record)


def _take_over_logging(level: int, render: _Renderer) -> Callable[[], None]:
    root = logging.getLogger()
    before, before_level = root.handlers[:], root.level
    root.handlers = [_Bridge(render)]
    root.setLevel(level)
    for name in _CHATTY:
        # One line for each request is of use to nobody who did not ask for everything.
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(True)  # noqa: FBT003 - the standard library takes it by position only

    def undo() -> None:
        root.handlers = before
        root.setLevel(before_level)
        logging.captureWarnings(False)  # noqa: FBT003 - as above

    return undo
