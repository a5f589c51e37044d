"""From a message to a decision: what the table says moves it, and without evidence or a table the default model answers."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

import routing
from bot.difficulty import USUAL_BOUNDS, judge
from channels.capabilities import LatencyClass, Streaming
from routing.case import RouteQuery
from routing.health import Health
from routing.policy import decide
from routing.strategy import Difficulty
from tests.routing.models import catalog, model
from tests.routing.test_english import ELSEWHERE

KNOWN = catalog(
    *(model(ref) for ref in ("m/main", "m/fast", "m/reason", "d/deep")),
    aliases={"fast": "m/fast", "reason": "m/reason", "deep": "d/deep"},
)
BUT_VOICE = tuple(each for each in LatencyClass if each is not LatencyClass.VOICE)
"""A call is answered by the fastest model whatever is said."""
SAYS = """
from bot.difficulty import judge, table_name
text = "Write a python function that proves the theorem step by step, and explain why it terminates."
print(judge(lambda account: (0.0, 0.1))(text, "a"), repr(table_name()))
"""


def first(text: str, latency: LatencyClass) -> str:
    """Who is asked first for a text."""
    difficulty = judge(lambda _: USUAL_BOUNDS)(text, "account")
    asked = RouteQuery(latency, Streaming.EDIT, 0.0, difficulty=difficulty)
    return decide(asked, KNOWN, Health()).rungs[0].model.ref


@pytest.mark.parametrize("latency", BUT_VOICE)
@pytest.mark.parametrize("language", ELSEWHERE)
def test_in_other_languages_the_decision_is_the_default_models(language: str, latency: LatencyClass) -> None:
    assert {first(text, latency) for text in ELSEWHERE[language].split("|")} == {"m/main"}


def test_in_english_the_decision_is_the_questions() -> None:
    hard = "Write a python function that proves the theorem step by step, and explain why it terminates."
    assert [first(text, LatencyClass.SYNC) for text in ("hello there", hard)] == ["m/fast", "m/reason"]


@pytest.mark.parametrize("held", [None, b'{"version": 99}', b"no json"], ids=["missing", "later", "broken"])
async def test_without_a_table_that_can_be_read_every_question_is_usual_and_the_log_says_so(
    held: bytes | None, tmp_path: Path
) -> None:
    """In a process of its own, which has a copy of the package with another table."""
    copy = tmp_path / "routing"
    shutil.copytree(Path(routing.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "weights.json").unlink() if held is None else (copy / "weights.json").write_bytes(held)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SAYS),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    assert said.splitlines()[-1] == f"{Difficulty.USUAL} ''"
    assert "questions are not weighed" in said and "firstword route train" in said
