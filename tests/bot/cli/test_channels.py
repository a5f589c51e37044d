"""`firstword channels`: list, status, capabilities and manifest, with a stranger's channel installed beside ours."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.plugins import discover
from tests.bot.cli.terminal import ROOT, Terminal
from tests.bot.stranger import TOKEN, Service, install, open_service

DEMO = {"detectLocal": False, "providers": {"demo": {"ttft": 0, "tokensPerSecond": 100000}}}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stranger's distribution, on the path of this process."""
    folder = install(tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("firstword_pigeon", "pigeon_library"):
        sys.modules.pop(name, None)


@pytest.fixture
def loft() -> Iterator[Service]:
    """The stranger's service."""
    with open_service() as service:
        yield service


def pigeons(loft_url: str = "http://127.0.0.1:9", **accounts: dict[str, Any]) -> dict[str, Any]:
    """A configuration with pigeon accounts and nothing else that is asked."""
    rows = accounts or {"main": {}}
    made = {name: {"token": TOKEN, "owner": ["1"], "baseUrl": loft_url, **row} for name, row in rows.items()}
    return {"channels": {"pigeon": {"accounts": made}, "web": {"enabled": False}}, "models": DEMO}


def test_the_list_has_a_title_for_every_channel_and_says_what_is_needed(
    terminal: Terminal, site: Path
) -> None:
    terminal.write({"channels": {"web": {"enabled": False}}})
    lines = terminal.run("channels", "list").out.splitlines()
    assert "pigeon: Pigeon post, off; connect it by PIGEON_TOKEN; needs the extra birds" in lines
    assert "mute: Mute post, off" in lines
    assert "web: Web page, off" in lines
    rows = {row["channel"]: row for row in terminal.run("--json", "channels", "list").data["channels"]}
    assert rows["web"]["title"] == "Web page"
    assert (rows["pigeon"]["title"], rows["pigeon"]["extra"]) == ("Pigeon post", "birds")


def test_a_broken_channel_is_listed_with_its_fault(terminal: Terminal, site: Path) -> None:
    (line,) = (each for each in terminal.run("channels", "list").out.splitlines() if each.startswith("ruin:"))
    assert "firstword_pigeon:GONE" in line
    assert "cannot be imported" in line


def test_the_list_names_both_accounts_of_one_channel(terminal: Terminal, site: Path) -> None:
    terminal.write(pigeons(main={}, team={"token": "another", "owner": [], "allow": ["2"]}))
    lines = [each for each in terminal.run("channels", "list").out.splitlines() if each.startswith("pigeon")]
    assert lines == [
        "pigeon/main: Pigeon post, on; 1 owner, 0 allowed, 0 groups; needs the extra birds",
        "pigeon/team: Pigeon post, on; 0 owners, 1 allowed, 0 groups; needs the extra birds",
    ]


def test_a_look_at_channels_loads_no_library_of_a_channel(terminal: Terminal, site: Path) -> None:
    terminal.write(pigeons())
    for arguments in (("list",), ("status",), ("manifest", "pigeon"), ("capabilities", "mute")):
        terminal.run("channels", *arguments)
        assert ("pigeon_library" in sys.modules) is (arguments[0] == "capabilities")


def test_capabilities_stand_side_by_side_and_places_that_are_alike_share_a_column(
    terminal: Terminal, site: Path
) -> None:
    terminal.write(pigeons())
    result = terminal.run("channels", "capabilities", "pigeon")
    assert result.code == 0
    rows = [re.split(r" {2,}", line) for line in result.out.splitlines()]
    assert rows[:11] == [
        ["pigeon/main", "direct", "direct thread", "group, thread"],
        ["latency class", "semi-sync", "semi-sync", "async"],
        ["streaming", "edit", "block", "none"],
        ["markup", "rich", "rich", "rich"],
        ["longest text", "4,000 code points", "4,000 code points", "280 code points"],
        ["write budgets", *["loft: edit+send 0.5/s, burst 4"] * 3],
        ["edit limits", *["at most 5 a message, within 900 s"] * 2, "within 900 s"],
        ["typing", "10 s a call", "10 s a call", "no"],
        ["send key", "key", "key", "none"],
        ["promise", "A", "A", "B"],
        ["threads", "no", "no", "no"],
    ]
    assert ["buttons", "yes", "yes", "no"] in rows


def test_capabilities_are_values_for_programs(terminal: Terminal, site: Path) -> None:
    terminal.write(pigeons(main={}, team={}))
    data = terminal.run("--json", "channels", "capabilities", "pigeon:team").data
    [row] = data["channels"]
    assert (row["channel"], row["account"], row["configured"]) == ("pigeon", "team", True)
    assert list(row["surfaces"]) == ["direct", "direct thread", "group", "thread"]
    direct = row["surfaces"]["direct"]
    assert direct["budgets"] == [
        {"scope": "loft:example", "operations": ["edit", "send"], "rate": 0.5, "burst": 4}
    ]
    assert (direct["latency"], direct["promise"], direct["max_edits"]) == ("semi-sync", "A", 5)
    assert row["surfaces"]["group"]["promise"] == "B"


def test_capabilities_of_a_channel_without_an_account_are_those_of_its_defaults(
    terminal: Terminal, site: Path
) -> None:
    result = terminal.run("channels", "capabilities", "pigeon")
    assert result.code == 0
    assert result.out.endswith("as it is with the default settings; no account is configured\n")


def test_every_channel_of_ours_can_be_looked_at_before_it_is_configured(terminal: Terminal) -> None:
    for name in discover().channels:
        result = terminal.run("--json", "channels", "capabilities", name)
        assert (result.code, result.data["channels"][0]["trouble"]) == (0, ""), name
        assert result.data["channels"][0]["surfaces"]


def test_a_channel_whose_library_is_missing_names_the_extra(terminal: Terminal, site: Path) -> None:
    (site / "pigeon_library.py").unlink()
    terminal.write(pigeons())
    result = terminal.run("channels", "capabilities")
    assert result.code == 1
    assert "pigeon/main: its library is missing (No module named 'pigeon_library')" in result.out
    assert "pip install 'firstword[birds]'" in result.out
    assert "console/main     direct" in result.out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pidgin", "no channel 'pidgin' is installed; installed: "),
        ("pigeon:team", "pigeon has no account 'team'; it has: main"),
    ],
)
def test_a_channel_or_account_that_is_not_there_is_named(
    terminal: Terminal, site: Path, name: str, says: str
) -> None:
    terminal.write(pigeons())
    result = terminal.run("channels", "capabilities", name)
    assert result.code == 2
    assert says in result.err


