"""`firstword models` and `firstword message`, against a model server of the real wire."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.remedies import is_every_kind_covered
from tests.bot.cli.terminal import Terminal
from tests.mock_model.client import MockModel

FIGURES = re.compile(
    r"TTFT \d+ ms, (\d+ tokens/s|tokens/s unknown), \d+ \+ \d+ tokens, \d+\.\d\d s in all, mine/small\n"
)


def test_an_answer_streams_and_its_figures_follow(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Four, of course.", "gap": 0.001})
    terminal.model(mock_model.base_url, "small")
    result = terminal.run("message", "send", "What is 2+2?")
    assert result.code == 0
    answer, figures = result.out.split("\n", 1)
    assert answer == "Four, of course."
    assert FIGURES.fullmatch(figures), figures
    [chat] = mock_model.chats()
    assert chat["body"]["messages"][-1] == {"role": "user", "content": "What is 2+2?"}


def test_with_json_the_answer_and_its_figures_are_one_object(
    terminal: Terminal, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "Four.", "prompt_tokens": 7, "completion_tokens": 2})
    terminal.model(mock_model.base_url, "small")
    data = terminal.run("--json", "message", "send", "What is 2+2?").data
    assert (data["ok"], data["text"], data["model"]) == (True, "Four.", "mine/small")
    assert (data["input_tokens"], data["output_tokens"], data["failures"]) == (7, 2, [])
    assert data["ttft"] > 0


def test_a_named_model_answers_instead_of_the_configured_one(
    terminal: Terminal, mock_model: MockModel
) -> None:
    terminal.model(mock_model.base_url, "small", "large")
    assert terminal.run("message", "send", "--model", "mine/large", "hi").code == 0
    assert [chat["body"]["model"] for chat in mock_model.chats()] == ["large"]


def test_the_text_may_come_through_a_pipe(terminal: Terminal, mock_model: MockModel) -> None:
    terminal.model(mock_model.base_url, "small")
    assert terminal.run("message", "send", "-", stdin="from a pipe").code == 0
    assert mock_model.chats()[0]["body"]["messages"][-1]["content"] == "from a pipe"


def test_a_fallback_answers_and_is_named(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script({"model": "small", "status": 503}, default={"text": "from the other"})
    terminal.model(mock_model.base_url, "small", "other")
    config = terminal.read()
    config["agents"]["defaults"]["model"]["fallbacks"] = ["mine/other"]
    terminal.write(config)
    result = terminal.run("message", "send", "hi")
    assert result.code == 3
    assert result.out.startswith("from the other\n")
    assert result.err == "warning: mine/small did not answer: overloaded\n"


@pytest.mark.parametrize(
    ("behaviour", "kind", "todo"),
    [
        ({"status": 401}, "auth", "firstword models auth paste-token --provider mine"),
        ({"status": 429, "headers": {"retry-after": "60"}}, "rate_limit", "wait"),
        ({"status": 503}, "overloaded", "try again later"),
        ({"status": 404, "error": {"message": "no such model", "code": "model_not_found"}}, "model_gone", "firstword models list"),
        ({"status": 400, "error": {"message": "too long", "code": "context_length_exceeded"}}, "context_length", "larger window"),
        ({"status": 400}, "bad_request", "check the parameters"),
    ],
)  # fmt: skip
def test_a_test_that_fails_says_what_to_do(
    terminal: Terminal, mock_model: MockModel, behaviour: dict[str, Any], kind: str, todo: str
) -> None:
    mock_model.script(default=behaviour)
    terminal.model(mock_model.base_url, "small", apiKey="${MINE}")
    arguments = ("models", "test", "--provider", "mine", "--model", "small")
    result = terminal.run(*arguments, environ={"MINE": "sk-canary0123456789abcdef"})
    assert (result.code, result.out) == (1, "")
    assert f"mine/small did not answer: {kind}" in result.err
    assert todo in result.err
    assert "canary" not in result.err
    error = terminal.run("--json", *arguments, environ={"MINE": "sk-canary0123456789abcdef"}).data["error"]
    assert error["type"] == kind


def test_a_server_that_is_not_there_says_what_to_do(terminal: Terminal, free_port: int) -> None:
    terminal.model(f"http://127.0.0.1:{free_port}/v1", "small")
    result = terminal.run("models", "test", "mine/small")
    assert result.code == 1
    assert "mine/small did not answer: connect" in result.err
    assert "models.providers.mine.baseUrl" in result.err


def test_every_kind_of_error_has_a_remedy() -> None:
    assert is_every_kind_covered()


def test_a_test_that_succeeds_prints_the_figures(terminal: Terminal, mock_model: MockModel) -> None:
    terminal.model(mock_model.base_url, "small")
    result = terminal.run("models", "test", "mine/small")
    assert result.code == 0
    assert result.out.startswith("mine/small answers: TTFT ")
    assert len(mock_model.chats()) == 1


def test_the_list_shows_models_aliases_and_who_answers(terminal: Terminal, mock_model: MockModel) -> None:
    terminal.model(mock_model.base_url, "small", "large")
    terminal.run("config", "set", 'agents.defaults.models["mine/large"].alias', "big")
    result = terminal.run("models", "list")
    assert result.code == 0
    assert "* mine/small  8,192 tokens\n" in result.out
    assert "  mine/large  8,192 tokens  (big)\n" in result.out
    data = terminal.run("--json", "models", "list").data
    assert [row["ref"] for row in data["models"] if row["primary"]] == ["mine/small"]
    assert data["aliases"]["big"] == ["mine/large"]


def test_the_status_names_primary_fallbacks_and_keys(terminal: Terminal) -> None:
    terminal.write(
        {
            "agents": {
                "defaults": {
                    "model": {"primary": "cerebras/gpt-oss-120b", "fallbacks": ["anthropic/claude-haiku-5-5"]}
                }
            }
        }
    )
    result = terminal.run("models", "status", environ={"CEREBRAS_API_KEY": "csk-canary0123456789abcdef"})
    assert result.code == 3
    assert result.out.splitlines()[:4] == [
        "Primary: cerebras/gpt-oss-120b (as configured)",
        "Fallbacks: anthropic/claude-haiku-5-5",
        "Cerebras auth: configured",
        "Anthropic auth: missing",
    ]


def test_a_retired_model_is_named_with_its_successor(terminal: Terminal) -> None:
    terminal.write({"agents": {"defaults": {"model": {"primary": "cerebras/llama-3.3-70b"}}}})
    result = terminal.run("models", "status", environ={"CEREBRAS_API_KEY": "csk-canary0123456789abcdef"})
    assert result.code == 3
    assert re.search(
        r"warning: cerebras/llama-3\.3-70b was retired on 2026-\d\d-\d\d; use cerebras/", result.err
    )


def test_another_model_is_made_the_first(terminal: Terminal) -> None:
    result = terminal.run("models", "set", "anthropic/claude-haiku-5-5")
    assert (result.code, result.out) == (0, "anthropic/claude-haiku-5-5 answers from the next start on\n")
    assert terminal.read() == {"agents": {"defaults": {"model": {"primary": "anthropic/claude-haiku-5-5"}}}}


def test_a_model_of_nobody_is_not_made_the_first(terminal: Terminal) -> None:
    for ref in ("cerebrs/x", "no-such-alias"):
        assert terminal.run("models", "set", ref).code in (1, 2)
    assert not terminal.config.exists()


def test_an_alias_can_be_made_the_first(terminal: Terminal, mock_model: MockModel) -> None:
    terminal.model(mock_model.base_url, "small", "large")
    terminal.run("config", "set", 'agents.defaults.models["mine/large"].alias', "big")
    assert terminal.run("models", "set", "big").code == 0
    assert terminal.run("message", "send", "hi").code == 0
    assert [chat["body"]["model"] for chat in mock_model.chats()] == ["large"]


def test_nothing_of_a_conversation_is_logged(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "a secret answer"})
    terminal.model(mock_model.base_url, "small")
    terminal.run("message", "send", "a secret question", "--log-level", "debug")
    log = (terminal.home / "logs" / "firstword.log").read_text()
    assert "secret" not in log
