"""A built daemon: its parts, its accounts, what it serves. bot.compose builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot import words
from bot.access import Policy
from bot.accounts import Account
from bot.alerts import Alerts
from bot.choices import WiderChoices
from bot.commands.registry import Desk, Table
from bot.conversations import Conversations
from bot.errors import BotError
from bot.grants import Grants
from bot.home import Home
from bot.host import AccountHost
from bot.inbox import Inbox
from bot.lanes import Lanes
from bot.messenger import Messenger
from bot.settings import AccountSettings
from bot.sources import Models
from bot.store.base import Store
from bot.suspects import Suspects
from bot.vectors import embed
from channels.base import ChannelSpec, Route, Routes
from routing.health import Health


@dataclass(slots=True)
class App:
    """A built daemon: what runs, and what it is reached by."""

    home: Home
    store: Store
    models: Models
    health: Health
    lanes: Lanes
    inbox: Inbox
    conversations: Conversations
    choices: WiderChoices
    desk: Desk
    table: Table
    system: Callable[[str | None], str]
    persona: Callable[[str | None], str]
    clock: Callable[[], float]
    messenger: Messenger
    grants: Grants
    suspects: Suspects
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    is_draining: bool = False

    @property
    def alerts(self) -> Alerts:
        """Where the owner's alerts are raised."""
        return self.messenger.alerts

    def open_account(self, row: AccountSettings) -> Account:
        """Make an account's channel. Imports its SDK; makes no connection. Raises what the adapter raises."""
        spec: ChannelSpec = row.spec
        host = AccountHost(
            channel=spec.name,
            name=row.name,
            home=self.home,
            inbox=self.inbox,
            store=self.store,
            conversations=self.conversations,
            choices=self.choices,
            catalog=lambda: self.models.catalog(row.agent),
            specs=self.table.specs,
            is_draining=lambda: self.is_draining,
            hint=self._hint,
            vectors=lambda model, texts: embed(self.models, self.desk.spending, row.agent, model, texts),
        )
        account = Account(
            channel=spec.open(row.name, row.settings, host),
            policy=Policy(
                allow=frozenset(row.allow),
                groups=frozenset(row.groups),
                owners=frozenset(row.owner),
                admins=frozenset(row.admins),
                direct=row.dm,
                activation=row.activation,
                stops_loops=row.stop_loops,
                is_local=spec.is_local,
            ),
            system=self.system(row.agent),
            allow_path=f"{row.path}.allow",
            groups_path=f"{row.path}.groups",
            agent=row.agent,
            mark=spec.mark,
            persona=self.persona(row.agent),
            errors=row.errors.plain(),
            silence=spec.silence,
            id_pattern=spec.id_pattern,
            id_hint=spec.id_hint,
        )
        account.granted = self.grants.of(spec.name, row.name)
        host.account = account
        self.accounts[(spec.name, row.name)] = account
        return account

    def _hint(self) -> str:
        return words.stand_in(self.models.origin, self.models.advice) if self.models.is_stand_in else ""

    def routes(self) -> Sequence[Route]:
        """Every HTTP route that a channel wants served. Raises BotError when two accounts want the same."""
        found: dict[tuple[str, str, bool], Route] = {}
        for (channel, name), account in self.accounts.items():
            if not isinstance(account.channel, Routes):
                continue
            for route in account.channel.routes():
                if found.setdefault((route.method, route.path, route.is_public), route) is not route:
                    raise BotError(
                        f"channels.{channel}.accounts.{name}: another account serves {route.path} already"
                    )
        return list(found.values())

    def missing(self) -> Mapping[str, str] | None:
        """What is not ready yet and why; None when everything is."""
        if self.is_draining:
            return {"daemon": "stopping"}
        late = {
            f"{channel}:{name}": account.offline_reason
            for (channel, name), account in self.accounts.items()
            if not account.is_online
        }
        return late or None

    def serves(self) -> bool:
        """Whether somebody can be answered: one account that fails must not take the others out of service.

        The page and the endpoint of this machine alone do not count beside channels that people reach from elsewhere.
        """
        remote = [each for each in self.accounts.values() if not each.policy.is_local]
        counted = remote or self.accounts.values()
        return not self.is_draining and any(each.is_online for each in counted)
