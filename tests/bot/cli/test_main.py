"""The frame of the command line: help, usage, exit codes, errors in words and in JSON."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.bot.cli.terminal import Terminal


def test_the_version_is_the_distribution_s(terminal: Terminal) -> None:
    for option in ("--version", "-V"):
        result = terminal.run(option)
        assert (result.code, result.out) == (0, f"firstword {version('firstword')}\n")


def test_help_names_every_verb(terminal: Terminal) -> None:
    result = terminal.run("--help")
    assert result.code == 0
    for verb in (
        "run",
        "chat",
        "doctor",
        "status",
        "message",
        "models",
        "config",
        "channels",
        "auth",
        "gateway",
    ):
        assert f"\n    {verb} " in result.out
    assert "0 done, 1 fault, 2 wrong usage, 3 done with warnings" in result.out


def test_no_verb_prints_help_and_is_wrong_usage(terminal: Terminal) -> None:
    for arguments in ((), ("config",), ("models", "auth")):
        result = terminal.run(*arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("usage: firstword")


def test_a_verb_that_does_not_exist_names_the_nearest(terminal: Terminal) -> None:
    result = terminal.run("statsu")
    assert (result.code, result.out) == (2, "")
    assert "did you mean status?" in result.err
    assert "see: firstword --help" in result.err


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (("statsu",), "usage", 2),
        (("run", "--port", "many"), "usage", 2),
        (("run", "--port", "70000"), "usage", 2),
        (("message", "send"), "usage", 2),
        (("message", "send", "--model", "a b", "hi"), "usage", 2),
        (("models", "test", "--provider", "x"), "usage", 2),
        (("models", "list", "--provider", "x"), "fault", 1),
        (("usage", "cost", "--days", "0"), "usage", 2),
        (("pairing", "log", "--limit", "-3"), "usage", 2),
        (("pairing", "revoke", "somebody"), "usage", 2),
        (("data", "export", "somebody"), "usage", 2),
        (("data", "forget", "somebody"), "usage", 2),
        (("config", "get", "server.prot"), "settings", 2),
        (("config", "set", "server.port", "x"), "settings", 2),
        (("auth", "remove", "nobody"), "fault", 1),
    ],
)
def test_with_json_every_error_is_one_object(
    terminal: Terminal, arguments: tuple[str, ...], kind: str, code: int
) -> None:
    result = terminal.run("--json", *arguments)
    assert result.code == code
    assert result.data["ok"] is False
    assert result.data["error"]["type"] == kind
    assert result.data["error"]["message"]
    assert result.err == ""


def test_global_options_work_before_and_after_the_verb(terminal: Terminal) -> None:
    before = terminal.run("--json", "config", "file")
    after = terminal.run("config", "file", "--json")
    assert before == after
    assert before.data == {"ok": True, "file": "HOME/config.json", "exists": False}


def test_another_file_and_home_can_be_named(terminal: Terminal) -> None:
    assert terminal.run("config", "file", "--config", "other.json").out == "FOLDER/other.json\n"
    assert terminal.run("config", "file", "--home", str(terminal.home / "b")).out == "HOME/b/config.json\n"
    assert terminal.run("config", "file", environ={"FIRSTWORD_CONFIG": "/x.json"}).out == "/x.json\n"


def test_a_configuration_that_is_wrong_is_said_whole_by_every_verb_that_needs_it(terminal: Terminal) -> None:
    terminal.write({"server": {"port": "x", "prot": 1}})
    for verb in (("run",), ("chat",), ("models", "list"), ("channels", "list"), ("auth", "list")):
        result = terminal.run(*verb)
        assert result.code == 2
        assert result.err == (
            "error: HOME/config.json: 2 problems\n"
            "  server.prot: there is no such key; nearest: server.port\n"
            '  server.port: "x" is not allowed; allowed: a whole number from 0 to 65535\n'
        )
    problems = terminal.run("--json", "config", "validate").data["error"]["problems"]
    assert [row["path"] for row in problems] == ["server.prot", "server.port"]


def test_a_token_that_only_the_daemon_was_given_stops_no_verb_but_its_start(terminal: Terminal) -> None:
    main = {"token": "${TELEGRAM_KEY}", "owner": ["1"]}
    terminal.write({"channels": {"telegram": {"accounts": {"main": main}}}, "models": {"detectLocal": False}})
    lacking = "channels.telegram.accounts.main.token: the variable TELEGRAM_KEY is not set"
    for verb in (
        ("models", "list"),
        ("channels", "list"),
        ("message", "send", "hi"),
        ("models", "fallbacks", "list"),
    ):
        result = terminal.run(*verb)
        assert (result.code, result.err.count(lacking)) == (0, 1), verb
    for strict in (("run",), ("config", "validate")):
        result = terminal.run(*strict)
        assert result.code == 2
        assert result.err.startswith("error: ") and lacking in result.err
    looked = terminal.run("doctor", "--offline")
    assert looked.code == 1
    assert f"fail config: {lacking}" in looked.out
    assert "ok   channel: web/main is configured" in looked.out  # the rest is looked at all the same


def test_a_broken_pipe_is_silent(terminal: Terminal) -> None:
    command = f"{sys.executable} -m bot --home {terminal.home} config schema | head -c 10"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_python_m_bot_is_the_same_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bot", "-V"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, f"firstword {version('firstword')}\n")
