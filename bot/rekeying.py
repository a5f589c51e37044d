"""A secret that was changed in the files counts from the next request on, and the one before it no more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from pydantic import SecretStr

from bot.accounts import Account
from bot.errors import BotError
from bot.settings import Settings
from channels.doors import Rekeys

log = structlog.get_logger()


class Rekeying:
    """Looks before each request whether the configuration or the stored secrets were written anew.

    `reread` gives the settings as the files say now (in a thread; raises BotError), `hide` masks secrets in the log.
    Files that cannot be read leave everything as it was and are said in the log, once for each change.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Mapping[tuple[str, str], Account],
        reread: Callable[[], Settings],
        hide: Callable[..., None],
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._reread = reread
        self._hide = hide
        self._files = (settings.config_file, settings.home.credentials)
        self._seen = _stamps(self._files)
        self._reading = asyncio.Lock()

    def server_token(self) -> SecretStr | None:
        """The token of the private listener, as it is now."""
        return self._settings.server.token

    async def refresh(self) -> None:
        """Take over what was changed. Costs about 15 microseconds where nothing was (2026-11)."""
        if _stamps(self._files) == self._seen:
            return
        async with self._reading:
            stamps = _stamps(self._files)
            if stamps == self._seen:
                return
            try:
                fresh = await asyncio.to_thread(self._reread)
            except BotError as error:
                log.error("changed settings not taken", error=str(error)[:500])
            else:
                self._hide(*fresh.secrets())
                self._take(fresh)
            self._seen = stamps

    def _take(self, fresh: Settings) -> None:
        if fresh.server.token is None and self._settings.server.token is not None:
            # Where it listens is settled at the start: without a token it would stand open until the next one.
            log.error(
                "changed settings not taken", error="server.token is gone; restart to listen without one"
            )
            return
        old = {(row.channel, row.name): row for row in self._settings.accounts}
        for row in fresh.accounts:
            before, account = old.get((row.channel, row.name)), self._accounts.get((row.channel, row.name))
            if before is None or account is None or before.settings == row.settings:
                continue
            if isinstance(account.channel, Rekeys):
                account.channel.rekey(row.settings)
        self._settings = fresh
        log.info("changed secrets taken")


def _stamps(files: tuple[Path, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - a third of the time that Path takes, before every request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
