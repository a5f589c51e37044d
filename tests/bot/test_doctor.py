"""The doctor: every fault is a row that says what was seen and what to do; mending mends."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.checkup import Row, State
from bot.doctor import Patient, examine, mend
from bot.home import Home
from bot.store.lock import HomeLock
from tests.mock_model.client import MockModel
from tests.mock_model.fixtures import mock_model, mock_model_process

__all__ = ["mock_model", "mock_model_process"]

KEY = "sk-canary0123456789abcdef"


class Ward:
    """One home to look at."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")

    def write(self, config: Any) -> None:
        """Make the home with this configuration."""
        self.home.prepare()
        self.home.config.write_text(config if isinstance(config, str) else json.dumps(config))
        self.home.config.chmod(0o600)

    def patient(self, environ: Mapping[str, str] | None = None) -> Patient:
        """The home as the doctor sees it."""
        return Patient(self.home, self.home.config, environ or {}, self.home.root.parent)

    def rows(self, environ: Mapping[str, str] | None = None, *, is_offline: bool = True) -> list[Row]:
        """Everything that is found."""
        return asyncio.run(examine(self.patient(environ), is_offline=is_offline))


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    """A home that does not exist yet."""
    return Ward(tmp_path)


def of(rows: list[Row], name: str) -> list[Row]:
    """The rows of one check."""
    return [row for row in rows if row.name == name]


def bad(rows: list[Row]) -> list[Row]:
    """Everything that is not in order."""
    return [row for row in rows if row.state is not State.OK]


def test_a_row_reads_well_whether_it_is_made_of_sentences_or_of_parts() -> None:
    assert Row("port", State.FAIL, "it is in use", "set another").line() == "port: it is in use; set another"
    assert (
        Row("port", State.FAIL, "It is in use.", "Set another.").line() == "port: It is in use. Set another."
    )
    assert Row("port", State.OK, "it is free").line() == "port: it is free"


def test_a_machine_without_a_home_is_in_order(ward: Ward) -> None:
    # The usual port may be taken by the daemon of whoever runs this.
    assert bad(ward.rows({"FIRSTWORD_SERVER__PORT": "0"})) == []
    assert not ward.home.root.exists()


def test_each_problem_of_the_configuration_is_a_row(ward: Ward) -> None:
    ward.write({"server": {"port": "x", "prot": 1}})
    rows = of(ward.rows(), "config")
    assert [row.state for row in rows] == [State.FAIL, State.FAIL]
    assert all(row.todo.startswith("edit ") for row in rows)


def test_a_home_that_others_can_read_is_a_warning_and_is_mended(ward: Ward) -> None:
    ward.write({})
    ward.home.root.chmod(0o755)
    ward.home.config.chmod(0o644)
    found = of(ward.rows(), "home")
    assert [row.state for row in found] == [State.WARN, State.WARN]
    assert "chmod 700" in found[0].todo
    assert len(mend(ward.patient())) == 2
    assert of(ward.rows(), "home")[0].state is State.OK
    assert stat.S_IMODE(ward.home.config.stat().st_mode) == 0o600


def test_a_secret_in_the_file_is_moved_and_a_reference_takes_its_place(ward: Ward) -> None:
    ward.write(
        {"models": {"providers": {"cerebras": {"apiKey": KEY}}}, "server": {"token": "a-long-token-of-mine"}}
    )
    assert len([row for row in bad(ward.rows()) if "secret itself" in row.what]) == 2
    assert len(mend(ward.patient())) == 2
    assert KEY not in ward.home.config.read_text()
    assert (
        json.loads(ward.home.config.read_text())["models"]["providers"]["cerebras"]["apiKey"]
        == "profile:cerebras-apiKey"
    )
    assert stat.S_IMODE(ward.home.credentials.stat().st_mode) == 0o600
    patient = ward.patient()
    asyncio.run(examine(patient, is_offline=True))
    assert patient.settings is not None
    [credential] = patient.settings.keys("cerebras").credentials
    assert credential.secret is not None
    assert credential.secret.get_secret_value() == KEY
    assert mend(ward.patient()) == []


def test_a_port_in_use_is_a_failure_unless_the_daemon_of_this_home_uses_it(ward: Ward) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ward.write({"server": {"port": server.getsockname()[1]}})
        [row] = of(ward.rows(), "port")
        assert row.state is State.FAIL
        assert "server.port" in row.todo
        with HomeLock(ward.home.root):
            assert of(ward.rows(), "port")[0].state is State.OK


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "answers only whom you let in by a code"),
        ({"dm": "allowlist"}, "answers nobody"),
        ({"dm": "disabled"}, "answers nobody"),
    ],
)
def test_an_account_that_names_nobody_is_a_warning(ward: Ward, settings: dict[str, str], says: str) -> None:
    ward.write({"channels": {"telegram": {"accounts": {"main": settings}}}})
    token = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"
    found = of(ward.rows({"TELEGRAM_BOT_TOKEN": token}), "channel")
    [row] = bad(found)
    assert says in row.what
    assert "firstword config set channels.telegram.accounts.main.owner" in row.todo
    assert ("firstword pairing approve CODE" in row.todo) == (not settings)


