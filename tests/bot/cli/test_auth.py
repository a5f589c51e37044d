"""`firstword auth`: keys come in, are ordered, tested, rotated and forgotten, and show nowhere."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal
from tests.mock_model.client import MockModel

KEY = "sk-canary0123456789abcdef"
OTHER = "sk-canary9876543210fedcba"


def two_keys(terminal: Terminal, mock_model: MockModel) -> None:
    """A server of our own that takes OTHER only, and two keys for it."""
    mock_model.config(keys=[OTHER])
    terminal.model(mock_model.base_url, "small")
    terminal.run("auth", "add", "first", "--provider", "mine", stdin=KEY)
    terminal.run("auth", "add", "second", "--provider", "mine", stdin=OTHER)


@pytest.fixture(autouse=True)
def canary(terminal: Terminal) -> Iterator[None]:
    """After every test: no key stands in any file of the home but the one that is for it."""
    yield
    for path in terminal.home.rglob("*"):
        if path.is_file() and path != terminal.home / "credentials.json":
            assert b"canary" not in path.read_bytes(), path


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "add", "x", "--provider", "cerebras", KEY),
        ("auth", "add", "x", "--key", KEY),
        ("auth", "add", "x", f"--token={KEY}"),
        ("models", "auth", "paste-token", "--provider", "cerebras", KEY),
        ("models", "auth", "paste-api-key", "--provider", "cerebras", "--api-key", KEY),
        ("auth", "list", KEY),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    terminal: Terminal, arguments: tuple[str, ...], form: tuple[str, ...]
) -> None:
    result = terminal.run(*form, *arguments, stdin=OTHER)
    assert result.code == 2
    assert "canary" not in result.out + result.err
    assert not (terminal.home / "credentials.json").exists()


def test_the_order_is_shown_set_and_cleared(terminal: Terminal) -> None:
    for name in ("one", "two", "three"):
        terminal.run("auth", "add", name, "--provider", "cerebras", stdin=f"{KEY}{name}")
    order = ("auth", "order")
    assert terminal.run(*order, "get", "cerebras").out == (
        "1. cerebras:one\n2. cerebras:two\n3. cerebras:three\n"
    )
    assert terminal.run(*order, "set", "cerebras", "three").out == "cerebras: three, then one, then two\n"
    data = terminal.run("--json", *order, "get", "cerebras").data
    assert (data["order"], data["set"]) == (["cerebras:three", "cerebras:one", "cerebras:two"], True)
    assert terminal.run(*order, "clear", "cerebras").code == 0
    assert terminal.run("--json", *order, "get", "cerebras").data["set"] is False
    wrong = terminal.run(*order, "set", "cerebras", "nobody")
    assert wrong.code == 2
    assert "stored: one, two, three" in wrong.err


def test_a_key_that_is_taken_away_leaves_no_trace_in_the_configuration(terminal: Terminal) -> None:
    for name in ("one", "two"):
        terminal.run("auth", "add", name, "--provider", "cerebras", stdin=f"{KEY}{name}")
    terminal.run("auth", "order", "set", "cerebras", "two", "one")
    assert terminal.run("auth", "remove", "one").out == "one is forgotten\n"
    assert terminal.read()["auth"] == {
        "profiles": {"two": {"provider": "cerebras", "mode": "api_key"}},
        "order": {"cerebras": ["two"]},
    }
    config = terminal.read()
    config["models"] = {"providers": {"cerebras": {"apiKey": "profile:two"}}}
    terminal.write(config)
    assert (
        "models.providers.cerebras.apiKey still names profile:two"
        in terminal.run("auth", "remove", "two").err
    )


def test_every_key_is_tried_and_the_one_that_is_refused_is_named(
    terminal: Terminal, mock_model: MockModel
) -> None:
    two_keys(terminal, mock_model)
    result = terminal.run("auth", "test")
    assert result.code == 1
    assert "FAIL mine:first: auth (HTTP 401: " in result.out
    assert "; the key is not valid; store a valid key: " in result.out
    assert "ok   mine:second: taken, 1 models" in result.out
    assert terminal.run("auth", "test", "second").code == 0
    sent = [request["headers"]["authorization"] for request in mock_model.requests()]
    assert sorted(map(sent.count, sent)) == [1, 2, 2]
    assert all("canary" not in request["path"] for request in mock_model.requests())
    assert "canary" not in result.out + result.err
    assert terminal.run("auth", "test", "nobody").code == 1


def test_a_key_may_be_proved_by_a_request(terminal: Terminal, mock_model: MockModel) -> None:
    two_keys(terminal, mock_model)
    result = terminal.run("--json", "auth", "test", "second", "--model", "small")
    assert (result.code, result.data["keys"][0]["said"]) == (0, "taken, mine/small answered")
    assert [chat["body"]["model"] for chat in mock_model.chats()] == ["small"]


def test_the_next_key_answers_where_the_first_is_refused(terminal: Terminal, mock_model: MockModel) -> None:
    two_keys(terminal, mock_model)
    result = terminal.run("message", "send", "hi")
    assert result.code == 3
    assert result.err == "warning: mine/small did not answer: auth\n"
    assert len(mock_model.chats()) == 2


def test_a_name_may_be_given_a_new_secret(terminal: Terminal, mock_model: MockModel) -> None:
    two_keys(terminal, mock_model)
    terminal.run("auth", "add", "first", "--provider", "mine", stdin=OTHER)
    assert terminal.run("auth", "test", "first").code == 0
    file = terminal.home / "credentials.json"
    assert KEY not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_running_daemon_takes_keys_in_and_lets_them_go(terminal: Terminal, mock_model: MockModel) -> None:
    """Starts a daemon, about a second."""
    mock_model.config(keys=[OTHER])
    terminal.model(mock_model.base_url, "small", apiKey="${MINE}")
    with terminal.daemon(environ={"MINE": KEY}) as daemon:
        said = terminal.run("auth", "add", "second", "--provider", "mine", stdin=OTHER)
        assert said.out == "second is stored; mine uses it from now on\n"
        keys = terminal.run("--json", "auth", "list", environ={"MINE": KEY}).data["providers"][0]["keys"]
        assert keys == ["mine:second", "mine:env:MINE"]
        assert terminal.run("--json", "auth", "test", "second").data["told"] is True
        assert terminal.run("models", "set", "mine/other").out == "mine/other answers from now on\n"
        assert "model: mine/other" in terminal.run("status").out
        assert terminal.run("--json", "auth", "remove", "second").data["told"] is True
    assert "canary" not in daemon.said


KEYRING = """
import json, pathlib
from keyring import errors
FILE = pathlib.Path(__file__).parent / "secrets.json"

