"""`firstword route train` and `eval`: rows in, weights and figures out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal


def rows(folder: Path, name: str, tasks: str = "one two", count: int = 120) -> Path:
    """A file of made-up rows: questions with "proof" gain, others do not."""
    path = folder / name
    lines = []
    for number in range(count):
        is_hard = number % 2 == 0
        thing = "proof" if is_hard else "garden"
        prompt = f"what is the {thing} of this number {number} that they have shown to you"
        task = tasks.split()[number % 4 // 2 % len(tasks.split())]
        lines.append(json.dumps({"prompt": prompt, "weak_ok": False, "strong_ok": is_hard, "task": task}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_weights_are_made_and_judged(terminal: Terminal, tmp_path: Path) -> None:
    data, out = rows(tmp_path, "rows.jsonl"), tmp_path / "weights.json"
    made = terminal.run("route", "train", f"{data}:0.5", "--out", str(out), "--leave-out", "two")
    assert made.code == 0, made.err
    assert "weights.json: 14 words" in made.out
    tree = json.loads(out.read_text())
    assert tree["made"]["left_out"] == ["two"]
    assert tree["made"]["data"] == [{"file": "rows.jsonl", "rows": 120, "weight": 0.5}]
    assert tree["made"]["rows"] == 60
    judged = terminal.run("--json", "route", "eval", str(data), "--weights", str(out), "--left-out").data
    found = judged["files"]["rows.jsonl"]
    assert found["router"]["rows"] == 60
    assert found["router"]["apgr"] == pytest.approx(0.75)
    assert found["router"]["low"] <= found["router"]["apgr"] <= found["router"]["high"]
    assert {"length", "rules alone", "random", "ms_p50", "ms_p99", "calibration", "no_evidence"} <= set(found)


def test_the_weights_of_the_product_are_judged_unless_others_are_named(
    terminal: Terminal, tmp_path: Path
) -> None:
    said = terminal.run("route", "eval", str(rows(tmp_path, "rows.jsonl")))
    assert said.code == 0
    for word in ("APGR", "CPT50", "CPT80", "AUC", "rules alone", "random", "length", "p99", "95 % interval"):
        assert word in said.out


def test_a_question_that_is_judged_by_is_not_learnt_from(terminal: Terminal, tmp_path: Path) -> None:
    data, other = rows(tmp_path, "rows.jsonl"), rows(tmp_path, "other.jsonl", count=40)
    out = tmp_path / "weights.json"
    said = terminal.run("--json", "route", "train", str(data), "--out", str(out), "--without", str(other))
    assert said.data["rows"] == 80
    assert said.data["without"] == ["other.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["route", "eval", "none.jsonl"], "cannot be read"),
        (["route", "eval", "rows.jsonl", "--tasks", "three"], "no row to judge by"),
        (["route", "eval", "rows.jsonl", "--weak", "a"], "--weak and --strong go together"),
        (["route", "train", "rows.jsonl", "--out", "nowhere/w.json"], "no such folder"),
        (
            ["route", "train", "rows.jsonl", "--out", "w.json", "--leave-out", "three"],
            "no row is of task 'three'",
        ),
        (["route", "train", "rows.jsonl:0", "--out", "w.json"], "a weight is above 0"),
        (["route", "train", "few.jsonl", "--out", "w.json"], "too few"),
        (["route", "train", "rows.jsonl", "--out", "w.json", "--weak", "a", "--strong", "b"], "line 1"),
        (["route", "train", "wrong.jsonl", "--out", "w.json"], "line 1 is no JSON"),
        (["route", "train", "bytes.jsonl", "--out", "w.json"], "no UTF-8"),
    ],
)
def test_what_cannot_be_used_is_said_with_exit_code_2(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    rows(tmp_path, "rows.jsonl")
    rows(tmp_path, "few.jsonl", count=8)
    (tmp_path / "wrong.jsonl").write_text("{")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe{")
    monkeypatch.chdir(tmp_path)
    found = terminal.run(*arguments)
    assert found.code == 2
    assert said in found.err


@pytest.mark.parametrize(
    ("text", "said"), [("", "no JSON"), ('{"version": 99}', "version 99"), ('{"version": 1}', "incomplete")]
)
def test_weights_of_another_version_are_refused_with_the_remedy(
    terminal: Terminal, tmp_path: Path, text: str, said: str
) -> None:
    data, weights = rows(tmp_path, "rows.jsonl"), tmp_path / "weights.json"
    weights.write_text(text)
    found = terminal.run("route", "eval", str(data), "--weights", str(weights))
    assert found.code == 1
    assert said in found.err
    assert "route train" in found.err
