"""Single values of the file: read in force, changed whole or not at all, backed up."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.settings.edit import ConfigFile
from bot.settings.paths import get_at, parse_path, set_at, unset_at
from bot.settings.problems import join_path
from tests.bot.settings.places import Place, plugins

LLAMA = 'agents.defaults.models["cerebras/llama-3.3-70b"].alias'


def file(place: Place, **environ: str) -> ConfigFile:
    """The place's configuration file."""
    return ConfigFile(place.home, place.home.config, environ, plugins=plugins())


def content(place: Place) -> Any:
    """What the file holds now."""
    return json.loads(place.home.config.read_text())


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("server.port", ("server", "port")),
        (LLAMA, ("agents", "defaults", "models", "cerebras/llama-3.3-70b", "alias")),
        ("models['a.b'].x", ("models", "a.b", "x")),
        ("models[cerebras/llama].x", ("models", "cerebras/llama", "x")),
        ("rows[0].id", ("rows", 0, "id")),
        ('a["say \\"x\\""]', ("a", 'say "x"')),
        ("", ()),
    ],
)
def test_a_written_path_has_these_parts(written: str, parts: tuple[str | int, ...]) -> None:
    assert parse_path(written) == parts


@pytest.mark.parametrize("written", [".server", "a..b", "a[", 'a["b]', "a[]", "a]", 'a"b'])
def test_a_path_that_cannot_be_read_names_the_column(written: str) -> None:
    with pytest.raises(SettingsError, match="column"):
        parse_path(written)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


@given(st.lists(names | st.integers(0, 9), min_size=1).map(tuple))
def test_a_path_reads_as_it_was_written(path: tuple[str | int, ...]) -> None:
    path = (str(path[0]) or "x", *path[1:])
    assert parse_path(join_path(path)) == path


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), st.integers())
def test_what_is_set_is_there_and_what_is_unset_leaves_nothing(path: tuple[str, ...], value: int) -> None:
    values: dict[str, Any] = {}
    set_at(values, path, value)
    assert get_at(values, path) == value
    assert unset_at(values, path)
    assert values == {}
    assert not unset_at(values, path)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("server.port", "9000", 9000),
        ("agents.defaults.model.primary", "cerebras/llama-3.3-70b", "cerebras/llama-3.3-70b"),
        ("agents.defaults.model.fallbacks", '["mlx/a", "mlx/b"]', ["mlx/a", "mlx/b"]),
        ("agents.defaults.model.fallbacks", "mlx/a,mlx/b", ["mlx/a", "mlx/b"]),
        (LLAMA, "cerebras", "cerebras"),
        ("models.detectLocal", "false", False),
        ("channels.porch.accounts.main.owner", "4711", ["4711"]),
        ("agents.defaults.systemPrompt", "42", "42"),
        ("server", '{"port": 1}', {"port": 1}),
    ],
)
def test_a_value_is_put_as_the_place_takes_it(place: Place, path: str, text: str, value: Any) -> None:
    file(place).set(path, text)
    assert get_at(content(place), parse_path(path)) == value
    assert stat.S_IMODE(place.home.config.stat().st_mode) == 0o600


def test_a_value_that_is_not_allowed_changes_nothing(place: Place) -> None:
    place.write('{"server": {"port": 1}}')
    before = place.home.config.read_bytes()
    with pytest.raises(SettingsError, match="not changed") as caught:
        file(place).set("server.port", "70000")
    assert caught.value.path == "server.port"
    assert place.home.config.read_bytes() == before
    assert [path.name for path in place.home.root.iterdir()] == ["config.json"]


def test_a_key_that_does_not_exist_is_refused_with_the_nearest(place: Place) -> None:
    with pytest.raises(SettingsError, match=r"nearest: server\.port"):
        file(place).set("server.prot", "1")
    with pytest.raises(SettingsError, match=r"nearest: server\.port"):
        file(place).get("server.prot")


def test_one_of_two_problems_can_be_mended_alone(place: Place) -> None:
    place.write({"server": {"port": "x"}, "logging": {"level": "loud"}})
    file(place).set("server.port", "1")
    assert content(place) == {"server": {"port": 1}, "logging": {"level": "loud"}}


def test_a_wrong_key_can_be_taken_out(place: Place) -> None:
    place.write({"sever": {"port": 1}, "logging": {"level": "info"}})
    assert file(place).unset("sever")
    assert content(place) == {"logging": {"level": "info"}}


def test_taking_out_the_last_key_takes_its_object_too(place: Place) -> None:
    place.write({"server": {"port": 1}, "logging": {"level": "info"}})
    assert file(place).unset("server.port")
    assert content(place) == {"logging": {"level": "info"}}
    assert not file(place).unset("server.port")