def test_a_manifest_is_made_of_the_commands(terminal: Terminal, site: Path) -> None:
    shown = terminal.run("channels", "manifest", "pigeon")
    assert shown.code == 0
    assert {"model", "why", "stop", "retry", "help"} <= set(json.loads(shown.out)["commands"])
    written = terminal.run("channels", "manifest", "pigeon", "--write", "pigeon.json")
    assert (written.code, written.out) == (0, "pigeon.json is written\n")
    assert (terminal.home.parent / "pigeon.json").read_text() == shown.out
    failed = terminal.run("channels", "manifest", "pigeon", "--write", "no/such/folder.json")
    assert (failed.code, "cannot be written" in failed.err) == (1, True)


def test_a_channel_without_a_manifest_says_which_have_one(terminal: Terminal, site: Path) -> None:
    result = terminal.run("channels", "manifest", "mute")
    assert result.code == 1
    assert re.search(r"Mute post takes no manifest; one is made for: (\w+, )*pigeon", result.err)


def test_without_a_daemon_no_account_is_online(terminal: Terminal, site: Path) -> None:
    terminal.write(pigeons())
    result = terminal.run("channels", "status")
    assert (result.code, result.out) == (
        3,
        "not running in HOME; start it: firstword run\npigeon/main: offline: not running\n",
    )


def test_a_probe_needs_no_daemon_and_a_good_account_is_no_warning(
    terminal: Terminal, site: Path, loft: Service
) -> None:
    terminal.write(pigeons(loft.base_url))
    result = terminal.run("channels", "status", "--probe")
    assert (result.code, result.out.splitlines()[-1]) == (0, "  ok      is Carrier")
    loft.may_read = False
    result = terminal.run("channels", "status", "--probe")
    assert (result.code, result.out.splitlines()[-1]) == (
        3,
        "  warning may not read; allow it in the loft",
    )


def test_a_token_that_is_refused_is_a_fault_beside_an_account_that_works(
    terminal: Terminal, site: Path, loft: Service
) -> None:
    terminal.write(pigeons(loft.base_url, main={}, team={"token": "a-wrong-one"}))
    result = terminal.run("--json", "channels", "status", "--probe")
    assert result.code == 1
    found = {row["account"]: row["findings"] for row in result.data["channels"]}
    assert found["main"] == [{"level": "ok", "what": "is Carrier", "remedy": ""}]
    assert found["team"] == [
        {"level": "problem", "what": "the token is not valid", "remedy": "ask the loft for another one"}
    ]
    assert loft.asked == 2


