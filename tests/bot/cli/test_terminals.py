"""Nothing that a model, a server or a stranger writes steers the terminal of whoever reads it."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.redact import Redactor
from bot.settings import LoggingSection
from bot.telemetry import open_logging
from bot.terminals import harmless
from tests.bot.cli.terminal import Terminal

HOSTILE = "\x1b]52;c;cHduZWQ=\x07\x1b[2J\x9b31m\u202eabc\r\x08X\x7f"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@given(st.text())
def test_what_cannot_steer_stays_and_the_rest_can_be_read(text: str) -> None:
    shown = harmless(text)
    assert not STEERS.search(shown)
    assert (
        STEERS.sub("", text) == re.sub(r"\\u(00[0189][0-9a-f]|007f|20[26][0-9a-f])", "", shown)
        or "\\u" in text
    )
    assert json.loads(harmless(json.dumps({"a": text}, ensure_ascii=False))) == {"a": text}


def test_our_colours_stay_and_nobody_else_hides_by_one() -> None:
    assert harmless("\x1b[31merror:\x1b[0m x", has_colours=True) == "\x1b[31merror:\x1b[0m x"
    assert harmless("\x1b[8mhidden\x1b[31", has_colours=True) == "\\u001b[8mhidden\\u001b[31"
    assert harmless("\x1b[31mred") == "\\u001b[31mred"


@pytest.mark.parametrize(
    "verb",
    [
        ("message", "send", HOSTILE),
        ("config", "set", f"server.{HOSTILE}", "1"),
        ("config", "get", f"server.{HOSTILE}"),
        ("models", "test", HOSTILE),
        ("data", "forget", HOSTILE),
        (f"no{HOSTILE}",),
    ],
    ids=["a model's words", "set", "get", "test", "forget", "no verb"],
)
@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["words", "JSON"])
def test_no_verb_passes_it_on(terminal: Terminal, verb: tuple[str, ...], flags: tuple[str, ...]) -> None:
    demo = {"ttft": 0, "tokensPerSecond": 100000}
    terminal.write({"models": {"detectLocal": False, "providers": {"demo": demo}}})
    result = terminal.run(*flags, *verb)
    assert result.out + result.err
    assert not STEERS.search(result.out + result.err)


def test_no_readable_log_passes_it_on() -> None:
    out = io.StringIO()
    levels: Any = LoggingSection(format="pretty")
    with open_logging(levels, Redactor(), stream=out):
        structlog.get_logger().warning("model refused", reason=HOSTILE, others=[HOSTILE])
    assert "model refused" in out.getvalue() and not STEERS.search(out.getvalue())
