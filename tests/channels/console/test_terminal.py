"""On a real (pseudo-)terminal: keys go in, a screen is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.channels.console.terminal import COLUMNS, Terminal


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path)
    try:
        await terminal.shows(">")
        yield terminal
        assert terminal.screen.unknown == []
    finally:
        terminal.close()


async def test_an_answer_grows_above_the_prompt_with_its_note(terminal: Terminal) -> None:
    terminal.type("count 3\r")
    await terminal.shows("some/model · asked · first word 200 ms\n>")
    lines = terminal.screen.text.splitlines()
    assert lines[:3] == ["> count 3", "one w2 w3", "some/model · asked · first word 200 ms"]
    assert lines[-1] == ">"


async def test_the_growing_line_is_seen_before_it_is_whole(terminal: Terminal) -> None:
    terminal.type("slow\r")
    await terminal.shows("one\n>")
    terminal.type("\x03")
    await terminal.shows("(stopped)")
    assert terminal.accepted() == ["slow", "/stop"]


async def test_typing_goes_on_while_an_answer_grows(terminal: Terminal) -> None:
    terminal.type("slow\r")
    await terminal.shows("one\n>")
    terminal.type("/status\r")
    await terminal.shows("answer to /status")
    terminal.type("half a tho")
    await terminal.shows("> half a tho")
    terminal.type("\x03")
    await terminal.shows("(stopped)")
    await terminal.shows("> half a tho")
    assert terminal.accepted() == ["slow", "/status", "/stop"]


async def test_ctrl_c_while_idle_clears_the_line_then_tells_how_to_leave(terminal: Terminal) -> None:
    terminal.type("never sent")
    await terminal.shows("never sent")
    terminal.type("\x03")
    await terminal.until(lambda screen: "never sent" not in screen, "an empty line")
    terminal.type("\x03\x03")
    await terminal.shows("Ctrl-D leaves")
    terminal.type("count 2\r")
    await terminal.shows("one w2")
    assert terminal.accepted() == ["count 2"]


async def test_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.type("\x04")
    assert await terminal.left() == 0
    await terminal.shows("left in peace")


async def test_alt_enter_makes_a_second_line(terminal: Terminal) -> None:
    terminal.type("first\x1b\rsecond\r")
    await terminal.shows("one")
    assert terminal.accepted() == ["first\nsecond"]


async def test_commands_and_models_are_completed(terminal: Terminal) -> None:
    terminal.type("/mo")
    await terminal.shows("Show or choose the model")
    terminal.type("\t")
    await terminal.shows("> /model")
    terminal.type(" lar")
    await terminal.shows("Large model")
    terminal.type("\t")
    await terminal.shows("> /model loopback/large")
    terminal.type("\r")
    await terminal.shows("answer to /model loopback/large")
    assert terminal.accepted() == ["/model loopback/large"]


async def test_what_was_typed_is_remembered_in_a_file(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("count 2\r")
    await terminal.shows("ms\n>")
    terminal.type("\x1b[A")
    await terminal.shows("> count 2", count=2)
    assert "+count 2" in (tmp_path / "history").read_text()


async def test_code_keeps_its_lines_and_a_model_cannot_steer_the_terminal(terminal: Terminal) -> None:
    terminal.type("code\r")
    await terminal.shows("or `inline` done")
    assert "Like this:\n\n```python\nprint('`hello`')\n```\nor `inline` done" in terminal.screen.text
    terminal.type("hostile\r")
    await terminal.shows("[2J]0;ownedstill 31mhere")
    await terminal.shows("Like this:")


async def test_a_line_longer_than_the_screen_loses_nothing(terminal: Terminal) -> None:
    terminal.type("long\r")
    await terminal.shows("some/model")
    shown = terminal.screen.text.partition("> long")[2].partition("some/model")[0]
    assert "".join(shown.split()) == "word" * 300 + "end"
    assert all(len(line) <= COLUMNS for line in terminal.screen.text.splitlines())


async def test_many_words_in_a_row_all_arrive(terminal: Terminal) -> None:
    terminal.type("count 400\r")
    await terminal.shows("some/model")
    shown = terminal.screen.text.partition("> count 400")[2].partition("some/model")[0]
    assert "".join(shown.split()) == "one" + "".join(f"w{number}" for number in range(2, 401))


async def test_what_is_typed_while_lines_arrive_is_not_mixed_into_them(terminal: Terminal) -> None:
    """The terminal must not echo by itself, not even between two lines."""
    seen: list[bool] = []

    def is_over(screen: str) -> bool:
        seen.append(terminal.echoes)
        return "some/model" in screen

    terminal.type("lines 600\r")
    await terminal.shows("line 5")
    terminal.type("typed meanwhile")
    await terminal.until(is_over, "the note")
    await terminal.shows("> typed meanwhile")
    answer = terminal.screen.text.partition("> lines 600")[2].partition("some/model")[0]
    assert answer.split("\n")[1:-1] == ["one", *(f"line {number}" for number in range(600))]
    assert not any(seen)
