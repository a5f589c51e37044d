"""One answer while it grows, as its author has it: write, replace, finish. What is made of it: channels.delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from channels.errors import ChannelError
from channels.events import Action, AnswerNote
from channels.programs import Conclusion, RouteTaken
from channels.steps import Delivery

if TYPE_CHECKING:
    from channels.delivery import _Writer


class Reply:
    """One answer while it grows. Made by `open_reply`; end it by `finish` or `leave`."""

    __slots__ = ("_is_over", "_writer")

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer
        self._is_over = False

    def write(self, delta: str) -> None:
        """The answer goes on. Returns at once; raises RuntimeError after `finish` or `leave`."""
        self._check_open()
        if delta:
            self._writer.script.wording.write(delta)
            self._writer.text_came()

    def replace(self, text: str) -> None:
        """The answer is now `text`. Raises ValueError where something is shown that cannot be taken back."""
        self._check_open()
        if not self._writer.script.capabilities.replaceable and self._writer.script.is_begun:
            raise ValueError(
                "replace: this channel cannot take back what it has shown; write a closing note instead"
            )
        self._writer.script.replace(text)
        self._writer.text_came()

    def status(self, text: str) -> None:
        """A word that is shown until there is some of the answer, where the channel can write over it at once.

        It is no part of the answer: nothing counts as visible by it. Nothing happens once there is anything to see.
        """
        if not self._is_over and self._writer.script.takes_status:
            self._writer.script.status = text
            self._writer.text_came()

    def offer(self, actions: Sequence[Action]) -> None:
        """The buttons under the answer while it grows, where the channel shows any."""
        self._writer.script.running = tuple(actions)

    def tell_doubts(self, doubted: Callable[[], None]) -> None:
        """`doubted` is called right before a send of which an earlier one of this reply may stand already."""
        self._writer.doubted = doubted

    def spoken_by(self, route: RouteTaken) -> None:
        """Who speaks; a program is told before the first text."""
        if self._writer.script.capabilities.raw:
            self._writer.route = route

    async def finish(
        self,
        *,
        closing: str = "",
        note: AnswerNote | None = None,
        actions: Sequence[Action] = (),
        conclusion: Conclusion | None = None,
    ) -> Delivery:
        """Show the last state and wait until it stands; an answer without text shows `closing` or nothing.

        `closing`: a plain line put under the answer. `note` and `actions` (buttons) are shown where the channel can;
        the failure of a note is only logged. `conclusion`: what a program is told in place of all three. Raises the
        last ChannelError when the answer cannot be shown whole within a bounded time, and what the journal raised.
        """
        self._check_open()
        self._is_over = True
        self._writer.conclusion = conclusion
        return await self._writer.finish(closing, note, actions)

    async def leave(self) -> None:
        """The process ends: save the visible text and write nothing more. A write in flight may end first."""
        self._check_open()
        self._is_over = True
        await self._writer.leave()

    async def until_mute(self) -> None:
        """Returns when nothing of this reply will be shown any more: withdrawn, failed or finished."""
        await self._writer.until_ended()

    @property
    def is_withdrawn(self) -> bool:
        """The question was a duplicate or was withdrawn: whatever is written is not shown."""
        return self._writer.is_withdrawn

    @property
    def error(self) -> ChannelError | None:
        """Why nothing more can be shown, as soon as that is known; `finish` raises it."""
        return self._writer.script.error

    @property
    def text(self) -> str:
        """Everything that was written so far, cleaned, shown or not."""
        return self._writer.script.wording.text

    @property
    def visible_text(self) -> str:
        """As much of it as a person can see."""
        return self._writer.script.visible

    @property
    def is_visible(self) -> bool:
        """A person can see some of this reply or of its former life, or may at any moment."""
        return self._writer.script.is_begun

    @property
    def first_visible(self) -> float | None:
        """Seconds from `since` to the first new text on screen."""
        return self._writer.first_visible

    @property
    def writes(self) -> int:
        """How many of its writes were made; it grows as long as the channel takes any."""
        return self._writer.writes

    def _check_open(self) -> None:
        if self._is_over:
            raise RuntimeError("this reply is over: finish or leave was called")
