"""`firstword config` and `firstword auth`, line by line."""

from __future__ import annotations

import json
import stat

from tests.bot.cli.terminal import Terminal

KEY = "sk-canary0123456789abcdef"
LLAMA = 'agents.defaults.models["cerebras/llama-3.3-70b"].alias'
RESTART = "a running daemon takes it up at its next start"


def test_a_model_is_set_and_read_back(terminal: Terminal) -> None:
    path = "agents.defaults.model.primary"
    result = terminal.run("config", "set", path, "cerebras/llama-3.3-70b")
    assert (result.code, result.out) == (0, f"{path} is set in HOME/config.json; {RESTART}\n")
    assert terminal.run("config", "get", path).out == "cerebras/llama-3.3-70b\n"
    assert json.loads(terminal.run("config", "get", "agents.defaults.model").out) == {
        "primary": "cerebras/llama-3.3-70b",
        "fallbacks": [],
    }


def test_an_alias_is_set_under_a_ref_in_brackets(terminal: Terminal) -> None:
    assert terminal.run("config", "set", LLAMA, "cerebras").code == 0
    assert terminal.read() == {
        "agents": {"defaults": {"models": {"cerebras/llama-3.3-70b": {"alias": "cerebras"}}}}
    }
    assert terminal.run("config", "get", LLAMA).out == "cerebras\n"


def test_when_a_changed_key_counts_is_said(terminal: Terminal) -> None:
    result = terminal.run("config", "set", "server.token", "kJ8s-LmQ2_vXw91zRt7uYb3n")
    assert "takes up keys of its own doors at once" in result.out
    assert "at once" in terminal.run("config", "unset", "server.token").out


def test_a_value_is_taken_out(terminal: Terminal) -> None:
    terminal.run("config", "set", "server.port", "9000")
    assert terminal.run("config", "unset", "server.port").out == f"server.port is taken out; {RESTART}\n"
    assert terminal.run("config", "unset", "server.port").out == "server.port was not set\n"
    assert terminal.read() == {}


def test_a_valid_configuration_is_said_to_be(terminal: Terminal) -> None:
    assert (
        terminal.run("config", "validate").out == "HOME/config.json does not exist; the defaults are valid\n"
    )
    terminal.write({"server": {"port": 1}})
    result = terminal.run("config", "validate")
    assert (result.code, result.out) == (0, "HOME/config.json is valid\n")
    assert terminal.run("--json", "config", "validate").data == {
        "ok": True,
        "file": "HOME/config.json",
        "exists": True,
        "warnings": [],
    }


def test_a_secret_in_the_file_is_a_warning_and_exit_code_three(terminal: Terminal) -> None:
    terminal.write({"models": {"providers": {"cerebras": {"apiKey": KEY}}}})
    result = terminal.run("config", "validate")
    assert result.code == 3
    assert result.err.startswith("warning: models.providers.cerebras.apiKey holds the secret itself")
    assert KEY not in result.out + result.err


def test_setting_a_secret_in_plain_text_says_what_is_better(terminal: Terminal) -> None:
    result = terminal.run("config", "set", "models.providers.cerebras.apiKey", KEY)
    assert result.code == 0
    assert "firstword auth add" in result.err
    assert KEY not in result.out + result.err
    assert terminal.run("config", "get", "models.providers.cerebras.apiKey").out == "***\n"


def test_the_schema_is_json_schema(terminal: Terminal) -> None:
    schema = json.loads(terminal.run("config", "schema").out)
    assert schema["properties"]["server"]["properties"]["port"]["default"] == 8420
    assert "token" in str(schema["properties"]["channels"]["properties"]["telegram"])


def test_a_key_is_stored_apart_from_the_configuration(terminal: Terminal) -> None:
    result = terminal.run(
        "auth", "add", "cerebras-pro", "--provider", "cerebras", "--mode", "api_key", stdin=f"{KEY}\n"
    )
    assert (result.code, result.out) == (
        0,
        "cerebras-pro is stored; cerebras uses it from the next start on\n",
    )
    assert terminal.read() == {
        "auth": {"profiles": {"cerebras-pro": {"provider": "cerebras", "mode": "api_key"}}}
    }
    credentials = terminal.home / "credentials.json"
    assert KEY in credentials.read_text()
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert terminal.run("auth", "list").out == "cerebras: cerebras:cerebras-pro\nstored: cerebras-pro\n"


def test_a_new_key_joins_an_order_that_stands(terminal: Terminal) -> None:
    auth = {"profiles": {"old": {"provider": "cerebras"}}, "order": {"cerebras": ["old"]}}
    terminal.write({"auth": auth})
    terminal.run("auth", "add", "new", "--provider", "cerebras", stdin=KEY)
    assert terminal.read()["auth"]["order"] == {"cerebras": ["old", "new"]}


