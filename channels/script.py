"""What a reply writes next: the pure half of delivery. Text, time and outcomes come in, one step at a time goes out.

    step = script.next(now)             Wait, End, or a Step to carry out; its tokens are taken
    script.done(step, sent, now)        it worked
    failed(script, step, error, now)    it did not (channels.outcome); the next step says what follows

No I/O, no clock. channels.delivery carries the steps out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from channels.capabilities import Capabilities, Operation, SendKey, Streaming
from channels.errors import ChannelError, RateLimited
from channels.events import Action, Sent
from channels.journal import SentPart
from channels.markup import is_blank, is_other, missing_from, reached_by
from channels.pacing import Budgets, EditPacer, Priority
from channels.parts import Part, Plan
from channels.steps import Abilities, End, Kind, Next, Past, Shown, Step, Wait
from channels.wording import Wording

DASH = "\u2013"  # what a message that is not needed any more reads, where it cannot be deleted
SMALLEST_BLOCK = 200  # characters; shorter paragraphs share a message (Streaming.BLOCK)
SHORT_FIRST = 16  # characters; a first text below this may be held back by `hold`
LIMITED_PATIENCE = (
    300.0  # how long a finished answer waits for its turn; Telegram bans of 30-237 s were reported
)
STREAM_SHARE = 0.8  # a native stream is closed by us after this share of its lifetime
EDITS_FOR_STATUS = 4  # a channel that takes no more than these has none to spare for a word
WINDOW_MARGIN = 1.0  # seconds before the end of an edit window after which we do not edit any more


class Script:
    """One reply's course. `hold`: seconds that a very short first text may wait for more.

    `running`: the buttons under the last message while the answer grows; `finished` those under the whole answer.
    `status`: a word that stands in for the answer until there is some of it; it counts as nothing shown.
    """

    __slots__ = (
        "_held_until",
        "_hold",
        "_next_part",
        "_past",
        "abilities",
        "buckets",
        "capabilities",
        "edits",
        "error",
        "failures",
        "finished",
        "front",
        "is_begun",
        "is_visible",
        "maybe_doubled",
        "mode",
        "pacer",
        "plan",
        "running",
        "shown",
        "status",
        "trouble",
        "visible_end",
        "wording",
    )

    def __init__(
        self,
        capabilities: Capabilities,
        abilities: Abilities,
        buckets: Budgets,
        resumed: Sequence[SentPart] = (),
        past: Past | None = None,
        hold: float = 0.0,
    ) -> None:
        self.capabilities = capabilities
        self.running: tuple[Action, ...] = ()
        self.finished: tuple[Action, ...] = ()
        self.abilities = abilities
        self.buckets = buckets
        self.mode = _mode(capabilities.streaming, abilities)
        self.wording = Wording(is_raw=capabilities.raw)
        self.status = ""
        self.plan = Plan(capabilities.max_text, capabilities.unit)
        self.pacer = EditPacer()
        self.shown = [
            Shown(old.part, old.message_id, old.send_key, old.text, is_sent=True, is_old=True, is_stale=True)
            for old in resumed
        ]
        self.front = 0  # the messages before this one read what they have to
        self.is_visible = self.is_begun = bool(self.shown)
        self.visible_end = 0
        self.edits = 0
        self.maybe_doubled = 0
        self.error: ChannelError | None = None
        self.trouble: float | None = None  # since when the final fails
        self.failures = 0  # in a row
        self._next_part = max((old.part for old in resumed), default=-1) + 1
        self._past = past or Past(is_resumed=bool(self.shown))
        self._hold = hold
        self._held_until: float | None = None

    def replace(self, text: str) -> None:
        """The answer is now this; what stands of the old one is written over when there is as much again."""
        self.wording.replace(text)
        self.plan.reset()
        self.front = self.visible_end = 0
        for shown in self.shown:
            shown.end = 0
            shown.is_old = shown.is_sent and not self.status

    @property
    def takes_status(self) -> bool:
        """Whether a word may stand in for the answer now: nothing is shown, and it can be written over soon."""
        can, limit = self.capabilities, self.capabilities.max_edits
        has_edits = self.mode is Streaming.EDIT and (limit is None or limit > EDITS_FOR_STATUS)
        is_open = not (self.is_visible or self.is_final or can.raw)
        return is_open and can.replaceable and (has_edits or self.mode is Streaming.NATIVE)

    @property
    def is_final(self) -> bool:
        """The answer is whole."""
        return self.wording.final is not None

    @property
    def visible(self) -> str:
        """As much of the answer as a person can see."""
        return self.wording.current[: self.visible_end]

    @property
    def message_ids(self) -> tuple[str, ...]:
        """The messages that the answer stands in, in order."""
        return tuple(shown.message_id for shown in self.shown if shown.is_sent and not shown.is_gone)

    # What comes next.

    def next(self, now: float) -> Next:
        """The next step; it must be carried out and reported, or the reply be given up."""
        if self.error is not None:
            return End()
        if not self.is_final and self.mode is Streaming.NONE:
            return Wait(None)
        if self.capabilities.raw:
            return self._next_raw()
        text = self._text()
        if self.is_final and not self.abilities.edits:
            self._adopt(text)
        if self.is_final or self.mode is not Streaming.BLOCK:
            self.plan.grow(text, is_final=self.is_final, floor=self._floor())
        step = self._in_order(text, now)
        if step is None and self.is_final:
            return self._leftover(now) or End()
        if step is None and self.mode is Streaming.BLOCK:
            step = self._next_block(text, now)
        return step or Wait(None)

    def _text(self) -> str:
        """What is to be read: the answer, or the word that stands in for it."""
        text = self.wording.current
        if not self.status:
            return text
        if not self.is_final and is_blank(text):
            return self.status
        self.status = ""
        self.plan.reset()
        self.front = self.visible_end = 0
        return text

    def _next_raw(self) -> Next:
        """What is new of the text, as it came, in one message and at once."""
        text, is_final = self.wording.current, self.is_final
        shown = self.shown[0] if self.shown else None
        if shown is None and text:
            self.shown.append(Shown(self.number()))
            self.is_begun = True
            kind, operation = (Kind.SEND, Operation.SEND) if is_final else (Kind.START, Operation.STREAM)
            return Step(kind, operation, 0, text, len(text), is_whole=is_final)
        if shown is not None and shown.stream is not None and (is_final or len(text) > len(shown.text)):
            kind, delta = Kind.CLOSE if is_final else Kind.UPDATE, text[len(shown.text) :]
            return Step(kind, Operation.STREAM, 0, text, len(text), delta=delta, is_whole=is_final)
        return End() if is_final else Wait(None)

    def _in_order(self, text: str, now: float) -> Next | None:
        """What the first message needs that does not read what it should."""
        while True:
            index = self.front
            is_open = index >= len(self.plan.closed)
            if is_open and self.mode is Streaming.BLOCK and not self.is_final:
                return None
            part = self._open(text) if is_open else self.plan.closed[index]
            if part is None:
                return None
            is_whole = self.is_final or not is_open
            shown = self.shown[index] if index < len(self.shown) else None
            if shown is None or not shown.is_sent or (shown.is_gone and is_whole):
                step = self._new_message(shown, part, now, is_whole=is_whole)
            elif shown.stream is not None:
                step = self._in_stream(shown, part, now, is_whole=is_whole)
            elif shown.is_gone:
                step = None
            elif shown.text == part.text and not shown.is_stale:
                step = self._swap_buttons(shown, part, now) if is_whole else None
            elif is_whole and not self.can_edit(shown, now):
                self.maybe_doubled += int(shown.is_stale)
                shown.is_stale = False
                self.plan.fix(index, text, max(shown.end, part.start), shown.text)
                self.plan.grow(text, is_final=self.is_final)
                continue
            else:
                step = self._edit(shown, part, now, is_whole=is_whole)
            if step is not None or is_open:
                return step
            self.front += 1

    def _open(self, text: str) -> Part | None:
        is_raw = self.mode is Streaming.NATIVE and not self.capabilities.replaceable
        return self.plan.open(text, is_final=self.is_final, is_raw=is_raw)

    def _new_message(self, shown: Shown | None, part: Part, now: float, *, is_whole: bool) -> Next | None:
        if shown is not None and shown.pending is not None:
            return self._when(shown.pending, self._priority(), now)
        kind, operation = Kind.SEND, Operation.SEND
        look_first = self._past.is_resumed and self.capabilities.send_key is SendKey.READBACK
        if not is_whole:
            if self.mode is Streaming.NATIVE and not look_first:
                kind, operation = Kind.START, Operation.STREAM
            elif self.mode is Streaming.BLOCK or not self.abilities.edits:
                return None
            if (held := self._held(part, now)) is not None:
                return held
        step = self._step(kind, operation, part, is_whole=is_whole, look_first=look_first)
        return self._when(step, self._priority(), now)

    def _edit(self, shown: Shown, part: Part, now: float, *, is_whole: bool) -> Next | None:
        if not is_whole:
            limit = self.capabilities.max_edits
            if self.mode not in {Streaming.EDIT, Streaming.NATIVE} or not self.can_edit(shown, now):
                return None
            if limit is not None and shown.edits >= limit - 1:
                return None  # the last edit is kept for the end
            if shown.is_old and self._would_shrink(shown, part):
                return None
        step = self._step(Kind.EDIT, Operation.EDIT, part, is_whole=is_whole)
        return self._when(step, self._priority(), now)

    def _swap_buttons(self, shown: Shown, part: Part, now: float) -> Next | None:
        """It reads what it should; the buttons of the growing answer have to go, those of the whole one to come."""
        if shown.actions == self._buttons(Kind.EDIT) or not self.can_edit(shown, now):
            return None
        step = self._step(Kind.EDIT, Operation.EDIT, part, is_whole=True)
        return self._when(step, self._priority(), now)

    def _buttons(self, kind: Kind) -> tuple[Action, ...]:
        """What belongs under the message in front: buttons stand under the last one of an answer alone."""
        if not self.capabilities.buttons or kind in {Kind.START, Kind.UPDATE}:
            return ()
        closed = len(self.plan.closed)
        if self.front < closed and not (
            self.is_final and self.front == closed - 1 and self._open(self.wording.current) is None
        ):
            return ()
        return self.finished if self.is_final else self.running

    def _would_shrink(self, shown: Shown, part: Part) -> bool:
        return len(part.text) < len(shown.text) or len(self.wording.current) < len(self._past.text)

    def _in_stream(self, shown: Shown, part: Part, now: float, *, is_whole: bool) -> Next | None:
        lifetime = self.capabilities.stream_lifetime
        rest = None if lifetime is None else shown.since + STREAM_SHARE * lifetime - now
        delta = part.text[len(shown.text) :] if part.text.startswith(shown.text) else None
        if is_whole or (rest is not None and rest <= 0):
            operation = Operation.SEND if self.capabilities.preview else Operation.STREAM
            step = self._step(Kind.CLOSE, operation, part, delta=delta, is_whole=is_whole)
            return self._when(step, self._priority(), now)
        due: Next | None = None
        may_show = delta is not None or self.capabilities.replaceable
        if may_show and shown.text != part.text and not (shown.is_old and self._would_shrink(shown, part)):
            step = self._step(Kind.UPDATE, Operation.STREAM, part, delta=delta)
            due = self._when(step, Priority.EDIT, now)
        if rest is None or isinstance(due, Step):
            return due
        if not isinstance(due, Wait) or due.seconds is None:
            return Wait(rest, or_text=True)
        return Wait(min(rest, due.seconds))

    def _next_block(self, text: str, now: float) -> Next | None:
        if self.plan.block(text, SMALLEST_BLOCK) is None:
            self.plan.grow(text, is_final=True)  # a block that is longer than a message
            return self._in_order(text, now)
        wait = self._wait(Operation.SEND, self._priority(), now)
        if wait > 0:
            return Wait(wait)  # by then there may be more blocks for one message
        self.plan.close_block(text, SMALLEST_BLOCK)
        return self._in_order(text, now)

    def _leftover(self, now: float) -> Next | None:
        """Take back the messages of another, longer answer that this one does not need."""
        needed = self.front + (1 if self._open(self.wording.current) else 0)
        if not needed:
            self._trace()
        while len(self.shown) > needed:
            index = len(self.shown) - 1
            shown = self.shown[index]
            can_go = self.abilities.edits or (self.abilities.deletes and self.capabilities.deletes)
            if shown.pending is not None and not shown.is_sent and can_go:
                # It may stand. Its id, by which it can be taken back, is told to whoever sends it again under its key.
                return self._when(shown.pending, Priority.FINAL, now)
            if shown.is_sent and not shown.is_gone and shown.message_id:
                if self.abilities.deletes and self.capabilities.deletes:
                    return self._when(Step(Kind.REMOVE, Operation.DELETE, index), Priority.FINAL, now)
                if shown.text != DASH and (shown.stream or self.can_edit(shown, now)):
                    kind, operation = (
                        (Kind.CLOSE, Operation.STREAM) if shown.stream else (Kind.EDIT, Operation.EDIT)
                    )
                    step = Step(kind, operation, index, DASH, self.visible_end, self.visible_end)
                    return self._when(step, Priority.FINAL, now)
            self.shown.pop()
        return None

    def _trace(self) -> None:
        """Nothing is to be seen: what was on its way when the process ended is looked for, to be taken back."""
        key, can_go = self.capabilities.send_key, self.abilities.deletes and self.capabilities.deletes
        if self._past.may_stand and not self.shown and can_go and key is not SendKey.NONE:
            looks = key is SendKey.READBACK
            trace = Step(Kind.SEND, Operation.SEND, 0, DASH, look_first=looks, is_trace=True)
            self.shown.append(Shown(self.number(), pending=trace))
        self._past = replace(self._past, may_stand=False)

    def _step(
        self,
        kind: Kind,
        operation: Operation,
        part: Part,
        *,
        delta: str | None = None,
        is_whole: bool = False,
        look_first: bool = False,
    ) -> Step:
        return Step(
            kind,
            operation,
            self.front,
            part.text,
            part.end,
            part.origin,
            delta,
            is_whole,
            look_first,
            self._buttons(kind),
            bool(self.status),
        )

    # When.

    def _priority(self) -> Priority:
        if self.is_final:
            return Priority.FINAL
        return Priority.EDIT if self.is_visible else Priority.FIRST

    def _wait(self, operation: Operation, priority: Priority, now: float) -> float:
        return self.pacer.wait(self.buckets, self.capabilities.budgets, operation, priority, now)

    def _when(self, step: Step, priority: Priority, now: float) -> Next:
        wait = self._wait(step.operation, priority, now)
        if wait <= 0:
            self.pacer.wrote(self.buckets, self.capabilities.budgets, step.operation, now)
            if step.index == len(self.shown):
                self.shown.append(Shown(self.number()))
            self.is_begun = self.is_begun or not step.is_status
            return step
        if self.is_final and wait > LIMITED_PATIENCE:
            self.error = RateLimited(wait, detail="the channel's limits leave no room for the answer")
            return End()
        return Wait(wait)

    def _held(self, part: Part, now: float) -> Wait | None:
        """A first text of a few letters waits, if the caller asked for that."""
        if self._hold <= 0 or self.is_visible or len(part.text) >= SHORT_FIRST:
            return None
        if self._held_until is None:
            self._held_until = now + self._hold
        return Wait(self._held_until - now, or_text=True) if now < self._held_until else None

    # What may be.

    def can_edit(self, shown: Shown, now: float) -> bool:
        """The channel would take an edit of this message."""
        window, limit = self.capabilities.edit_window, self.capabilities.max_edits
        if not self.abilities.edits or shown.is_frozen or (limit is not None and shown.edits >= limit):
            return False
        return window is None or not shown.since or now < shown.since + window - WINDOW_MARGIN

    def number(self) -> int:
        """The journal's number of the next new message."""
        self._next_part += 1
        return self._next_part - 1

    def _floor(self) -> int:
        """How far the open stream has shown the text, where nothing can be taken back."""
        if self.capabilities.replaceable or self.front >= len(self.shown):
            return 0
        shown = self.shown[self.front]
        return shown.end if shown.stream is not None else 0

    def _adopt(self, text: str) -> None:
        """Without edits, messages of an earlier life count only where the new answer begins with them.

        Where their text is not known, whole answers (Streaming.NONE) are cut in the same places every time.
        """
        if not any(shown.is_old for shown in self.shown):
            return
        kept: list[Shown] = []
        for index, shown in enumerate(self.shown):
            start = self.plan.closed[-1].end if kept else 0
            length = reached_by(text[start:], shown.text)
            if length is None and not shown.text and self.mode is Streaming.NONE:
                self.plan.grow(text, is_final=True)
                closed = self.plan.closed[index:]
                length = (closed[0].end if closed else len(text)) - start
            if length is None or length <= 0:
                break
            shown.is_old = shown.is_stale = False
            shown.end = start + length
            self.plan.fix(index, text, shown.end, shown.text)
            kept.append(shown)
        self.shown = kept

    # What became of it.

    def done(self, step: Step, sent: Sent | None, now: float) -> None:
        """The step was carried out."""
        self.failures = 0
        self.trouble = None
        shown = self.shown[step.index]
        if step.kind is Kind.REMOVE:
            shown.is_gone = True
            return
        if step.kind in {Kind.SEND, Kind.START}:
            shown.since, shown.edits = now, 0
        else:
            shown.edits += 1
            self.edits += 1
        if sent is not None and (step.kind is not Kind.START or not self.capabilities.preview):
            shown.message_id = sent.id
        if step.kind is Kind.START and sent is not None:
            shown.stream = sent.id
        elif step.kind is Kind.CLOSE:
            shown.stream = None
        shown.is_sent = True
        self.is_visible = self.is_visible or not step.is_status
        shown.is_gone = shown.is_old = False
        # A send that may have been made in an earlier life shows what that said.
        is_known = self.capabilities.send_key is SendKey.NONE
        may_be_older = step.kind is Kind.SEND or (step.kind is Kind.CLOSE and self.capabilities.preview)
        shown.is_stale = may_be_older and self._past.is_resumed and not is_known
        shown.pending = None
        end = 0 if step.is_status else step.end
        shown.text, shown.end, shown.actions = step.text, end, step.actions
        self.visible_end = max(self.visible_end, end)
        if step.is_whole and sent is not None and sent.shown is not None:
            self._compare(shown, step, sent.shown, now)
        elif step.kind is Kind.CLOSE and not step.is_whole and not self.can_edit(shown, now):
            self.plan.fix(step.index, self.wording.current, step.end, step.text)

    def _compare(self, shown: Shown, step: Step, echo: str, now: float) -> None:
        """Repair what does not read what it should: by an edit, else the missing words go into a further message."""
        missing = missing_from(step.text, echo)
        may_be_older, shown.is_stale = shown.is_stale, False
        if missing is None:
            return
        shown.repairs += 1
        place = step.origin + missing
        if shown.repairs == 1 and self.can_edit(shown, now):
            shown.is_stale = True
        elif may_be_older and self.is_final and is_other(step.text[:missing], echo):
            if not self._was_all(echo):
                self.plan.fix(step.index, self.wording.current, step.origin, step.text)
        elif missing > 0 and place < step.end:
            self.plan.fix(step.index, self.wording.current, place, step.text)

    def _was_all(self, echo: str) -> bool:
        """What stands under our key is all that an earlier life had to say: nothing is to follow it."""
        past = self._past.text
        if past in {"", self.wording.current}:  # nobody knows what that was
            return self.mode is Streaming.NONE
        return missing_from(past, echo) is None


def _mode(streaming: Streaming, abilities: Abilities) -> Streaming:
    """How it is really streamed: what is declared, as far as the ability is there."""
    if streaming is Streaming.NATIVE and not abilities.streams:
        streaming = Streaming.EDIT
    if streaming is Streaming.EDIT and not abilities.edits:
        streaming = Streaming.NONE
    return streaming
