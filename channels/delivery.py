"""Showing an answer while it grows: typing, first text, edits, parts, the final. The only caller of a channel's writes.

    async with open_reply(channel, address, journal, budgets, clock=loop.time) as reply:
        async for delta in model:
            reply.write(delta)
        delivery = await reply.finish()

What is written next and when is decided by channels.script; this module has the task, the calls and the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import structlog

from channels.base import (
    Channel,
    Concludes,
    Deletes,
    Edits,
    ReadsBack,
    ShowsButtons,
    ShowsNotes,
    Streams,
    StreamsButtons,
    Typing,
)
from channels.capabilities import Streaming
from channels.errors import ChannelError, Gone, GoneWhat, Unavailable
from channels.events import Action, Address, AnswerNote, Sent
from channels.journal import Journal
from channels.outcome import failed
from channels.pacing import Budgets
from channels.programs import Conclusion, RouteTaken
from channels.reply import Reply
from channels.script import Script
from channels.steps import Abilities, Delivery, Kind, Past, Shown, Step, Wait
from channels.typing_light import TypingLight

CALL_DEADLINE = 60.0  # above any adapter's own; nothing hangs for ever
LEAVE_DEADLINE = 5.0  # how long `leave` lets a write in flight come to its end

__all__ = ["Delivery", "Reply", "open_reply"]

_log = structlog.get_logger()


@asynccontextmanager
async def open_reply(
    channel: Channel,
    address: Address,
    journal: Journal,
    budgets: Budgets,
    *,
    clock: Callable[[], float],
    since: float | None = None,
    hold: float = 0.0,
    past: Past | None = None,
) -> AsyncIterator[Reply]:
    """Open the reply to a message before any model is asked; the body goes on at once.

    Nothing is shown before `journal.intent(0)` has granted it; then typing shows until the first text. `clock` runs
    with the event loop's time. `since`: when the message was accepted (default: now). `hold`: seconds that a first
    text of less than 16 characters may wait for more; 0 shows it at once. `past`: what may stand of an earlier life of
    the process beside `journal.resumed`. Leaving the block without `finish` or `leave` (an error, a cancellation)
    writes nothing more and leaves no task behind.
    """
    # What isinstance would ask of the Protocols, at a twentieth of its price (9 us each, Python 3.11).
    abilities = Abilities(
        edits=hasattr(channel, "edit"),
        deletes=hasattr(channel, "delete"),
        streams=hasattr(channel, "start_stream"),
    )
    script = Script(channel.capabilities(address), abilities, budgets, journal.resumed, past, hold)
    writer = _Writer(channel, address, journal, script, clock, clock() if since is None else since)
    shared = writer.script.capabilities.budgets if writer.grows else ()
    budgets.join(shared, clock())
    writer.start()
    try:
        yield Reply(writer)
    finally:
        budgets.leave(shared, clock())
        await writer.stop()


def _nobody_counts() -> None:
    """Doubts are told to nobody."""


class _Writer:
    """The one task of a reply: asks the script, makes the calls, reports to the journal."""

    __slots__ = (
        "_address",
        "_channel",
        "_clock",
        "_doubts",
        "_ended",
        "_first_key",
        "_is_leaving",
        "_is_saved",
        "_journal",
        "_note",
        "_task",
        "_typing",
        "_waits_for_text",
        "_waker",
        "conclusion",
        "doubted",
        "first_visible",
        "is_withdrawn",
        "route",
        "script",
        "since",
        "writes",
    )

    def __init__(
        self,
        channel: Channel,
        address: Address,
        journal: Journal,
        script: Script,
        clock: Callable[[], float],
        since: float,
    ) -> None:
        self.script = script
        self.since = since
        self.first_visible: float | None = None
        self.is_withdrawn = False
        self.writes = 0
        self.route: RouteTaken | None = None
        self.conclusion: Conclusion | None = None
        self.doubted: Callable[[], None] = _nobody_counts
        self._doubts = 0
        self._channel = channel
        self._address = address
        self._journal = journal
        self._clock = clock
        show = self._show_typing if hasattr(channel, "typing") else None
        self._typing = TypingLight(show, script.capabilities, script.buckets, clock)
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Future[None] | None = None
        self._waits_for_text = False
        self._ended: asyncio.Event | None = None
        self._first_key = ""
        self._is_leaving = False
        self._is_saved = False
        self._note: AnswerNote | None = None

    @property
    def grows(self) -> bool:
        """It will write more than once or twice."""
        return self.script.capabilities.streaming is not Streaming.NONE

    # For Reply and open_reply.

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="reply")

    def text_came(self) -> None:
        """Wake the task if it is text that it waits for; a paced edit takes the newest text anyway."""
        if self._waits_for_text:
            self._wake()

    async def finish(self, closing: str, note: AnswerNote | None, actions: Sequence[Action]) -> Delivery:
        """See Reply.finish."""
        self._note = note
        self.script.finished = tuple(actions)
        self.script.wording.finish(closing)
        await self._until_done()
        if self._task is not None:
            self._task.result()
        if self.script.error is not None:
            raise self.script.error
        if self.is_withdrawn:
            return Delivery()
        ids = self.script.message_ids
        return Delivery(
            ids,
            self.script.wording.final or "",
            self.first_visible,
            self.script.edits,
            max(0, len(ids) - 1),
            self.script.maybe_doubled,
        )

    async def leave(self) -> None:
        """See Reply.leave."""
        self._is_leaving = True
        try:
            async with asyncio.timeout(LEAVE_DEADLINE):
                await self._until_done()
        except TimeoutError:
            pass  # `stop` cancels what is still in flight
        if self.script.visible:
            self._journal.progress(self.script.visible)

    async def stop(self) -> None:
        """End the task, whatever it does; nothing of it is left when this returns."""
        if self._task is None:
            return
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.exception()  # `finish` has raised it, or the body failed on its own
        self._task = None  # the task holds this writer: without the ring both are freed at once
        await self._typing.stop(is_leaving=self._is_leaving or self.script.error is not None)
        del self._typing  # it holds a method of this writer

    async def until_ended(self) -> None:
        """See Reply.until_mute."""
        if self._task is None or self._task.done():
            return
        if self._ended is None:
            self._ended = asyncio.Event()
        await self._ended.wait()

    async def _until_done(self) -> None:
        self._wake()
        if self._task is not None:
            await asyncio.wait((self._task,))

    # The task.

    async def _run(self) -> None:
        try:
            key = await self._journal.intent(0)
            if key is None:
                self.is_withdrawn = True
                return
            self._first_key = key
            await self._write_all()
        finally:
            if self._ended is not None:
                self._ended.set()

    async def _write_all(self) -> None:
        script = self.script
        self._typing.is_wanted = True
        while not (self._is_leaving or self.is_withdrawn):
            if script.wording.final and not self._is_saved:
                await self._journal.final(script.wording.final)
                self._is_saved = True
            script.capabilities = self._channel.capabilities(self._address)
            now = self._clock()
            step = script.next(now)
            self._tell_doubts()
            if isinstance(step, Step):
                await self._carry_out(step)
            elif isinstance(step, Wait):
                self._typing.keep(now)
                await self._rest(step, now)
            else:
                break
        self._typing.is_wanted = False
        if script.is_final and not (self._is_leaving or self.is_withdrawn or script.error is not None):
            await self._tell_last()

    def _tell_doubts(self) -> None:
        """At once: whoever ends the process, or gives the reply up, must not take the count along."""
        new, self._doubts = self.script.maybe_doubled - self._doubts, self.script.maybe_doubled
        for _ in range(new):
            self.doubted()

    async def _rest(self, wait: Wait, now: float) -> None:
        """Until the time is over, the typing light is due, there is text that was waited for, or it is finished."""
        seconds = wait.seconds
        self._waits_for_text = seconds is None or wait.or_text
        due = self._typing.due
        if due is not None and due > now:
            seconds = due - now if seconds is None else min(seconds, due - now)
        loop = asyncio.get_running_loop()
        self._waker = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._wake)
        try:
            await self._waker
        finally:
            self._waker = None
            self._waits_for_text = False
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    # The calls.

    async def _carry_out(self, step: Step) -> None:
        script = self.script
        shown = script.shown[step.index]
        if not shown.send_key and not await self._get_key(shown):
            return
        try:
            async with asyncio.timeout(CALL_DEADLINE):
                sent = await self._call(step, shown)
        except TimeoutError:
            failed(script, step, Unavailable("no answer within the deadline", maybe_sent=True), self._clock())
        except ChannelError as error:
            failed(script, step, error, self._clock())
        else:
            self._done(step, shown, sent)

    async def _get_key(self, shown: Shown) -> bool:
        key = self._first_key if shown.part == 0 else await self._journal.intent(shown.part)
        if key is None:
            self.is_withdrawn = True
            return False
        shown.send_key = key
        return True

    def _done(self, step: Step, shown: Shown, sent: Sent | None) -> None:
        now = self._clock()
        self.writes += 1
        self.script.done(step, sent, now)
        if self.first_visible is None and step.kind is not Kind.REMOVE and not step.is_status:
            self.first_visible = now - self.since
        self._typing.is_wanted = self._typing.is_wanted and not self.script.is_visible
        is_preview = self.script.capabilities.preview
        lasts = step.kind is Kind.SEND or step.kind is (Kind.CLOSE if is_preview else Kind.START)
        if lasts and sent is not None:
            if not self.script.abilities.edits and step.kind is not Kind.START:
                # Where nothing can be written over, the next life has to know what stands.
                sent = replace(sent, shown=sent.shown or step.text)
            self._journal.sent(shown.part, shown.send_key, sent)
        if not (self.script.is_final or step.is_status):
            self._journal.progress(self.script.visible)

    async def _call(self, step: Step, shown: Shown) -> Sent | None:
        if self.route is not None and step.kind in {Kind.SEND, Kind.START}:
            await cast("Concludes", self._channel).announce(self._address, self.route)
        match step.kind:
            case Kind.SEND:
                return await self._send(step, shown)
            case Kind.EDIT:
                return await self._edit(step, shown)
            case Kind.REMOVE:
                await cast("Deletes", self._channel).delete(self._address, shown.message_id)
                return None
            case _:
                return await self._stream(cast("Streams", self._channel), step, shown)

    async def _stream(self, channel: Streams, step: Step, shown: Shown) -> Sent | None:
        if step.kind is Kind.START:
            return Sent(await channel.start_stream(self._address, step.text, shown.send_key))
        stream = shown.stream or ""
        if step.kind is Kind.UPDATE:
            await channel.update_stream(self._address, stream, step.text, step.delta)
            return None
        where, key = self._address, shown.send_key
        if self.script.capabilities.buttons:
            with_buttons = cast("StreamsButtons", channel)
            return await with_buttons.finish_stream(
                where, stream, step.text, step.delta, key, actions=step.actions
            )
        return await channel.finish_stream(where, stream, step.text, step.delta, key)

    async def _edit(self, step: Step, shown: Shown) -> Sent:
        if self.script.capabilities.buttons:
            channel = cast("ShowsButtons", self._channel)
            return await channel.edit(self._address, shown.message_id, step.text, actions=step.actions)
        return await cast("Edits", self._channel).edit(self._address, shown.message_id, step.text)

    async def _post(self, step: Step, shown: Shown) -> Sent:
        if self.script.capabilities.buttons:
            channel = cast("ShowsButtons", self._channel)
            return await channel.send(self._address, step.text, shown.send_key, actions=step.actions)
        return await self._channel.send(self._address, step.text, shown.send_key)

    async def _send(self, step: Step, shown: Shown) -> Sent | None:
        if step.look_first and isinstance(self._channel, ReadsBack):
            found = await self._channel.read_back(self._address, shown.send_key)
            if found is not None or step.is_trace:
                return found
        try:
            return await self._post(step, shown)
        except Gone as error:
            if error.what is GoneWhat.CONVERSATION or self._address.reply_to is None:
                raise
        # The question was deleted; the answer stands alone.
        self._address = replace(self._address, reply_to=None)
        return await self._post(step, shown)

    async def _show_typing(self, is_on: bool) -> None:  # noqa: FBT001 - the one thing it says
        await cast("Typing", self._channel).typing(self._address, is_on=is_on)

    async def _tell_last(self) -> None:
        """What goes with a whole answer: the small line under its last message; for a program, how it ended."""
        ids, note, can = self.script.message_ids, self._note, self.script.capabilities
        try:
            async with asyncio.timeout(CALL_DEADLINE):
                if can.raw:
                    end = self.conclusion or Conclusion()
                    await cast("Concludes", self._channel).conclude(self._address, end)
                elif can.notes and ids and note is not None:
                    # Whoever finished may not have known yet when the first text would be seen.
                    note = replace(note, first_visible=self.first_visible)
                    await cast("ShowsNotes", self._channel).show_note(self._address, ids[-1], note)
        except (ChannelError, TimeoutError) as error:
            _log.warning("answer note not shown", error=type(error).__name__, channel=self._channel.name)
        except Exception as error:  # noqa: BLE001 - an adapter's fault: the answer stands, and is not given again
            _log.exception("answer note not shown", error=type(error).__name__, channel=self._channel.name)
