"""The terminal with a prompt that stays at the bottom while answers grow above it.

A prompt that is being edited owns the last rows of the screen, so a growing line cannot simply be printed.
Whole lines are printed above the prompt for good; the line that still grows is drawn as the prompt's first
rows and redrawn with it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout

from channels.console.parse import address_of
from channels.console.render import DIM, RESET, plain, visible_length

if TYPE_CHECKING:
    from channels.base import Host
    from channels.console.channel import ConsoleChannel

MAX_LIVE_ROWS = 6
REDRAW = 1 / 30  # seconds; a terminal that redraws more often only flickers
MAX_TYPED = 50
MARK = "\x1b[1;32m>\x1b[0m "
HINT = "Ctrl-D leaves, /help lists the commands."


class Prompt:
    """The prompt and the text above it; a `Screen` for the channel."""

    is_terminal = True

    def __init__(self, channel: ConsoleChannel, host: Host, stdout: TextIO, **session: Any) -> None:
        self._channel = channel
        self._host = host
        self._stdout = stdout
        self._live = ""
        self._interrupts = 0
        self._typed: asyncio.Queue[str] = asyncio.Queue(MAX_TYPED)
        self._asked: set[asyncio.Task[Any]] = set()
        self._session: PromptSession[str] = PromptSession(
            self._message,
            history=FileHistory(str(host.folder / "history")),
            completer=Completions(host, channel.account),
            complete_while_typing=True,
            key_bindings=self._keys(),
            multiline=True,
            prompt_continuation="  ",
            refresh_interval=0.5,
            **session,
        )
        self._session.app.min_redraw_interval = REDRAW

    async def run(self) -> None:
        """Until Ctrl-D. The prompt never leaves in between, so Ctrl-C is always ours."""
        with patch_stdout(raw=True):
            async with asyncio.TaskGroup() as tasks:
                saying = tasks.create_task(self._say())
                try:
                    await self._session.prompt_async(handle_sigint=False)
                except EOFError:
                    return
                finally:
                    saying.cancel()

    async def _say(self) -> None:
        while True:
            text = await self._typed.get()
            await self._channel.say(text)

    async def write(self, text: str) -> None:
        """Print what is whole above the prompt, draw the rest as its first rows."""
        whole, newline, live = (self._live + text).rpartition("\n")
        width = shutil.get_terminal_size().columns
        most = MAX_LIVE_ROWS * width
        if visible_length(live) > most:
            # As many rows as may be redrawn; the rest is broken at a space and printed for good.
            cut = live.rfind(" ", 0, most) + 1 or most
            whole, newline, live = f"{whole}{newline}{live[:cut]}{RESET}", "\n", live[cut:]
        self._live = live
        if newline:
            self._print(f"{whole}\n")
        self._session.app.invalidate()

    def _print(self, lines: str) -> None:
        """Whole lines above the prompt.

        Not by prompt_toolkit's `in_terminal`: it leaves raw mode meanwhile, and what is typed in that moment is
        echoed into the answer (seen with 3.0.53).
        """
        renderer = self._session.app.renderer
        renderer.erase()
        self._stdout.write(lines)
        self._stdout.flush()
        renderer.request_absolute_cursor_position()

    def _message(self) -> ANSI:
        above = f"{self._live}\n" if self._live else ""
        if not self._live and self._channel.is_answering:
            above = f"{DIM}...{RESET}\n"
        return ANSI(f"{above}{MARK}")

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _enter(event: KeyPressEvent) -> None:
            self._send(event)

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        def _interrupt(event: KeyPressEvent) -> None:
            self._interrupt(event)

        return keys

    def _send(self, event: KeyPressEvent) -> None:
        text = event.current_buffer.text
        if not text.strip() or self._typed.full():
            return
        event.current_buffer.append_to_history()
        event.current_buffer.reset()
        event.current_buffer.load_history_if_not_yet_loaded()
        self._interrupts = 0
        self._typed.put_nowait(text)
        self._start(self.say_above(text))

    async def say_above(self, text: str) -> None:
        """What was typed, printed where it is read back later."""
        await self._channel.show(f"{MARK}{plain(text).replace(chr(10), f'{chr(10)}  ')}\n")

    def _interrupt(self, event: KeyPressEvent) -> None:
        """Ctrl-C: stops the answer; else clears what is typed; else, the second time, tells how to leave."""
        if self._channel.is_answering:
            self._start(self._channel.stop())
        elif event.current_buffer.text:
            event.current_buffer.reset()
            self._interrupts = 0
        else:
            self._interrupts += 1
            if self._interrupts >= 2:
                self._start(self._channel.show(f"{DIM}{HINT}{RESET}\n"))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)


class Completions(Completer):
    """Completes a command's name and its first argument; /model knows the daemon's models."""

    def __init__(self, host: Host, account: str) -> None:
        self._host = host
        self._account = account

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        """Only the asynchronous way is used."""
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What may follow; nothing unless the line is a command."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, argument = text[1:].partition(" ")
        if not space:
            for spec in self._host.commands():
                if spec.name.startswith(name.lower()):
                    yield Completion(f"/{spec.name}", -len(text), display_meta=spec.summary)
        elif " " not in argument:
            for choice, title in await self._choices(name.lower()):
                if argument.lower() in choice.lower():
                    yield Completion(choice, -len(argument), display_meta=title)

    async def _choices(self, name: str) -> list[tuple[str, str]]:
        spec = next((one for one in self._host.commands() if name in (one.name, *one.aliases)), None)
        if spec is None:
            return []
        found = dict.fromkeys(spec.choices, "")
        if spec.name == "model":
            models = await self._host.models(address_of(self._account).key)
            found |= {model.ref: model.title for model in models}
        return list(found.items())
