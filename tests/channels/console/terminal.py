"""A pseudo-terminal with a small screen behind it, so that tests see what a person sees."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

ROWS, COLUMNS = 24, 80
_SEQUENCE = re.compile(r"\x1b\[([?>0-9;]*)([A-Za-z@])|\x1b\][^\x07]*\x07|\x1b[=>78]|\x1b\([A-Z0-9]")


class Screen:
    """Just enough of a VT100: what prompt_toolkit writes. Lines that scroll off stay in `lines`."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.row = 0
        self.column = 0
        self.unknown: list[str] = []
        self._half = ""

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def feed(self, data: str) -> None:
        data = self._half + data
        self._half = ""
        at = 0
        while at < len(data):
            if data[at] == "\x1b":
                found = _SEQUENCE.match(data, at)
                if found is None:
                    self._half = data[at:]
                    return
                if found[2]:
                    self._obey(found[1], found[2])
                at = found.end()
            else:
                self._put(data[at])
                at += 1

    def _put(self, char: str) -> None:
        if char == "\n":
            self._down(1)
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char >= " ":
            if self.column == COLUMNS:
                self.column = 0
                self._down(1)
            line = self.lines[self.row]
            line.extend(" " * (self.column + 1 - len(line)))
            line[self.column] = char
            self.column += 1
        elif char != "\x07":
            self.unknown.append(repr(char))

    def _down(self, count: int) -> None:
        self.row += count
        while self.row >= len(self.lines):
            self.lines.append([])

    def _obey(self, argument: str, command: str) -> None:
        number = int(argument) if argument.isdigit() else 1
        line = self.lines[self.row]
        if command == "A":
            self.row = max(0, self.row - number)
        elif command == "B":
            self._down(number)
        elif command == "C":
            self.column = min(COLUMNS, self.column + number)
        elif command == "D":
            self.column = max(0, self.column - number)
        elif command == "K":
            del line[self.column :]
        elif command == "J" and argument in {"", "0"}:
            del line[self.column :]
            del self.lines[self.row + 1 :]
        elif command not in "mhl":
            self.unknown.append(f"{argument}{command}")


class Terminal:
    """The program on a pseudo-terminal; `type` keys, wait until `shows`."""

    def __init__(self, folder: Path) -> None:
        self.screen = Screen()
        self._folder = folder
        self._changed = asyncio.Event()
        self._over = False
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": str(COLUMNS)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.channels.console.app", str(folder)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def shows(self, text: str, count: int = 1) -> None:
        await self.until(lambda screen: screen.count(text) >= count, f"{text!r} ({count} times)")

    async def until(self, is_right: Callable[[str], bool], wanted: str, timeout: float = 20.0) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not is_right(self.screen.text):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"wanted {wanted}, the screen shows:\n{self.screen.text}") from None

    async def left(self) -> int:
        """The exit code, once the program has ended."""
        async with asyncio.timeout(20):
            return await asyncio.to_thread(self.process.wait)

    def accepted(self) -> list[str]:
        path = self._folder / "accepted"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def echoes(self) -> bool:
        """Whether the terminal itself prints what is typed, as it does for a program that reads lines."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def close(self) -> None:
        if not self._over:
            self._end()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            data = b""
        if not data:
            self._end()
        self.screen.feed(data.decode("utf-8", "replace"))
        self._changed.set()

    def _end(self) -> None:
        self._over = True
        asyncio.get_running_loop().remove_reader(self._master)
