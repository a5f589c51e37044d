"""Socket Mode: one live connection at any time, a fresh one before the old one goes.

Slack takes up to ten connections and gives each event to one of them ("Using Socket Mode", 2026-11). Two at once
would lose the order of what one person says, so there is a second one only while one is being replaced.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from channels.base import Host
from channels.errors import ChannelError, NotAuthorized, RateLimited
from channels.slack.calls import Api, proxy_for
from channels.slack.intake import Intake
from channels.slack.link import SILENT, Link
from channels.slack.settings import SlackSettings
from channels.slack.timing import Timing
from channels.waiting import backoff

log = structlog.get_logger()

# A connection that ends sooner than this counts as a failure, so that the next one is not opened at once.
_SHORT = 5.0
_EXPECTED = frozenset({"refresh_requested", "warning", "deaf"})


@dataclass(slots=True)
class Sockets:
    """One account's connections. `on_gap`: events may have been missed; `app_id` of the bot token, "" if unknown."""

    intake: Intake
    settings: SlackSettings
    host: Host
    timing: Timing
    chance: random.Random
    clock: Callable[[], float]
    app_id: str
    account: str
    on_gap: Callable[[], None]
    _number: int = 0
    _links: list[Link] = field(default_factory=list)

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled. Raises NotAuthorized when the app-level token is refused."""
        token = self.settings.app_token
        if token is None:
            raise NotAuthorized("appToken is missing")
        api = Api(
            token.get_secret_value(),
            self.settings.api_base,
            proxy=self.settings.proxy,
            host=self.host,
            seconds=self.timing.ask,
        )
        try:
            await self._keep(group, api)
        finally:
            for link in self._links:
                await link.close()  # one whose task had not begun

    async def _keep(self, group: asyncio.TaskGroup, api: Api) -> None:
        old: Link | None = None
        failures = 0
        while True:
            try:
                link = await self._open(api)
            except NotAuthorized:
                raise
            except ChannelError as error:
                failures += 1
                is_alone = old is None or not old.is_alive
                if is_alone:
                    self.host.online(is_online=False, reason=error.detail or type(error).__name__)
                self.host.signal("poll_failed")
                await self._rest(failures, error)
                continue
            began = self.clock()
            self._links = [*self._links[-1:], link]
            group.create_task(link.run())
            if self._number > 1:
                self.host.signal("reconnected")
            if old is None or not old.is_alive or old.reason not in ("refresh_requested", "warning"):
                self.on_gap()
            if old is not None:
                old.retire()
            self.host.online(is_online=True)
            await link.ending.wait()
            self._ended(link)
            old = link
            failures = failures + 1 if self.clock() - began < _SHORT and not link.is_alive else 0
            if failures > 1 or link.reason in ("link_disabled", "too_many_websockets"):
                await self._rest(failures, None)

    async def _open(self, api: Api) -> Link:
        url = await api.open_socket()
        self._number += 1
        link = Link(self._number, self.intake, self.timing, self.clock, self.account, self.host.heard)
        try:
            await link.connect(url, proxy_for(url, self.settings.proxy))
        except BaseException:
            await link.close()
            raise
        if self.app_id and link.app_id and link.app_id != self.app_id:
            await link.close()
            raise NotAuthorized("appToken and botToken belong to two different apps")
        log.debug("socket open", channel="slack", account=self.account, generation=link.number)
        return link

    def _ended(self, link: Link) -> None:
        if link.reason == "link_disabled":
            log.warning(
                "socket mode is switched off in the app's settings", channel="slack", account=self.account
            )
        if link.reason == SILENT:
            self.host.signal("silent_connection")
        if not link.is_alive:
            self.host.online(is_online=False, reason=f"connection ended ({link.reason})")
        if link.reason not in _EXPECTED:
            log.info("socket ended", channel="slack", account=self.account, reason=link.reason)

    async def _rest(self, failures: int, error: ChannelError | None) -> None:
        first, last = self.timing.retry_first, self.timing.retry_last
        wait = backoff(max(1, failures), first, last, self.chance.random())
        if isinstance(error, RateLimited):
            wait = max(wait, error.retry_after)
        await asyncio.sleep(wait)
