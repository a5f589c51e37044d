"""channels.base.Host for one account: the only way up from an adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import structlog

from bot import metrics, words
from bot.accounts import Account
from bot.choices import GLOBAL, WiderChoices
from bot.conversations import Conversations
from bot.fetch import Fault, Fetcher, FetchError, look_up
from bot.home import Home, make_private
from bot.inbox import Inbox
from bot.media.words import without_contents
from bot.store.base import HistoryRow, Store
from bot.supervisor import is_late, step_back, step_out
from channels.base import HistoryLine, ModelChoice, Vectors
from channels.commands import CommandSpec
from channels.errors import ChannelError, Gone, GoneWhat, Refused, TooLong, Unavailable
from channels.events import AnswerNote, ConversationKey, Event
from routing.catalog import AUTO, Catalog

log = structlog.get_logger()


async def no_vectors(model: str, _: Sequence[str]) -> Vectors:
    """Where no provider is open nobody makes any."""
    raise Refused("unknown_model", model)


@dataclass(slots=True)
class AccountHost:
    """What one account may ask of the daemon. `account` is set once the channel is open.

    `hint`: what to tell whoever is about to use the first model, "" when there is nothing to tell. `vectors`: makes
    them, model and texts given.
    """

    channel: str
    name: str
    home: Home
    inbox: Inbox
    store: Store
    conversations: Conversations
    choices: WiderChoices
    catalog: Callable[[], Catalog]
    specs: Sequence[CommandSpec]
    is_draining: Callable[[], bool]
    hint: Callable[[], str] = str
    vectors: Callable[[str, Sequence[str]], Awaitable[Vectors]] = no_vectors
    fetcher: Fetcher = field(default_factory=lambda: Fetcher(look_up))
    account: Account | None = None

    @property
    def folder(self) -> Path:
        """See channels.base.Host."""
        folder = self.home.account(self.channel, self.name)
        make_private(folder)
        return folder

    async def accept(self, event: Event) -> bool:
        """See channels.base.Host."""
        if self.is_draining() or self.account is None or self._is_late("accept"):
            return False
        if self.account.heard_at is not None:
            self.account.heard_at = self.inbox.clock()
        token = step_out()
        try:
            return await self.inbox.accept(self.account, event)
        finally:
            step_back(token)

    def refusal(self, event: Event) -> str | None:
        """See channels.base.Host."""
        return self.inbox.refusal(self.account, event) if self.account is not None else words.NOT_READY

    async def cursor(self, name: str) -> str | None:
        """See channels.base.Host."""
        return await self.store.cursor(self.channel, self.name, name)

    async def set_cursor(self, name: str, value: str) -> None:
        """See channels.base.Host."""
        if not self._is_late("cursor"):
            await self.store.set_cursor(self.channel, self.name, name, value)

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        """See channels.base.Host."""
        talk = await self.conversations.get(str(key))
        rows = await self.store.history(str(key), talk.state.session, limit)
        return [_line(row) for row in rows]

    def commands(self) -> Sequence[CommandSpec]:
        """See channels.base.Host."""
        return self.specs

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        """See channels.base.Host."""
        talk = await self.conversations.get(str(key))
        chosen = talk.state.choices.get("model") or await self._wider() or AUTO
        catalog = self.catalog()
        first = catalog.primary.model
        title = f"automatic ({first.title or first.ref})"
        found = [ModelChoice(AUTO, title, (), chosen == AUTO, self.hint())]
        for alias, choices in catalog.aliases.items():
            model = choices[0].model
            found.append(ModelChoice(alias, f"{alias} ({model.title or model.ref})", (), chosen == alias))
        for ref, spec in catalog.models.items():
            found.append(ModelChoice(ref, spec.title or ref, (), chosen == ref))
        return found

    async def _wider(self) -> str | None:
        scope = self.account.scope if self.account is not None else GLOBAL
        return await self.choices.model_for(scope) or await self.choices.model_for(GLOBAL)

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """See channels.base.Host."""
        return await self.vectors(model, texts)

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """See channels.base.Host."""
        try:
            return (await self.fetcher.get(url, max_bytes=max_bytes)).data
        except FetchError as error:
            raise told(error) from None

    def signal(self, name: str, value: float = 1.0) -> None:
        """See channels.base.Host."""
        if not self._is_late("signal"):
            metrics.count_signal(self.channel, name, value)

    def online(self, *, is_online: bool, reason: str = "") -> None:
        """See channels.base.Host."""
        account = self.account
        if account is None or self._is_late("online"):
            return
        if is_online and not account.is_online and account.heard_at is not None:
            account.heard_at = self.inbox.clock()  # it was silent because it had no connection
        if account.report(is_online=is_online, reason=reason, now=self.inbox.wall()):
            event = "channel online" if is_online else "channel offline"
            log.info(event, channel=self.channel, account=self.name, reason=reason or None)
        metrics.channel_online(self.channel, self.name, is_online=is_online)

    def heard(self) -> None:
        """See channels.base.Host."""
        if self.account is not None and not self._is_late("heard"):
            self.account.heard_at = self.inbox.clock()

    def _is_late(self, call: str) -> bool:
        """Whether an old connection calls; then it is counted and nothing else."""
        if self.account is None or not is_late(self.account):
            return False
        metrics.late_call(self.channel, call)
        return True


def told(error: FetchError) -> ChannelError:
    """Why nothing was fetched, in the words of channels."""
    match error.fault:
        case Fault.TOO_LARGE:
            return TooLong(str(error))
        case Fault.STATUS | Fault.UNKNOWN | Fault.REDIRECTS:
            return Gone(GoneWhat.MESSAGE, str(error))
        case Fault.FORBIDDEN | Fault.KIND | Fault.DAMAGED:
            return Refused("fetch", str(error))
        case Fault.UNREACHABLE | Fault.TOO_SLOW:
            return Unavailable(str(error))


_NOTED = frozenset(each.name for each in fields(AnswerNote))


def _line(row: HistoryRow) -> HistoryLine:
    kept = row.note
    # A row may have been written by another version, which noted more.
    note = AnswerNote(**{key: kept[key] for key in kept if key in _NOTED}) if kept is not None else None
    return HistoryLine(row.role, without_contents(row.text), row.message_id, row.at, str(row.outcome), note)
