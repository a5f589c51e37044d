"""The root of the project, and what may stand in its files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.architecture.source import ROOT, expect_none, name, pyproject, python_files, text

FOLDERS = {"bot", "channels", "routing", "providers", "tests", "deploy", ".ci", ".git"}
# Made by tools, ignored by git.
MADE = re.compile(r"\..*_cache|\.venv|\.peers|\.hypothesis|__pycache__|build|dist")

# Written in two halves, so that this file does not hold what it looks for.
FOREIGN = (
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/tmp/" + "fw",
    "/opt/" + "pypi",
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "deb.deb" + "ian.org",
)
# A key of a real service, as its vendor writes it. Made-up ones in tests are shorter or say so.
SECRET = re.compile(
    r"sk-ant-api\d\d-[\w-]{40,}|csk-[a-z0-9]{40,}|xox[abp]-\d{9,}-\d{9,}-\w{20,}|AIza[\w-]{35}|gh[pousr]_\w{36}"
)
SILENCED = re.compile(r"#\s*noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*(?P<reason>.*)")


def tracked() -> list[Path]:
    """The files of the project: as git sees them, or all of them where there is no git (an unpacked sdist)."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        return [path for path in ROOT.rglob("*") if path.is_file() and not MADE.search(name(path))]
    paths = [ROOT / part for part in listing.stdout.decode().split("\0") if part]
    return [path for path in paths if path.is_file()]


def words(path: Path) -> str:
    """The text of a file, or nothing when it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_folder_but_the_rooms_stands_in_the_root() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not MADE.fullmatch(path.name)}
    assert folders <= FOLDERS


def test_no_file_names_a_machine_or_an_index() -> None:
    found = [f"{name(path)}: {word}" for path in tracked() for word in FOREIGN if word in words(path)]
    expect_none(found, "the project speaks of itself alone")


def test_no_file_holds_a_key() -> None:
    assert not [name(path) for path in tracked() if SECRET.search(words(path))]


def test_the_licence_stands_in_the_root() -> None:
    assert text(ROOT / "LICENSE").startswith("MIT License")
    assert pyproject()["project"]["license"] == "MIT"


def test_every_typed_package_says_so() -> None:
    rooms = ("bot", "channels", "routing", "providers")
    assert not [room for room in rooms if not (ROOT / room / "py.typed").is_file()]


def test_every_silenced_warning_says_why() -> None:
    """The reason follows on the same line, or stands on the line before."""
    silent = []
    for path in python_files("bot", "channels", "routing", "providers", "tests"):
        before = ""
        for number, line in enumerate(text(path).splitlines(), 1):
            hit = SILENCED.search(line)
            if hit and not hit["reason"].strip(" -:") and not before.lstrip().startswith("#"):
                silent.append(f"{name(path)}:{number}")
            before = line
    expect_none(silent, "a noqa carries its reason")