def _all():
    return json.loads(FILE.read_text()) if FILE.exists() else {}

def set_password(service, name, secret):
    FILE.write_text(json.dumps(_all() | {f"{service} {name}": secret}))

def get_password(service, name):
    return _all().get(f"{service} {name}")

def delete_password(service, name):
    FILE.write_text(json.dumps({key: value for key, value in _all().items() if key != f"{service} {name}"}))
"""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A library of that name, as an installed one would be found; gives the folder in which it keeps secrets."""
    room = tmp_path / "site" / "keyring"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text(KEYRING)
    (room / "errors.py").write_text("class KeyringError(Exception):\n    pass\n")
    monkeypatch.syspath_prepend(str(room.parent))
    yield room
    for name in ("keyring", "keyring.errors"):
        sys.modules.pop(name, None)


def test_a_key_may_lie_in_the_systems_keyring(
    terminal: Terminal, mock_model: MockModel, keyring: Path
) -> None:
    mock_model.config(keys=[OTHER])
    terminal.model(mock_model.base_url, "small")
    added = terminal.run("auth", "add", "ring", "--provider", "mine", "--keyring", stdin=OTHER)
    assert added.code == 0
    stored = json.loads((terminal.home / "credentials.json").read_text())
    assert stored == {"profiles": {"ring": {"provider": "mine", "keyring": True}}}
    assert terminal.run("auth", "test", "ring").code == 0
    assert terminal.run("auth", "remove", "ring").code == 0
    assert "canary" not in (keyring / "secrets.json").read_text()


def test_without_the_library_a_keyring_is_refused_in_words(terminal: Terminal) -> None:
    result = terminal.run("auth", "add", "ring", "--provider", "cerebras", "--keyring", stdin=KEY)
    assert result.code == 2
    assert "need the library keyring (pip install keyring)" in result.err
    assert not (terminal.home / "credentials.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "add", "x", "--provider", "cerebra"),
        ("models", "auth", "paste-token", "--provider", "cerebra"),
    ],
)
def test_a_provider_that_is_none_is_said_before_a_secret_is_asked_for(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    result = terminal.run(*arguments, stdin="")
    assert result.code == 2
    assert "there is no provider 'cerebra'; nearest: cerebras" in result.err


def test_the_status_says_where_the_key_was_found(terminal: Terminal) -> None:
    terminal.run("auth", "add", "work", "--provider", "cerebras", stdin=KEY)
    assert "(found a key for cerebras (work))" in terminal.run("models", "status").out


def test_a_cleared_order_leaves_nothing_behind(terminal: Terminal) -> None:
    terminal.run("auth", "add", "one", "--provider", "cerebras", stdin=KEY)
    terminal.run("auth", "order", "set", "cerebras", "one")
    terminal.run("auth", "order", "clear", "cerebras")
    assert "order" not in json.loads((terminal.home / "config.json").read_text())["auth"]
