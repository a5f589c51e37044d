"""`firstword models` and `firstword message`, against a model server of the real wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.priors import read_priors
from bot.remedies import is_every_kind_covered
from tests.bot.cli.terminal import Terminal
from tests.mock_model.client import MockModel

FIGURES = re.compile(
    r"TTFT \d+ ms, (\d+ tokens/s|tokens/s unknown), \d+ \+ \d+ tokens, cost unknown, \d+\.\d\d s in all, mine/small\n"
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
        ({"status": 400}, "bad_request", "models.providers.mine.defaultParams"),
        ({"body": "<html><title>Sign in</title>"}, "malformed", "models.providers.mine.baseUrl and .api, and any proxy"),
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


def test_the_list_asks_nobody_unless_it_is_told_to(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.config(models=["small", "found"])
    terminal.model(mock_model.base_url, "small")
    assert "mine/found" not in terminal.run("models", "list").out
    assert mock_model.requests() == []
    assert "mine/found" in terminal.run("models", "list", "--refresh").out
    assert "mine/found" in terminal.run("models", "list").out
    assert [request["path"] for request in mock_model.requests()] == ["/v1/models"]


def test_a_provider_that_gives_no_list_is_named(terminal: Terminal, free_port: int) -> None:
    terminal.model(f"http://127.0.0.1:{free_port}/v1", "small")
    result = terminal.run("models", "list", "--refresh")
    assert result.code == 3
    assert "warning: mine gave no list: connect" in result.err
    assert "* mine/small" in result.out


def test_the_whole_catalogue_has_prices_and_retirements(terminal: Terminal) -> None:
    result = terminal.run("models", "list", "--all", "--provider", "cerebras")
    assert "cerebras/gpt-oss-120b  131,072 tokens  $0.35 / $0.75 per million tokens\n" in result.out
    assert re.search(r"cerebras/llama-3\.3-70b .* retired 2026-02-16\n", result.out)
    assert re.search(r"cerebras/qwen-3-235b .* price unknown", result.out)
    later = terminal.run("models", "list", "--all", "--provider", "gemini").out
    assert re.search(r"gemini/gemini-3\.1-flash-lite .* retires 2027-05-07\n", later)
    assert "anthropic" not in result.out.splitlines()[0]


def test_a_model_that_vanished_from_the_list_is_named(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.config(models=["small", "other"])
    terminal.model(mock_model.base_url, "small")
    terminal.run("models", "list", "--refresh")
    assert terminal.run("models", "status", "--check").code == 0
    mock_model.config(models=["other"])
    terminal.run("models", "list", "--refresh")
    result = terminal.run("models", "status", "--check")
    assert result.code == 1
    assert re.search(r"warning: mine/small is not among the models that mine lists since 20\d\d-", result.err)


def test_the_status_may_ask_each_model(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script({"model": "other", "status": 503}, default={"text": "ready"})
    terminal.model(mock_model.base_url, "small", "other")
    terminal.run("models", "fallbacks", "add", "mine/other")
    result = terminal.run("models", "status", "--probe", "--probe-concurrency", "1")
    assert result.code == 3
    assert "mine/small: TTFT " in result.out
    assert "mine/other: overloaded (HTTP 503: " in result.out
    assert terminal.run("models", "status", "--probe", "--probe-timeout", "0").code == 2


def test_a_model_that_is_silent_is_left_after_the_probes_time(
    terminal: Terminal, mock_model: MockModel
) -> None:
    mock_model.script(default={"fault": "silent"})
    terminal.model(mock_model.base_url, "small")
    result = terminal.run("models", "status", "--probe", "--probe-timeout", "0.05")
    assert "mine/small: nothing within 0.05 s" in result.out


def test_fallbacks_are_put_in_order_and_taken_out(terminal: Terminal) -> None:
    terminal.model("http://127.0.0.1:9/v1", "a", "b", "c")
    terminal.run("models", "fallbacks", "add", "mine/b")
    terminal.run("models", "fallbacks", "add", "mine/c", "--first")
    assert terminal.run("models", "fallbacks", "list").out == "1. mine/c\n2. mine/b\n"
    assert terminal.run("models", "fallbacks", "remove", "mine/c").code == 0
    assert terminal.run("models", "fallbacks", "remove", "mine/c").code == 1
    assert terminal.run("models", "fallbacks", "list").out == "1. mine/b\n"
    assert terminal.run("models", "fallbacks", "clear").code == 0
    assert terminal.run("models", "fallbacks", "list").out == "none\n"
    assert terminal.run("models", "fallbacks", "add", "nobody/x").code == 2


def test_aliases_are_made_and_taken_away(terminal: Terminal) -> None:
    terminal.model("http://127.0.0.1:9/v1", "a", "b")
    assert terminal.run("models", "aliases", "add", "quick", "mine/b", "mine/a").code == 0
    assert terminal.run("models", "aliases", "list").out == "quick: mine/b, then mine/a\n"
    terminal.run("config", "set", 'agents.defaults.models["mine/a"].alias', "other")
    assert terminal.run("models", "aliases", "remove", "other").code == 0
    assert terminal.run("models", "aliases", "remove", "quick").code == 0
    assert terminal.run("models", "aliases", "remove", "quick").code == 1
    assert "no aliases" in terminal.run("models", "aliases", "list").out
    for wrong in (("a/b", "mine/a"), ("x", "mine"), ("x", "nobody/a")):
        assert terminal.run("models", "aliases", "add", *wrong).code == 2


def test_a_scan_finds_servers_on_this_machine(
    terminal: Terminal, start_mock_model: Callable[..., MockModel]
) -> None:
    server = start_mock_model("--kind", "ollama", "--models", "llama3.2")
    result = terminal.run("models", "scan", environ={"OLLAMA_HOST": f"127.0.0.1:{server.port}"})
    assert result.code == 0
    assert f"ollama: ready at http://127.0.0.1:{server.port}/v1\n  ollama/llama3.2\n" in result.out


def test_a_bench_prints_figures_and_keeps_them_where_asked(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one two three four", "ttft": 0.01, "gap": 0.001})
    terminal.model(mock_model.base_url, "small", "large")
    result = terminal.run("models", "bench", "mine/large", "--n", "2", "--write-priors")
    assert result.code == 0
    assert re.fullmatch(r"mine/large: TTFT p50 \d+ ms, p95 \d+ ms, \d+ tokens/s, 2 answers\n", result.out)
    file = terminal.home / "data" / "model-priors.json"
    assert file.stat().st_mode & 0o777 == 0o600
    prior = read_priors(file)["mine/large"]
    assert (prior.count, prior.ttft_p50 > 0.009) == (2, True)
    assert len(mock_model.chats()) == 2


def test_a_bench_takes_prompts_of_a_file(terminal: Terminal, mock_model: MockModel, tmp_path: Path) -> None:
    terminal.model(mock_model.base_url, "small")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("first\n\nsecond\n")
    assert terminal.run("models", "bench", "--n", "2", "--prompt-set", str(prompts)).code == 0
    assert [chat["body"]["messages"][-1]["content"] for chat in mock_model.chats()] == ["first", "second"]
    prompts.write_text("\n")
    assert terminal.run("models", "bench", "--prompt-set", str(prompts)).code == 2
    assert terminal.run("models", "bench", "--n", "0").code == 2


def test_a_bench_of_what_does_not_answer_says_why(terminal: Terminal, mock_model: MockModel) -> None:
    mock_model.script(default={"status": 401})
    terminal.model(mock_model.base_url, "small")
    result = terminal.run("models", "bench", "--n", "1", "--write-priors")
    assert (result.code, result.out) == (1, "mine/small: no answer (auth)\n")
    assert not (terminal.home / "data" / "model-priors.json").exists()


def test_what_an_answer_cost_is_told_where_the_price_is_known(terminal: Terminal, tmp_path: Path) -> None:
    rows = [{"id": "dear", "ttft": 0, "cost": {"input": 1000, "output": 5000}}, {"id": "unpriced", "ttft": 0}]
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({"models": [{**row, "answer": "one two"} for row in rows]}))
    terminal.run(
        "config", "set", "models.providers.stage", json.dumps({"api": "demo", "scenario": str(file)})
    )
    priced = terminal.run("--json", "message", "send", "--model", "stage/dear", "12345678").data
    assert priced["cost_usd"] == pytest.approx((2 * 1000 + 2 * 5000) / 1_000_000)
    said = terminal.run("message", "send", "--model", "stage/dear", "12345678").out
    assert ", $0.012000, " in said
    assert "cost unknown" in terminal.run("message", "send", "--model", "stage/unpriced", "hi").out
