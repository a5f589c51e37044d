"""`firstword security audit` and `doctor --security`: every exposure is a row, and a safe home has nothing to say."""

from __future__ import annotations

import json
import os
import stat
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from bot.checkup import State
from bot.cli.context import FAULT, OK, WARNING
from bot.cli.main import main
from bot.doctor import Patient
from bot.doctor_files import OLD_BACKUP, backup_row
from bot.doctor_security import audit
from bot.home import Home

TOKEN = "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789a"
STRONG = "0123456789abcdef0123456789abcdef0123"
UNSAFE: dict[str, Any] = {
    "server": {"host": "0.0.0.0", "token": "sixteen-letters!"},
    "webhooks": {"host": "0.0.0.0"},
    "channels": {
        "telegram": {
            "accounts": {
                "main": {
                    "token": TOKEN,
                    "baseUrl": "http://bots.example",
                    "proxy": "http://proxy.example:3128",
                    "allow": ["*"],
                    "groups": ["*"],
                    "activation": "always",
                    "stopLoops": False,
                }
            }
        }
    },
    "mcp": {
        "servers": {
            "web": {
                "url": "http://tools.example/mcp",
                "trust": "members",
                "confirm": "never",
                "foreign": "nothing",
            },
            "notes": {"command": "notes", "confirmExcept": ["log*"]},
        }
    },
    "models": {
        "providers": {
            "far": {
                "baseUrl": "http://models.example/v1",
                "api": "openai-completions",
                "apiKey": "sk-abcdefghijklmnop0123",
                "models": [{"id": "m"}],
            }
        }
    },
    "routing": {"budget": {"perMonth": None}},
    "limits": {"perSender": {"perMinute": None, "perDay": None}},
    "store": {"retention": 4000},
    "diagnostics": {"cacheTrace": {"includePrompt": True}},
    "logging": {"level": "debug"},
}
SAFE: dict[str, Any] = {
    "server": {"token": "${PAGE_TOKEN}"},
    "channels": {
        "telegram": {"accounts": {"main": {"token": "${BOT}", "owner": ["4711"], "allow": ["4712"]}}}
    },
    "mcp": {"servers": {"notes": {"command": "notes"}}},
    "models": {"providers": {"near": {"baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions"}}},
}
ENVIRON = {"PAGE_TOKEN": STRONG, "BOT": TOKEN}

# Area, and what the row is about; in order.
FOUND = [
    ("warn", "listener", "the page, the API and the metrics at 0.0.0.0:8420"),
    ("warn", "secret", "server.token has 16 characters"),
    ("warn", "listener", "the webhooks at 0.0.0.0:8421"),
    ("fail", "account", "what is said on telegram/main, and its token, over plain http"),
    ("warn", "account", "direct chats with telegram/main"),
    ("warn", "account", "groups with telegram/main"),
    ("warn", "account", "every message of telegram/main's groups"),
    ("warn", "account", "telegram/main has no owner"),
    ("warn", "account", "telegram/main answers other bots without end"),
    ("ok", "account", "web/main"),
    ("ok", "tools", "what changes or sends anything"),
    ("fail", "tools", "calls and results of web, over plain http"),
    ("warn", "tools", "the tools of web are called unasked"),
    ("warn", "tools", "every tool that web will ever have"),
    ("warn", "tools", "what web returns counts as your own word"),
    ("warn", "tools", "the tools of notes called log* are called unasked"),
    ("fail", "provider", "questions and the key for far, over plain http"),
    ("warn", "money", "what models cost has no upper bound"),
    ("warn", "money", "one person may send any number of messages"),
    ("warn", "kept", "conversations of 4000 days"),
    ("warn", "kept", "people's words in a trace"),
    ("warn", "kept", "the log tells what servers and libraries say"),
    ("warn", "secret", "server.token holds the secret itself"),
    ("warn", "secret", "channels.telegram.accounts.main.token holds the secret itself"),
    ("warn", "secret", "models.providers.far.apiKey holds the secret itself"),
]


def home_of(folder: Path, config: Any, *, is_open: bool = False) -> Home:
    """A home with this configuration, as a person or a careless copy would leave it."""
    home = Home(folder / "home")
    home.prepare()
    home.config.write_text(config if isinstance(config, str) else json.dumps(config))
    home.config.chmod(0o644 if is_open else 0o600)
    home.root.chmod(0o755 if is_open else 0o700)
    return home


def patient(home: Home, environ: dict[str, str] | None = None) -> Patient:
    """The home as it is looked at."""
    return Patient(home, home.config, environ or {}, home.root.parent)


