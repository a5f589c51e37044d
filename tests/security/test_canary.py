"""The search for secrets that tests leave behind: it finds every form in every kind of file, and then the run fails."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.home import Home
from tests.canary import MARK, canary, check, found_in, marks
from tests.channels.telegram.peer.__main__ import TOKEN
from tests.security.test_listeners_rotation import OLD, config, running
from tests.story.running import ROOT
from tests.story.running import config as story_config

SECRET = f"123:{canary('planted')}-and-more"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"GET https://api.example/bot{SECRET}/sendMessage",
        json.dumps({"a": [SECRET]}),
        quote(f"key={SECRET}"),
        repr(SECRET.encode()),
        *(base64.b64encode(f"{'x' * before}:{SECRET}".encode()).decode() for before in range(3)),
        *(base64.urlsafe_b64encode(f"{'?' * before}{SECRET}".encode()).decode() for before in range(3)),
    ],
)
def test_a_secret_is_found_in_every_form(text: str) -> None:
    with pytest.raises(AssertionError, match=r"secrets of (planted|one in Base64) stand in the log"):
        check(f"first\n{text}\nlast", "the log")


def test_what_holds_none_is_left_alone(tmp_path: Path) -> None:
    check(MARK[:-1] + " " + MARK.lower() + " canary " * 1000, "the log")
    for name in ("config.json", "config.json.3", "credentials.json", ".env"):
        (tmp_path / name).write_text(SECRET)
    assert list(found_in(tmp_path)) == [], "there an owner writes them down"


def test_a_secret_is_found_in_every_file_and_the_file_is_named(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / "logs").mkdir()
    (folder / "logs" / "firstword.log.3").write_text(f"x\n{SECRET}\n")
    with closing(sqlite3.connect(folder / "kept.db")) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE kept (value)")
        store.execute("INSERT INTO kept VALUES (?)", (SECRET,))
        store.commit()
        found = list(found_in(folder))
    assert [each.removeprefix(f"{folder}/") for each in found] == [
        "kept.db-wal: planted",
        "logs/firstword.log.3: planted",
    ]
    (folder / "packed.gz").write_bytes(gzip.compress(SECRET.encode()))
    assert len(list(found_in(folder))) == len(found), (
        "what is packed is not looked into: we keep nothing packed"
    )


def test_a_test_that_leaves_or_shows_a_secret_fails(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a run of its own, with the same plug-in and no other."""
    folder = tmp_path_factory.mktemp("run")
    bodies = {
        "leaves": "(tmp_path / 'cache').write_text(SECRET)",
        "prints": "print(SECRET)",
        "logs": "logging.getLogger('httpx').warning(SECRET)",
        "keeps_it": "(tmp_path / '.env').write_text(SECRET)",
    }
    tests = [f"def test_who_{name}(tmp_path):\n    {body}\n" for name, body in bodies.items()]
    (folder / "test_four.py").write_text(
        f"import logging\nSECRET = '123:' + {MARK!r} + 'plantedZ'\n" + "".join(tests)
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.canary_watch",
        "-p",
        "no:cacheprovider",
        "-rfE",
    ]
    done = subprocess.run(
        [
            *command,
            "--rootdir",
            str(folder),
            "--basetemp",
            str(folder / "base"),
            str(folder / "test_four.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "2 failed, 2 passed, 1 error" in done.stdout, done.stdout
    for said in (
        "test_four.py::test_who_leaves",
        "cache: planted",
        "captured stdout call",
        "captured log call",
    ):
        assert said in done.stdout, said


def test_the_fixtures_secrets_are_marked() -> None:
    assert marks(TOKEN.encode()) == ["telegram"]
    assert marks(json.dumps(story_config("http://127.0.0.1:9")).encode()) == ["model"]


async def test_everything_in_a_home_is_its_owner_s_alone(tmp_path: Path) -> None:
    """What a daemon makes there, its control socket too, nobody else may read or enter."""
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o700)
    async with running(home.root, config(("server", "token"), OLD)) as here:
        assert here.daemon.listening.public is not None
        made = [home.root, *home.root.rglob("*")]
        assert home.control_socket in made and home.database in made
        written = {home.config}  # by the owner's own editor
        # Folders of the home are 0700, so a file below one is out of reach whatever its own mode.
        open_ = [
            str(path)
            for path in made
            if path not in written and path.is_dir() and path.stat().st_mode & 0o077
        ]
        assert open_ == []
        for path in (home.control_socket, home.lock):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, True), (0o604, True)])
async def test_secrets_that_others_may_read_are_told_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, *, is_told: bool
) -> None:
    home = Home(tmp_path)
    home.dotenv.write_text("A=b\n")
    home.dotenv.chmod(mode)
    async with running(tmp_path, config(("server", "token"), OLD)):
        assert ("chmod 600" in capsys.readouterr().out) is is_told
