"""A key stands nowhere but in the header that carries it, however a server throws it back at us."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.canary import canary
from tests.mock_model.client import MockModel
from tests.story.running import Daemon, daemon
from tests.story.test_bad_models import KEYED, PATIENCE, Vendor
from tests.story.test_keys import firstword
from tests.story.test_web import page

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

KEY = f"sk-{canary('leak')}/leak+0123456789=abcdef"
FORMS = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode().rstrip("="), KEY[3:-3])
"""As it is, in a URL, as the password of Basic, and without its ends."""

ECHO = (
    f"Incorrect API key provided: {KEY}. You sent Authorization: Bearer {KEY}, x-api-key={KEY}, x-goog-api-key: {KEY}; "
    f"GET https://ann:{KEY}@api.example/v1?key={quote(KEY, safe='')}"
)
ANSWERS: dict[str, dict[str, Any]] = {
    "refused": {"status": 401, "error": {"message": ECHO, "type": KEY, "code": KEY, "param": KEY}},
    "not valid": {"status": 400, "error": {"message": ECHO}},
    "plain": {"status": 500, "body": ECHO, "headers": {"Content-Type": "text/plain"}},
    "page": {"status": 502, "body": f"<html><title>{ECHO}</title>{ECHO}</html>"},
    "elsewhere": {
        "status": 302,
        "body": "",
        "headers": {"Location": f"https://{KEY}@a.example/{KEY}?key={KEY}"},
    },
    "in the stream": {"fault": "error_event", "after": 2, "error": {"message": ECHO, "code": KEY}},
    "no answer": {"body": f'{{"{KEY}": "{KEY}"}}'},
    "as its id": {
        "text": "all is well",
        "headers": {"x-request-id": KEY, "request-id": KEY, "retry-after": KEY},
    },
}
ASKING = ("models test", "--json models test", "auth test", "doctor")
"""Verbs that ask the provider: tried with every dialect."""

TELLING = (
    "config get",
    "config validate",
    "--json config get",
    "models list --refresh",
    "models status --probe",
    "auth list",
    "--json doctor",
    "status --deep",
    "--json status --deep",
)
"""Those that say the same whatever the dialect."""


def leaks(said: str) -> list[str]:
    """The forms of the key that stand in a text."""
    return [form for form in FORMS if form in said]


async def looked_up(running: Daemon, *commands: str) -> str:
    """What the page shows for commands, and for a conversation that is opened anew."""
    async with page(running, "conversation-1") as shown:
        for number, command in enumerate(commands, 900):
            before = set(shown.shown)
            await shown.say(f"/{command}", number)
            await shown.until(lambda _, before=before: bool(set(shown.shown) - before))  # type: ignore[misc]
        return "\n".join([*shown.shown.values(), *map(str, shown.lines)])


def command_lines() -> str:
    """What every process on this machine was started with; Linux."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return "\n".join(lines)


@pytest.mark.parametrize("vendor", KEYED.values(), ids=KEYED)
async def test_a_key_that_the_server_throws_back_is_seen_nowhere(
    vendor: Vendor, mock_model: MockModel, tmp_path: Path
) -> None:
    mock_model.config(kind=vendor.kind, models=[vendor.model], strict=False)
    settings = vendor.settings(f"{mock_model.root_url}{vendor.path}")
    settings["logging"] = {"level": "debug", "libraries": "debug"}
    settings["models"]["providers"][vendor.name]["apiKey"] = KEY
    async with daemon(tmp_path / "home", settings) as running:
        for number, (name, answer) in enumerate(ANSWERS.items()):
            mock_model.script({"path": "/models", **answer}, default=answer)
            async with page(running, f"conversation-{number}") as shown:
                await shown.say(f"question {number}", number)
                await shown.until(lambda _, shown=shown: bool(shown.notes), PATIENCE)  # type: ignore[misc]
                assert leaks(str(shown.shown)) == [], name
        mock_model.script({"path": "/models", **ANSWERS["plain"]}, default=ANSWERS["refused"])
        for verb in ASKING if vendor is not KEYED["openai"] else (*ASKING, *TELLING):
            assert (verb, leaks((await firstword(running, *verb.split()))[1])) == (verb, [])
        assert leaks(await looked_up(running, "why", "status", "models")) == []
        assert leaks((await running.get("/metrics"))[1]) == []
        assert leaks(command_lines()) == []
        assert await running.stop() == 0
    log = running.log + "".join(running.lines)
    assert "attempt finished" in log
    assert leaks(log) == []
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and path.name != "config.json"]
    assert [str(path) for path in kept if KEY.encode() in path.read_bytes()] == []
    assert {chat["key_in"] for chat in mock_model.chats()} == {
        chat["key_in"] for chat in mock_model.chats()[:1]
    }
    assert all("key" not in str(asked["query"]).lower() for asked in mock_model.requests())
