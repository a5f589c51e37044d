"""One folder holds everything; names of accounts never lead out of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.home import Home, find_config, find_home, make_private


def test_option_beats_variable_beats_default(tmp_path: Path) -> None:
    assert find_home(tmp_path / "a", {"FIRSTWORD_HOME": "/b"}).root == tmp_path / "a"
    assert find_home(None, {"FIRSTWORD_HOME": "/b"}).root == Path("/b")
    assert find_home(None, {}).root == Path("~/.firstword").expanduser()


def test_the_configuration_stands_in_the_home_unless_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert find_config(None, home, {}) == tmp_path / "config.json"
    assert find_config(None, home, {"FIRSTWORD_CONFIG": "/c.json"}) == Path("/c.json")
    assert find_config("/d.json", home, {"FIRSTWORD_CONFIG": "/c.json"}) == Path("/d.json")


def test_the_folders_are_the_owner_s_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.prepare()
    for folder in (home.root, home.data, home.logs, home.run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_also_the_folders_above_are_the_owner_s_alone(tmp_path: Path) -> None:
    folder = Home(tmp_path / "above" / "home").account("radio", "main")
    make_private(folder)
    made = (folder, *folder.relative_to(tmp_path).parents)
    assert {stat.S_IMODE((tmp_path / each).stat().st_mode) for each in made[:-1]} == {0o700}


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="--home"):
        Home(tmp_path / "file" / "home").prepare()


@given(st.text(min_size=1), st.text(min_size=1))
def test_an_account_s_folder_lies_in_the_home_and_is_its_own(channel: str, account: str) -> None:
    root = Path("/home/x")
    folder = Home(root).account(channel, account)
    assert folder.parent.parent == root / "accounts"
    assert ".." not in folder.parts
    assert folder != Home(root).account(channel, account + "x")
