"""The table says what was measured against which bar, and what was not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import sampler
from tests.bench.figures import LINES, ROWS
from tests.bench.report import table
from tests.bench.talk import Fate, quantile, read_chat


def line(text: str, title: str) -> str:
    [found] = [one for one in text.splitlines() if one.startswith(title)]
    return " ".join(found.removeprefix(title).split())


def test_a_line_shows_bar_figure_verdict_and_ratio() -> None:
    text = table({"serial.inbound.p50": 2.0}, {"serial.inbound.p50": 4.0})
    assert line(text, "inbound p50") == "4 ms 1.50 2 ok 4 0.50x"


@pytest.mark.parametrize(("value", "verdict"), [(700.0, "+"), (200.0, "ok"), (100.0, "MISS")])
def test_a_throughput_is_better_when_it_is_more(value: float, verdict: str) -> None:
    text = table({"throughput.rate": value}, {})
    assert verdict in line(text, "messages/s a core, 32 at once").split()


def test_a_row_that_was_not_measured_is_not_shown() -> None:
    assert "inbound" not in table({"start.ready": 1.0}, {})


def test_a_figure_that_no_message_reached_reads_as_lost() -> None:
    assert "lost" in line(table({"serial.added.p50": None}, {}), "added p50")


def test_no_two_lines_share_a_key() -> None:
    assert len({one.key for one in LINES}) == len(LINES)
    assert ROWS[0] == "start"


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3.0, None, 1.0, 2.0], 0.5) == 2.0
    assert quantile(range(1000), 0.99) == 990
    assert quantile([None], 0.5) is None


def test_a_message_is_complete_when_its_marker_ends_a_message_that_stays() -> None:
    fate = Fate("qid1q", chat=1, offered=1.0)
    read_chat(
        {"qid1q": fate},
        {
            "draft_log": [(2.0, 1, "qid1q word1"), (3.0, 1, "qid1q word1 qid1q")],
            "messages": [
                {"from_bot": False, "history": [(1.0, "tell me qid1q qid1q")]},
                {"from_bot": True, "history": [(4.0, "qid1q word1 qid1q")]},
            ],
        },
    )
    assert (fate.first_visible, fate.complete) == (2.0, 4.0)


def test_a_profile_names_rooms_functions_and_the_share_of_each(tmp_path: Path) -> None:
    own = {"channels/split.py:cut": 3, "lib/python3.11/json/decoder.py:decode": 1}
    samples = {"own": own, "house": own, "within": {}, "cpu": {"process": 0.016, "main": 0.008}}
    (tmp_path / "samples.json").write_text(json.dumps(samples), "utf-8")
    text = sampler.report(tmp_path / "samples.json", messages=2)
    assert text.startswith("2 messages: 8.00 ms CPU each, 4.00 in the main thread")
    assert "75.0%  channels/split.py:cut" in text
