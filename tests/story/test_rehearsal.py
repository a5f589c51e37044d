"""People rehearse an outage without keys: the demo's first model is down, the second answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.story.running import daemon
from tests.story.test_web import page

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


def ladder(file: Path, *faults: dict[str, Any]) -> dict[str, Any]:
    """A configuration of two models of the demo, of which the first has these faults."""
    quick = {"id": "quick", "ttft": 0, "answer": "{model} heard {question}", "faults": faults}
    steady = {"id": "steady", "ttft": 0, "answer": "{model} heard {question}"}
    file.write_text(json.dumps({"models": [quick, steady]}))
    return {
        "server": {"port": 0},
        "webhooks": {"port": 0},
        "models": {"providers": {"stage": {"api": "demo", "scenario": str(file)}}},
        "agents": {"defaults": {"model": {"primary": "stage/quick", "fallbacks": ["stage/steady"]}}},
    }


async def test_the_second_model_answers_while_the_first_has_an_outage(tmp_path: Path) -> None:
    config = ladder(tmp_path / "s.json", {"kind": "overloaded", "requests": [2]})
    async with daemon(tmp_path / "home", config) as running, page(running) as shown:
        await shown.say("qid1q", 1)
        await shown.until_shown("quick heard qid1q")
        await shown.say("qid2q", 2)
        await shown.until_shown("steady heard qid2q")
        await running.logged("overloaded")


async def test_an_answer_that_is_cut_goes_on_in_the_same_message(tmp_path: Path) -> None:
    config = ladder(tmp_path / "s.json", {"kind": "cut", "after": 2})
    async with daemon(tmp_path / "home", config) as running, page(running) as shown:
        await shown.say("qid1q", 1)
        await shown.until_shown("quick heard qid1q")
        assert [text for text in shown.shown.values() if "heard" in text] == ["quick heard qid1q"]


async def test_a_silent_model_is_left_before_anything_is_shown(tmp_path: Path) -> None:
    config = ladder(tmp_path / "s.json", {"kind": "silence"})
    async with daemon(tmp_path / "home", config) as running, page(running) as shown:
        await shown.say("qid1q", 1)
        await shown.until_shown("steady heard qid1q")
        assert not [text for text in shown.shown.values() if "quick" in text]