def test_an_unsafe_home_is_told_row_by_row(tmp_path: Path) -> None:
    home = home_of(tmp_path, UNSAFE, is_open=True)
    rows = audit(patient(home))
    shown = [(str(row.state), row.area, row.exposure) for row in rows if row.area not in ("files", "backups")]
    assert [(state, area) for state, area, _ in shown] == [(state, area) for state, area, _ in FOUND]
    for (_, _, told), (_, _, begins) in zip(shown, FOUND, strict=True):
        assert told.startswith(begins)
    assert all(row.remedy for row in rows if row.state is not State.OK)
    told = "\n".join(row.line() for row in rows)
    assert TOKEN not in told and "sk-abc" not in told and "sixteen" not in told


def test_a_page_that_has_a_name_and_no_token_is_told(tmp_path: Path) -> None:
    named = {"channels": {"web": {"accounts": {"main": {"allowedHosts": ["chat.example.org"]}}}}}
    told = [row for row in audit(patient(home_of(tmp_path, named))) if row.state is State.WARN]
    assert [row.exposure for row in told] == ["web/main under chat.example.org, without a token"]
    given = {"server": {"token": "${PAGE_TOKEN}"}, **named}
    rows = audit(patient(home_of(tmp_path / "given", given), ENVIRON))
    assert [row.line() for row in rows if row.state is not State.OK] == []


def test_a_safe_home_has_nothing_to_mend(tmp_path: Path) -> None:
    home = home_of(tmp_path, SAFE)
    rows = audit(patient(home, ENVIRON))
    assert [row.line() for row in rows if row.state is not State.OK] == []
    assert {row.area for row in rows} >= {
        "listener",
        "account",
        "tools",
        "provider",
        "money",
        "kept",
        "files",
    }


def test_a_configuration_that_stops_the_start_is_a_row_and_the_files_are_looked_at_all_the_same(
    tmp_path: Path,
) -> None:
    home = home_of(tmp_path, {"server": {"host": "0.0.0.0"}})
    rows = audit(patient(home))
    assert [(row.area, row.state) for row in rows[:1]] == [("configuration", State.FAIL)]
    assert "server.host" in rows[0].exposure
    assert {row.area for row in rows} >= {"files", "backups"}


def test_what_others_may_read_is_named_and_fix_closes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, SAFE, is_open=True)
    home.dotenv.write_text(f"PAGE_TOKEN={STRONG}\nBOT={TOKEN}\n")
    home.dotenv.chmod(0o640)
    home.log_file.write_text("")
    home.backups.mkdir(mode=0o750)
    assert main(["--home", str(home.root), "--json", "security", "audit"]) == FAULT
    told = json.loads(capsys.readouterr().out)
    files = {row["exposure"] for row in told["exposures"] if row["area"] == "files"}
    assert files >= {str(home.root), str(home.config), str(home.dotenv), str(home.backups)}
    assert not told["ok"] and told["fixed"] == []
    assert main(["--home", str(home.root), "--json", "doctor", "--security", "--fix"]) == OK
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and len(told["fixed"]) >= 4
    assert stat.S_IMODE(home.dotenv.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.backups.stat().st_mode) == 0o700


def test_behind_a_closed_folder_an_open_file_is_only_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, {})
    home.log_file.write_text("")
    home.log_file.chmod(0o644)
    assert main(["--home", str(home.root), "security", "audit"]) == WARNING
    assert f"warn files: {home.log_file} (to other users" in capsys.readouterr().out


def test_a_strangers_plug_in_is_named(tmp_path: Path) -> None:
    def found(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("zalo", "stranger:SPEC", group)] if group == "firstword.channels" else []

    rows = audit(patient(home_of(tmp_path, {})), found)
    assert [row.exposure for row in rows if row.area == "plug-in"] == [
        "zalo (stranger:SPEC) runs with all that the daemon may do"
    ]


def test_no_backup_and_an_old_one_are_told(tmp_path: Path) -> None:
    home = home_of(tmp_path, {})
    assert backup_row(home).state is State.OK
    home.database.write_bytes(b"")
    assert backup_row(home).remedy == "firstword backup create"
    home.backups.mkdir()
    copy = home.backups / "one.db"
    copy.write_bytes(b"")
    os.utime(copy, (0, 0))
    assert backup_row(home, OLD_BACKUP - 1).state is State.OK
    assert backup_row(home, OLD_BACKUP).state is State.WARN
