"""`firstword run`, `status` and `chat`, with a daemon of its own process and without one."""

from __future__ import annotations

import json
import signal

from tests.bot.cli.terminal import Terminal

DEMO = {"models": {"detectLocal": False, "providers": {"demo": {"ttft": 0, "tokensPerSecond": 100000}}}}


def test_without_a_daemon_the_status_says_how_to_start_one(terminal: Terminal) -> None:
    for verb in (("status",), ("gateway", "status"), ("status", "--deep")):
        result = terminal.run(*verb)
        assert result.code == 3
        assert result.out.startswith("not running in HOME; start it: firstword run\n")
    assert not terminal.home.exists()


def test_a_running_daemon_tells_how_it_is_doing(terminal: Terminal) -> None:
    terminal.write(DEMO)
    with terminal.daemon() as daemon:
        terminal.wait(lambda: "web:main: online" in terminal.run("status", "--deep").out)
        result = terminal.run("status", "--deep")
        assert result.code == 0
        assert result.out.startswith("running: ")
        assert "model: demo/demo" in result.out
        assert terminal.run("--json", "gateway", "status").data["running"] is True
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=40) == 0
    assert terminal.run("status").code == 3


def test_a_chat_through_a_pipe_answers_and_is_remembered(terminal: Terminal) -> None:
    terminal.write(DEMO)
    first = terminal.run("chat", stdin="hello there\n")
    assert first.code == 0
    assert "hello there" in first.out
    assert "message 2 of our conversation" in terminal.run("chat", stdin="again\n").out
    result = terminal.run("status", "--deep")
    assert "last 2 turns: 2 done" in result.out


def test_a_chat_beside_a_daemon_keeps_its_history_to_itself(terminal: Terminal) -> None:
    terminal.write(DEMO)
    with terminal.daemon():
        result = terminal.run("chat", stdin="hello\n")
        assert result.code == 0
        assert "a daemon uses this home" in result.err
        assert "hello" in result.out
        assert "message 2" not in terminal.run("chat", stdin="hello\n").out


def test_a_second_daemon_of_the_same_home_is_refused(terminal: Terminal) -> None:
    terminal.write(DEMO)
    with terminal.daemon():
        result = terminal.run("run", "--port", "0")
        assert result.code == 1
        assert "another Firstword" in result.err


def test_the_log_of_a_daemon_is_json_and_holds_no_message(terminal: Terminal) -> None:
    terminal.write(DEMO)
    with terminal.daemon():
        pass
    lines = [json.loads(line) for line in (terminal.home / "logs" / "firstword.log").read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert "daemon ready" in events
    assert events[-1] == "daemon stopped"  # so that an end by itself is told from one by force


def test_no_secret_reaches_the_home_or_the_terminal(terminal: Terminal, free_port: int) -> None:
    """A channel whose server is not there fails loudly, with its token in every URL that it tries."""
    token = "123456789:AAcanarycanarycanarycanarycanary012"
    key = "sk-canary0123456789abcdef"
    accounts = {"main": {"token": "${BOT}", "baseUrl": f"http://127.0.0.1:{free_port}"}}
    terminal.write(DEMO | {"channels": {"telegram": {"accounts": accounts}}, "server": {"token": "${PAGE}"}})
    environ = {"BOT": token, "PAGE": "canary-of-the-page-0123", "OPENAI_API_KEY": key}
    with terminal.daemon("--log-level", "debug", environ=environ) as daemon:
        log = terminal.home / "logs" / "firstword.log"
        terminal.wait(lambda: "telegram" in log.read_text())
    assert daemon.said
    shown = daemon.said + "".join(
        path.read_bytes().decode(errors="replace") for path in terminal.home.rglob("*") if path.is_file()
    )
    assert "canary" not in shown
