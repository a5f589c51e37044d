"""Whatever an app sends, the fake Slack answers in Slack's own form and keeps its state whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.slack.peer.app import App
from tests.channels.slack.peer.methods import METHODS
from tests.channels.slack.peer.state import Identity, Message
from tests.channels.slack.peer.wire import ApiError, Args

DM = "D0000001"
PERSON = "U0PERSON01"
HEAD = "1700000000.000001"

_KINDS = ("section", "actions", "markdown", "header", "context", "rich_text", "divider", "button", "mrkdwn")
_NAMES = (
    "type",
    "text",
    "elements",
    "fields",
    "accessory",
    "action_id",
    "value",
    "style",
    "block_id",
    "blocks",
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(_KINDS)
    | st.text("a<!@&>`*[", max_size=9)
)
_json = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)
_block = st.fixed_dictionaries({"type": st.sampled_from(_KINDS)}, optional=dict.fromkeys(_NAMES[1:], _json))
_args = st.fixed_dictionaries(
    {
        "channel": st.sampled_from([DM, DM, DM, "C9", 5, None]),
        "channel_id": st.just(DM),
        "ts": st.sampled_from(["own", "stream", HEAD, "", "x"]),
        "thread_ts": st.sampled_from([HEAD, HEAD, "own", "", "x", 3]),
        "user_id": st.just(PERSON),
        "timestamp": st.just(HEAD),
    },
    optional={
        "user": st.sampled_from([PERSON, "U9"]),
        "text": _json,
        "markdown_text": _json,
        "blocks": st.lists(_block, max_size=3) | _json,
        "chunks": st.lists(st.fixed_dictionaries({"type": st.just("blocks"), "blocks": _json})) | _json,
        "metadata": _json,
        "prompts": _json,
        "loading_messages": _json,
        "status": _json,
        "title": _json,
        "view": _json,
        "limit": _json,
        "cursor": _json,
        "oldest": _json,
        "users": _json,
        "types": _json,
    },
)


def standing() -> tuple[App, dict[str, str]]:
    """A direct message with a question, an answer of ours and an open stream."""
    app = App(Identity.number(1), "http://127.0.0.1:1", limited=False, lean=False)
    app.workspace.settings.echo = False
    channel = app.workspace.channel(DM, PERSON)
    channel.messages[HEAD] = Message(HEAD, PERSON, text="hello")
    own = METHODS["chat.postMessage"](app, Args({"channel": DM, "text": "own"}))
    stream = METHODS["chat.startStream"](app, Args({"channel": DM, "thread_ts": HEAD}))
    return app, {"own": own["ts"], "stream": stream["ts"]}


def shown(app: App) -> dict[str, str]:
    return {ts: message.shown for ts, message in app.workspace.channels[DM].messages.items()}


def refusal(app: App, method: str, args: Args) -> str:
    """The error of a call, "" when it is granted."""
    try:
        METHODS[method](app, args)
    except ApiError as error:
        return error.error
    return ""


@pytest.mark.slow  # thousands of nested values are drawn
@given(st.lists(st.tuples(st.sampled_from(sorted(METHODS)), _args), min_size=1, max_size=5))
def test_any_call_is_granted_or_refused_by_name(calls: list[tuple[str, dict[str, Any]]]) -> None:
    app, known = standing()
    for method, given_args in calls:
        args = {
            name: known.get(value, value) if isinstance(value, str) else value
            for name, value in given_args.items()
        }
        before = shown(app)
        error = refusal(app, method, Args(args))
        if error:
            assert error.replace("_", "").isalnum() and shown(app) == before
    for message in app.workspace.channels[DM].messages.values():
        assert message.ts == HEAD or message.text.strip() or message.blocks or message.state
