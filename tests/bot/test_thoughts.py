"""How a model's thoughts are shown, piece by piece."""

from __future__ import annotations

import pytest

from bot.thoughts import MAX_CHARACTERS, OFF, ON, STREAM, Thoughts, wanted_effort
from providers.base import Effort


def shown(mode: str, *pieces: tuple[str, str]) -> list[str]:
    """What is written for each piece: ("thought" or "text", what it says)."""
    thoughts = Thoughts(mode)
    return [thoughts.show(said) if kind == "thought" else thoughts.before(said) for kind, said in pieces]


PIECES = (
    ("thought", "\nFirst "),
    ("thought", "this.\nThen that.\n"),
    ("text", "\n\nThe answer"),
    ("text", " is 4."),
)


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        (OFF, ["", "", "\n\nThe answer", " is 4."]),
        (ON, ["", "", "> First this.\n> Then that.\n\nThe answer", " is 4."]),
        (STREAM, ["> First ", "this.\n> Then that.\n> ", "\n\nThe answer", " is 4."]),
    ],
)
def test_thoughts_are_quoted_before_the_answer_or_as_they_come(mode: str, written: list[str]) -> None:
    assert shown(mode, *PIECES) == written


@pytest.mark.parametrize("mode", [ON, STREAM])
def test_without_thoughts_an_answer_is_itself(mode: str) -> None:
    assert shown(mode, ("thought", " \n"), ("text", "\nhi")) == ["", "\nhi"]


@pytest.mark.parametrize("mode", [ON, STREAM])
def test_endless_thoughts_are_cut_once(mode: str) -> None:
    written = "".join(shown(mode, *[("thought", "x" * 1000)] * 9, ("text", "done")))
    assert written.count("x") == MAX_CHARACTERS
    assert written.count("…") == 1
    assert written.endswith("done")


def test_the_answer_is_kept_apart_from_the_thoughts() -> None:
    thoughts = Thoughts(ON)
    thoughts.show("hm")
    thoughts.before("4")
    assert thoughts.answer == "4"
    assert Thoughts(OFF).answer is None


def test_an_answer_that_begins_anew_forgets_its_thoughts() -> None:
    thoughts = Thoughts(ON)
    thoughts.show("wrong")
    thoughts.clear()
    assert thoughts.show("right") == ""
    assert thoughts.before("4") == "> right\n\n4"


@pytest.mark.parametrize(("mode", "stands"), [(OFF, False), (ON, False), (STREAM, True)])
def test_thoughts_of_a_model_that_failed_before_its_answer_are_not_the_next_ones(
    mode: str, *, stands: bool
) -> None:
    thoughts = Thoughts(mode)
    assert thoughts.pass_on(0) is False
    thoughts.show("wrong")
    assert thoughts.pass_on(0) is False
    assert thoughts.pass_on(1) is stands
    assert thoughts.before("4") == "4"
    assert thoughts.pass_on(2) is False


@pytest.mark.parametrize(
    ("chosen", "effort"), [(None, None), ("off", Effort.OFF), ("high", Effort.HIGH), ("loud", None)]
)
def test_a_choice_names_an_effort(chosen: str | None, effort: Effort | None) -> None:
    assert wanted_effort(chosen) is effort
