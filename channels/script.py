"""What a reply writes next: the pure half of delivery. Text, time and outcomes come in, one step at a time goes out.

    step = script.next(now)             Wait, End, or a Step to carry out; its tokens are taken
    script.done(step, sent, now)        it worked
    script.failed(step, error, now)     it did not; the next step says what follows

No I/O, no clock. channels.delivery carries the steps out.
"""

from __future__ import annotations

from collections.abc import Sequence

from channels.capabilities import Capabilities, Operation, SendKey, Streaming
from channels.errors import (
    ChannelError,
    Gone,
    GoneWhat,
    NotAuthorized,
    RateLimited,
    Refused,
    TooLong,
    Unavailable,
)
from channels.events import Sent
from channels.journal import SentPart
from channels.markup import clean, close, is_blank, missing_from
from channels.pacing import Budgets, EditPacer, Priority
from channels.parts import Part, Plan
from channels.split import measure
from channels.steps import Abilities, End, Kind, Next, Shown, Step, Wait

DASH = "\u2013"  # what a message that is not needed any more reads, where it cannot be deleted
SMALLEST_BLOCK = 200  # characters; shorter paragraphs share a message (Streaming.BLOCK)
SHORT_FIRST = 16  # characters; a first text below this may be held back by `hold`
PATIENCE = 60.0  # how long a finished answer is offered to a channel that cannot be reached
LIMITED_PATIENCE = 300.0  # ... or that asks to wait; Telegram bans of 30-237 s were reported (2023-2026)
LONGEST_BACKOFF = 30.0
STREAM_SHARE = 0.8  # a native stream is closed by us after this share of its lifetime
WINDOW_MARGIN = 1.0  # seconds before the end of an edit window after which we do not edit any more


