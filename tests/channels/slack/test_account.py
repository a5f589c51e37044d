"""Settings, the probe, files, and secrets that stay secret."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from channels.base import Level
from channels.errors import ChannelError, Gone, NotAuthorized, RateLimited, Refused, TooLong, Unavailable
from channels.events import Message
from channels.slack import SPEC, SlackSettings
from channels.slack.calls import Api
from channels.slack.channel import SlackChannel
from channels.slack.content import reference
from channels.slack.files import is_slacks
from channels.slack.probe import probe
from channels.slack.problems import refused
from tests.channels.slack.hosts import KeepingHost, address, running, settings
from tests.channels.slack.peer.client import Peer

DM = "D0PERSON01"
BOT, APP = "xoxb-1234567890-abcdefghij", "xapp-1-A012-345-abcdef"


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


# -- settings


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "botToken"),
        ({"botToken": "xoxp-1234567890-abc", "appToken": APP}, "botToken"),
        ({"botToken": " ", "appToken": APP}, "botToken"),
        ({"botToken": BOT}, "appToken"),
        ({"botToken": BOT, "appToken": "xoxb-1234567890-abc"}, "appToken"),
        ({"botToken": BOT, "mode": "http"}, "signingSecret"),
        ({"botToken": BOT, "mode": "http", "signingSecret": "   "}, "signingSecret"),
        ({"botToken": BOT, "appToken": APP, "command": "/First Word"}, "command"),
        ({"botToken": BOT, "appToken": APP, "apiBase": "http://example.org/api"}, "apiBase"),
        ({"botToken": BOT, "appToken": APP, "publicUrl": "http://example.org"}, "publicUrl"),
        ({"botToken": BOT, "appToken": APP, "colour": "red"}, "colour"),
    ],
)
def test_what_is_missing_or_wrong_stops_the_start_and_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SlackSettings.model_validate(given)
    told = str(caught.value)
    assert named in told
    assert "1234567890" not in told


def test_an_account_needs_two_tokens_and_nothing_else() -> None:
    made = SlackSettings.model_validate({"botToken": f" {BOT}\n", "appToken": APP})
    assert made.bot_token.get_secret_value() == BOT
    assert (made.command, made.api_base) == ("/firstword", "https://slack.com/api/")
    assert "1234567890" not in repr(made)


def test_the_way_of_requests_is_made_of_the_account_or_the_address() -> None:
    from channels.slack.settings import events_path, public_address

    base = {"botToken": BOT, "mode": "http", "signingSecret": "0123456789abcdef" * 2}
    plain = SlackSettings.model_validate(base)
    assert (events_path(plain, "work"), public_address(plain, "work")) == ("/slack/work", None)
    named = SlackSettings.model_validate({**base, "publicUrl": "https://bot.example.org/hook"})
    assert events_path(named, "work") == "/hook"
    short = SlackSettings.model_validate({**base, "publicUrl": "https://bot.example.org/"})
    assert public_address(short, "work") == "https://bot.example.org/slack/work"


def test_ids_are_told_from_names() -> None:
    import re

    assert SPEC.id_pattern is not None
    pattern = re.compile(SPEC.id_pattern)
    assert all(pattern.fullmatch(good) for good in ("U0123ABCDEF", "W0123ABC", "C024BE91L", "G012AC86C"))
    assert not any(
        pattern.fullmatch(bad) for bad in ("@somebody", "#general", "somebody", "u0123abcdef", "T1")
    )


# -- the probe


async def test_a_sound_account_is_told_so(peer: Peer) -> None:
    found = await probe("main", settings(peer))
    assert [finding.level for finding in found] == [Level.OK] * 3


@pytest.mark.parametrize(
    ("which", "level", "words"),
    [("bot", Level.PROBLEM, "botToken"), ("app", Level.PROBLEM, "appToken")],
)
async def test_a_refused_token_is_named_with_a_remedy(
    peer: Peer, which: str, level: Level, words: str
) -> None:
    await peer.control("revoke", which=which)
    found = [finding for finding in await probe("main", settings(peer)) if finding.level is not Level.OK]
    assert [finding.level for finding in found] == [level]
    assert words in found[0].what + found[0].remedy
    assert peer.bot_token not in str(found)


async def test_missing_scopes_are_named_with_what_they_are_for(peer: Peer) -> None:
    await peer.settings(scopes=["chat:write", "im:history"])
    (finding,) = [one for one in await probe("main", settings(peer)) if one.level is Level.WARNING]
    assert "app_mentions:read (hear a mention)" in finding.what
    assert "chat:write" not in finding.what
    await peer.settings(scopes=["im:history"])
    assert Level.PROBLEM in [one.level for one in await probe("main", settings(peer))]


async def test_a_public_address_is_tried(peer: Peer) -> None:
    given = {"mode": "http", "appToken": None}
    (warning,) = [f for f in await probe("main", settings(peer, **given)) if f.level is Level.WARNING]
    assert "publicUrl" in warning.what
    unreachable = settings(peer, **given, publicUrl="https://127.0.0.1:9/slack")
    (problem,) = [f for f in await probe("main", unreachable) if f.level is Level.PROBLEM]
    assert "was not reached" in problem.what


async def test_a_slack_that_is_not_there_is_a_finding_and_no_error() -> None:
    given = {"botToken": BOT, "appToken": APP, "apiBase": "http://127.0.0.1:9/api"}
    found = await probe("main", SlackSettings.model_validate(given))
    assert {finding.level for finding in found} == {Level.PROBLEM}


# -- files


async def test_the_token_goes_to_slacks_own_hosts_alone(peer: Peer, host: KeepingHost) -> None:
    own = "https://slack.com/api/"
    good = (
        "https://files.slack.com/files-pri/T1-F1/x",
        "https://slack-files.slack.com/x",
        "https://slack.com/x",
    )
    bad = (
        "http://files.slack.com/x",
        "https://files.slack.com.evil.org/x",
        "https://evilslack.com/x",
        "https://files.slack.com:8443/x",
        "https://user@files.slack.com/x",
        "https://[::1/x",
        "ftp://files.slack.com/x",
    )
    assert all(is_slacks(url, own) for url in good)
    assert not any(is_slacks(url, own) for url in bad)
    async with running(peer, host) as channel:
        with pytest.raises(Refused) as caught:
            await channel.open_attachment(reference("https://evil.example.org/x", "text/plain"), 100)
    assert caught.value.code == "foreign_host"


async def test_a_login_page_is_not_a_file(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as channel:
        await peer.attach(DM, "a.txt", "text/plain", b"hello")
        await peer.attach(DM, "page.html", "text/html", b"<p>hello</p>")
        await host.until(lambda: len(host.events) == 2)
        text, page = (event.attachments[0] for event in host.of(Message))
        assert await channel.open_attachment(page.ref, 100) == b"<p>hello</p>"
        assert await channel.open_attachment(text.ref, 5) == b"hello"
        with pytest.raises(TooLong):
            await channel.open_attachment(text.ref, 4)
        await peer.fault("url_private", html=True)
        with pytest.raises(Refused) as caught:
            await channel.open_attachment(text.ref, 100)
        assert "files:read" in caught.value.detail
        await peer.fault("url_private", status=404, body="gone")
        with pytest.raises(Gone):
            await channel.open_attachment(text.ref, 100)
        with pytest.raises(Gone):
            await channel.open_attachment("nonsense", 100)


# -- errors


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("invalid_auth", NotAuthorized),
        ("token_revoked", NotAuthorized),
        ("account_inactive", NotAuthorized),
        ("channel_not_found", Gone),
        ("not_in_channel", Gone),
        ("is_archived", Gone),
        ("message_not_found", Gone),
        ("msg_too_long", TooLong),
        ("msg_blocks_too_long", TooLong),
        ("message_not_in_streaming_state", Refused),
        ("fatal_error", Unavailable),
        ("restricted_action", Refused),
    ],
)
def test_an_error_says_what_to_do_next(code: str, wanted: type[ChannelError]) -> None:
    assert isinstance(refused(code, {}, is_write=True), wanted)


@pytest.mark.parametrize(
    ("fault", "wanted", "maybe_sent"),
    [
        ({"lose": "before"}, Unavailable, True),
        ({"lose": "after"}, Unavailable, True),
        ({"html": True}, Unavailable, True),
        ({"malformed": True}, Unavailable, True),
        ({"status": 500, "body": "oops"}, Unavailable, True),
        ({"error": "service_unavailable"}, Unavailable, False),
        ({"retry_after": 7}, RateLimited, False),
    ],
)
async def test_a_write_that_fails_on_its_way_says_whether_it_may_have_arrived(
    peer: Peer, host: KeepingHost, fault: dict[str, Any], wanted: type[ChannelError], maybe_sent: bool
) -> None:
    async with running(peer, host) as channel:
        await peer.say(DM, "hello")
        await peer.fault("chat.postMessage", **fault)
        with pytest.raises(wanted) as caught:
            await channel.send(address(DM), "text", "k")
    assert getattr(caught.value, "maybe_sent", False) is maybe_sent
    if isinstance(caught.value, RateLimited):
        assert (caught.value.retry_after, caught.value.scope) == (7.0, f"post:{DM}")
    assert len(await peer.calls("chat.postMessage")) == 1  # nothing is repeated behind our back


async def test_a_server_that_is_not_there_has_certainly_not_sent_it(host: KeepingHost) -> None:
    given = {"botToken": BOT, "appToken": APP, "apiBase": "http://127.0.0.1:9/api"}
    channel = SlackChannel("main", SlackSettings.model_validate(given), host)
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(DM), "text", "k")
    assert not caught.value.maybe_sent


# -- secrets


async def test_no_secret_reaches_a_log_an_error_or_a_repr(
    peer: Peer, host: KeepingHost, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = (peer.bot_token, peer.app_token, peer.signing_secret)
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with structlog.testing.capture_logs() as lines:
        async with running(peer, host) as channel:
            told.append(repr(channel))
            await peer.attach(DM, "a.txt", "text/plain", b"hello")
            await host.until(lambda: bool(host.events))
            await channel.open_attachment(host.of(Message)[0].attachments[0].ref, 100)
            await peer.command(DM, "/firstword", "help")
            await host.until(lambda: len(host.events) == 2)
            url = host.of(Message)[1].address.handle
            await channel.send(host.of(Message)[1].address, "answer", "k")
            for fault in ({"error": "internal_error"}, {"lose": "before"}, {"html": True}):
                await peer.fault("chat.postMessage", **fault)
                with pytest.raises(ChannelError) as caught:
                    await channel.send(address(DM), "text", "k")
                told.append(f"{caught.value!r} {caught.value.__cause__!r} {caught.value.detail}")
            await peer.drop_sockets()
            await peer.wait(sockets=1)
    told += [str(line) for line in lines] + [
        record.getMessage() for record in caplog.records if record.name.startswith("slack")
    ]
    everything = "\n".join(told)
    assert not any(secret in everything for secret in secrets)
    assert "/link/?ticket=" not in everything
    assert "/response/" in url
    assert "/response/" not in everything
    assert "Bearer" not in repr(Api(peer.bot_token, peer.base_url))