def test_the_other_gateways_name_for_storing_a_key_works(terminal: Terminal) -> None:
    result = terminal.run("models", "auth", "paste-token", "--provider", "cerebras", stdin=f"  {KEY}  \n")
    assert (result.code, result.out) == (
        0,
        "the key of cerebras is stored; it is used from the next start on\n",
    )
    assert terminal.run("--json", "auth", "list").data["providers"] == [
        {"provider": "cerebras", "keys": ["cerebras:cerebras"], "problems": []}
    ]


def test_a_key_is_forgotten(terminal: Terminal) -> None:
    terminal.run("auth", "add", "a-token", stdin=KEY)
    assert terminal.run("auth", "remove", "a-token").out == "a-token is forgotten\n"
    assert terminal.run("auth", "remove", "a-token").code == 1
    assert KEY not in (terminal.home / "credentials.json").read_text()


def test_nothing_pasted_stores_nothing(terminal: Terminal) -> None:
    for pasted in ("", "two words", "\x1b[A"):
        result = terminal.run("auth", "add", "x", stdin=pasted)
        assert result.code == 2
        assert "one line without spaces" in result.err
    assert not (terminal.home / "credentials.json").exists()


def test_without_keys_the_list_says_how_to_add_one(terminal: Terminal) -> None:
    assert "firstword auth add NAME --provider PROVIDER" in terminal.run("auth", "list").out


def test_a_key_of_the_environment_is_listed_by_its_variable_only(terminal: Terminal) -> None:
    result = terminal.run("auth", "list", environ={"CEREBRAS_API_KEY": KEY})
    assert result.out == "cerebras: cerebras:env:CEREBRAS_API_KEY\n"


def test_a_profile_without_a_secret_is_a_warning(terminal: Terminal) -> None:
    terminal.write({"auth": {"profiles": {"cerebras-pro": {"provider": "cerebras"}}}})
    result = terminal.run("auth", "list")
    assert (result.code, result.out) == (3, "cerebras: no key\n")


def test_channels_say_who_may_talk(terminal: Terminal) -> None:
    token = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"
    rows = {
        "main": {"token": token},
        "closed": {"token": token, "dm": "allowlist"},
        "open": {"token": token, "dm": "open"},
        "team": {"token": token, "owner": ["1"], "allow": ["2", "3"], "groups": ["-4"]},
    }
    terminal.write({"channels": {"telegram": {"accounts": rows}, "web": {"enabled": False}}})
    result = terminal.run("channels", "list")
    assert {
        "console/main: Terminal, in the foreground; whoever is at this machine",
        (
            "telegram/main: Telegram, on; whom you let in by the code that strangers are told; add your id to "
            "channels.telegram.accounts.main.owner"
        ),
        "telegram/closed: Telegram, on; nobody yet; add ids to channels.telegram.accounts.closed.owner",
        "telegram/open: Telegram, on; everybody in direct chats; 0 owners, 0 allowed, 0 groups",
        "telegram/team: Telegram, on; 1 owner, 2 allowed, 1 group",
        "web: Web page, off",
    } <= set(result.out.splitlines())
    assert token not in terminal.run("--json", "channels", "list").out


def test_what_is_still_missing_is_said_and_is_no_refusal(terminal: Terminal) -> None:
    result = terminal.run("config", "set", "channels.telegram.accounts.main.allow", '["4711"]')
    assert result.code == 3
    assert result.err == (
        "warning: still channels.telegram.accounts.main.token: is missing; set it, or the variable"
        " TELEGRAM_BOT_TOKEN\n"
    )
    assert terminal.read()["channels"]["telegram"]["accounts"]["main"]["allow"] == ["4711"]


def test_a_key_of_nobody_or_under_an_odd_name_is_not_stored(terminal: Terminal) -> None:
    wrong = terminal.run("auth", "add", "x", "--provider", "cerebrs", stdin=KEY)
    assert wrong.code == 2
    assert "nearest: cerebras" in wrong.err
    odd = terminal.run("auth", "add", "../x", stdin=KEY)
    assert odd.code == 2
    assert "allowed: letters, digits" in odd.err
    assert not terminal.home.exists()


def test_a_file_that_was_named_must_be_there(terminal: Terminal) -> None:
    result = terminal.run("config", "validate", "--config", "gone.json")
    assert (result.code, result.err) == (
        2,
        "error: FOLDER/gone.json: there is no such file; name another with --config\n",
    )
    assert terminal.run("config", "set", "server.port", "1", "--config", "gone.json").code == 0
    assert terminal.run("config", "validate", "--config", "gone.json").code == 0
