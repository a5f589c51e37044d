"""The page behind a real HTTP server: who is let in, what is refused, and what a connection lives through."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from pydantic import SecretStr

from channels.base import HistoryLine
from channels.errors import Gone, TooLong
from channels.events import AnswerNote, TypingStarted
from channels.web import limits
from channels.web.parse import key_of
from channels.web.settings import WebSettings
from tests.canary import canary
from tests.channels.host import RecordingHost
from tests.channels.web.site import Site, open_site

TOKEN = f"correct horse {canary('page')} staple"
LOCKED = WebSettings(token=SecretStr(TOKEN))
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = 1_795_000_000.0


async def status(site: Site, path: str = "/", **request: Any) -> int:
    async with site.session.get(site.url + path, **request) as response:
        return response.status


async def upgrade(site: Site, headers: dict[str, str]) -> int:
    """The status of an attempt to open the socket: 101 when it was let in."""
    try:
        async with site.session.ws_connect(f"{site.url}/web/socket", headers=headers):
            return 101
    except WSServerHandshakeError as error:
        return error.status


async def test_the_page_and_all_its_files_are_served_with_protective_headers() -> None:
    async with open_site() as site:
        for path in ("/", "/web/main.js", "/web/page.css", "/web/icon.svg"):
            async with site.session.get(site.url + path) as response:
                assert response.status == 200, path
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy and "*" not in policy
                assert f"connect-src 'self' ws://127.0.0.1:{site.port}" in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Referrer-Policy"] == "same-origin"
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline() -> None:
    async with open_site() as site:
        async with site.session.get(f"{site.url}/") as response:
            page = await response.text()
        for mark in ("http://", "https://", "//cdn", "<style", "onclick", "style="):
            assert mark not in page
        assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')


async def test_an_unchanged_file_is_not_sent_again() -> None:
    async with open_site() as site:
        async with site.session.get(f"{site.url}/web/main.js") as response:
            tag = response.headers["ETag"]
        assert await status(site, "/web/main.js", headers={"If-None-Match": tag}) == 304


@pytest.mark.parametrize(
    "path", ["/web/index.html", "/web/..%2Fchannel.py", "/web/%2e%2e/door.py", "/web/nothing.js"]
)
async def test_nothing_but_the_pages_files_can_be_asked_for(path: str) -> None:
    async with open_site() as site:
        assert await status(site, path) == 404


async def test_a_foreign_host_name_is_refused_with_what_to_do() -> None:
    async with (
        open_site() as site,
        site.session.get(site.url, headers={"Host": "rebound.example"}) as response,
    ):
        assert response.status == 403
        text = await response.text()
        assert "rebound.example" in text and "allowedHosts" in text


async def test_a_configured_name_is_served() -> None:
    settings = WebSettings.model_validate({"allowedHosts": ["Chat.example.org"]})
    async with open_site(settings=settings) as site:
        assert await status(site, headers={"Host": "chat.example.org"}) == 200


async def test_only_our_own_page_can_open_the_socket() -> None:
    async with open_site() as site:
        assert await upgrade(site, site.origin) == 101
        assert await upgrade(site, {"Origin": "http://evil.example"}) == 403
        assert await upgrade(site, {"Origin": f"http://localhost:{site.port}"}) == 403
        assert await upgrade(site, {"Origin": "null"}) == 403
        assert await upgrade(site, {}) == 403
        assert await upgrade(site, site.origin | {"Host": "evil.example"}) == 403
        assert await upgrade(site, site.origin | {"Sec-Fetch-Site": "cross-site"}) == 403


async def test_a_forwarded_request_without_a_token_is_turned_away() -> None:
    async with open_site() as site:
        assert await status(site, headers={"X-Forwarded-For": "192.0.2.1"}) == 401
        assert await upgrade(site, site.origin | {"X-Forwarded-For": "127.0.0.1"}) == 401


async def test_with_a_token_set_nothing_is_served_without_it() -> None:
    async with open_site(settings=LOCKED) as site:
        async with site.session.get(site.url) as response:
            assert response.status == 401
            assert 'name="token"' in await response.text()
            assert response.headers["Cache-Control"] == "no-cache"
        assert await status(site, "/web/main.js") == 401
        assert await status(site, "/web/login.css") == 200
        assert await upgrade(site, site.origin) == 401
        assert await status(site, "/web/main.js", headers=BEARER) == 200
        assert await upgrade(site, BEARER) == 101
        assert await status(site, f"/?token={TOKEN}") == 401, "never from an address"


async def test_the_form_gives_a_cookie_that_lets_in_and_holds_no_token() -> None:
    async with open_site(settings=LOCKED) as site:
        async with site.session.post(
            f"{site.url}/web/login", data={"token": TOKEN}, headers=site.origin, allow_redirects=False
        ) as response:
            assert response.status == 303 and response.headers["Location"] == "/"
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        header = {"Cookie": cookie.partition(";")[0]}
        assert await status(site, headers=header) == 200
        assert await upgrade(site, header | site.origin) == 101
        assert await upgrade(site, header | {"Origin": "http://evil.example"}) == 403
        async with site.session.post(
            f"{site.url}/web/logout", headers=header | site.origin, allow_redirects=False
        ) as out:
            assert out.status == 303 and 'firstword_session=""' in out.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"token": ""},
        {"token": "wrong"},
        {"other": TOKEN},
        {"token": TOKEN + "x"},
        {"token": "x" * 100_000},
    ],
)
async def test_a_wrong_token_gives_no_cookie_and_says_so(form: dict[str, str]) -> None:
    async with (
        open_site(settings=LOCKED) as site,
        site.session.post(f"{site.url}/web/login", data=form, headers=site.origin) as response,
    ):
        assert response.status == 401
        assert "Set-Cookie" not in response.headers
        assert 'role="alert"' in await response.text()


async def test_another_sites_form_cannot_log_anybody_in() -> None:
    async with open_site(settings=LOCKED) as site:
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
            async with site.session.post(
                f"{site.url}/web/login", data={"token": TOKEN}, headers=headers
            ) as response:
                assert response.status == 403


async def test_guessing_the_token_soon_has_to_wait() -> None:
    async with open_site(settings=LOCKED) as site:
        for _ in range(10):
            assert await status(site, headers={"Authorization": "Bearer guess"}) == 401
        async with site.session.get(site.url, headers=BEARER) as response:
            assert response.status == 429 and int(response.headers["Retry-After"]) > 0
        async with site.session.post(
            f"{site.url}/web/login", data={"token": TOKEN}, headers=site.origin
        ) as response:
            assert response.status == 429


async def test_a_message_reaches_the_daemon_once_and_is_confirmed() -> None:
    async with open_site() as site, site.page() as page:
        await page.say("Hello", "message-1")
        assert await page.next("said") == {"t": "said", "id": "message-1"}
        await page.say("Hello", "message-1")
        assert await page.next("said") == {"t": "said", "id": "message-1"}
        assert [message.text for message in site.host.messages] == ["Hello"]


async def test_messages_are_accepted_in_the_order_in_which_they_were_sent() -> None:
    async with open_site() as site, site.page() as page:
        for number in range(40):
            await page.say(f"{number}", f"message-{number}")
        for number in range(40):
            assert (await page.next("said"))["id"] == f"message-{number}"
        assert [message.text for message in site.host.messages] == [str(number) for number in range(40)]


async def test_a_daemon_without_room_says_when_to_try_again() -> None:
    async with open_site() as site, site.page() as page:
        site.host.has_room = False
        await page.say("Hello", "message-1")
        refused = await page.next("refused")
        assert (refused["id"], refused["code"]) == ("message-1", "busy")
        assert refused["retry"] > 0
        site.host.has_room = True
        await page.say("Hello", "message-1")
        await page.next("said")
        assert len(site.host.messages) == 1


async def test_a_text_of_a_megabyte_is_refused_with_the_limit_and_the_page_lives_on() -> None:
    async with open_site() as site, site.page() as page:
        assert page.hello["maxMessageBytes"] == 200_000
        await page.say("x" * 1_000_000, "message-1")
        refused = await page.next("refused")
        assert refused["code"] == "too_long"
        assert (refused["got"], refused["allowed"]) == (1_000_000, 200_000)
        await page.say("short", "message-2")
        await page.next("said")


async def test_a_frame_beyond_any_text_ends_the_connection() -> None:
    async with open_site() as site, site.page() as page:
        with suppress(ConnectionError):
            await page.socket.send_str("x" * (limits.frame_cap(200_000) + 1))
        while (await page.socket.receive(timeout=20)).type is WSMsgType.TEXT:
            pass
        assert page.socket.close_code in {1006, 1009}, "the reset may be faster than the reason"
        async with site.page() as other:
            await other.say("Hello", "message-1")
            await other.next("said")


@pytest.mark.parametrize(
    "junk", ["", "nonsense", "[]", '{"t": "say"}', '{"t": "open", "c": "x"}', '{"t": null}']
)
async def test_junk_is_answered_and_the_connection_lives(junk: str) -> None:
    async with open_site() as site, site.page() as page:
        await page.socket.send_str(junk)
        assert (await page.next("refused"))["code"] == "bad_frame"
        await page.socket.send_bytes(b"\xff\x00\xfe")
        assert (await page.next("refused"))["code"] == "bad_frame"
        await page.say("still here", "message-1")
        await page.next("said")


async def test_a_flood_of_frames_is_slowed_down_and_at_last_cut_off() -> None:
    async with (
        open_site(clock=lambda: NOW) as site,
        site.page() as page,
    ):  # no time passes, however slow we are
        for number in range(limits.FRAME_BURST + 5):
            await page.say("x", f"message-{number}")
        assert (await page.next("refused"))["code"] == "rate"
        for _ in range(limits.MAX_REFUSED + 50):
            await page.socket.send_str("junk")
            if (await page.socket.receive(timeout=20)).type is not WSMsgType.TEXT:  # who reads is not overrun
                break
        assert page.socket.close_code == 1008


async def test_a_clock_that_is_set_back_slows_nobody_down() -> None:
    now = NOW
    async with open_site(clock=lambda: now) as site, site.page() as page:
        await page.say("before", "message-1")
        await page.next("said")
        now -= 3600
        await page.say("after", "message-2")
        assert (await page.next("said", "refused"))["t"] == "said"


async def test_the_number_of_connections_is_bounded() -> None:
    async with open_site() as site, ClientSession() as session:
        sockets = [
            await session.ws_connect(f"{site.url}/web/socket", headers=site.origin)
            for _ in range(limits.MAX_CONNECTIONS)
        ]
        assert await upgrade(site, site.origin) == 503
        await sockets[0].close()
        async with asyncio.timeout(20):
            while await upgrade(site, site.origin) != 101:
                await asyncio.sleep(0.01)


async def test_an_answer_grows_on_the_page_and_its_note_stands_under_it() -> None:
    async with open_site() as site, site.page() as page:
        address = site.address("conversation-1", "message-1")
        await site.channel.typing(address, is_on=True)
        assert (await page.next("typing"))["on"] is True
        stream = await site.channel.start_stream(address, "Hel", "key-1")
        await site.channel.update_stream(address, stream, "Hello **wor**", "lo **wor")
        await page.reads(stream, "Hello **wor**")
        await site.channel.update_stream(address, stream, "Hello **world**", "ld**")
        await page.reads(stream, "Hello **world**")
        sent = await site.channel.finish_stream(address, stream, "Hello **world**!", "!", "key-1")
        assert sent.id == stream
        await page.reads(stream, "Hello **world**!")
        await site.channel.show_note(address, stream, AnswerNote("some/model", "asked for", 0.2))
        assert (await page.next("note"))["note"]["model"] == "some/model"


async def test_the_same_key_shows_one_message() -> None:
    async with open_site() as site, site.page() as page:
        address = site.address("conversation-1")
        first = await site.channel.send(address, "Once", "key-1")
        second = await site.channel.send(address, "Once", "key-1")
        other = await site.channel.send(address, "Twice", "key-2")
        assert first.id == second.id != other.id
        await page.reads(other.id, "Twice")
        assert [frame["id"] for frame in page.frames if frame["t"] == "show"] == [first.id, other.id]


async def test_a_shown_message_can_be_changed_and_deleted() -> None:
    async with open_site() as site, site.page() as page:
        address = site.address("conversation-1")
        sent = await site.channel.send(address, "Draft", "key-1")
        await site.channel.edit(address, sent.id, "Better")
        await page.reads(sent.id, "Better")
        await site.channel.delete(address, sent.id)
        await site.channel.delete(address, sent.id)
        assert (await page.next("gone"))["id"] == sent.id
        with pytest.raises(Gone):
            await site.channel.edit(address, sent.id, "Too late")


async def test_a_text_beyond_the_declared_length_is_refused() -> None:
    async with open_site() as site:
        address = site.address("conversation-1")
        most = site.channel.capabilities(address).max_text
        await site.channel.send(address, "x" * most, "key-1")
        with pytest.raises(TooLong):
            await site.channel.send(address, "x" * (most + 1), "key-2")
        with pytest.raises(TooLong):
            await site.channel.start_stream(address, "x" * (most + 1), "key-3")


async def test_a_page_that_comes_back_in_the_middle_of_an_answer_shows_it_whole_and_once() -> None:
    async with open_site() as site:
        address = site.address("conversation-1", "message-1")
        async with site.page() as page:
            await page.say("A long question", "message-1")
            await page.next("said")
            stream = await site.channel.start_stream(address, "One", "key-1")
            await page.reads(stream, "One")
        await site.channel.update_stream(address, stream, "One two", " two")
        async with site.page() as page:
            lines = page.opened["lines"]
            assert [(line["id"], line["text"]) for line in lines] == [
                ("message-1", "A long question"),
                (stream, "One two"),
            ]
            assert lines[1]["open"] is True
            await site.channel.finish_stream(address, stream, "One two three", " three", "key-1")
            await page.reads(stream, "One two three")
        site.host.lines[key_of("main", "conversation-1")] = [
            HistoryLine("user", "A long question", "message-1", 1.0),
            HistoryLine("assistant", "One two three", stream, 2.0),
        ]
        async with site.page() as page:
            assert [line["id"] for line in page.opened["lines"]] == ["message-1", stream]


async def test_an_answer_that_goes_on_after_a_restart_is_the_same_message() -> None:
    """The second site knows nothing of the first, as after a restart; the key is all that they share."""
    async with open_site() as before:
        first = await before.channel.start_stream(before.address("conversation-1"), "Half", "key-1")
    async with open_site() as after, after.page() as page:
        second = await after.channel.start_stream(after.address("conversation-1"), "Half and", "key-1")
        assert second == first
        await page.reads(second, "Half and")


async def test_a_page_that_does_not_read_delays_nobody_and_catches_up() -> None:
    async with open_site() as site, site.page() as slow, site.page() as quick:
        address = site.address("conversation-1")
        text = bulk = "x" * 60_000
        stream = await site.channel.start_stream(address, bulk, "key-1")
        for number in range(1000):
            text = f"{number} {bulk}"
            await site.channel.update_stream(address, stream, text, None)
            await asyncio.sleep(0)
        await site.channel.finish_stream(address, stream, text, None, "key-1")
        await quick.reads(stream, text)
        await slow.reads(stream, text)
        assert len(slow.frames) < 900, "steps that could not be sent were made one"


async def test_a_connection_that_vanished_leaves_nothing_behind() -> None:
    async with open_site() as site:
        request = (
            f"GET /web/socket HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: {site.url}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(request.encode())
        assert b"101" in await reader.readline()
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        writer.transport.abort()
        async with asyncio.timeout(20):
            while site.channel.connections:
                await asyncio.sleep(0.01)


async def test_pages_are_told_to_come_back_when_the_daemon_stops() -> None:
    async with open_site() as site, site.page() as page:
        site.running.cancel()
        while (await page.socket.receive(timeout=20)).type is WSMsgType.TEXT:
            pass
        assert page.socket.close_code == 1001
        assert await upgrade(site, site.origin) == 503


async def test_switching_the_conversation_shows_the_other_one_alone() -> None:
    async with open_site() as site, site.page("conversation-1") as page:
        page.conversation = "conversation-2"
        await page.open()
        await site.channel.send(site.address("conversation-1"), "Elsewhere", "key-1")
        sent = await site.channel.send(site.address("conversation-2"), "Here", "key-2")
        assert (await page.next("show"))["id"] == sent.id


async def test_two_pages_of_one_conversation_show_the_same() -> None:
    async with open_site() as site, site.page() as one, site.page() as two:
        await one.say("From the first", "message-1")
        assert (await two.next("user"))["text"] == "From the first"
        sent = await site.channel.send(site.address("conversation-1"), "For both", "key-1")
        await one.reads(sent.id, "For both")
        await two.reads(sent.id, "For both")
        assert "user" not in {frame["t"] for frame in one.frames}


async def test_commands_come_with_the_greeting_and_models_when_asked() -> None:
    async with open_site() as site, site.page() as page:
        assert {command["name"] for command in page.hello["commands"]} >= {"help", "model", "stop"}
        await page.send({"t": "models", "c": "conversation-1"})
        models = (await page.next("models"))["models"]
        assert [model["ref"] for model in models] == ["auto", "loopback/small", "loopback/large"]


async def test_beginning_to_type_is_passed_on_so_that_connections_can_be_warmed() -> None:
    async with open_site() as site, site.page() as page:
        await page.send({"t": "typing", "c": "conversation-1"})
        await page.send({"t": "ping"})
        await page.next("pong")
        assert isinstance(site.host.events[0], TypingStarted)


async def test_history_is_shown_with_how_each_answer_ended() -> None:
    host = RecordingHost()
    host.lines[key_of("main", "conversation-1")] = [
        HistoryLine("user", "Go on", "", 1.0),
        HistoryLine("assistant", "Half", "", 2.0, "stopped", AnswerNote("m", "r")),
    ]
    async with open_site(host) as site, site.page() as page:
        first, second = page.opened["lines"]
        assert first["id"] != second["id"], "lines without an id still are two"
        assert second["outcome"] == "stopped" and second["note"] == {"model": "m", "reason": "r"}


async def test_the_channel_says_that_it_is_online() -> None:
    async with open_site() as site:
        assert await status(site) == 200
        assert site.host.states == [(True, "")]


async def test_every_frame_is_json_that_a_browser_reads() -> None:
    async with open_site() as site, site.page() as page:
        sent = await site.channel.send(site.address("conversation-1"), "a\ud800b\x00\u2028", "key-1")
        message = await page.socket.receive_str()
        assert json.loads(message)["text"] == "a\ufffdb\x00\u2028"
        assert json.loads(message)["id"] == sent.id