class Script:
    """One reply's course. `hold`: seconds that a very short first text may wait for more."""

    __slots__ = (
        "_abilities",
        "_buckets",
        "_chunks",
        "_failures",
        "_final",
        "_front",
        "_held_until",
        "_hold",
        "_mode",
        "_next_part",
        "_pacer",
        "_plan",
        "_text",
        "_trouble",
        "capabilities",
        "edits",
        "error",
        "is_visible",
        "maybe_doubled",
        "shown",
        "visible_end",
    )

    def __init__(
        self,
        capabilities: Capabilities,
        abilities: Abilities,
        buckets: Budgets,
        resumed: Sequence[SentPart] = (),
        hold: float = 0.0,
    ) -> None:
        self.capabilities = capabilities
        self.error: ChannelError | None = None
        self.shown = [
            Shown(old.part, old.message_id, old.send_key, old.text, old.text, is_sent=True, is_resumed=True)
            for old in resumed
        ]
        self.edits = 0
        self.maybe_doubled = 0
        self.visible_end = 0
        self.is_visible = bool(self.shown)
        self._abilities = abilities
        self._buckets = buckets
        self._mode = _mode(capabilities.streaming, abilities)
        self._plan = Plan(capabilities.max_text, capabilities.unit)
        self._pacer = EditPacer()
        self._hold = hold
        self._held_until: float | None = None
        self._chunks: list[str] = []
        self._text = ""
        self._final: str | None = None
        self._front = 0  # the messages before this one read what they have to
        self._next_part = max((old.part for old in resumed), default=-1) + 1
        self._trouble: float | None = None
        self._failures = 0

    # What is said.

    def write(self, delta: str) -> None:
        """The answer goes on."""
        self._chunks.append(delta)

    def replace(self, text: str) -> None:
        """The answer is now this."""
        self._chunks = [text]
        self._text = ""
        self._plan.reset()
        self._front = self.visible_end = 0
        for shown in self.shown:
            shown.end = 0

    def finish(self, closing: str) -> None:
        """The answer is whole; `closing` goes under it."""
        self._final = ""
        body = self.text.rstrip()
        note = clean(closing).strip()
        if note:
            body = note if is_blank(body) else f"{close(body)}\n\n{note}"
        self._final = "" if is_blank(body) else close(body)

    @property
    def text(self) -> str:
        """All that was written, cleaned."""
        if self._chunks:
            raw = "".join(self._chunks)
            self._chunks.clear()
            if self._final is None and (raw[-1:] == "\r" or "\ud800" <= raw[-1:] <= "\udbff"):
                self._chunks.append(raw[-1])  # its other half may be on its way
                raw = raw[:-1]
            self._text += clean(raw)
        return self._text

    @property
    def final(self) -> str | None:
        """The whole text with its closing note, once `finish` was called."""
        return self._final

    @property
    def visible(self) -> str:
        """As much of the answer as a person can see."""
        return (self._text if self._final is None else self._final)[: self.visible_end]

    # What comes next.

    def next(self, now: float) -> Next:
        """The next step; it must be carried out and reported, or the reply be given up."""
        if self.error is not None:
            return End()
        is_final = self._final is not None
        text = self.text if self._final is None else self._final
        if not is_final and self._mode is Streaming.NONE:
            return Wait(None)
        if is_final and not self._abilities.edits:
            self._adopt(text)
        if is_final or self._mode is not Streaming.BLOCK:
            self._plan.grow(text, is_final=is_final, floor=self._floor())
        step = self._in_order(text, now, is_final=is_final)
        if step is None and not is_final and self._mode is Streaming.BLOCK:
            step = self._next_block(text, now)
        if step is None and is_final:
            step = self._leftover(now) or End()
        return step or Wait(None)

    def _in_order(self, text: str, now: float, *, is_final: bool) -> Next | None:
        """What the first message needs that does not read what it should."""
        while True:
            index = self._front
            is_open = index >= len(self._plan.closed)
            if is_open and self._mode is Streaming.BLOCK and not is_final:
                return None
            part = self._open(text, is_final=is_final) if is_open else self._plan.closed[index]
            if part is None:
                return None
            is_whole = is_final or not is_open
            shown = self.shown[index] if index < len(self.shown) else None
            if shown is None or not shown.is_sent or (shown.is_gone and is_whole):
                step = self._new_message(index, part, now, is_whole=is_whole)
            elif shown.stream is not None:
                step = self._in_stream(shown, part, now, is_whole=is_whole)
            elif shown.text == part.text or shown.is_gone:
                step = None
            elif is_whole and not self._can_edit(shown, now):
                self._plan.fix(index, text, max(shown.end, part.start), shown.text)
                continue
            else:
                step = self._edit(shown, part, now, is_whole=is_whole)
            if step is not None or is_open:
                return step
            self._front += 1

    def _open(self, text: str, *, is_final: bool) -> Part | None:
        is_raw = self._mode is Streaming.NATIVE and not self.capabilities.replaceable
        return self._plan.open(text, is_final=is_final, is_raw=is_raw)

    def _new_message(self, index: int, part: Part, now: float, *, is_whole: bool) -> Next | None:
        kind, operation = Kind.SEND, Operation.SEND
        if not is_whole:
            if self._mode is Streaming.NATIVE:
                kind, operation = Kind.START, Operation.STREAM
            elif self._mode is not Streaming.EDIT:
                return None
            if (held := self._held(part, now)) is not None:
                return held
        look_first = index < len(self.shown) and self.shown[index].look_first
        step = _step(kind, operation, index, part, delta=part.raw, is_whole=is_whole, look_first=look_first)
        return self._when(step, self._priority(), now)

    def _edit(self, shown: Shown, part: Part, now: float, *, is_whole: bool) -> Next | None:
        if not is_whole:
            limit = self.capabilities.max_edits
            if self._mode not in {Streaming.EDIT, Streaming.NATIVE} or not self._can_edit(shown, now):
                return None
            if limit is not None and shown.edits >= limit - 1:
                return None  # the last edit is kept for the end
            if shown.is_resumed and len(part.text) < len(shown.text):
                return None  # what stands is longer; it goes when there is as much again
        step = _step(Kind.EDIT, Operation.EDIT, self._front, part, is_whole=is_whole)
        return self._when(step, self._priority(), now)

    def _in_stream(self, shown: Shown, part: Part, now: float, *, is_whole: bool) -> Next | None:
        lifetime = self.capabilities.stream_lifetime
        rest = None if lifetime is None else shown.since + STREAM_SHARE * lifetime - now
        delta = part.raw[len(shown.raw) :] if part.raw.startswith(shown.raw) else None
        if is_whole or (rest is not None and rest <= 0):
            operation = Operation.SEND if self.capabilities.preview else Operation.STREAM
            step = _step(Kind.CLOSE, operation, self._front, part, delta=delta, is_whole=is_whole)
            return self._when(step, self._priority(), now)
        if shown.raw == part.raw or (delta is None and not self.capabilities.replaceable):
            return None if rest is None else Wait(rest)
        step = _step(Kind.UPDATE, Operation.STREAM, self._front, part, delta=delta)
        due = self._when(step, Priority.EDIT, now)
        if isinstance(due, Wait) and rest is not None and due.seconds is not None:
            return Wait(min(due.seconds, rest))
        return due

    def _next_block(self, text: str, now: float) -> Next | None:
        if self._plan.block(text, SMALLEST_BLOCK) is None:
            self._plan.grow(text, is_final=True)  # a block that is longer than a message
            return self._in_order(text, now, is_final=False)
        wait = self._wait(Operation.SEND, self._priority(), now)
        if wait > 0:
            return Wait(wait)  # by then there may be more blocks for one message
        self._plan.close_block(text, SMALLEST_BLOCK)
        return self._in_order(text, now, is_final=False)

    def _leftover(self, now: float) -> Next | None:
        """Take back the messages of an earlier, longer answer that this one does not need."""
        needed = self._front + (1 if self._open(self._final or "", is_final=True) else 0)
        while len(self.shown) > needed:
            index = len(self.shown) - 1
            shown = self.shown[index]
            if shown.is_sent and not shown.is_gone:
                if self._abilities.deletes and self.capabilities.deletes:
                    return self._when(Step(Kind.REMOVE, Operation.DELETE, index), Priority.FINAL, now)
                if self._can_edit(shown, now) and shown.text != DASH:
                    step = Step(Kind.EDIT, Operation.EDIT, index, DASH, DASH, end=self.visible_end)
                    return self._when(step, Priority.FINAL, now)
            self.shown.pop()
        return None

    # When.

    def _priority(self) -> Priority:
        if self._final is not None:
            return Priority.FINAL
        return Priority.EDIT if self.is_visible else Priority.FIRST

    def _wait(self, operation: Operation, priority: Priority, now: float) -> float:
        return self._pacer.wait(self._buckets, self.capabilities.budgets, operation, priority, now)

    def _when(self, step: Step, priority: Priority, now: float) -> Next:
        wait = self._wait(step.operation, priority, now)
        if wait <= 0:
            self._pacer.wrote(self._buckets, self.capabilities.budgets, step.operation, now)
            if step.index == len(self.shown):
                self.shown.append(Shown(self._number()))
            return step
        if self._final is not None and wait > LIMITED_PATIENCE:
            self.error = RateLimited(wait, detail="the channel's limits leave no room for the answer")
            return End()
        return Wait(wait)

    def _held(self, part: Part, now: float) -> Wait | None:
        """A first text of a few letters waits, if the caller asked for that."""
        if self._hold <= 0 or self.is_visible or len(part.text) >= SHORT_FIRST:
            return None
        if self._held_until is None:
            self._held_until = now + self._hold
        return Wait(self._held_until - now) if now < self._held_until else None

    # What may be.

    def _can_edit(self, shown: Shown, now: float) -> bool:
        window, limit = self.capabilities.edit_window, self.capabilities.max_edits
        if not self._abilities.edits or shown.is_frozen or (limit is not None and shown.edits >= limit):
            return False
        return window is None or shown.is_resumed or now < shown.since + window - WINDOW_MARGIN

    def _floor(self) -> int:
        """How far the open stream has shown the text, where nothing can be taken back."""
        if self.capabilities.replaceable or self._front >= len(self.shown):
            return 0
        shown = self.shown[self._front]
        return shown.end if shown.stream is not None else 0

    def _adopt(self, text: str) -> None:
        """Without edits, messages of an earlier life count only where the new answer begins with them."""
        if not any(shown.is_resumed for shown in self.shown):
            return
        kept: list[Shown] = []
        position = 0
        for index, shown in enumerate(self.shown):
            start = len(text) - len(text[position:].lstrip())
            if not shown.text or not text.startswith(shown.text, start):
                break
            position = shown.end = start + len(shown.text)
            shown.is_resumed = False
            self._plan.fix(index, text, position, shown.text)
            kept.append(shown)
        self.shown = kept

    def _number(self) -> int:
        self._next_part += 1
        return self._next_part - 1

    # What became of it.

    def done(self, step: Step, sent: Sent | None, now: float) -> None:
        """The step was carried out."""
        self._failures = 0
        self._trouble = None
        shown = self.shown[step.index]
        if step.kind is Kind.REMOVE:
            shown.is_gone = True
            return
        if step.kind in {Kind.SEND, Kind.START}:
            shown.since = now
            shown.edits = 0
        else:
            shown.edits += 1
            self.edits += 1
        if sent is not None and (step.kind is not Kind.START or not self.capabilities.preview):
            shown.message_id = sent.id
        shown.stream = sent.id if step.kind is Kind.START and sent is not None else shown.stream
        if step.kind is Kind.CLOSE:
            shown.stream = None
        shown.is_sent = self.is_visible = True
        shown.is_gone = shown.is_resumed = shown.look_first = False
        shown.text, shown.raw, shown.end = step.text, step.raw, step.end
        self.visible_end = max(self.visible_end, step.end)
        if step.is_whole and sent is not None and sent.shown is not None:
            self._compare(shown, step, sent.shown, now)
        elif step.kind is Kind.CLOSE and not step.is_whole and not self._can_edit(shown, now):
            self._plan.fix(step.index, self.text, step.end, step.text)

    def _compare(self, shown: Shown, step: Step, echo: str, now: float) -> None:
        """Repair what does not read what it should: by an edit, else the missing words go into a further message."""
        missing = missing_from(step.text, echo)
        if missing is None:
            return
        shown.repairs += 1
        if shown.repairs == 1 and self._can_edit(shown, now):
            shown.text = ""
            return
        place = step.origin + missing
        if missing > 0 and place < step.end:
            self._plan.fix(step.index, self.text if self._final is None else self._final, place, step.text)

    def failed(self, step: Step, error: ChannelError, now: float) -> None:
        """The step was not carried out, or nobody knows."""
        shown = self.shown[step.index]
        self._trouble = now if self._trouble is None and self._final is not None else self._trouble
        if isinstance(error, RateLimited):
            self._limited(step, error, now)
        elif isinstance(error, NotAuthorized) or (
            isinstance(error, Gone) and error.what is GoneWhat.CONVERSATION
        ):
            self.error = error
        elif step.kind is Kind.REMOVE or step.text == DASH:
            shown.is_gone = True  # it was not needed; it stays
        elif isinstance(error, TooLong):
            if not self._plan.narrow(step.index, measure(step.text, self.capabilities.unit)):
                self.error = error
            self._front = min(self._front, step.index)
        elif step.kind in {Kind.START, Kind.UPDATE, Kind.CLOSE}:
            self._stream_failed(step, shown, error, now)
        elif isinstance(error, Unavailable):
            self._unreachable(step, shown, error, now)
        elif step.kind is Kind.EDIT and isinstance(error, Gone):
            self._gone(shown)
        elif step.kind is Kind.EDIT and isinstance(error, Refused):
            shown.is_frozen = True
        else:
            self.error = error

    def _limited(self, step: Step, error: RateLimited, now: float) -> None:
        self._buckets.limited(self.capabilities.budgets, step.operation, error.scope, error.retry_after, now)
        self._pacer.bar(error.retry_after, now)
        if self._trouble is not None and now + error.retry_after - self._trouble > LIMITED_PATIENCE:
            self.error = error

    def _unreachable(self, step: Step, shown: Shown, error: Unavailable, now: float) -> None:
        self._pacer.bar(min(LONGEST_BACKOFF, 0.5 * 2**self._failures), now)
        self._failures += 1
        if self._trouble is not None and now - self._trouble > PATIENCE:
            self.error = error
        if step.kind is not Kind.EDIT and error.maybe_sent:
            self._unsure(shown, error)

    def _unsure(self, shown: Shown, error: ChannelError) -> None:
        """It may stand or not. Without a key and without looking, one more try is the lesser evil."""
        if self.capabilities.send_key is SendKey.READBACK:
            shown.look_first = True
        elif self.capabilities.send_key is SendKey.NONE:
            shown.tries += 1
            if shown.tries > 1:
                self.error = error
            else:
                self.maybe_doubled += 1

    def _stream_failed(self, step: Step, shown: Shown, error: ChannelError, now: float) -> None:
        """A native stream does not go on: what it showed is gone on with by messages and edits."""
        is_preview = self.capabilities.preview
        unreachable = isinstance(error, Unavailable)
        if step.kind is Kind.UPDATE and unreachable and is_preview and self._failures < 3:
            self._unreachable(step, shown, Unavailable(error.detail), now)
            return
        self._mode = Streaming.EDIT if self._abilities.edits else Streaming.NONE
        shown.stream = None
        if step.kind is Kind.START or is_preview:
            shown.is_sent = False
            if unreachable:
                self._unreachable(step, shown, Unavailable(error.detail), now)
        if isinstance(error, Unavailable) and error.maybe_sent and self._is_lasting(step):
            self._unsure(shown, error)
        if isinstance(error, Gone) and shown.is_sent:
            self._gone(shown)

    def _is_lasting(self, step: Step) -> bool:
        return step.kind is (Kind.CLOSE if self.capabilities.preview else Kind.START)

    def _gone(self, shown: Shown) -> None:
        """Somebody deleted it. The final is sent once as a new message, under a key of its own."""
        shown.is_gone = True
        shown.part = self._number()
        shown.send_key = ""
        shown.text = ""


def _mode(streaming: Streaming, abilities: Abilities) -> Streaming:
    """How it is really streamed: what is declared, as far as the ability is there."""
    if streaming is Streaming.NATIVE and not abilities.streams:
        streaming = Streaming.EDIT
    if streaming is Streaming.EDIT and not abilities.edits:
        streaming = Streaming.NONE
    return streaming


def _step(
    kind: Kind,
    operation: Operation,
    index: int,
    part: Part,
    *,
    delta: str | None = None,
    is_whole: bool = False,
    look_first: bool = False,
) -> Step:
    return Step(
        kind, operation, index, part.text, part.raw, delta, part.end, part.origin, is_whole, look_first
    )
