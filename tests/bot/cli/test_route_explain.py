"""`firstword route explain`, `replay` and `simulate`, with and without a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal
from tests.bot.cli.test_daemon import DEMO

HARD = (
    "Prove step by step that the sum of the first n odd numbers is n squared, then derive a closed form "
    "for the sum of cubes and explain why each step holds."
)
TWO = {
    "models": {"detectLocal": False, "providers": {"demo": {"ttft": 0, "tokensPerSecond": 100000}}},
    "agents": {
        "defaults": {
            "model": {"primary": "demo/demo"},
            "aliases": {"deep": ["demo/demo"]},
        }
    },
}


def test_a_decision_is_explained_layer_by_layer_and_nothing_is_sent(terminal: Terminal) -> None:
    terminal.write(TWO)
    said = terminal.run("route", "explain", HARD, "--channel", "slack-thread")
    assert said.code == 0, said.err
    for part in (
        "1. constraints: a prompt of about",
        "2. chosen: nothing; 3. pinned: nothing",
        "4. class: async (C7 slack-thread), target 2 s, shown as it grows",
        "5. question: hard (a strong model gains 0.",
        "that asks for deep, reason",
        "6. candidates",
        "1 demo/demo (fitting), 90% in time, a guess",
        "no daemon runs",
    ):
        assert part in said.out
    assert not (terminal.home / "data").exists()


def test_what_is_explained_can_be_replayed(terminal: Terminal, tmp_path: Path) -> None:
    terminal.write(TWO)
    data = terminal.run("--json", "route", "explain", "hi", "--channel", "discord", "--kind", "command").data
    assert (data["channel"]["id"], data["latency_class"], data["difficulty"]) == ("C1", "sync", "simple")
    assert data["ladder"] == ["demo/demo"]
    trace = tmp_path / "one.jsonl"
    trace.write_text(json.dumps({"turn_id": "t1", "decision": data["decision"]}) + "\n")
    again = terminal.run("route", "replay", "--file", str(trace))
    assert again.code == 0
    assert "t1: the same: demo/demo (default; policy " in again.out
    assert "1 of 1 come out the same, byte for byte" in again.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "hi", "--channel", "pager"), "no kind of channel is called 'pager'"),
        (("explain", "hi", "--channel", "slack", "--kind", "shout"), "slack-thread, slack-dm"),
        (("explain", "hi", "--kind", "shout"), "allowed: command, dm, thread"),
        (("explain", "hi", "--tokens", "-5"), "allowed: 1 or more"),
        (
            ("explain", "hi", "--model", "demi"),
            "No model is called “demi”. Did you mean demo/demo, deep? firstword models list shows all.",
        ),
        (("replay",), "there is no recorded decision"),
        (("replay", "--file", "none.jsonl"), "none.jsonl: cannot be read"),
        (("simulate", "--scenario", "flood"), "the scenarios are: calm, outage, peak, price"),
        (("simulate", "--policy", "clever"), "there are: static, greedy, smart"),
        (("simulate", "--questions", "0"), "from 1 to"),
    ],
)
def test_what_is_typed_wrong_is_said(terminal: Terminal, arguments: tuple[str, ...], said: str) -> None:
    terminal.write(TWO)
    result = terminal.run("route", *arguments)
    assert result.code != 0
    assert said in result.err


def test_decisions_are_replayed_from_the_store_and_from_a_daemon(terminal: Terminal) -> None:
    terminal.write(DEMO)
    terminal.run("chat", stdin="hello\nand a secret word\n")
    stored = terminal.run("--json", "route", "replay", "--all").data
    assert (len(stored["turns"]), stored["same"]) == (2, 2)
    assert "secret" not in json.dumps(stored)
    turn_id = stored["turns"][-1]["turn_id"]
    with terminal.daemon():
        alive = terminal.run("--json", "route", "replay", "--all").data
        assert alive == stored
        assert f"{turn_id}: the same" in terminal.run("route", "replay", turn_id).out
        explained = terminal.run("route", "explain", "hi", "--channel", "telegram")
        assert "(the running daemon's figures)" in explained.out
        assert terminal.run("route", "explain", "hi", "--model", "demi").code == 2  # as without one


def test_a_decision_that_would_be_another_now_is_found(terminal: Terminal, tmp_path: Path) -> None:
    terminal.write(TWO)
    data = terminal.run("--json", "route", "explain", "hi").data
    record = data["decision"]
    record["picked"]["reason"] = "pinned"
    trace = tmp_path / "rows.jsonl"
    rows: list[dict[str, object]] = [{"turn_id": "t", "decision": record}, {"decision": {}}]
    trace.write_text("\n".join(json.dumps(row) for row in rows))
    said = terminal.run("route", "replay", "--file", str(trace))
    assert said.code == 1
    assert "t: OTHERWISE: now demo/demo (default;" in said.out
    assert "a row: no record of a decision" in said.out
    assert "0 of 2 come out the same" in said.out


def test_a_daemon_begins_with_what_a_bench_measured(terminal: Terminal) -> None:
    terminal.write(TWO)

    def in_time() -> float:
        data = terminal.run("--json", "route", "explain", "hi", "--channel", "voice").data
        return float(data["candidates"][0]["in_time"])

    unmeasured = in_time()
    with terminal.daemon():
        assert in_time() == unmeasured
        slow = {"demo/demo": {"at": 1.0, "count": 3, "ttft_p50": 5.0, "ttft_p95": 6.0, "speed": 50.0}}
        (terminal.home / "data" / "model-priors.json").write_text(json.dumps({"models": slow}))
        bench = terminal.run("models", "bench", "--n", "1", "--write-priors", "demo/demo")
        assert bench.code == 0, bench.err
        measured = in_time()
        assert measured > unmeasured  # the bench found it quick, and the daemon knows it at once
    assert in_time() == measured
    assert (terminal.home / "data" / "route-baselines.json").exists()


def test_a_day_is_simulated_and_comes_out_the_same_twice(terminal: Terminal) -> None:
    arguments = ("--json", "route", "simulate", "--scenario", "outage", "--questions", "150", "--seed", "5")
    first, again = terminal.run(*arguments), terminal.run(*arguments)
    assert first.code == 0
    assert first.data == again.data
    assert [each["policy"] for each in first.data["policies"]] == ["static", "greedy", "smart"]
    table = terminal.run("route", "simulate", "--scenario", "peak", "--questions", "100", "--policy", "smart")
    for word in ("p50", "p95", "p99", "cost", "switches", "extra calls", "six times slower"):
        assert word in table.out


def test_a_recorded_day_is_simulated(terminal: Terminal, tmp_path: Path) -> None:
    trace = tmp_path / "day.jsonl"
    rows = [{"at": at * 10, "class": "sync", "ttft": {"a/m": 0.9, "b/m": 0.2}} for at in range(80)]
    trace.write_text("\n".join(json.dumps(row) for row in rows))
    data = terminal.run(
        "--json", "route", "simulate", str(trace), "--policy", "static", "--policy", "smart"
    ).data
    static, smart = data["policies"]
    assert static["answers"] == {"a/m": 80}
    assert smart["answers"]["b/m"] > 60  # it notices that the other one is in time
    trace.write_text("{")
    assert "day.jsonl: line 1: no recorded question" in terminal.run("route", "simulate", str(trace)).err


def test_the_stage_of_a_running_daemon_is_shown_and_changed(terminal: Terminal) -> None:
    terminal.write(TWO)
    assert "no daemon answers in HOME" in terminal.run("route", "rollout").err
    with terminal.daemon():
        assert "Rollout: on: every conversation" in terminal.run("route", "rollout").out
        assert "off: models are asked as" in terminal.run("route", "rollout", "off").out
        assert terminal.run("--json", "route", "rollout").data["stage"] == "off"
        assert terminal.run("route", "rollout", "30").code == 2
    with terminal.daemon():
        assert terminal.run("--json", "route", "rollout").data["stage"] == "off"


def test_what_was_answered_is_a_day_to_simulate(terminal: Terminal, tmp_path: Path) -> None:
    terminal.write(DEMO)
    terminal.run("chat", stdin="hello\nand again\n")
    trace = tmp_path / "day.jsonl"
    trace.write_text(terminal.run("--json", "route", "replay", "--all").out)
    data = terminal.run("--json", "route", "simulate", str(trace), "--policy", "smart").data
    assert (data["questions"], data["policies"][0]["answers"]) == (2, {"demo/demo": 2})
