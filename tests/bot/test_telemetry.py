"""Log lines: JSON, whole, bounded, without secrets; the libraries' as well."""

from __future__ import annotations

import io
import json
import logging
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.redact import Redactor
from bot.telemetry import MAX_LINE_BYTES, RotatingFile, setup_logging

SECRET = "hunter2-hunter2"


@dataclass(frozen=True)
class Levels:
    """As settings.logging."""

    level: str = "info"
    libraries: str = "warning"
    format: str = "json"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What stands in the log file, as objects."""
    close = setup_logging(
        Levels(), Redactor([SECRET]), log_file=tmp_path / "logs" / "a.log", stream=io.StringIO()
    )
    yield lambda: [json.loads(line) for line in (tmp_path / "logs" / "a.log").read_bytes().splitlines()]
    close()
    structlog.contextvars.clear_contextvars()


def test_a_line_has_time_level_event_and_what_was_bound(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.contextvars.bind_contextvars(turn_id="t1")
    structlog.get_logger().info("turn finished", ttft=0.25, model=None)
    [line] = lines()
    assert list(line)[:3] == ["at", "level", "event"]
    assert line["at"].endswith("Z")
    assert {key: line[key] for key in ("level", "event", "turn_id", "ttft")} == {
        "level": "info",
        "event": "turn finished",
        "turn_id": "t1",
        "ttft": 0.25,
    }
    assert "model" not in line


def test_a_secret_is_masked_in_values_nested_values_and_tracebacks(
    lines: Callable[[], list[dict[str, Any]]], tmp_path: Path
) -> None:
    log = structlog.get_logger()
    log.info("one", a=SECRET, b={"c": [SECRET]})
    try:
        raise ValueError(f"bad {SECRET}")
    except ValueError:
        log.exception("two")
    logging.getLogger("httpx").warning("GET https://x/?token=%s", SECRET)
    assert len(lines()) == 3
    assert SECRET not in (tmp_path / "logs" / "a.log").read_text()
    assert "ValueError" in lines()[1]["exception"]


def test_what_is_below_the_level_is_not_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger().debug("quiet")
    logging.getLogger("telegram.ext").info("chatter")
    assert lines() == []


def test_what_a_library_logs_names_the_library(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logging.getLogger("some.library").error("it %s", "broke")
    [line] = lines()
    assert (line["library"], line["detail"], line["level"]) == ("some.library", "it broke", "error")


@pytest.mark.parametrize(
    "value", ["\ud800", "\x00", object(), {1: 2}, b"\xff", 2**70, float("nan"), {"\ud800": 1}]
)
def test_any_value_makes_a_line(lines: Callable[[], list[dict[str, Any]]], value: Any) -> None:
    structlog.get_logger().info("odd", value=value)
    [line] = lines()
    assert "odd" in line["event"]


def test_a_huge_value_is_cut(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger().info("huge", value="x" * 1_000_000)
    [line] = lines()
    assert line["cut"] > MAX_LINE_BYTES
    assert len(json.dumps(line)) < MAX_LINE_BYTES


def test_a_terminal_gets_readable_lines_without_secrets(tmp_path: Path) -> None:
    out = Terminal()
    close = setup_logging(Levels(format="auto"), Redactor([SECRET]), log_file=tmp_path / "a.log", stream=out)
    try:
        structlog.get_logger().info("turn finished", key=SECRET, nothing=None)
    finally:
        close()
    assert "turn finished" in out.getvalue()
    assert "***" in out.getvalue()
    assert SECRET not in out.getvalue()
    assert "nothing" not in out.getvalue()
    assert json.loads((tmp_path / "a.log").read_text())["event"] == "turn finished"


def test_closing_gives_logging_back_as_it_was(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    setup_logging(Levels(), Redactor(), log_file=tmp_path / "a.log", to_stderr=False)()
    assert logging.getLogger().handlers == before


def test_the_log_is_the_owner_s_alone(tmp_path: Path) -> None:
    setup_logging(Levels(), Redactor(), log_file=tmp_path / "logs" / "a.log", to_stderr=False)()
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "logs" / "a.log").stat().st_mode) == 0o600


def test_the_log_never_grows_beyond_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    out = RotatingFile(path, max_bytes=100, max_files=3)
    for number in range(100):
        out(b"%04d %s\n" % (number, b"x" * 30))
    out.close()
    parts = [path, path.with_name("a.log.1"), path.with_name("a.log.2")]
    assert sorted(tmp_path.iterdir()) == parts
    assert all(0 < part.stat().st_size <= 100 for part in parts)
    numbers = [int(line[:4]) for part in reversed(parts) for line in part.read_text().splitlines()]
    assert numbers == list(range(100 - len(numbers), 100))


def test_lines_of_a_log_that_cannot_be_turned_over_go_into_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    out = RotatingFile(path, max_bytes=30, max_files=2)
    out(b"x" * 20 + b"\n")
    in_the_way = path.with_name("a.log.1")
    in_the_way.mkdir()
    out(b"y" * 20 + b"\n")
    with (tmp_path / "other").open("wb") as other:  # has the number that the log's file had
        out(b"z" * 20 + b"\n")
        assert other.tell() == (tmp_path / "other").stat().st_size == 0
        assert out.lost == 2
        in_the_way.rmdir()
        out(b"well\n")
        out.close()
        out(b"gone\n")
        assert (tmp_path / "other").stat().st_size == 0
    assert (path.read_bytes(), out.lost) == (b"x" * 20 + b"\nwell\n", 3)


def test_a_log_that_cannot_be_written_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    out = RotatingFile(tmp_path / "a.log")
    out.close()
    out(b"gone\n")
    assert out.lost == 1