def test_five_backups_are_kept_the_newest_first(place: Place) -> None:
    for port in range(1, 9):
        file(place).set("server.port", str(port))
    names = sorted(path.name for path in place.home.root.glob("config.json.bak*"))
    assert names == ["config.json.bak", *(f"config.json.bak.{number}" for number in range(1, 5))]
    ports = [json.loads((place.home.root / name).read_text())["server"]["port"] for name in names]
    assert ports == [7, 6, 5, 4, 3]
    assert {stat.S_IMODE((place.home.root / name).stat().st_mode) for name in names} == {0o600}


def test_a_change_that_changes_nothing_makes_no_backup(place: Place) -> None:
    file(place).set("server.port", "1")
    file(place).set("server.port", "1")
    assert not list(place.home.root.glob("*.bak*"))


def test_changes_at_the_same_time_are_all_kept(place: Place) -> None:
    refs = [f"mlx/m{number}" for number in range(8)]

    def put(ref: str) -> None:
        file(place).set(f'agents.defaults.models["{ref}"].alias', ref.replace("/", "-"))

    threads = [threading.Thread(target=put, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(content(place)["agents"]["defaults"]["models"]) == refs


def test_a_linked_file_stays_linked(place: Place, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("{}")
    place.home.config.symlink_to(real)
    file(place).set("server.port", "1")
    assert place.home.config.is_symlink()
    assert json.loads(real.read_text()) == {"server": {"port": 1}}


def test_a_folder_that_takes_no_file_says_so_and_keeps_the_old_one(place: Place) -> None:
    place.home.root.rmdir()
    place.home.root.write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match="cannot be made"):
        file(place).set("server.port", "1")


def test_the_value_in_force_counts_environment_and_defaults(place: Place) -> None:
    place.write({"server": {"host": "127.0.0.2"}})
    assert file(place, FIRSTWORD_SERVER__PORT="9").get("server") == {"host": "127.0.0.2", "port": 9}
    assert file(place).get("server.port") == 8420
    assert file(place).get("logging") == {"level": "info", "libraries": "warning", "format": "auto"}


def test_a_value_that_is_not_set_says_so(place: Place) -> None:
    with pytest.raises(SettingsError, match="is not set"):
        file(place).get("agents.defaults.model.primary")


def test_reading_masks_secrets_but_not_references(place: Place) -> None:
    place.write(
        {
            "server": {"token": "hunter2-hunter2"},
            "models": {"providers": {"cerebras": {"apiKey": "${CEREBRAS_API_KEY}"}}},
            "channels": {"radio": {"accounts": {"main": {"token": "hunter2-hunter2"}}}},
        }
    )
    whole = file(place).get("")
    assert "hunter2" not in json.dumps(whole)
    assert whole["server"]["token"] == "***"
    assert whole["models"]["providers"]["cerebras"]["apiKey"] == "${CEREBRAS_API_KEY}"


def test_reading_masks_what_stands_in_addresses(place: Place) -> None:
    urls = {
        "baseUrl": "https://a.example/v1",
        "proxy": "http://ann:hunter2-hunter2@proxy.example:3128",
    }
    place.write(
        {
            "mcp": {"servers": {"web": {"url": "https://a.example/mcp?x=1&token=hunter2-hunter2"}}},
            "models": {"providers": {"far": {"api": "openai-completions", "models": [{"id": "m"}], **urls}}},
        }
    )
    whole = json.dumps(file(place).get(""))
    assert "hunter2" not in whole
    assert "https://a.example/mcp?x=1&token=***" in whole and "https://a.example/v1" in whole


def test_the_schema_knows_every_adapter_s_keys(place: Place) -> None:
    schema = file(place).schema()
    account = schema["properties"]["channels"]["properties"]["radio"]["properties"]["accounts"]
    keys = account["additionalProperties"]["properties"]
    assert {"token", "baseUrl", "retries", "hook", "allow", "owner", "groups", "agent"} <= set(keys)
    assert keys["retries"] | {"description": ""} == {"type": "integer", "default": 3, "description": ""}
    assert account["additionalProperties"]["required"] == ["token"]
    assert schema["properties"]["logging"]["properties"]["level"]["enum"] == [
        "debug",
        "info",
        "warning",
        "error",
    ]


def test_a_file_may_be_written_one_value_at_a_time(place: Place) -> None:
    """The token may come from an environment that only the daemon has."""
    file(place).set("channels.radio.accounts.main.allow", '["4711"]')
    file(place).set("models.providers.mine.api", "openai-completions")
    file(place).set("models.providers.mine.baseUrl", "http://127.0.0.1:9/v1")
    assert content(place)["channels"] == {"radio": {"accounts": {"main": {"allow": ["4711"]}}}}
    assert "RADIO_TOKEN" in place.problems(content(place))["channels.radio.accounts.main.token"]
