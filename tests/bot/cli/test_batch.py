"""`firstword batch`: requests go in as a file, answers come out as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal
from tests.mock_model.client import MockModel

KEY = "csk-canary0123456789abcdef"


def rows(*said: str) -> str:
    """A file of requests."""
    return "\n".join(
        json.dumps(
            {"custom_id": each, "body": {"model": "m", "messages": [{"role": "user", "content": each}]}}
        )
        for each in said
    )


@pytest.fixture
def file(terminal: Terminal, mock_model: MockModel) -> Path:
    """A file of two requests, beside a home whose provider runs batches."""
    mock_model.config(kind="cerebras", keys=[KEY])
    mock_model.script({"match": "bad", "status": 500}, default={"text": "fine"})
    terminal.model(mock_model.base_url, "m", name="cerebras", apiKey=KEY)
    path = terminal.home.parent / "requests.jsonl"
    path.write_text(rows("one", "two"))
    return path


def made(terminal: Terminal, file: Path) -> str:
    """The id of a batch of this file."""
    batch = terminal.run("--json", "batch", "submit", str(file)).data["batch"]
    assert (batch["state"], batch["is_over"]) == ("validating", False)
    return str(batch["id"])


def test_a_batch_from_its_file_to_its_answers(terminal: Terminal, file: Path) -> None:
    name = made(terminal, file)
    early = terminal.run("batch", "results", name)
    assert early.code == 1
    assert f"{name}: in_progress, 0 of 2 answered; ask again later" in early.err
    assert terminal.run("batch", "status", name).out == f"{name}: completed, 2 of 2 answered\n"
    assert terminal.run("batch", "status").out == f"{name}: completed, 2 of 2 answered\n"
    got = terminal.run("batch", "results", name)
    answers = [json.loads(line) for line in got.out.splitlines()]
    assert sorted(each["custom_id"] for each in answers) == ["one", "two"]
    assert got.code == 0


def test_some_failures_are_a_warning_and_stand_in_the_file(terminal: Terminal, file: Path) -> None:
    file.write_text(rows("one", "bad"))
    name = made(terminal, file)
    terminal.run("batch", "status", name)
    out = file.with_name("answers.jsonl")
    got = terminal.run("--json", "batch", "results", name, "--out", str(out))
    assert (got.code, got.data["batch"]["failed"]) == (3, 1)
    assert len(out.read_text().splitlines()) == 2
    assert [path.name for path in file.parent.glob("*.part")] == []


def test_a_batch_is_cancelled(terminal: Terminal, file: Path) -> None:
    name = made(terminal, file)
    assert terminal.run("batch", "cancel", name).out == f"{name}: cancelled\n"
    assert "it has no results" in terminal.run("batch", "results", name).err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"custom_id": "1"}', "line 1: body is missing"),
        ("", "the file holds no request"),
        (None, "requests.jsonl: cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_not_sent(
    terminal: Terminal, mock_model: MockModel, file: Path, given: str | None, said: str
) -> None:
    if given is None:
        file.unlink()
    else:
        file.write_text(given)
    result = terminal.run("batch", "submit", str(file))
    assert result.code in (1, 2)
    assert said in result.err
    assert mock_model.requests() == []


def test_what_stands_in_the_way_is_said(terminal: Terminal, mock_model: MockModel, file: Path) -> None:
    assert "knows no such batch" in terminal.run("batch", "status", "nothing").err
    assert "--out FILE" in terminal.run("--json", "batch", "results", "b").out
    assert "demo does not run batches" in terminal.run("batch", "status", "--provider", "demo").err
    mock_model.config(keys=["another"])
    refused = terminal.run("batch", "submit", str(file))
    assert "the key is not valid" in refused.err
    assert "canary" not in refused.err
    terminal.write({})
    assert "no provider with a key runs batches" in terminal.run("batch", "status").err
    assert "cerebras has no key" in terminal.run("batch", "status", "--provider", "cerebras").err
