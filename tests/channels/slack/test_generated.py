"""No payload, however odd, crashes the parser; what comes out of it can be stored."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channels.events import MAX_HANDLE_BYTES, ConversationKey
from channels.slack.calls import Api
from channels.slack.intake import Hooks, Intake
from channels.slack.interact import parse_command, parse_press
from channels.slack.memory import Memory, Names
from channels.slack.parse import _READERS, parse_event
from channels.slack.payload import Known, Parsed
from tests.channels.slack import payloads
from tests.channels.slack.hosts import KeepingHost
from tests.channels.slack.payloads import BOT, BOT_ID, CHANNEL, DIRECT, INLINE, LATER, ME, NOW, PERSON, TS
from tests.generated import generated

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_TEXTS = st.text(max_size=60) | st.sampled_from(
    [
        f"<@{BOT}>",
        f"<@{BOT}> hi",
        "<!channel>",
        "<#C1|x>",
        "<https://a.b|c>",
        "&lt;b&gt;",
        "<",
        "<@",
        "\ud83d",
        "",
    ]
)
_IDS = st.sampled_from([PERSON, BOT, CHANNEL, DIRECT, "USLACKBOT", "", "U\u00e9"]) | _JSON
_STAMPS = (
    st.sampled_from([TS, LATER, "0.0", "1.", ".1", "99999999999.999999", "\u0661.\u0661", "-1.0"]) | _JSON
)
_FILES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": _IDS,
            "name": _TEXTS | _JSON,
            "mimetype": st.sampled_from(["image/png", "x", ""]) | _JSON,
            "size": st.integers() | _JSON,
            "mode": st.sampled_from(["hosted", "tombstone"]) | _JSON,
            "subtype": st.sampled_from(["slack_audio"]) | _JSON,
            "url_private": st.sampled_from(["https://files.slack.com/f", "", "x" * 3000]) | _JSON,
        },
    )
    | _JSON,
    max_size=3,
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "user": _IDS,
        "bot_id": st.sampled_from([BOT_ID, "B1"]) | _JSON,
        "text": _TEXTS | _JSON,
        "ts": _STAMPS,
        "thread_ts": _STAMPS,
        "channel": _IDS,
        "channel_type": st.sampled_from(["im", "channel", "mpim"]) | _JSON,
        "subtype": st.sampled_from(["file_share", "thread_broadcast", "tombstone", "bot_message"]) | _JSON,
        "files": _FILES | _JSON,
        "attachments": st.lists(st.fixed_dictionaries({"is_share": st.booleans(), "text": _TEXTS | _JSON}))
        | _JSON,
        "edited": st.fixed_dictionaries({"ts": _STAMPS}) | _JSON,
        "event_ts": _STAMPS,
        "team": _IDS,
        "user_team": _IDS,
    },
)
_EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from([*_READERS, "other"]) | _JSON},
    optional={
        "subtype": st.sampled_from(["message_changed", "message_deleted", "file_share"]) | _JSON,
        "message": _MESSAGE | _JSON,
        "previous_message": _MESSAGE | _JSON,
        "deleted_ts": _STAMPS,
        "item": st.fixed_dictionaries({"type": st.just("message")}, optional={"channel": _IDS, "ts": _STAMPS})
        | _JSON,
        "reaction": st.sampled_from(["+1", "x::skin-tone-2", ""]) | _JSON,
        "inviter": _IDS,
        "actor_id": _IDS,
        "tab": st.sampled_from(["messages", "home"]) | _JSON,
        "assistant_thread": st.fixed_dictionaries(
            {}, optional={"user_id": _IDS, "channel_id": _IDS, "thread_ts": _STAMPS}
        )
        | _JSON,
        "streaming_message_ts": st.lists(_STAMPS, max_size=2) | _JSON,
        "tokens": st.fixed_dictionaries({}, optional={"bot": st.lists(_IDS, max_size=2) | _JSON}) | _JSON,
    },
)
_PRESS = st.fixed_dictionaries(
    {"type": st.sampled_from(["block_actions", "view_submission"]) | _JSON},
    optional={
        "user": st.fixed_dictionaries({}, optional={"id": _IDS, "team_id": _IDS, "name": _TEXTS}) | _JSON,
        "container": st.fixed_dictionaries({}, optional={"message_ts": _STAMPS, "channel_id": _IDS}) | _JSON,
        "channel": st.fixed_dictionaries({}, optional={"id": _IDS}) | _JSON,
        "message": _MESSAGE | _JSON,
        "actions": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "action_id": st.sampled_from(["firstword:stop", "firstword:", "x"]) | _JSON,
                    "action_ts": _STAMPS,
                },
            )
            | _JSON,
            max_size=2,
        )
        | _JSON,
        "response_url": _TEXTS | _JSON,
    },
)
_COMMAND = st.fixed_dictionaries(
    {},
    optional={
        "text": _TEXTS | st.sampled_from(["model fast", "/", "!!", "/ model"]) | _JSON,
        "user_id": _IDS,
        "channel_id": _IDS,
        "team_id": _IDS,
        "user_name": _TEXTS | _JSON,
        "trigger_id": st.sampled_from(["1700000000123.1.a", "x", ""]) | _JSON,
        "response_url": st.sampled_from(["https://hooks.slack.com/x", "x" * 3000]) | _JSON,
    },
)
_KNOWN = Known({PERSON: "Person"}, {f"{CHANNEL}:{TS}": LATER})


def check(parsed: Parsed) -> None:
    """Whatever came in: a reason or sound events, which survive being written down."""
    assert parsed.events or parsed.dropped or parsed.opened or parsed.revoked
    for event in parsed.events:
        assert event.event_key
        assert event.event_key.isprintable()
        assert ConversationKey.parse(str(event.address.key)) == event.address.key
        assert len(event.address.handle.encode()) <= MAX_HANDLE_BYTES
        text = getattr(event, "text", "")
        assert text.encode().decode() == text  # no half of a character


@generated
@given(_EVENT.flatmap(lambda event: _MESSAGE.map(lambda more: {**more, **event})))
def test_no_generated_event_crashes_the_parser(event: dict[str, Any]) -> None:
    for me in (ME, INLINE):
        check(parse_event(payloads.envelope(event), me, _KNOWN))


@generated
@given(_PRESS)
def test_no_generated_press_crashes_the_parser(payload: dict[str, Any]) -> None:
    check(parse_press(payload, ME))


@generated
@given(_COMMAND)
def test_no_generated_command_crashes_the_parser(payload: dict[str, Any]) -> None:
    check(parse_command(payload, ME, frozenset({"model"}), NOW))


@generated
@given(st.lists(_EVENT | _PRESS | _COMMAND | _JSON, max_size=4), st.booleans())
async def test_no_generated_payload_gets_stuck_on_its_way_to_the_host(
    payloads_: list[Any], has_room: bool
) -> None:
    with TemporaryDirectory() as folder:
        host = KeepingHost(Path(folder))
        host.room = lambda _: has_room
        memory = Memory(host)
        names = Names(Api("xoxb-1", "http://127.0.0.1:9/"), memory, lambda: 0.0, 1.0)
        hooks = Hooks(_ignore, _ignored, _ignore, _ignore, _ignore, _ignore, _ignored)
        intake = Intake(ME, host, memory, names, hooks, follow_ups=True, now=lambda: 1.7e9)
        for payload in payloads_:
            for kind in ("events_api", "slash_commands", "interactive", "hello"):
                parsed = await intake.read(kind, payloads.envelope(payload))
                outcome = await intake.settle(parsed)
                assert outcome.is_taken is (has_room or not parsed.events)


def _ignore(*_: object) -> None:
    """What else follows is of no interest here."""


async def _ignored(*_: object) -> None:
    """As `_ignore`, where it is waited for."""


@generated
@given(_JSON)
def test_no_generated_json_crashes_the_parser(payload: Any) -> None:
    check(parse_event(payload, ME, _KNOWN))
    check(parse_press(payload, ME))
    check(parse_command(payload, ME, frozenset(), NOW))
