"""Models that cannot answer, in every dialect: what a person reads, what the owner finds, and that nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.canary import MARK, canary
from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon
from tests.story.test_keys import firstword
from tests.story.test_web import page

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

KEY = f"sk-{canary('story')}-0123456789abcdef"
PAGE = f"<!DOCTYPE html><html><head><title>Sign in to the hotel</title></head><body>{KEY}</body></html>"
NOT_FOUND = "404 page not found"
PATIENCE = 40.0
"""Seconds: an SDK is imported with the first question, and what broke off is asked again after a pause."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One dialect as an owner configures it. `path`: what its address has after the host."""

    name: str
    model: str
    path: str = ""
    kind: str = "openai"
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """As people call its model."""
        return f"{self.name}/{self.model}"

    def settings(self, address: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A configuration whose only provider stands at `address`."""
        row = {"baseUrl": address, **self.more}
        whole = config("")
        whole["models"] = {"providers": {self.name: row}, "detectLocal": False}
        whole["agents"] = {
            "defaults": {"model": {"primary": self.ref}, "models": {self.ref: {"params": dict(params or {})}}}
        }
        return whole


VENDORS = {
    "openai": Vendor("openai", "gpt-4o-mini", "/v1"),
    "cerebras over HTTP": Vendor("cerebras", "gpt-oss-120b", "/v1", "cerebras", {"transport": "http"}),
    "cerebras by SDK": Vendor("cerebras", "gpt-oss-120b", "/v1", "cerebras", {"transport": "sdk"}),
    "anthropic over HTTP": Vendor("anthropic", "claude-haiku-4-5", more={"transport": "http"}),
    "anthropic by SDK": Vendor("anthropic", "claude-haiku-4-5", more={"transport": "sdk"}),
    "gemini": Vendor("gemini", "gemini-3.8-flash"),
    "ollama": Vendor("ollama", "llama3.2", "/v1", "ollama"),
}
KEYED = {name: vendor for name, vendor in VENDORS.items() if name != "ollama"}


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong, and the words for it: in chat, and for the owner (in the log, by `models test`)."""

    behaviour: Mapping[str, Any]
    chat: str
    log: str
    todo: str


CASES = {
    "wrong key": Case(
        {"problem": "wrong_key"},
        "no valid key is set for it. The owner has to set one; /model shows the others.",
        "HTTP 40",
        "store a valid key: firstword models auth paste-token --provider {name}",
    ),
    "no such model": Case(
        {"problem": "no_model"},
        "the provider no longer has this model. /models shows what there is.",
        "HTTP 404: ",
        "the provider has no such model (any more); ",
    ),
    "a wrong address": Case(
        {"status": 404, "body": NOT_FOUND, "headers": {"Content-Type": "text/plain"}},
        "it sent something that is no answer. /retry asks again; if that does not help, the owner has to look",
        f"HTTP 404: {NOT_FOUND}; there is nothing at /v1",
        "check models.providers.{name}.baseUrl and .api",
    ),
    "a proxy's page as an answer": Case(
        {"body": PAGE, "headers": {"Content-Type": "text/html"}},
        "it sent something that is no answer. /retry asks again; if that does not help, the owner has to look",
        "a page (HTML or XML) instead of a",
        "check models.providers.{name}.baseUrl and .api, and any proxy between",
    ),
    "a proxy's page as an error": Case(
        {"status": 502, "body": PAGE, "headers": {"Content-Type": "text/html"}},
        "its server failed. /retry asks again.",
        "HTTP 502: a web page instead of an answer (Sign in to the hotel)",
        "the provider failed; try again",
    ),
    "a firewall's page": Case(
        {"status": 403, "body": PAGE, "headers": {"Content-Type": "text/html"}},
        "it sent something that is no answer.",
        "HTTP 403: a web page instead of an answer (Sign in to the hotel)",
        "and any proxy between",
    ),
    "a redirect": Case(
        {"status": 302, "body": "", "headers": {"Location": f"https://login.example/v1?key={KEY}"}},
        "it sent something that is no answer.",
        "HTTP 302; leads to https://login.example/v1",
        "check models.providers.{name}.baseUrl",
    ),
    "10 MB in one line": Case(
        {"fault": "flood"},
        "it sent something that is no answer.",
        "an event of the answer is longer than 1048576 bytes",
        "check models.providers.{name}.baseUrl",
    ),
    "10 MB of error": Case(
        {"status": 500, "body": "what went wrong? ", "body_repeat": 700_000},
        "its server failed. /retry asks again.",
        "HTTP 500: what went wrong?",
        "the provider failed; try again",
    ),
    "bytes that are no text": Case(
        {"fault": "garbage"},
        "it sent something that is no answer.",
        "no JSON in the answer",
        "check models.providers.{name}.baseUrl",
    ),
    "a prompt that is too long": Case(
        {"problem": "too_long"},
        "the conversation is too long for it. /new begins afresh.",
        "HTTP 400: ",
        "shorten it, or use a model with a larger window",
    ),
    "no quota": Case(
        {"problem": "no_quota"},
        "its account has no quota left. The owner has to look at the account.",
        "HTTP 4",
        "the account has no quota left; look at its billing page",
    ),
    "the key in the error": Case(
        {"status": 400, "error": {"message": f"x-api-key={KEY} in GET /v1?key={KEY} is odd; Bearer {KEY}"}},
        "it did not accept the request.",
        "HTTP 400: ",
        "models.providers.{name}.defaultParams",
    ),
}
"""Kinds are tried out in full by the conformance kit; these are the ones with words of their own."""

RESTS_THE_KEY = {"wrong key", "no quota"}


@asynccontextmanager
async def asking(
    vendor: Vendor, mock_model: MockModel, home: Path, address: str = "", **params: Any
) -> AsyncIterator[Daemon]:
    """A daemon with one provider and one key for it."""
    mock_model.config(kind=vendor.kind, models=[vendor.model])
    settings = vendor.settings(address or f"{mock_model.root_url}{vendor.path}", params)
    settings["routing"] = {
        "rollout": {"stage": "off"}
    }  # the model of the settings, in every new conversation too
    running = Daemon(home, settings)
    await firstword(running, "auth", "add", "only", "--provider", vendor.name, stdin=KEY)
    async with daemon(home, settings) as running:
        yield running


async def answer_to(running: Daemon, text: str, number: int) -> str:
    """Says something at the page; what is shown for it once that is whole."""
    async with page(running, f"conversation-{number}") as shown:  # whoever does not read is taken for gone
        await shown.say(text, number)
        await shown.until(lambda _: bool(shown.notes), PATIENCE)
        return shown.shown[next(iter(shown.notes))]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
async def test_a_person_reads_what_helps_and_the_owner_reads_why(
    vendor: Vendor, mock_model: MockModel, tmp_path: Path
) -> None:
    async with asking(vendor, mock_model, tmp_path / "home") as running:
        for number, (name, case) in enumerate(CASES.items()):
            mock_model.script(default=case.behaviour)
            seen = len(running.log)
            said = await answer_to(running, f"question {number}", number)
            assert said.startswith(f"No answer. {vendor.ref}: {case.chat}"), (name, said)
            assert all(each not in said for each in ("{", "<", "HTTP", "http", "Traceback", MARK)), said
            await running.logged(case.log, since=seen)
            if name in RESTS_THE_KEY:  # until another is there
                await firstword(
                    running, "auth", "add", "only", "--provider", vendor.name, stdin=f"{KEY}{number}"
                )
        # nothing is stuck: the next question is answered, by the same process
        mock_model.script(default={"text": "all is well"})
        assert await answer_to(running, "still there?", 800) == "all is well"
        assert MARK not in running.log + "".join(running.lines)


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
async def test_the_owner_is_told_what_to_do(
    name: str, case: Case, mock_model: MockModel, tmp_path: Path
) -> None:
    vendor = VENDORS["openai"]
    mock_model.script(default=case.behaviour)
    code, said = await one_verb(vendor, mock_model, tmp_path / "home", "models", "test")
    assert code == 1
    assert case.log in said
    assert case.todo.format(name=vendor.name) in said
    assert MARK not in said


async def one_verb(vendor: Vendor, mock_model: MockModel, home: Path, *verb: str) -> tuple[int, str]:
    """A verb without a daemon."""
    owner = Daemon(home, vendor.settings(f"{mock_model.root_url}{vendor.path}"))
    await firstword(owner, "auth", "add", "only", "--provider", vendor.name, stdin=KEY)
    return await firstword(owner, *verb)


@pytest.mark.parametrize("vendor", KEYED.values(), ids=KEYED)
async def test_a_missing_key_is_told_from_a_wrong_one_and_mended_without_a_restart(
    vendor: Vendor, mock_model: MockModel, tmp_path: Path
) -> None:
    mock_model.config(kind=vendor.kind, models=[vendor.model], keys=[KEY])
    mock_model.script(default={"text": "all is well"})
    settings = vendor.settings(f"{mock_model.root_url}{vendor.path}")
    todo = f"no key is set; store one: firstword models auth paste-token --provider {vendor.name}, or set "
    async with daemon(tmp_path / "home", settings) as running:
        assert (await answer_to(running, "hello?", 1)).startswith(
            f"No answer. {vendor.ref}: no valid key is set for it."
        )
        for verb in ("models test", "models status", "doctor"):
            code, said = await firstword(running, *verb.split())
            assert code != 0, verb
            assert todo in said, (verb, said)
        paste = f"models auth paste-token --provider {vendor.name}"
        assert (await firstword(running, *paste.split(), stdin=KEY))[0] == 0
        assert await answer_to(running, "and now?", 2) == "all is well"


@pytest.mark.parametrize("vendor", [VENDORS["openai"], VENDORS["ollama"]], ids=["hosted", "local"])
async def test_an_address_at_which_nobody_listens_is_named_by_its_field(
    vendor: Vendor, mock_model: MockModel, tmp_path: Path
) -> None:
    async with asking(vendor, mock_model, tmp_path / "home", address="http://127.0.0.1:9/v1") as running:
        said = await answer_to(running, "hello?", 1)
        assert said.startswith(f"No answer. {vendor.ref}: it cannot be reached. Try again in a minute;")
        for verb in ("models test", "doctor"):
            code, told = await firstword(running, *verb.split())
            assert code == 1
            assert f"check the network and models.providers.{vendor.name}.baseUrl" in told
            assert ("start it (Install Ollama" in told) is (vendor.name == "ollama")


async def test_a_schema_over_the_limits_is_named_with_its_place_and_nothing_is_sent(
    mock_model: MockModel, tmp_path: Path
) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "x"}},
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    vendor = VENDORS["cerebras over HTTP"]
    async with asking(vendor, mock_model, tmp_path / "home", response_format=form) as running:
        said = await answer_to(running, "hello?", 1)
        assert said.startswith(
            f"No answer. {vendor.ref}: it did not accept the request. /model shows the others;"
        )
        await running.logged("turn finished")
        place = "Cerebras does not take response_format.json_schema.schema.properties.a.pattern: regular expressions"
        assert place in running.log
        code, told = await firstword(running, "models", "test")
        assert code == 1
        assert place in told
        assert "and the params of the model under agents.defaults.models" in told
    assert mock_model.chats() == []


async def test_an_answer_of_10_mb_is_ended_and_fills_neither_memory_nor_the_chat(
    mock_model: MockModel, tmp_path: Path
) -> None:
    piece = '{"choices":[{"index":0,"delta":{"content":"' + "so on and " * 4000 + '"}}]}'
    stream = {"Content-Type": "text/event-stream"}
    mock_model.script({"body": f"data: {piece}\n\n", "body_repeat": 250, "headers": stream, "times": 1})
    async with asking(VENDORS["openai"], mock_model, tmp_path / "home") as running:
        before = running.most_memory()
        said = await answer_to(running, "how much?", 1)
        assert "(The model reached its length limit here." in said
        assert len(said) < 250_000
        await running.logged("ended at 196608 characters")
        assert running.most_memory() - before < 40_000_000
        mock_model.script(default={"text": "all is well"})
        assert await answer_to(running, "still there?", 2) == "all is well"
