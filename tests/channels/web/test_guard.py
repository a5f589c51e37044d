"""Who may come in. Each row is an attack that has worked against somebody, or a visitor who must not be shut out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.doors import is_loopback
from channels.web.guard import (
    SESSION,
    Knock,
    Rules,
    Tries,
    judge,
    new_session,
    session_is_valid,
    token_is_right,
)
from tests.generated import generated

TOKEN = "correct horse battery staple"
OPEN = Rules()
LOCKED = Rules(TOKEN)
VISIT = Knock("GET", "127.0.0.1:8420", "127.0.0.1", 8420)
UPGRADE = replace(VISIT, is_upgrade=True, origin="http://127.0.0.1:8420")
NOW = 1_000_000.0


def code(knock: Knock, rules: Rules = OPEN) -> str:
    refusal = judge(knock, rules, NOW)
    return "" if refusal is None else refusal.code


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:8420", "[::1]:8420", "LocalHost:8420"])
def test_this_machines_own_names_are_let_in(host: str) -> None:
    assert code(replace(VISIT, host=host)) == ""


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8420",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8421",
        "localhost.evil.example:8420",
        "127.0.0.1.evil.example:8420",
        "127.0.0.1:8420.evil.example",
        "0.0.0.0:8420",
        "127.0.0.1:8420 ",
        "user@127.0.0.1:8420",
        "127.0.0.1:8420\x00",
    ],
)
def test_a_name_that_somebody_else_points_at_us_is_refused(host: str) -> None:
    assert code(replace(VISIT, host=host)) == "host"
    assert code(replace(VISIT, host=host, authorization=f"Bearer {TOKEN}"), LOCKED) == "host"


def test_a_name_from_the_settings_is_let_in_with_any_port_unless_it_names_one() -> None:
    rules = Rules(allowed_hosts=("chat.example.org", "other.example.org:8443"))
    assert code(replace(VISIT, host="chat.example.org"), rules) == ""
    assert code(replace(VISIT, host="Chat.Example.org:9000"), rules) == ""
    assert code(replace(VISIT, host="other.example.org:8443"), rules) == ""
    assert code(replace(VISIT, host="other.example.org:9000"), rules) == "host"
    assert code(replace(VISIT, host="xchat.example.org"), rules) == "host"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:8420",
        "http://127.0.0.1",
        "http://127.0.0.1:8421",
        "http://localhost:8420",
        "http://127.0.0.1:8420.evil.example",
        "http://127.0.0.1:8420@evil.example",
        "null",
        "",
        "file://",
        "chrome-extension://127.0.0.1:8420",
        "http://[",
    ],
)
def test_another_sites_page_can_neither_open_the_socket_nor_post(origin: str) -> None:
    assert code(replace(UPGRADE, origin=origin)) == "origin"
    assert code(replace(UPGRADE, origin=origin, authorization=f"Bearer {TOKEN}"), LOCKED) == "origin"
    assert code(replace(VISIT, method="POST", origin=origin)) == "origin"


def test_the_browsers_own_word_that_a_request_crosses_sites_is_heard() -> None:
    assert code(replace(UPGRADE, fetch_site="cross-site")) == "origin"
    assert code(replace(UPGRADE, fetch_site="same-site")) == "origin"
    assert code(replace(UPGRADE, fetch_site="same-origin")) == ""


def test_an_upgrade_without_an_origin_needs_the_token_in_its_header() -> None:
    bare = replace(UPGRADE, origin=None)
    assert code(bare) == "origin_missing"
    assert code(replace(bare, authorization="Bearer anything")) == "origin_missing"
    assert code(bare, LOCKED) == "origin_missing"
    assert code(replace(bare, cookie=new_session(TOKEN, NOW)), LOCKED) == "origin_missing"
    assert code(replace(bare, authorization=f"Bearer {TOKEN}"), LOCKED) == ""


@pytest.mark.parametrize(
    "peer", ["192.0.2.1", "10.0.0.5", "2001:db8::1", "", "unix", "::ffff:10.0.0.5", "0.0.0.0"]
)
def test_only_this_machine_is_let_in_without_a_token(peer: str) -> None:
    assert code(replace(VISIT, peer=peer)) == "token_not_set"
    assert code(replace(VISIT, peer=peer), LOCKED) == "token"
    assert code(replace(VISIT, peer=peer, authorization=f"Bearer {TOKEN}"), LOCKED) == ""


def test_a_proxy_on_this_machine_does_not_make_its_visitors_local() -> None:
    assert code(replace(VISIT, is_forwarded=True)) == "token_not_set"


def test_once_a_token_is_set_this_machine_needs_it_too() -> None:
    assert code(VISIT, LOCKED) == "token"
    assert code(UPGRADE, LOCKED) == "token"
    assert code(replace(UPGRADE, cookie=new_session(TOKEN, NOW)), LOCKED) == ""


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \udcff",
    ],
)
def test_a_wrong_token_is_as_good_as_none(header: str) -> None:
    assert code(replace(VISIT, authorization=header), LOCKED) == "token"


def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    cookie = new_session(TOKEN, NOW)
    assert session_is_valid(TOKEN, cookie, NOW + SESSION - 1)
    assert not session_is_valid(TOKEN, cookie, NOW + SESSION)
    assert not session_is_valid("another token entirely", cookie, NOW)
    assert TOKEN not in cookie


@generated
@given(st.text())
def test_no_invented_session_is_valid(cookie: str) -> None:
    assert not session_is_valid(TOKEN, cookie, NOW)


def test_a_session_cannot_be_made_to_last_longer() -> None:
    until, _, signature = new_session(TOKEN, NOW).partition(".")
    assert not session_is_valid(TOKEN, f"{int(until) + 1}.{signature}", NOW)


@generated
@given(st.text(min_size=1), st.text())
def test_only_the_token_itself_is_right(token: str, given_token: str) -> None:
    assert token_is_right(token, given_token) == (token == given_token)


@pytest.mark.parametrize(
    ("peer", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::1%eth0", False),
        ("localhost", False),
    ],
)
def test_loopback_is_told_by_address(peer: str, is_here: bool) -> None:
    assert is_loopback(peer) is is_here


def test_guessing_is_slowed_down_per_peer_and_forgotten_after_a_while() -> None:
    tries = Tries(most=3, window=60)
    for at in range(3):
        assert tries.wait("a", at) == 0
        tries.failed("a", at)
    assert tries.wait("a", 10) == 50
    assert tries.wait("b", 10) == 0
    assert tries.wait("a", 61) == 0
    tries.failed("a", 61)
    assert tries.wait("a", 62) == 0


def test_the_memory_of_failed_tries_is_bounded() -> None:
    tries = Tries(most=1, peers=2)
    for peer in "abc":
        tries.failed(peer, 0)
    assert [tries.wait(peer, 1) > 0 for peer in "abc"] == [False, True, True]


def test_nothing_secret_is_in_what_a_log_would_show() -> None:
    knock = replace(VISIT, authorization=f"Bearer {TOKEN}", cookie=new_session(TOKEN, NOW))
    assert TOKEN not in repr(knock) and TOKEN not in repr(LOCKED)
    assert new_session(TOKEN, NOW) not in repr(knock)


def test_a_clock_that_is_set_back_lets_nobody_wait_longer_to_try_again() -> None:
    tries = Tries(most=2, window=60)
    for _ in range(2):
        tries.failed("peer", NOW)
    assert tries.wait("peer", NOW - 3600) == 60
    assert tries.wait("peer", NOW - 3550) == 10
    tries.failed("peer", NOW - 3550)
    assert tries.wait("peer", NOW - 3540) == 0
