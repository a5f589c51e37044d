"""What Slack takes at an address, as data: streaming, lengths, write budgets. Pure.

Sources: Slack docs "Rate limits" and the methods' own pages (2026-11): counted for each method, app and workspace;
chat.postMessage one a second in a channel with short bursts, chat.update and chat.delete Tier 3 (50 a minute),
chat.appendStream Tier 4 (100 a minute), chat.startStream and chat.stopStream Tier 2 (20 a minute),
assistant.threads.setStatus special (600 a minute). A bucket lets through burst + 60 * rate in the worst minute.
"""

from __future__ import annotations

from channels.capabilities import (
    Capabilities,
    LatencyClass,
    LengthUnit,
    Markup,
    Operation,
    SendKey,
    Streaming,
    Surface,
    WriteBudget,
)
from channels.events import Address
from channels.slack.payload import read_handle
from channels.slack.render import MAX_MARKDOWN
from channels.slack.settings import SlackSettings, StreamMode

POST_RATE, POST_BURST = 0.95, 3
UPDATE_RATE, UPDATE_BURST = 0.66, 10
APPEND_RATE, APPEND_BURST = 1.4, 15
DELETE_RATE, DELETE_BURST = 0.66, 10
STATUS_RATE, STATUS_BURST = 5.0, 20
# Two of the bucket that all answers of a workspace share would starve each other: one message has its own, below.
EDIT_SECONDS, EDIT_BURST = 1.2, 2
# A streamed message is refused with msg_too_long at about 10.6 to 12 thousand bytes in all, not in each call
# (CopilotKit/CopilotKit#6064, openclaw/openclaw#143882, 2026); below it with room for what rendering adds.
MAX_STREAM_BYTES = 10_000
# Closed by Slack five minutes after its start, appends or not (slackapi/python-slack-sdk#1859, 2026-04).
STREAM_SECONDS = 300.0
# Slack docs, assistant.threads.setStatus: removed after two minutes without a message.
STATUS_SECONDS = 120.0
# Slack docs, "Slash commands", response_url: five answers within 30 minutes.
COMMAND_ANSWERS = 5

_SEND, _EDIT = frozenset({Operation.SEND}), frozenset({Operation.EDIT})
_STREAM, _TYPING = frozenset({Operation.STREAM}), frozenset({Operation.TYPING})
_DELETE = frozenset({Operation.DELETE})
_REMEMBERED = 1024


class Offers:
    """What one account offers, by address; remembers what the workspace refused."""

    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, bool, Surface, bool], Capabilities] = {}
        self._no_status = False

    def at(self, address: Address) -> Capabilities:
        """The capabilities there."""
        key = address.key
        streams = self._can_stream(address)
        index = (key.space, key.thread is not None, address.surface, streams)
        found = self._made.get(index)
        if found is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            found = self._made[index] = self._make(address, streams=streams)
        return found

    def forget_status(self) -> None:
        """Show no status line any more: the workspace or the scopes do not allow it."""
        self._no_status = True
        self._made.clear()

    def _can_stream(self, address: Address) -> bool:
        """A stream always answers somebody in a thread (docs, chat.startStream: invalid_thread_ts elsewhere)."""
        if self._settings.stream is not StreamMode.AUTO or address.surface is Surface.COMMAND:
            return False
        if address.key.thread is None:
            return False
        # Outside direct messages Slack wants to know for whom (docs, chat.startStream: missing_recipient_user_id).
        return address.key.space.startswith("D") or "u" in read_handle(address.handle)

    def _make(self, address: Address, *, streams: bool) -> Capabilities:
        if address.surface is Surface.COMMAND:
            return self._command(address)
        is_direct, is_thread = address.key.space.startswith("D"), address.key.thread is not None
        streaming = Streaming.NATIVE if streams else Streaming.EDIT
        if self._settings.stream is StreamMode.OFF:
            streaming = Streaming.NONE
        has_status = is_thread and bool(self._settings.status_text) and not self._no_status
        return Capabilities(
            latency=LatencyClass.SEMI_SYNC if is_direct else LatencyClass.ASYNC,
            streaming=streaming,
            markup=Markup.RICH,
            max_text=MAX_STREAM_BYTES if streams else MAX_MARKDOWN,
            unit=LengthUnit.UTF8 if streams else LengthUnit.UTF16,
            budgets=self._budgets(address, streaming),
            typing_ttl=STATUS_SECONDS if has_status else None,
            stream_lifetime=STREAM_SECONDS if streams else None,
            replaceable=not streams,
            threads=True,
            reactions=True,
            signs=True,
            buttons=self._settings.buttons,
            deletes=True,
            attachments_in=True,
            # No documented key; metadata could be read back, but no page says how soon (2026-11).
            send_key=SendKey.NONE,
        )

    @staticmethod
    def _command(address: Address) -> Capabilities:
        """An answer that only the person sees who gave the command: whole, a few messages."""
        return Capabilities(
            latency=LatencyClass.SYNC,
            streaming=Streaming.NONE,
            max_text=MAX_MARKDOWN,
            unit=LengthUnit.UTF16,
            budgets=(WriteBudget(f"command:{address.key.space}", _SEND, 1.0, COMMAND_ANSWERS),),
            deletes=True,
            attachments_in=True,
            send_key=SendKey.NONE,
        )

    @staticmethod
    def _budgets(address: Address, streaming: Streaming) -> tuple[WriteBudget, ...]:
        space = address.key.space
        found = [
            WriteBudget(post_scope(space), _SEND, POST_RATE, POST_BURST),
            WriteBudget("update", _EDIT, UPDATE_RATE, UPDATE_BURST),
            WriteBudget("delete", _DELETE, DELETE_RATE, DELETE_BURST),
            WriteBudget("status", _TYPING, STATUS_RATE, STATUS_BURST),
        ]
        if streaming is Streaming.NATIVE:
            found.append(WriteBudget("stream", _STREAM, APPEND_RATE, APPEND_BURST))
        if streaming is not Streaming.NONE:  # edits also go on where a stream has ended
            place = space if address.key.thread is None else f"{space}:{address.key.thread}"
            found.append(WriteBudget(f"edits:{place}", _EDIT, 1.0 / EDIT_SECONDS, EDIT_BURST))
        return tuple(found)


def post_scope(space: str) -> str:
    """The name of the budget of one channel's new messages."""
    return f"post:{space}"
