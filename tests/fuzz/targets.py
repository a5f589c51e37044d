"""What is fuzzed: each target takes any bytes and holds or raises; what it may raise by contract is caught here.

A target imports what it tries only when it is opened, so that a process instruments its own modules alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

TESTS = Path(__file__).parents[1]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Run = Callable[[bytes], None]


class Target(NamedTuple):
    """`run` tries one input; `seeds` are good ones, from which the fuzzer goes on."""

    run: Run
    seeds: list[bytes]


def _json(data: bytes) -> Any:
    """The value, None for bytes that are no JSON: orjson is not what is tried."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def telegram() -> Target:
    """An update of the Bot API."""
    from channels.telegram.fields import Me
    from channels.telegram.parse import parse

    me = Me("main", 700100, "firstword_bot")
    payloads = (TESTS / "channels" / "telegram" / "payloads").glob("*.json")
    return Target(lambda data: _use(parse(_json(data), me)), [path.read_bytes() for path in payloads])


def discord() -> Target:
    """A dispatch of the gateway: {"t": ..., "d": ...}."""
    from channels.discord.parse import Me, parse
    from channels.discord.places import Places
    from tests.channels.discord import payloads

    known = Places(payloads.BOT)
    known.learn("GUILD_CREATE", payloads.guild())
    me = Me("main", payloads.BOT, payloads.BOT)

    def run(data: bytes) -> None:
        value = _json(data)
        if isinstance(value, dict):
            _use(parse(str(value.get("t")), value.get("d"), me, known, "session:1"))

    seeds = [
        {"t": "MESSAGE_CREATE", "d": payloads.message()},
        {"t": "MESSAGE_UPDATE", "d": payloads.message(edited_timestamp="2026-11-21T12:00:00+00:00")},
        {"t": "GUILD_CREATE", "d": payloads.guild()},
        {"t": "MESSAGE_DELETE_BULK", "d": {"ids": ["1", "2"], "channel_id": payloads.CHANNEL}},
        {"t": "MESSAGE_REACTION_ADD", "d": {"user_id": "1", "message_id": "2", "emoji": {"name": "x"}}},
    ]
    return Target(run, [orjson.dumps(seed) for seed in seeds])


def slack() -> Target:
    """An event, a press of a button, a slash command."""
    from channels.slack.interact import parse_command, parse_press
    from channels.slack.parse import parse_event
    from channels.slack.payload import Known
    from tests.channels.slack import payloads

    def run(data: bytes) -> None:
        value = _json(data)
        _use(parse_event(value, payloads.ME, Known()))
        _use(parse_press(value, payloads.ME))
        _use(parse_command(value, payloads.ME, frozenset({"model"}), NOW))

    press = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "a", "value": "b"}]}
    command = {"command": "/model", "text": "fast", "user_id": "U1", "channel_id": "C1", "team_id": "T1"}
    seeds = [payloads.envelope(payloads.message("hello <@U1> &amp; more")), press, command]
    return Target(run, [orjson.dumps(seed) for seed in seeds])


def matrix() -> Target:
    """An event of a room."""
    from channels.matrix.memory import Memory
    from channels.matrix.parse import parse
    from tests.channels.matrix import events

    def run(data: bytes) -> None:
        _use(parse(_json(data), events.GROUP, events.ME, Memory()))

    related = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}
    return Target(run, [orjson.dumps(events.said("hello")), orjson.dumps(events.said("more", **related))])


def web() -> Target:
    """A frame of the page's socket."""
    from channels.web.parse import BadFrame, Say, Typing, parse_frame, to_event

    def run(data: bytes) -> None:
        with suppress(BadFrame):
            frame = parse_frame(data, 65_536)
            if isinstance(frame, Say | Typing):
                _use(to_event(frame, "main", NOW))

    return Target(
        run, [b'{"t":"say","c":"abc","id":"m1","text":"hi"}', b'{"t":"open","c":"abc"}', b'{"t":"ping"}']
    )


