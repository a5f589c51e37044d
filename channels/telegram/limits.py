"""What Telegram takes at an address, as data: streaming, lengths, write budgets. Pure.

Sources: core.telegram.org/bots/faq "My bot is hitting limits" (2026-11): about one message a second in a chat, short
bursts allowed; 20 a minute in a group; about 30 a second in all. Edits count like sends (tdlib/td#3034), topics share
the budget of their group. For drafts no limit is published; twice or three times a second is what bots run with.
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
    WriteBudget,
)
from channels.events import Address
from channels.telegram.rich import MAX_RICH
from channels.telegram.settings import Limits, RichMode, StreamMode, TelegramSettings
from channels.telegram.text import MAX_TEXT

_SENDS = frozenset({Operation.SEND, Operation.EDIT})
# Forum groups report that chat actions draw on the same 20 a minute.
_GROUP_WRITES = _SENDS | {Operation.TYPING}
_EDITS = frozenset({Operation.EDIT})
_DRAFTS = frozenset({Operation.STREAM})

# One a second in a chat after a short burst; a little below, as the two clocks never agree.
CHAT_RATE, CHAT_BURST = 0.95, 3
# 20 in any 60 s: a bucket lets through burst + 60 * rate in the worst minute, and that has to be 20.
GROUP_RATE, GROUP_BURST = 0.25, 5
# 30 in any second for the whole bot, by the same sum.
TOKEN_RATE, TOKEN_BURST = 25.0, 5
# Two, so that one is always left for the final text.
EDIT_BURST = 2
DRAFT_BURST = 3
GROUP_EDIT_SECONDS, PRIVATE_EDIT_SECONDS, DRAFT_SECONDS = 3.0, 1.0, 0.4
# Bot API docs, sendChatAction: the status is set for 5 seconds or less.
TYPING_SECONDS = 5.0
_REMEMBERED = 1024


def is_private(address: Address) -> bool:
    """Whether the chat is with one person: their ids are positive, those of groups negative."""
    return not address.key.space.startswith("-")


def chat_scope(address: Address) -> str:
    """The name of the budget of one chat, all topics of it together."""
    return f"chat:{address.key.space}"


def draft_scope(address: Address) -> str:
    """The name of the budget of a private chat's previews."""
    return f"draft:{address.key.space}"


class Offers:
    """What one account offers, by address.

    Remembers chats in which drafts were refused, and that the server knows no rich messages: the first refusal
    settles that until the process ends.
    """

    def __init__(self, settings: TelegramSettings) -> None:
        self._settings = settings
        self.has_rich = settings.rich is not RichMode.OFF
        self._without_drafts: dict[str, None] = {}
        self._made: dict[str, Capabilities] = {}

    def at(self, address: Address) -> Capabilities:
        """The capabilities there."""
        space = address.key.space
        found = self._made.get(space)
        if found is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            found = self._made[space] = self._make(address)
        return found

    def forget_drafts(self, address: Address) -> None:
        """Stream by edits there from now on."""
        if len(self._without_drafts) >= _REMEMBERED:
            self._without_drafts.clear()
        self._without_drafts[address.key.space] = None
        self._made.pop(address.key.space, None)

    def forget_rich(self) -> None:
        """The server knows no rich messages: everything goes with entities from now on."""
        self.has_rich = False
        self._made.clear()

    def _streaming(self, address: Address) -> Streaming:
        mode = self._settings.stream
        if mode is StreamMode.OFF:
            return Streaming.NONE
        if is_private(address) and mode is not StreamMode.EDITS:
            if address.key.space not in self._without_drafts:
                return Streaming.NATIVE
            return Streaming.EDIT if mode is StreamMode.AUTO else Streaming.NONE
        return Streaming.NONE if mode is StreamMode.DRAFTS else Streaming.EDIT

    def _make(self, address: Address) -> Capabilities:
        streaming = self._streaming(address)
        return Capabilities(
            latency=LatencyClass.SEMI_SYNC,
            streaming=streaming,
            markup=Markup.RICH,
            max_text=MAX_RICH if self.has_rich else MAX_TEXT,
            unit=LengthUnit.UTF16,
            budgets=self._budgets(address, streaming),
            typing_ttl=TYPING_SECONDS,
            preview=streaming is Streaming.NATIVE,
            threads=True,
            reactions=True,
            signs=True,
            buttons=self._settings.buttons,
            deletes=True,
            attachments_in=True,
            send_key=SendKey.NONE,
        )

    def _budgets(self, address: Address, streaming: Streaming) -> tuple[WriteBudget, ...]:
        settings, scope = self._settings, chat_scope(address)
        found = []
        if settings.limits is Limits.TELEGRAM:
            if is_private(address):
                found.append(WriteBudget(scope, _SENDS, CHAT_RATE, CHAT_BURST))
            else:
                found.append(WriteBudget(scope, _GROUP_WRITES, GROUP_RATE, GROUP_BURST))
            found.append(WriteBudget("token", _SENDS, TOKEN_RATE, TOKEN_BURST))
        if streaming is not Streaming.NONE:  # edits also go on where drafts fail
            usual = PRIVATE_EDIT_SECONDS if is_private(address) else GROUP_EDIT_SECONDS
            every = settings.edit_interval or usual
            found.append(WriteBudget(f"edits:{address.key.space}", _EDITS, 1.0 / every, EDIT_BURST))
        if streaming is Streaming.NATIVE:
            every = settings.draft_interval or DRAFT_SECONDS
            found.append(WriteBudget(draft_scope(address), _DRAFTS, 1.0 / every, DRAFT_BURST))
        return tuple(found)