def test_a_probe_that_breaks_says_no_secret(terminal: Terminal, site: Path, loft: Service) -> None:
    loft.fails = True
    terminal.write(pigeons(loft.base_url))
    result = terminal.run("channels", "status", "--probe")
    assert result.code == 1
    assert "problem its probe failed: RuntimeError: cannot read the answer to ***" in result.out
    assert TOKEN not in result.out + result.err


def test_the_status_of_a_running_daemon_says_who_is_offline_and_why(terminal: Terminal, site: Path) -> None:
    terminal.write(pigeons())
    with terminal.daemon(environ={"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}):
        terminal.wait(lambda: "the loft is closed" in terminal.run("channels", "status").out)
        result = terminal.run("--json", "channels", "status")
        assert result.code == 3
        [row] = result.data["channels"]
        assert (result.data["running"], row["online"], row["reason"]) == (True, False, "the loft is closed")
        day = datetime.fromtimestamp(row["since"], UTC).strftime("%Y-%m-%d %H:%M")
        assert (
            f"pigeon/main: offline since {day} UTC: the loft is closed"
            in terminal.run("channels", "status").out
        )
        terminal.write(pigeons(main={}, later={}))
        later = terminal.run("channels", "status").out.splitlines()[-1]
        assert later == "pigeon/later: offline: the daemon runs without it; restart it, or see its log"
        # A terminal that has not been given the daemon's variables sees the account all the same.
        terminal.write(pigeons(main={"token": "${LOFT_KEY}"}))
        elsewhere = terminal.run("channels", "status")
        assert elsewhere.out.startswith(f"pigeon/main: offline since {day} UTC: the loft is closed")
        assert "LOFT_KEY is not set" in elsewhere.err


def test_a_channel_that_cannot_be_opened_keeps_no_other_from_starting(terminal: Terminal, site: Path) -> None:
    (site / "pigeon_library.py").write_text("NAME = 1 / 0\n")
    terminal.write(pigeons() | {"channels": pigeons()["channels"] | {"web": {}}})
    with terminal.daemon(environ={"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}) as daemon:
        terminal.wait(lambda: "web/main: online" in terminal.run("channels", "status").out)
        assert "pigeon/main: offline: the daemon runs without it" in terminal.run("channels", "status").out
    assert "channel not opened" in daemon.said


def test_the_doctor_probes_every_account_and_says_what_to_do(
    terminal: Terminal, site: Path, loft: Service
) -> None:
    loft.may_read = False
    terminal.write(pigeons(loft.base_url, main={}, team={"token": "a-wrong-one"}))
    result = terminal.run("doctor")
    assert result.code == 1
    assert {
        "ok   channel: pigeon/main: is Carrier",
        "warn channel: pigeon/main: may not read; allow it in the loft",
        "fail channel: pigeon/team: the token is not valid; ask the loft for another one",
    } <= set(result.out.splitlines())
    rows = terminal.run("--json", "doctor").data["checks"]
    assert {
        "name": "channel",
        "state": "warn",
        "what": "pigeon/main: may not read",
        "todo": "allow it in the loft",
    } in rows


def test_the_doctor_asks_nobody_when_told_so(terminal: Terminal, site: Path, loft: Service) -> None:
    terminal.write(pigeons(loft.base_url))
    terminal.run("doctor", "--offline")
    assert loft.asked == 0


def test_the_doctor_tells_which_account_the_running_daemon_has_offline(
    terminal: Terminal, site: Path
) -> None:
    terminal.write(pigeons())
    with terminal.daemon(environ={"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}):
        terminal.wait(lambda: "the loft is closed" in terminal.run("channels", "status").out)
        terminal.write(pigeons(main={}, later={"token": "another"}))
        lines = [line for line in terminal.run("doctor", "--offline").out.splitlines() if "pigeon/" in line]
    assert (
        "warn channel: pigeon/main is offline: the loft is closed; it tries again by itself unless it is not"
        " authorised; see: firstword channels status --probe"
    ) in lines
    assert (
        "warn channel: pigeon/later is not among the channels of the running daemon; restart the daemon; if it"
        " still stays away, its log says why"
    ) in lines