def api() -> Target:
    """The body of a program's request."""
    from channels.api.parse import chat_of, json_of, vectors_of
    from channels.api.problems import BadRequest

    def run(data: bytes) -> None:
        with suppress(BadRequest):
            body = json_of(data)
            with suppress(BadRequest):
                _use(chat_of(body, {}))
            _use(vectors_of(body, {}))

    parts = [
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    chat = {
        "model": "auto",
        "messages": [{"role": "user", "content": parts}],
        "tools": [tool],
        "temperature": 1,
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    seeds = [
        chat,
        {**chat, "response_format": form},
        {"model": "m", "input": ["a", "b"], "encoding_format": "base64"},
    ]
    return Target(run, [orjson.dumps(seed) for seed in seeds])


def sse() -> Target:
    """The stream of a provider, cut anywhere: whatever the cuts, the events are the same."""
    from providers.errors import ProviderError
    from providers.sse import Parser

    def events(*chunks: bytes) -> object:
        parser = Parser()
        try:
            found = [event for chunk in chunks for event in parser.feed(chunk)]
            return [*found, *parser.close()]
        except ProviderError as error:
            return error.kind

    def run(data: bytes) -> None:
        at = data[0] % (len(data) or 1) if data else 0
        assert events(data) == events(data[:at], data[at:])

    return Target(
        run, [b"event: a\ndata: {}\n\ndata: [DONE]\n\n", b"\xef\xbb\xbfdata: a\r\ndata: b\r\r: c\nid: 1\n\n"]
    )


def _texts(*runs: Callable[[str], object]) -> Target:
    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for each in runs:
            _use(each(text))

    marks = b"# a\n\n* b **c** _d_ `e` [f](https://g.example/h_(i)) ![j](k)\n> l\n\n```py\nm\n```\n| n | o |\n|---|---|\n| p | q |\n"
    odd = (
        "~~a~~ <@U1> <!here> @everyone &amp; \\* ||b|| \u202e\U0001f469\u200d\U0001f469 1. c\n   - d".encode()
    )
    return Target(run, [marks, odd, b"[" * 60, b"```" * 9, b"**a " * 20])


def split() -> Target:
    """Messages that are longer than a channel takes: no part too long, none blank, nothing lost."""
    from channels.capabilities import LengthUnit
    from channels.markup import clean, close, repair
    from channels.split import measure, split

    def parts(text: str) -> None:
        for unit in LengthUnit:
            made = split(text, 40, unit)
            assert all(measure(part, unit) <= 40 for part in made), (unit, made)

    return _texts(parts, clean, close, repair)


def telegram_render() -> Target:
    """Markdown as text and entities."""
    from channels.telegram.render import render

    return _texts(render, lambda text: render(text, calls_nobody=True))


def discord_render() -> Target:
    """Markdown as Discord reads it."""
    from channels.discord.render import render

    return _texts(render)


def slack_render() -> Target:
    """Markdown as Slack reads it, whole and growing."""
    from channels.slack.render import growing, render

    return _texts(render, growing)


def slack_mrkdwn() -> Target:
    """Markdown in Slack's older markup."""
    from channels.slack.mrkdwn import mrkdwn, summary

    return _texts(mrkdwn, summary)


def matrix_render() -> Target:
    """Markdown as HTML."""
    from channels.matrix.render import render

    return _texts(render)


def commands() -> Target:
    """The first line of a message."""
    from bot.commands import models, talk
    from channels.commands import index_commands, parse_command

    table = index_commands([command.spec for command in (*models.COMMANDS, *talk.COMMANDS)])

    def run(data: bytes) -> None:
        _use(parse_command(data.decode("utf-8", "replace"), table))

    return Target(run, [b"/model fast", b"/model@firstword_bot: deep", b"!why", b"/ new", b"/\xc4\xb0"])


def conversation_key() -> Target:
    """Keys that come back from people: what was parsed is written the same again."""
    from channels.events import ConversationKey

    def run(data: bytes) -> None:
        with suppress(ValueError):
            key = ConversationKey.parse(data.decode("utf-8", "surrogateescape"))
            assert ConversationKey.parse(str(key)) == key

    return Target(run, [b"telegram:main:4711:9", b"web:main:a%3Ab", b"a:b:%zz"])


def config_file() -> Target:
    """config.json: every wrong value is told by its field."""
    from bot.errors import SettingsError
    from bot.home import Home
    from bot.plugins import discover
    from bot.settings.load import build_settings
    from bot.settings.sources import parse_text

    home, plugins = Home(Path("/nonexistent/firstword-fuzz")), discover()

    def run(data: bytes) -> None:
        with suppress(SettingsError):
            values = parse_text(data, "config.json")
            build_settings(home, home.root / "config.json", values, {}, overrides={}, plugins=plugins)

    row = {
        "baseUrl": "http://127.0.0.1:1/v1",
        "api": "openai-completions",
        "apiKey": "${KEY}",
        "models": [{"id": "m"}],
    }
    whole = {
        "models": {"providers": {"mine": row}},
        "agents": {
            "defaults": {
                "model": {"primary": "mine/m", "fallbacks": ["mine/n"]},
                "models": {"mine/m": {"alias": "a"}},
            }
        },
        "channels": {"telegram": {"enabled": True, "accounts": {"main": {"token": "1:x", "allow": ["*"]}}}},
        "server": {"port": 1},
        "mcp": {"servers": {"s": {"command": "x", "args": []}}},
    }
    return Target(
        run, [orjson.dumps(whole), b"{}", b'{"channels": {"web": {"enabled": false}}, "limits": {}}']
    )


def control_line() -> Target:
    """A line at the daemon's control socket."""
    from bot.control import _answer

    async def method(_: Mapping[str, Any]) -> object:
        """Done."""

    def run(data: bytes) -> None:
        _use(asyncio.run(_answer(data, {"status": method})))

    return Target(run, [b'{"method":"status","params":{}}', b'{"method":[]}', b'["method"]', b"1"])


def mcp() -> Target:
    """What a server of tools writes: lines, and the result of a call."""
    from bot.mcp.lines import Lines, TooLong
    from bot.mcp.results import result_of

    def run(data: bytes) -> None:
        lines = Lines(2_000)
        for at in range(0, len(data), 7):
            for line in lines.feed(data[at : at + 7]):
                if isinstance(line, TooLong):
                    _use(line.answers)
                elif isinstance(value := _json(line), dict):
                    _use(result_of(value))

    seeds = [
        {
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "data": "AA==", "mimeType": "image/png"},
            ]
        },
        {
            "content": [{"type": "resource", "resource": {"uri": "a:b", "text": "c"}}],
            "structuredContent": {"a": [1]},
        },
    ]
    return Target(run, [orjson.dumps(seed) + b"\n" for seed in seeds])


def documents() -> Target:
    """Web pages and Office files, as the process that reads them does; a damaged one is a problem with a name."""
    from bot.media.filetypes import Family
    from bot.media.worker import read
    from tests.bot.media import files

    def run(data: bytes) -> None:
        _use(read(Family.HTML, data, 5_000, "utf-8"))
        if data[:2] == b"PK":
            _use(read(Family.OFFICE, data, 5_000, ""))

    return Target(
        run, [b"<html><body><p>a<br>b<script>c</script><table><tr><td>d</table>", files.docx("hello")]
    )


def _use(value: object) -> None:
    """Of what was made at least its `repr` can be had: logs and errors show it."""
    repr(value)


_ALL: tuple[Callable[[], Target], ...] = (
    *(telegram, discord, slack, matrix, web, api, sse, split),
    *(telegram_render, discord_render, slack_render, slack_mrkdwn, matrix_render),
    *(commands, conversation_key, config_file, control_line, mcp, documents),
)
TARGETS: Mapping[str, Callable[[], Target]] = {each.__name__: each for each in _ALL}
