"""The programs and services that some tests talk to, and what happens where one is missing.

A missing peer skips its tests with a reason; the list of skips is the last thing that a test run prints.
With FIRSTWORD_REQUIRE_PEERS=1 (as `.ci/run` sets it) a missing peer is a failure instead; what a machine cannot or
may not do (leaping clocks, failing disks, mounts) is skipped there too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_PATHS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
# Where tests/peers.sh puts Synapse; the file is written last, so what was broken off does not count.
SYNAPSE = Path(__file__).resolve().parents[1] / ".peers" / "synapse"
SYNAPSE_DONE = "installed.txt"
# Where tests/peers.sh puts aimock; the file is a copy of the lock, written last.
AIMOCK = Path(__file__).resolve().parents[1] / ".peers" / "aimock"
AIMOCK_DONE = "installed.json"
# As root there is no sandbox; the rest keeps Chromium from calling home at every start.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def peers_are_required() -> bool:
    """True where a missing peer is a failure."""
    return os.environ.get("FIRSTWORD_REQUIRE_PEERS", "") not in ("", "0")


def require_peer(name: str, *, found: object, how: str = "make peers") -> None:
    """Go on if `found` is truthy; else skip this test, or fail it where peers are required.

    `how` is the command that brings the peer. Call it at the start of a fixture or a test.
    """
    if found:
        return
    reason = f"{name} is not on this machine; `{how}` installs it"
    if peers_are_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_ability(what: str, *, found: object, how: str = "make peers") -> None:
    """Go on if `found` is truthy; else skip this test, everywhere.

    For what no command brings to every machine: rights that a container may not give, libraries that only some
    systems have. `how` says what helps where anything does.
    """
    if not found:
        pytest.skip(f"{what} is not to be had on this machine; `{how}` may help")


def find_chromium(
    names: Sequence[str] = CHROMIUM_NAMES, paths: Sequence[Path] = CHROMIUM_PATHS
) -> Path | None:
    """The first Chromium on this machine, or None."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    return next((path for path in paths if path.is_file()), None)


def find_synapse(folder: Path = SYNAPSE) -> Path | None:
    """The interpreter of an environment that holds a whole Synapse, or None."""
    python = folder / "bin" / "python"
    return python if (folder / SYNAPSE_DONE).is_file() and python.is_file() else None


def find_aimock(folder: Path = AIMOCK) -> tuple[str, str] | None:
    """The command that starts the model server aimock, or None where it or Node.js is missing."""
    script = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    node = shutil.which("node")
    if node is None or not (folder / AIMOCK_DONE).is_file() or not script.is_file():
        return None
    return node, str(script)
