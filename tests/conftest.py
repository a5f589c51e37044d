"""What holds for every test: no foreign settings, no foreign network, and skips that nobody overlooks."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests import canary_watch, longest_first
from tests.chaos.counted import chaos_line
from tests.generated import IS_CHAOS
from tests.peers import find_chromium, peers_are_required, require_peer
from tests.security.counted import attacks_line

# A busy machine is no bug, so no example has a deadline; a CI run draws the same examples every time.
settings.register_profile("house", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
# `make chaos` looks for what nobody has drawn yet, on every machine.
settings.register_profile("chaos", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("chaos" if IS_CHAOS else "house")

_SKIPS = pytest.StashKey[Counter[tuple[str, str]]]()
_HOME = pytest.StashKey[str]()
_KEPT = frozenset({"FIRSTWORD_REQUIRE_PEERS", "FIRSTWORD_CHAOS"})
_FOREIGN_ENDINGS = ("_API_KEY", "_BOT_TOKEN", "_APP_TOKEN", "_ACCESS_TOKEN", "_AUTH_TOKEN", "_PROXY")


def _is_foreign(name: str) -> bool:
    upper = name.upper()
    return upper not in _KEPT and (upper.startswith("FIRSTWORD_") or upper.endswith(_FOREIGN_ENDINGS))


def _refuse_foreign_hosts(event: str, arguments: tuple[object, ...]) -> None:
    """Stop a test that would reach past this machine, before the first packet."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and isinstance(address[0], str):
        try:
            is_here = ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
        except ValueError:
            is_here = address[0] in ("", "localhost")
        if not is_here:
            message = f"a test tried to reach {address[0]}; peers live on 127.0.0.1"
            raise AssertionError(message)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What this project's runs can be told besides."""
    parser.addoption("--write-times", action="store_true", help="write down anew what each file takes")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice the cores: tests over real sockets wait more than they work."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first; of generated events the test that may take longest."""
    items[:] = longest_first.in_order(items, longest_first.read())
    if IS_CHAOS:
        items.sort(key=lambda item: -max((each.args[0] for each in item.iter_markers("timeout")), default=0))


def pytest_configure(config: pytest.Config) -> None:
    """Take the person's own keys, settings and home away from the tests and from what they start."""
    for name in [name for name in os.environ if _is_foreign(name)]:
        del os.environ[name]
    # Until a test sets logging up itself structlog paints tracebacks with all locals, seconds for a deep one.
    for painter in (structlog.dev.rich_traceback, structlog.dev.rich_monochrome_traceback):
        if isinstance(painter, structlog.dev.RichTracebackFormatter):
            painter.show_locals, painter.extra_lines, painter.max_frames = False, 0, 10
    config.stash[_SKIPS] = Counter()
    config.stash[_HOME] = os.environ["FIRSTWORD_HOME"] = tempfile.mkdtemp(prefix="firstword-tests-")
    sys.addaudithook(_refuse_foreign_hosts)
    if not config.pluginmanager.is_registered(canary_watch):
        config.pluginmanager.register(canary_watch)


class _SkipCollector:
    """Remembers each skip by its file and reason."""

    def __init__(self, skips: Counter[tuple[str, str]]) -> None:
        self._skips = skips

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._skips[report.nodeid.partition("::")[0], reason.removeprefix("Skipped: ")] += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._add(report)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin to collect skips, and times where they are asked for."""
    session.config.pluginmanager.register(_SkipCollector(session.config.stash[_SKIPS]))
    if session.config.getoption("write_times", default=False) and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(longest_first.Watch())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many seeds were played, how often a daemon was killed, and how many attacks came to nothing."""
    for line in (chaos_line(terminalreporter.stats), attacks_line(terminalreporter.stats)):
        if line:
            terminalreporter.write_line(line)
    if peers_are_required():
        for line in _skip_lines(terminalreporter.config.stash[_SKIPS]):
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the skips after pytest's closing line; with every peer required that line stays the last one."""
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)
    skips = config.stash[_SKIPS]
    if not skips or peers_are_required():
        return
    print()
    for line in _skip_lines(skips):
        print(line)


def _skip_lines(skips: Counter[tuple[str, str]]) -> list[str]:
    if not skips:
        return []
    each = [f"  {file} ({count}): {reason}" for (file, reason), count in sorted(skips.items())]
    return [f"Not tested on this machine ({skips.total()} skipped):", *each]


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of a Chromium for playwright's `executable_path`; start it with `tests.peers.CHROMIUM_FLAGS`."""
    found = find_chromium()
    require_peer("Chromium", found=found)
    assert found is not None
    return found


@pytest.fixture
def free_port() -> int:
    """A loopback port that was free a moment ago, for a server that cannot take port 0."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