@pytest.mark.parametrize("settings", [{"allow": ["*"]}, {"dm": "open"}])
def test_an_account_that_is_open_to_everybody_is_a_warning(ward: Ward, settings: dict[str, object]) -> None:
    ward.write({"channels": {"telegram": {"accounts": {"main": settings}}}})
    token = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"
    [row] = bad(of(ward.rows({"TELEGRAM_BOT_TOKEN": token}), "channel"))
    assert "lets everybody in" in row.what


def test_a_home_without_a_daemon_says_how_to_start_one(ward: Ward) -> None:
    ward.write({})
    [row] = of(ward.rows(), "daemon")
    assert (row.state, row.todo) == (State.OK, "start it: firstword run")
    with HomeLock(ward.home.root):
        [row] = of(ward.rows(), "daemon")
        assert row.what == f"one runs in {ward.home.root}"
        found = [each.what for each in bad(ward.rows())]
    assert found == [f"no daemon answers in {ward.home.root}; start one with `firstword run`"]


def test_two_accounts_with_one_token_are_a_failure(ward: Ward) -> None:
    token = "123456789:AAabcdefghijklmnopqrstuvwxyz012345678"
    rows = {name: {"token": token, "owner": ["1"]} for name in ("main", "team")}
    rows["other"] = {"token": "987654321:AAabcdefghijklmnopqrstuvwxyz012345678", "owner": ["1"]}
    ward.write({"channels": {"telegram": {"accounts": rows}}})
    [row] = [row for row in of(ward.rows(), "channel") if row.state is State.FAIL]
    assert row.what == "telegram/team is the same bot as telegram/main"
    assert "a bot of its own" in row.todo
    assert token not in row.line()


def test_an_account_without_groups_is_said_to_be_silent_there(ward: Ward) -> None:
    account = {"token": "123456789:AAabcdefghijklmnopqrstuvwxyz012345678", "owner": ["1"]}
    ward.write({"channels": {"telegram": {"accounts": {"main": account}}}})
    found = [row.what for row in of(ward.rows(), "channel") if row.what.startswith("telegram")]
    assert found == ["telegram/main is configured: 1 owner, 0 allowed, silent in groups"]


def test_a_damaged_store_is_a_failure(ward: Ward) -> None:
    ward.write({})
    ward.home.database.write_bytes(b"this is no database" * 500)
    [row] = of(ward.rows(), "store")
    assert row.state is State.FAIL
    assert str(ward.home.database) in row.what


def configured(base_url: str, *models: str, **extra: Any) -> dict[str, Any]:
    """A configuration with one server."""
    provider = {"baseUrl": base_url, "api": "openai-completions", **extra}
    agent = {"model": {"primary": f"mine/{models[0]}", "fallbacks": [f"mine/{each}" for each in models[1:]]}}
    return {"models": {"providers": {"mine": provider}}, "agents": {"defaults": agent}}


def test_a_provider_that_answers_is_in_order_and_a_model_that_it_lacks_is_named(
    ward: Ward, mock_model: MockModel
) -> None:
    mock_model.config(models=["small"])
    ward.write(configured(mock_model.base_url, "small", "gone"))
    rows = ward.rows(is_offline=False)
    assert [row.state for row in of(rows, "provider")] == [State.OK]
    assert [(row.state, "mine/gone" in row.what) for row in of(rows, "model")] == [
        (State.OK, False),
        (State.WARN, True),
    ]


def test_a_key_that_is_refused_is_a_failure_with_the_command_that_mends_it(
    ward: Ward, mock_model: MockModel
) -> None:
    mock_model.config(keys=["right"])
    ward.write(configured(mock_model.base_url, "small", apiKey="${MINE}"))
    [row] = of(ward.rows({"MINE": KEY}, is_offline=False), "provider")
    assert row.state is State.FAIL
    assert "firstword models auth paste-token --provider mine" in row.todo
    assert KEY not in row.line()


def test_a_provider_that_is_not_there_is_a_failure(ward: Ward, free_port: int) -> None:
    ward.write(configured(f"http://127.0.0.1:{free_port}/v1", "small"))
    [row] = of(ward.rows(is_offline=False), "provider")
    assert row.state is State.FAIL
    assert "models.providers.mine.baseUrl" in row.todo


def test_a_retired_model_is_named_with_its_successor(ward: Ward, mock_model: MockModel) -> None:
    config = configured(mock_model.base_url, "small")
    config["models"]["providers"]["cerebras"] = {"baseUrl": mock_model.base_url}
    config["agents"]["defaults"]["model"]["fallbacks"] = ["cerebras/llama-3.3-70b"]
    mock_model.config(models=["small"])
    ward.write(config)
    [row] = bad(of(ward.rows(is_offline=False), "model"))
    assert row.state is State.FAIL
    assert "was retired on 2026" in row.what
    assert row.todo.startswith("use cerebras/")


def test_a_reference_to_an_unset_variable_is_a_warning(ward: Ward, mock_model: MockModel) -> None:
    ward.write(configured(mock_model.base_url, "small", apiKey="${NOT_SET}"))
    [row] = of(ward.rows(is_offline=False), "key")
    assert (row.state, "NOT_SET" in row.what) == (State.WARN, True)


def test_a_home_that_cannot_be_written_is_a_failure(ward: Ward) -> None:
    ward.home.root.write_text("a file in place of the folder")
    assert of(ward.rows(), "home")[0].state is State.FAIL
