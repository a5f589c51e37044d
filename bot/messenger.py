"""Says alerts to the owner: each as an answer of our own, on the way that every answer goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from bot import metrics, words
from bot.accounts import Account
from bot.alerts import Alert, Alerts, Kind
from bot.conversations import Conversations
from bot.errors import StoreError
from bot.lanes import Lanes, Turn
from bot.store.base import Store
from channels.capabilities import Surface
from channels.commands import Role
from channels.events import Address, ConversationKey, Message, Sender

log = structlog.get_logger()

AGAIN = 30.0
"""Seconds after which an alert is offered again that nobody could be told: none of its places was connected."""

OWNER_CHAT = "owner_chat"
"""The choice of an account under which the direct chat is kept in which an owner spoke last."""

Accounts = Mapping[tuple[str, str], Account]


@dataclass(slots=True)
class Messenger:
    """Takes alerts and says them. `to`: the conversations of the settings. `clock` is monotonic, `wall` Unix time.

    What is said waits for nobody and is not written down before: an alert may be lost in a crash, its log line not.
    """

    alerts: Alerts
    to: Sequence[str]
    store: Store
    conversations: Conversations
    lanes: Lanes
    clock: Callable[[], float]
    wall: Callable[[], float]
    new_id: Callable[[], str]
    _known: dict[str, str] = field(default_factory=dict)

    async def run(self, accounts: Accounts) -> None:
        """Until cancelled. At most one alert of each kind waits for a place that is connected."""
        unsaid: dict[Kind, Alert] = {}
        while True:
            try:
                async with asyncio.timeout(AGAIN if unsaid else None):
                    due = await self.alerts.next()
            except TimeoutError:
                due = ()
            for each in due:
                before = unsaid.get(each.kind)
                unsaid[each.kind] = (
                    each if before is None else replace(each, held=each.held + before.held + 1)
                )
            for each in list(unsaid.values()):
                if await self._tell(each, accounts):
                    del unsaid[each.kind]

    def met(self, turn: Turn) -> None:
        """Somebody was answered; where an owner speaks in private is a place for alerts."""
        account, address = turn.account, turn.message.address
        if not turn.is_owner or turn.message.asked is not None or account.policy.is_local:
            return
        if address.surface is not Surface.DIRECT or self._known.get(account.scope) == turn.key:
            return
        self._known[account.scope] = turn.key
        who = {"key": turn.key, "sender": turn.message.sender.id}
        self.store.set_choice(account.scope, OWNER_CHAT, json.dumps(who))

    def forget(self, account: Account) -> None:
        """What is kept of somebody there was taken out of the store: look at it again."""
        self._known.pop(account.scope, None)

    async def _tell(self, alert: Alert, accounts: Accounts) -> bool:
        """Say it wherever it belongs. False: it belongs somewhere, and nothing there is connected, or nobody knows."""
        try:
            keys = self.to or await self._owners(accounts)
        except StoreError as error:
            log.warning("alert waits", kind=str(alert.kind), error=str(error))
            return False
        if not keys:
            log.info("alert told to nobody", kind=str(alert.kind))
            return True
        told = 0
        for key in keys:
            where = ConversationKey.parse(key)
            account = accounts.get((where.channel, where.account))
            if account is not None and account.is_online:
                self._say(alert, account, where, await self._handle(key))
                told += 1
                if not self.to:
                    break
        if told:
            metrics.alerted(str(alert.kind))
        return told > 0

    async def _owners(self, accounts: Accounts) -> Sequence[str]:
        """Where owners spoke last, each to the account that they still own."""
        found = []
        for account in accounts.values():
            stored = await self._stored(account) if account.policy.owners else None
            where = json.loads(stored) if stored else None
            if where is not None and where["sender"] in account.policy.owners:
                found.append(where["key"])
        return found

    async def _stored(self, account: Account) -> str | None:
        return (await self.store.choices(account.scope)).get(OWNER_CHAT)

    async def _handle(self, key: str) -> str:
        try:
            return (await self.conversations.get(key)).state.handle
        except StoreError:
            return ""  # most channels need none

    def _say(self, alert: Alert, account: Account, where: ConversationKey, handle: str) -> None:
        surface = Surface.DIRECT if where.thread is None else Surface.THREAD
        turn_id, now = self.new_id(), self.wall()
        said = Message(
            event_key=f"alert {turn_id}",
            message_id="",
            address=Address(where, surface, handle=handle),
            sender=Sender(""),
            text="",
            sent_at=datetime.fromtimestamp(now, UTC),
        )
        committed = asyncio.get_running_loop().create_future()
        committed.set_result(True)
        turn = Turn(
            turn_id=turn_id,
            message=said,
            account=account,
            committed=committed,
            accepted_at=self.clock(),
            received_at=now,
            role=Role.GUEST,
            is_loose=True,
            say=words.alert(alert.text, alert.held),
        )
        self.lanes.beside(turn)
