"""Files that people sent: fetched from the Bot API server, or read where a server of one's own put them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import telegram

from channels.errors import Gone, GoneWhat, Refused, TooLong
from channels.telegram.calls import Calls
from channels.telegram.request import AiohttpRequest
from channels.telegram.timing import Timing


class Files:
    """One account's files. `folder`: where a server that runs with --local keeps them and we may read, or None."""

    def __init__(
        self, bot: telegram.Bot, request: AiohttpRequest, calls: Calls, timing: Timing, folder: Path | None
    ) -> None:
        self._bot = bot
        self._request = request
        self._calls = calls
        self._timing = timing
        self._folder = folder

    async def open(self, ref: str, max_bytes: int) -> bytes:
        """The bytes. The public Bot API gives out at most 20 MB (docs, getFile, 2026-11).

        Raises TooLong beyond `max_bytes`, Gone when it expired, Refused for a local path that may not be read.
        """
        try:
            file = await self._calls.ask(lambda: self._bot.get_file(ref, read_timeout=self._timing.ask))
        except Refused as error:
            if error.code == "file_too_big":
                raise TooLong("Telegram gives out no file of this size") from None
            raise Gone(GoneWhat.MESSAGE, error.detail) from None
        if (file.file_size or 0) > max_bytes:
            raise TooLong(f"{file.file_size} of {max_bytes} bytes")
        path = file.file_path or ""
        if path.startswith(self._bot.base_file_url):
            return await self._download(path, max_bytes)
        if self._folder is None:
            raise Refused("local_file", "this Bot API server gives out paths of its disk; set localFiles")
        async with asyncio.timeout(self._timing.download):
            return await asyncio.to_thread(_read, Path(path), self._folder, max_bytes)

    async def _download(self, url: str, max_bytes: int) -> bytes:
        status, data = await self._calls.ask(
            lambda: self._request.download(url, max_bytes, self._timing.download)
        )
        if status != 200:
            raise Gone(GoneWhat.MESSAGE, f"the file was answered with HTTP status {status}")
        if data is None:
            raise TooLong(f"more than {max_bytes} bytes")
        return bytes(data)


def _read(path: Path, folder: Path, max_bytes: int) -> bytes:
    """A regular file below `folder`, links followed first; nothing else on this disk is ours to read."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve(strict=True)) or not real.is_file():
            raise Refused("local_file", "the file lies outside of localFiles")
        with real.open("rb") as file:
            if os.fstat(file.fileno()).st_size > max_bytes:
                raise TooLong(f"more than {max_bytes} bytes")
            data = file.read(max_bytes + 1)
    except OSError:
        raise Gone(GoneWhat.MESSAGE, "the file is not there any more, or may not be read") from None
    if len(data) > max_bytes:
        raise TooLong(f"more than {max_bytes} bytes")
    return data
